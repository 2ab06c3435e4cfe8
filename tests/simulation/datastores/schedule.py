# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seed makes happen to a pool: a set is made and gets replicas; then hosts, servers, guests, managers, links fail and come back."""

from __future__ import annotations

from baton.datastores.engine.engine import request
from baton.datastores.plans.mariadb import PLAN
from baton.ground.problem import Problem
from simulation.datastores.troubles import Troubles
from simulation.datastores.world import SET, World, member


class Schedule(Troubles):
    """One seed of a pool."""

    def __init__(self, seed, hosts=None, lease=None):
        super().__init__(World(seed, hosts or 3 + seed % 2, lease or (2.0, 1.0)[seed % 3 == 0]))
        self.number = 0  # of sets that were detached

    # --- what people ask for ----------------------------------------------------------------------------------------------

    def _people(self, case):
        """Make what is not there; then, now and then, ask for something else. Who hears that the set is busy asks again.

        Returns whether they have asked for something.
        """
        try:
            return self._of_its_own(case) if case.whole.id != SET else self._of_all(case)
        except Problem:
            self.world.checks.busy += 1
            return False

    def _of_its_own(self, case):
        """What was detached is deleted after a while: by force, if its host is gone for good."""
        if case.whole.asked is None and case.whole.task is None and (self.healed or self.random.random() < 0.02):
            is_gone = any(each.host in self.world.gone for each in case.whole.members.values())
            request(case, PLAN, "delete", "asked for", members=list(case.whole.members), **({"force": True} if is_gone else {}))
            return True
        return False

    def _of_all(self, case):
        there = case.whole.members
        elsewhere = {name for key, whole in self.world.store.sets.items() if key != SET for name in whole["members"]}
        names = [server.id for server in self.world.servers if server.id not in elsewhere]
        missing = [name for name in names if name not in there or there[name].status == "ERROR" and not there[name].joined]
        missing = [name for name in missing if name.replace("m", "h") not in self.world.gone]
        if len(missing) == len(self.world.hosts):
            return self._add(case, names[:1], "create", candidate="m1")
        if missing and case.opened is not None:
            return self._add(case, missing, "replicate")
        return bool(self.end) and not self.healed and self.random.random() < 0.015 and self._something(case)

    def _add(self, case, names, program, **data):
        request(case, PLAN, program, "asked for", members=names, **data)
        case.whole.members.update({name: member(int(name[1:])) for name in names})
        return True

    def _something(self, case):
        away = [each.id for each in case.whole.replicas if not case.server(each).up] if case.whole.needs else []
        if away and self.random.random() < 0.5:  # one that is waited for, with the source: people lose patience
            name = self.random.choice(away)
            if self._spares_one(case, name):
                request(case, PLAN, "delete", "asked for", members=[name], force=True)
                return True
            return False
        program = self.random.choice(("promote", "promote", "promote", "restart", "restart", "delete", "detach", "detach", "configure"))
        if program == "promote":
            return self._another_source(case)
        names = sorted(case.whole.members)
        name = self.random.choice(names if len(names) > 2 else names[-1:])  # of a source that has replicas nobody is rid: that is refused
        if len(names) < 2 or name == case.whole.source and len(names) < 3:
            return False
        if program == "delete" and not self._spares_one(case, name):
            return False
        self.number += 1
        more = {"set": f"n{self.number}"} if program == "detach" else {}
        if program == "delete" and not case.server(case.whole.members[name]).up:  # people take it for gone, and it may come back
            more = {"force": self.number % 2 == 0}
        request(case, PLAN, program, "asked for", members=[name], **more)
        if self.random.random() < 0.3:  # something happens meanwhile
            self.world.after(self.random.uniform(0.05, 0.6), self._fault)
        return True

    def _spares_one(self, case, name):
        """Whether somebody stays beside all whose deletion was asked for: people do not delete the whole set here, one by one."""
        asked = [(case.whole.asked["program"], case.whole.asked["data"])] if case.whole.asked else []
        asked += [(case.task.program, case.task.data)] if case.whole.task else []
        going = {each for program, data in asked if program == "delete" for each in data["members"]}
        return bool(set(case.whole.members) - going - {name})

    def _another_source(self, case):
        ready = [each.id for each in case.whole.replicas if each.follows == case.whole.term]
        if not ready or case.opened is None:
            return False
        request(case, PLAN, "promote", "asked for", candidate=self.random.choice(ready))
        if self.random.random() < 0.3:
            source = self.world.hosts[case.whole.members[case.whole.source].host]
            self.world.after(self.random.uniform(0.1, 0.6), lambda: self._kill_guest(source, 0.05))
        return True

    # --- faults -----------------------------------------------------------------------------------------------------------

    def _somebody(self):
        """Prefer the source."""
        hosts = list(self.world.hosts.values())
        source = [host for host in hosts if host.server.writable]
        return source[0] if source and self.random.random() < 0.5 else self.random.choice(hosts)

    def _heal(self):
        """All come back, but now and then one that is gone for good: nobody waits for a replica, and another follows a source."""
        world = self.world
        self._all_come_back()
        whole = world.store.read(SET)[0]
        others = [each.host for each in whole.replicas]
        made = len(others) == len(world.hosts) - 1
        at_rest = made and whole.task is None and whole.asked is None
        know = all(world.hosts[name].server.up and world.hosts[name].server.whole for name in others)
        reigns = at_rest and know and world.store.channels[whole.members[whole.source].host].claims.get(SET) == whole.term
        if reigns and whole.confirmed == whole.counted == sorted(each.id for each in whole.replicas):
            others.append(whole.members[whole.source].host)  # any of them can take its place
        if made and self.random.random() < 0.25:
            self.lose(world.hosts[self.random.choice(others)])

    def _all_come_back(self):
        """From here on people gather all in one set again."""
        self.world.gathers = True
        super()._all_come_back()
