# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated group communication: views, primary components, write sets in one order for all, and what joiners lack.

A write set is delivered once all of a view have received it. So who goes on from a view has all that anybody returned to a client in it.
A component goes on as the primary one with a majority of the last that was, but for those who left in good order. Who has lost it, and
finds all of them again, is it again.
"""

from __future__ import annotations

from baton.datastores.model.channel import OUT
from simulation.clusters.servers import JOINER, NEVER, NOWHERE, SYNCED

SUSPECT = (2.5, 3.0)  # seconds until a member that is silent is dropped
NOTICES = (0.5, 6.0)  # seconds until one that was frozen notices that the others are gone
GIVES_UP = 34.0  # seconds after which one that has never met a primary component ends


class View:
    """``basis``: the last primary one (itself, if it is); ``left``: by who has left that in good order, who has heard of it.

    ``lineage``: one for each time that a group was formed. ``pending``: write sets that not all have received. ``due``: when they go on
    without those who are silent, if it stays as it was ``seen``.
    """

    def __init__(self, number, group, members, basis, left, lineage):
        self.number, self.group, self.left = number, group, left
        self.members = tuple(sorted(members, key=lambda server: server.id))
        self.lives = {server: server.life for server in self.members}  # one that is started anew is not who it was
        self.primary = basis is None and lineage is not None
        self.basis, self.lineage = basis or (self if self.primary else None), lineage
        self.pending, self.due, self.seen = [], None, ()

    def is_whole(self):
        return all(server.view is self and server.runs for server in self.members)


class Groups:
    """All servers of a world. ``servers``: they have a ``host`` each, and links are between hosts."""

    def __init__(self, world, servers, cache):
        self.world, self.servers, self.cache = world, servers, cache
        self.numbers = self.lineages = 0
        self.newest = {}  # lineage → its latest primary view
        self._uniform, self._chance = world.random.uniform, world.random.random

    # --- what servers do ------------------------------------------------------------------------------------------------------

    def form(self, server):
        """It begins a primary component of its own."""
        self.lineages += 1
        server.uuid = server.uuid or f"u{self.lineages}"
        server.state = SYNCED
        self._install([server], None, {}, self.lineages, {server})

    def leave(self, server):
        """It ends in good order, and those who hear of it count one less."""
        view = server.view
        if view is None:
            server.kill()
            return
        others = [other for other in view.members if other is not server and other.view is view and other.runs]
        part = next((part for part in self._parts([server, *others]) if server in part), [])
        view.left[server] = {other for other in part if other is not server}
        server.kill()
        if len(others) == len(view.members) - 1 == len(part) - 1:  # else they wait for those who are silent
            view.due, view.seen = self.world.now + self._uniform(0.02, 0.3), self._parts_of(view)

    def write(self, server, number, then):
        """A client's transaction; ``then`` is called when its commit returns."""
        self.world.after(self.world.travel(), self._order, server, server.life, number, then)

    def _order(self, server, life, number, then):
        """All of the view have received it, or some have, and the rest is seen to when it is whole again, or another comes."""
        view = server.view
        if server.life != life or view is None or not view.primary:
            return  # its client does not know what became of it
        if self._is_connected(view):
            self._deliver(view, number, server, then)
        else:
            view.pending.append((number, server, life, then))

    def _deliver(self, view, number, server, then):
        for member in view.members:
            if not member.arbiter:
                member.relay.append(number)
        self.world.after(self.world.travel(), server.deliver, server.life, self._commit, server, number, then)

    def _commit(self, server, number, then):
        """It has applied all up to its own transaction, which is on its disk, and returns."""
        if number in server.relay:
            server.apply(server.relay.index(number) + 1)
        then()

    def apply(self, server, many):
        server.apply(many)
        server.cache = max(server.cache, len(server.log) - self.cache)

    # --- views ------------------------------------------------------------------------------------------------------------------

    def _parts(self, servers):
        """Return those who reach each other, if only by others."""
        left, parts = list(servers), []
        while left:
            part, found = [], [left.pop()]
            while found:
                one = found.pop()
                part.append(one)
                near = [other for other in left if self.world.reach(one.host, other.host)]
                found += near
                left = [other for other in left if other not in near]
            parts.append(part)
        return parts

    def _is_connected(self, view):
        return view.is_whole() and (not self.world.links or len(self._parts(view.members)) == 1)

    def look(self):
        """See who is silent, who has met, and who gives up."""
        now = self.world.now
        views = {server.view: None for server in self.servers if server.view is not None}
        for view in views:
            self._put_out(view)
            self._look_at(view, now)
        self._meet()
        for server in self.servers:
            if server.runs and now - server.began > GIVES_UP:
                server.ended = "it has met no primary component"
                self.leave(server)

    def _look_at(self, view, now):
        if self._is_connected(view):
            view.due, pending, view.pending = None, view.pending, []
            for number, server, life, then in pending:
                self._again(view, number, server, life, then)
            return
        seen = self._parts_of(view)
        if not seen:
            view.due = None
        elif view.due is None or seen != view.seen:  # each has its time to be heard again
            view.due, view.seen = now + self._uniform(*(NOTICES if self._is_behind(view) else SUSPECT)), seen
        elif now >= view.due:
            self._split(view, seen)

    def _put_out(self, view):
        """Whoever a member was told of that it is forgotten goes, and does not come back in this life."""
        out = [server for server in view.members if any(self._keeps_out(other, server) for other in view.members if other.runs)]
        for server in out:
            if server.view is view and server.runs:
                server.ended = "it was put out"
                server.view, server.state, server.relay = None, OUT, []

    @staticmethod
    def _keeps_out(one, other):
        return other.up and other.life == one.told.get(other.id)

    def _parts_of(self, view):
        return self._parts([server for server in view.members if server.view is view and server.runs])

    def _is_behind(self, view):
        """Whether others have gone on without those who are left in a view."""
        return view.primary and self.newest[view.lineage] is not view

    def _again(self, view, number, server, life, then):
        if server.life == life and server.view is view:
            self._deliver(view, number, server, then)

    def _split(self, view, parts):
        pending, view.pending, view.due = view.pending, [], None
        was_behind = self._is_behind(view)
        for part in parts:
            left = {one: heard for one, heard in view.left.items() if heard.intersection(part)}
            voters = self._voters(view.basis, left)
            there = len([server for server in voters if server in part])
            is_primary = view.primary and not was_behind and 2 * there > len(voters)
            if is_primary:
                self._go_on(part, pending)
            for server in part:
                server.apply(len(server.relay) if not server.stalled else 0)
            self._install(part, None if is_primary else view.basis, {} if is_primary else left, view.lineage, set(part))

    @staticmethod
    def _voters(basis, left):
        return [server for server in basis.members if server not in left] if basis is not None else []

    def _go_on(self, part, pending):
        """What some have received, all of them do who go on; its client hears of it if it is with them."""
        for number, server, life, then in pending:
            if self._chance() < 0.5:
                continue
            for member in part:
                if not member.arbiter:
                    member.relay.append(number)
            if server in part and server.life == life:
                self.world.after(self.world.travel(), server.deliver, life, self._commit, server, number, then)

    def _meet(self):
        """Components of one group that reach each other become one, once each of them is sure who is in it; and who has just started."""
        live = [server for server in self.servers if server.runs]
        for one in live:
            for other in live:
                if self._could_meet(one, other) and self._chance() < 0.15:
                    self._merge(one, other)
                    return
            if one.view is None and one.state != OUT and self.world.now - one.began > 1.0:
                self._install([one], None, {}, None, set())

    def _could_meet(self, one, other):
        if one is other or one.group != other.group or one.view is other.view is not None or OUT in (one.state, other.state):
            return False
        if not self.world.reach(one.host, other.host) or not (other.host in one.knows or one.host in other.knows):
            return False
        return all(each.view is None or self._is_connected(each.view) for each in (one, other))

    def _merge(self, one, other):
        views = [each.view for each in (one, other) if each.view is not None]
        members = {one, other}.union(*(view.members for view in views))
        out = [each for each in members if any(self._keeps_out(another, each) for another in members)]
        for server in out:  # they are rejected, and know that
            server.view, server.state, server.relay = None, OUT, []
        if out:
            return None
        primary = next((view for view in views if view.primary), None)
        if primary is not None:
            return self._install(members, None, {}, primary.lineage, primary.members)
        known = [view for view in views if view.basis is not None]
        if not known:
            return self._install(members, None, {}, None, set())
        latest = max(known, key=lambda view: view.basis.number)
        left = {}
        for view in known:
            left.update(view.left if view.basis is latest.basis else {})
        voters, lives = self._voters(latest.basis, left), latest.basis.lives
        if members.issuperset(voters) and all(server.life == lives[server] for server in voters):  # all are there again of whom it last was
            return self._install(members, None, {}, latest.lineage, self._furthest(latest, members))
        return self._install(members, latest.basis, left, latest.lineage, set())

    def _furthest(self, view, members):
        """Who goes on where the last primary component was: all others lack something."""
        there = [server for server in view.basis.members if server in members and not server.arbiter and server.state != JOINER]
        furthest = max((server.received for server in there), default=0)
        return {server for server in there if server.received == furthest}

    def _install(self, members, basis, left, lineage, current):
        """``basis``: None where it is a primary one; ``lineage``: None where it never was; ``current``: who has all up to here."""
        self.numbers += 1
        one = next(iter(members))
        view = View(self.numbers, one.group, members, basis, left, lineage)
        if view.primary:
            self.newest[lineage] = view
        here = view.members
        able = [server for server in here if server in current and not server.arbiter and server.state != JOINER]
        at = min(able, key=lambda server: (server.state != SYNCED, server.id), default=None)
        joiners = [server.base + len(server.relay) for server in here if server in current and server.state == JOINER]
        position = at.received if at is not None else max(joiners, default=0)
        for server in here:
            before, server.view = server.view, view
            server.knows.update(other.host for other in here)
            server.fenced = float("inf")
            if server.arbiter:
                server.state = SYNCED if view.primary else NOWHERE
            elif view.primary:
                self._enter(server, at, position, before is not None and before.primary and server in current)
            elif server.state == JOINER:
                server.state, server.relay = NOWHERE, []
            else:
                server.state = NOWHERE
            if view.primary:
                server.began = float("inf")  # from here on it waits for one
        if view.primary:
            self.world.checks.primary(view)

    def _enter(self, server, at, position, goes_on):
        """A server is in a primary component: with all, or it has to have what it lacks. Numbers alone tell who lacks nothing."""
        if goes_on and server.state == JOINER:
            server.relay.append(-self.numbers)
        elif at is not None and server.uuid == at.uuid and server.received == position:
            server.state = SYNCED
            server.relay.append(-self.numbers)
            self.world.checks.synced(server)
        else:
            server.apply(len(server.relay))
            server.state, server.base, server.relay = JOINER, position, [-self.numbers]
            self.world.after(self._uniform(0.3, 1.5), self._transfer, server, server.life, server.base)

    def _transfer(self, server, life, base):
        """A joiner gets what it lacks from the cache of another, or ends."""
        if server.life != life or server.state != JOINER or server.base != base:
            return
        able = [other for other in server.view.members if other.serves and self.world.reach(server.host, other.host)]
        able = [other for other in able if other.view is server.view and len(other.log) >= base]
        if not able or not server.runs:
            self.world.after(0.3, self._transfer, server, life, base)
            return
        donor, at = min(able, key=lambda other: (other.cache, other.id)), len(server.log)
        if server.uuid != donor.uuid or at < donor.cache or at > base:
            server.ended = NEVER
            self.leave(server)
            return
        server.log += donor.log[at:base]
        server.state, server.cache = SYNCED, max(at, len(server.log) - self.cache)
        self.world.checks.synced(server)
