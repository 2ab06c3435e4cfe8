# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seed makes happen to a cluster: it is made, grows, shrinks, stops; hosts, servers, guests, managers, links fail and come back."""

from __future__ import annotations

from baton.datastores.engine.engine import cancel, request
from baton.datastores.plans.galera import PLAN
from baton.datastores.plans.group import is_arbiter, serving
from baton.ground.problem import Problem
from simulation.clusters.world import World, member
from simulation.datastores.troubles import Troubles

LEAST, MOST = 2, 5  # members


class Schedule(Troubles):
    """One seed of a cluster: of three members, of which one may be an arbiter, and hosts to spare."""

    quiet = 240.0

    def __init__(self, seed, hosts=None, arbiters=None):
        super().__init__(World(seed, hosts or 4 + seed % 2))
        many = seed % 4 == 0 if arbiters is None else arbiters
        self.kinds_of = {server.id: "data" for server in self.world.servers}
        self.kinds_of.update({f"m{3 - n}": "arbiter" for n in range(many)})
        self.kinds_of["m4"] = "arbiter" if seed % 7 == 0 and arbiters is None else "data"
        self.first = ["m1", "m2", "m3"]

    # --- what people ask for ----------------------------------------------------------------------------------------------

    def _people(self, case):
        """Make what is not there; now and then, ask for something else. Returns whether they have asked for something."""
        whole = case.whole
        if whole.asked is not None or whole.task is not None and self.random.random() < 0.9:
            return False
        try:
            if whole.task is not None and self._loses_patience(whole):
                cancel(case, PLAN, "it was reset")
                return True
            return self._mend(case) or bool(self.end) and not self.healed and self.random.random() < 0.015 and self._something(case)
        except Problem:
            self.world.checks.busy += 1
            return False

    def _loses_patience(self, whole):
        if self.healed:
            return whole.needs and self.world.gone
        return bool(self.end) and whole.task.asked and self.random.random() < 0.05

    def _ask(self, case, program, **data):
        request(case, PLAN, program, "asked for", **data)
        return True

    def _bring(self, case, program, names, **data):
        self._ask(case, program, members=names, **data)
        case.whole.members.update({name: member(int(name[1:]), self.kinds_of[name]) for name in names if name not in case.whole.members})
        return True

    def _mend(self, case):
        """See to what Baton can't: a cluster that was not made, that was stopped, that waits for a host that is gone for good."""
        whole, gone = case.whole, self.world.gone
        lost = [key for key, each in sorted(whole.members.items()) if each.host in gone]
        failed = [key for key, each in sorted(whole.members.items()) if not each.joined and each.status == "ERROR" and key not in lost]
        if whole.task is not None and not whole.needs:
            return False
        if not whole.formed and whole.members:  # it was not made, or deleted in part
            silent = any(not case.channel(each).alive for each in whole.members.values())
            return self._ask(case, "delete", members=[*whole.members], **({"force": True} if silent and self.healed else {}))
        if not whole.formed:
            return self._create(case)
        if whole.own.get("stopped"):
            return whole.task is None and (self.healed or self.random.random() < 0.02) and self._ask(case, "revive", members=[], without=[])
        if lost and whole.needs and not serving(case):
            if whole.task is None:
                self.world.checks.given_up()
                return self._ask(case, "revive", members=[], without=lost)
        elif lost and serving(case) and whole.task is None:
            return self._ask(case, "shrink", members=lost[:1])
        elif failed and whole.task is None and serving(case):
            return self._bring(case, "grow", failed)
        return False

    def _create(self, case):
        """Where nothing is left of another cluster; people remove what is left on a host that is heard."""
        for host in self.world.hosts.values():
            if host.server.ours and host.guest.runs:
                host.server.wipe()
        names = [name for name in self.first if not self.world.homes[name].server.ours and name.replace("m", "h") not in self.world.gone]
        return len(names) > 1 and any(self.kinds_of[name] == "data" for name in names) and self._bring(case, "create", names)

    def _something(self, case):
        members = sorted(case.whole.members)
        spare = [server.id for server in self.world.servers if server.id not in members and not server.ours and not server.up]
        name = self.random.choice(members)
        program = self.random.choice(("grow", "shrink", "replace", "restart", "configure", "stop", "grow", "restart"))
        stays = [each for key, each in case.whole.members.items() if key != name and not is_arbiter(each)]
        if program == "grow":
            return bool(spare) and len(members) < MOST and self._bring(case, "grow", spare[: self.random.randint(1, 2)])
        if program == "shrink":
            return len(members) > LEAST and bool(stays) and self._ask(case, "shrink", members=[name])
        if program == "replace":
            return bool(spare and stays) and self._bring(case, "replace", spare[:1], leaves=[name])
        if program == "stop":
            return self.random.random() < 0.5 and self._ask(case, "stop", members=[])
        if self.random.random() < 0.3:  # something happens meanwhile
            self.world.after(self.random.uniform(0.05, 0.6), self._fault)
        return self._ask(case, program, members=members if program == "restart" else [name])

    # --- faults -----------------------------------------------------------------------------------------------------------

    kinds = (*Troubles.kinds, "kill all", "cut apart")

    def _kill_all(self, _host, lasts):
        """At once, as when a room loses its power."""
        for host in self.world.hosts.values():
            host.power_off()
            self.world.after(lasts * self.random.uniform(0.5, 1.5), host.start)

    def _cut_apart(self, host, lasts):
        """Servers of one host reach those of no other, but all of them the manager."""
        for other in self.world.hosts:
            if other != host.name:
                self._cut(host.name, other, lasts)

    def _heal(self):
        """All come back, but now and then one that is gone for good, where others have the data."""
        self._all_come_back()
        whole = self.world.store.read(self.world.main)[0]
        have = [each for each in whole.members.values() if each.joined and not is_arbiter(each)]
        if len(have) > 2 and self.random.random() < 0.25:
            self.lose(self.world.hosts[self.random.choice(have).host])
