# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pool hosts with a member of a simulated cluster: a guest that has hands for the verbs of one, and its guard. A server that has ended
is started by an order alone.
"""

from __future__ import annotations

from functools import cache

from baton.datastores.model.channel import Report
from baton.datastores.model.channel import Server as Said
from simulation.clusters.servers import NEVER, Server
from simulation.datastores.ground import Guest

FOREVER = float("inf")
LOOKS, FENCE = 0.25, 2.25  # seconds: between two looks at a server; for how long one that is answered lets it go on
BREAKS = Report("the copy broke off", {"broke": True})
KILLED_AFTER = 6.0  # seconds after which one that was told to end is killed


@cache
def _said(of, trouble, size, state, primary, uuid, number=0):
    view = {"primary": primary, "size": size, "state": state, "uuid": uuid, "number": number} if size else {}
    return Said(not trouble, trouble, of, view=view)


class Host(Guest):
    """``journal``: of ``form``, ``join`` and ``restart`` the last order by which the server was started; the ``group`` in
    which it was started last with the data that it has.
    """

    looks = (0.05, 0.15)

    def __init__(self, world, name, rate):
        super().__init__(world, name, rate)
        self.server = Server(f"m{name[1:]}", name)
        self.server.now = lambda: world.now
        self.start()

    # --- life ---------------------------------------------------------------------------------------------------------------

    def start(self):
        if self.name in self.world.gone:
            return
        if not self.guest.up:
            self.ending, self.copying, self.waits = False, None, ""
            self.begin()
            self.soon(0.02, self._look_at_the_server)
        if not self.guard.up:
            self.guard.start()
            self.deadline = FOREVER  # nobody has told it anything
            self._guard()

    def freeze(self):
        """Freeze all of it; return what thaws it, the guard first."""
        return [process.freeze() for process in (self.guard, self.server, self.guest)]

    def power_off(self):
        for process in (self.server, self.guest, self.guard):
            process.kill()

    def _guard(self):
        """The guard kills a server that has not answered the guest for too long."""
        if self.server.up and self.clock >= self.deadline:
            self.server.kill()
        wait = 0.25
        if self.clock < self.deadline:
            wait = min(wait, max(0.005, (self.deadline - self.clock) / self.rate))
        self.world.after(wait, self.guard.deliver, self.guard.life, self._guard)

    def _look_at_the_server(self):
        server = self.server
        if server.up and not server.arbiter and not self.ending:
            self.world.after(0.002, server.deliver, server.life, self._answered, self.guest.life, server.life, self.clock)
        self.soon(LOOKS / self.rate, self._look_at_the_server)

    def _answered(self, life, server_life, begun):
        self.guest.deliver(life, self._tell_guard, server_life, begun)

    def _tell_guard(self, server_life, begun):
        if server_life == self.server.life and not self.ending:
            self.deadline = begun + FENCE

    def _say(self, channel):
        said = {self.server.id: self._looks()} if self.server.ours else {}
        if channel.servers != said:
            self.request(lambda: self.world.store.servers(self.name, said))

    def _looks(self):
        server = self.server
        of = self.world.main
        if not server.up:
            return _said(of, "its process has ended", 0, "", False, "")
        if server.arbiter and server.view is not None and server.is_in:  # its log says so, frozen or not
            return _said(of, "", len(server.view.members), server.state, True, "", server.view.number)
        if not server.runs or server.view is None:
            return _said(of, "it does not answer", 0, "", False, "")
        trouble = "" if server.is_in else "it runs, and is not in the primary component" if not server.view.primary else "it joins still"
        size, number = 0 if server.arbiter else len(server.view.members), server.view.number if server.view.primary else 0
        return _said(of, trouble, size, server.state, server.view.primary, server.uuid, number)

    # --- verbs --------------------------------------------------------------------------------------------------------------------

    def _carried_out(self, order):
        """Return the report, or None while it is not done."""
        if order.verb not in ("prepare", "wipe") and not self.server.ours:
            return Report("there is no server of ours")
        return getattr(self, f"_{order.verb}")(order.args)

    def _prepare(self, args):
        server = self.server
        if server.foreign:
            return Report("its directory has what is not ours; empty it, or take another host")
        if not server.ours:
            server.ours, server.arbiter, server.ended = True, args.get("type") == "arbiter", ""
        if args["found"] and not server.data:
            server.data, server.uuid, server.log = True, "", []
        return Report()

    def _begin(self, args):
        self._announce(args)
        self.ending, self.deadline, self.waits = False, FOREVER, self.doing
        self.journal["group"] = args["cluster"]
        self.server.begin(args["cluster"], [each["address"] for each in args["members"]], self.world.now)

    def _form(self, args):
        server, position, is_ours = self.server, args["position"], self.journal.get("form") == self.doing
        if server.up and not is_ours:
            return Report("it runs already")
        if server.up:
            found = {"uuid": server.uuid, "seqno": position["seqno"] if position is not None else 0}
            return Report(found=found) if server.is_in and server.runs else None
        if self.waits == self.doing:
            return Report("it has ended")
        if position is None and server.uuid and not is_ours:
            return Report("it has a history")
        if not server.data or position is not None and self._is_elsewhere(position, is_ours):
            return Report(f"it is at {server.uuid}:{len(server.log)}, not where it is to form the group")
        self.journal["form"] = self.doing
        self.world.checks.forms(server, args["cluster"])
        self._begin(args)
        self.world.after(self.world.random.uniform(0.1, 0.4), server.deliver, server.life, self.world.groups.form, server)
        return None

    def _is_elsewhere(self, position, is_again):
        """``is_again``: it was cut off when it had formed it by this order; nobody else has written since."""
        server, seqno = self.server, position["seqno"]
        return server.uuid != position["uuid"] or len(server.log) < seqno or len(server.log) > seqno and not is_again

    def _send(self, _args):
        return Report() if self.server.serves else None

    def _receive(self, _args):
        """Whose copy it is stands in the order's id. Until all of it is there, there is no data."""
        server, donor = self.server, self.world.homes[self.doing.rpartition(".")[2]].server
        if server.up:
            self._has_ended()
            return None
        if not donor.serves or not self.world.reach(server.host, donor.host):
            return None
        copying = self.doing, donor.life
        if self.copying is None or self.copying[0] != copying:
            self.world.checks.replaced(server, donor)
            server.data, server.uuid, server.log = False, "", []
            self.journal["group"] = ""
            self.copying = copying, self.world.now + self.world.random.uniform(0.2, 2.0)
        if self.world.now < self.copying[1]:
            return None
        if self.world.breaks.random() < 0.1:
            return BREAKS
        server.data, server.uuid, server.log, server.cache = True, donor.uuid, list(donor.log), len(donor.log)
        return Report()

    def _join(self, args):
        server = self.server
        if server.up and server.group != args["cluster"]:
            self._has_ended()
            return None
        if server.up:
            return Report() if server.is_in and server.runs else None
        why = "" if server.arbiter else self._why_apart(args["formed"])
        if why:
            return Report(found={"apart": why})
        if self.waits == self.doing:
            return Report(server.ended or "it has ended")
        self.journal["join"] = self.doing
        self._begin(args)
        return None

    def _why_apart(self, formed):
        """Return why what is here is of no use, "" if it is."""
        server = self.server
        if not server.data or not server.uuid:
            return "it has no data"
        if server.ended == NEVER and self.doing in (self.journal.get("join"), self.journal.get("restart")):
            return NEVER
        if formed is not None and (server.uuid != formed["uuid"] or len(server.log) > formed["seqno"]):
            return "it was ahead of where the group was formed"
        return ""

    def _has_ended(self):
        """End the server in good order, and by force if that takes too long; return whether it has ended."""
        server = self.server
        if server.up and not self.ending:
            self.ending, self.deadline = True, FOREVER
            self.world.checks.taken_out(server, self.doing)
            self.world.after(self.world.random.uniform(0.05, 0.4), server.deliver, server.life, self.world.groups.leave, server)
            self.soon(KILLED_AFTER, self._kill, server.life)
        return not server.up

    def _kill(self, life):
        if self.server.up and self.server.life == life:
            self.server.kill()

    def _halt(self, args):
        server = self.server
        if args.get("idle") and server.serves and not self.ending:
            return Report("it serves")
        if not self._has_ended():
            return None
        self.ending = False
        seqno, group = len(server.log) if server.data and server.uuid else -1, self.journal.get("group", "")
        return Report(found={} if server.arbiter else {"uuid": server.uuid, "seqno": seqno, "group": group})

    def _restart(self, args):
        server = self.server
        if self.journal.get("restart") != self.doing:
            if not self._has_ended():
                return None
            self.journal["restart"] = self.doing
        elif server.up:
            return Report() if server.is_in and server.runs else None
        why = "" if server.arbiter else self._why_apart(None)
        if why:
            return Report(f"it needs a copy of the data: {why}")
        self._begin(args)
        return None

    def _announce(self, args):
        """Ids come again here, with another life: they don't where instances are made."""
        self.server.told.update({name: self.world.homes[name].server.life for name in args["gone"]})
        return Report()

    def _configure(self, _args):
        return Report(found={"restart": self.world.random.random() < 0.3})

    def _wipe(self, _args):
        server = self.server
        if server.ours:
            self.world.checks.wiped(server)
            server.wipe()
        for name in ("form", "join", "restart", "group"):
            self.journal.pop(name, None)
        self.ending = False
        return Report()
