# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of a cluster: D1 to D6 of docs/internals/datastores.md, and that a server that froze serves nothing stale."""

from __future__ import annotations

from simulation.datastores.checks import Violation

COUNTED = ("revive", "rejoin", "grow", "shrink", "replace", "restart", "stop")
PLANNED = ("restart", "upgrade", "shrink", "replace")  # one member after the other
NUMBERS = ("transactions", *COUNTED, "copies", "failed", "busy")


class Checks:
    """``acknowledged``: transactions of which a client was told that they are kept."""

    def __init__(self, world):
        self.world = world
        self.acknowledged = []
        self.numbers = dict.fromkeys((*COUNTED, "copies", "failed"), 0)
        self.busy = 0
        self.last = ""
        self.formed_by = {}  # group → who formed it

    @property
    def transactions(self):
        return len(self.acknowledged)

    def __getattr__(self, name):
        return self.__dict__["numbers"][name]

    def look(self):
        """What a step does is looked at where it is done."""

    def _missing(self, server):
        return sorted(set(self.acknowledged).difference(server.has()))

    # --- what servers do ------------------------------------------------------------------------------------------------------

    def primary(self, view):
        """D1: there is one primary component that takes writes. One of arbiters alone takes none."""
        if not any(server.is_in and not server.arbiter for server in view.members):
            return
        for server in self.world.servers:
            other = server.view if server.is_in and not server.arbiter else None
            if other is not None and other.lineage != view.lineage and all(each.view is other for each in other.members):
                names = [each.id for each in other.members], [each.id for each in view.members]
                raise Violation(f"D1: {names[0]} and {names[1]} both take writes, at {self.world.now:.2f}")

    def forms(self, server, group):
        """D5, D2: a group is formed once, by one who has all that was acknowledged."""
        if self.formed_by.setdefault(group, server.id) != server.id:
            raise Violation(f"D5: {server.id} forms {group}, which {self.formed_by[group]} has formed, at {self.world.now:.2f}")
        missing = self._missing(server)
        if missing:
            raise Violation(f"D2: {server.id} forms {group} without {missing[:5]} ({len(missing)}), at {self.world.now:.2f}")

    def synced(self, server):
        """D6: whoever is in has the others' history."""
        for other in server.view.members:
            many = min(len(server.log), len(other.log))
            if not server.arbiter and other.is_in and not other.arbiter and many and server.log[many - 1] != other.log[many - 1]:
                raise Violation(f"D6: {server.id} and {other.id} have different histories, at {self.world.now:.2f}")

    def read(self, servers):
        """No reads are stale of who was frozen and is back: its guest has ended it."""
        for server in servers:
            if self.world.now > server.fenced and self.world.groups.newest[server.view.lineage] is not server.view:
                raise Violation(f"{server.id} was frozen, and serves what is stale, at {self.world.now:.2f}")

    # --- what guests do -------------------------------------------------------------------------------------------------------

    @property
    def _whole(self):
        return self.world.store.sets[self.world.main]

    def _lost(self, server, what):
        """D2: whose data is thrown away has nothing that nobody else has."""
        others = set().union(*(other.has() for other in self.world.servers if other is not server))
        lost = sorted(set(self.acknowledged).intersection(server.log) - others)
        if lost:
            raise Violation(f"D2: {server.id} is {what}, and alone has {lost[:5]} ({len(lost)}), at {self.world.now:.2f}")

    def replaced(self, server, donor):
        self.numbers["copies"] += 1
        if not donor.serves:
            raise Violation(f"D6: {server.id} gets a copy of {donor.id}, which does not serve")
        self._lost(server, "replaced")

    def wiped(self, server):
        """D4: a member that is to stay is not wiped."""
        member, task = self._whole["members"].get(server.id), self._whole["task"]
        if member is not None and member["joined"]:
            raise Violation(f"D4: {server.id} is wiped, and is a member, at {self.world.now:.2f}")
        if task is not None and task["program"] in ("create", "delete"):
            self.acknowledged.clear()  # the cluster is not to be
        self._lost(server, "wiped")

    def taken_out(self, server, order):
        """A server is about to be ended by an order."""

    # --- what managers do -----------------------------------------------------------------------------------------------------

    def watched(self, commit):
        """D5: members are taken out one at a time, while most of the others are well, as far as their manager has read."""

        def watch(whole, written, parted, read, revision):
            if not commit(whole, written, parted, read, revision):
                return False
            task = whole.task
            if self.world.main not in self.world.store.sets:
                self.world.make_anew()
            elif task is not None and task.program in PLANNED and not task.undoing:
                self._one_at_a_time(whole, written, read)
            return True

        return watch

    def _one_at_a_time(self, whole, written, read):
        now = self.world.store.channels.values()
        orders = [(key, order) for each in now for key, order in each.orders.items() if key not in each.reports]
        out = {order.instance: key for key, order in orders if order.verb in ("halt", "restart")}
        if len(out) > 1:
            raise Violation(f"D5: {sorted(out)} are taken out at once, at {self.world.now:.2f}")
        for name, key in out.items():
            host = whole.members[name].host if name in whole.members else ""
            if host not in written or key in read[host].orders:
                continue
            others = [each for each in whole.members.values() if each.joined and each.id != name]
            well = [each for each in others if read[each.host].server(each.id).up]
            if 2 * len(well) <= len(others):
                raise Violation(f"D5: {name} is taken out while of {len(others)} others {len(well)} are well, at {self.world.now:.2f}")

    def committed(self, whole):
        latest = whole.history[-1] if whole.history else {"what": "", "at": 0.0}
        if latest != self.last:
            self.last = latest
            name, _is, how = latest["what"].partition(" is ")
            if how == "done" and name in COUNTED:
                self.numbers[name] += 1
            self.numbers["failed"] += latest["what"].endswith("has failed")

    def given_up(self):
        """People say that hosts are gone for good, and what nobody else has is lost with them."""
        left = set().union(*(host.server.has() for host in self.world.hosts.values() if host.name not in self.world.gone))
        self.acknowledged[:] = [number for number in self.acknowledged if number in left]

    # --- in the end -------------------------------------------------------------------------------------------------------------

    def at_rest(self):
        """D3: when all are back and nobody breaks anything, everything ends, and the cluster is whole."""
        wrong = self.troubles()
        if wrong:
            last = [f"{each['at']:.1f} {each['what']}: {each['why']}" for each in self._whole["history"][-6:]]
            raise Violation(f"D3: {'; '.join(wrong)}; at {self.world.now:.1f}; {last}")

    def troubles(self):
        """Return what is not as it should be when nobody breaks anything."""
        whole, world = self.world.store.read(self.world.main)[0], self.world
        wrong = [f"it needs: {whole.needs}"] if whole.needs else []
        if whole.task is not None:
            undoing = " (undoing)" if whole.task.undoing else ""
            wrong.append(f"{whole.task.program} has not ended, at step {whole.task.step}{undoing}")
        if not whole.formed or whole.own.get("stopped"):
            return [*wrong, "it does not serve"]
        left = sorted(key for key, entry in whole.own.get("gone", {}).items() if entry["host"] not in world.gone)
        wrong += [f"{', '.join(left)} left and are not wiped"] if left else []
        new = sorted(key for key, each in whole.members.items() if not each.joined)
        wrong += [f"{', '.join(new)} did not join"] if new else []
        servers = [world.homes[key].server for key, each in sorted(whole.members.items()) if each.joined and each.host not in world.gone]
        out = [server.id for server in servers if not (server.is_in and server.runs)]
        if out or not servers:
            return [*wrong, f"{', '.join(out) or 'all'} are not in"]
        view = servers[0].view
        if {server.id for server in servers} != {server.id for server in view.members}:
            wrong.append(f"{[server.id for server in view.members]} are in, and {[server.id for server in servers]} should be")
        have = [server for server in servers if not server.arbiter]
        if any(server.has() != have[0].has() for server in have):
            wrong.append("D6: members have different histories")
        missing = self._missing(have[0])
        if missing:
            wrong.append(f"D2: {missing[:5]} ({len(missing)}) were acknowledged, and are lost")
        return wrong
