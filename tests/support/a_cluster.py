# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Galera cluster for tests of its programs: what guests say is put in by hand, the manager is the real one."""

from dataclasses import replace

from baton.datastores.engine.case import Silences
from baton.datastores.model.channel import Channel, Server
from baton.datastores.model.replica_set import Member, ReplicaSet
from baton.datastores.plans import galera
from support.a_set import TIMES, Pool

UUID = "0f5e3a2c-eaae-11f1-8714-87b944eed51f"


def own(name, kind="data", region="eu"):
    return {"name": name, "type": kind, "region": region, "segment": 0, "address": f"10.0.0.{name[1:]}", "port": 3306}


class Cluster(Pool):
    """A cluster of m1 on h1, m2 on h2 …, formed in term 1 by m1, of which all serve; the last ``arbiters`` of them only vote.

    ``new``: it is about to be created.
    """

    plan = galera.PLAN

    def __init__(self, many=3, arbiters=0, new=False):
        kinds = ["data"] * (many - arbiters) + ["arbiter"] * arbiters
        self.whole = ReplicaSet("c-1", "galera", members={f"m{n}": self.make(n, kind) for n, kind in enumerate(kinds, 1)})
        self.channels = {f"h{n}": Channel(True) for n in range(1, many + 4)}
        self.now, self.silences, self.begin = 100.0, Silences(), None
        self.parted, self.times = [], TIMES
        if new:
            return
        self.whole.term, self.whole.formed = 1, {"uuid": UUID, "seqno": 0, "by": "m1"}
        for member in self.whole.members.values():
            member.joined, member.follows, member.status = True, 1, "ACTIVE"
        self.all_serve()

    @staticmethod
    def make(number, kind="data", region="eu"):
        return Member(f"m{number}", f"h{number}", own=own(f"m{number}", kind, region))

    def all_serve(self, *but):
        """All joined members serve, but for those named; each says how many there are."""
        there = [member for key, member in self.whole.members.items() if member.joined and key not in but]
        for member in there:
            self.serve(member, len(there))
        return self

    def serve(self, member, size, primary=True):
        is_data = member.own["type"] == "data"
        view = {"primary": primary, "size": size, "state": "Synced" if primary else "Initialized", "uuid": UUID} if is_data else {}
        self.say(member.host, servers={member.id: Server(primary, "" if primary else "it runs, and is not in the primary", view=view)})

    def numbered(self, **numbers):
        """Members say of which view they are."""
        for name, number in numbers.items():
            (said,) = self.channels[f"h{name[1:]}"].servers.values()
            view = {**said.view, "number": number}
            self.say(f"h{name[1:]}", servers={name: replace(said, view=view)})
        return self

    def dies_alone(self, *names):
        """Servers end; their guests say so, and the others see that."""
        for name in names:
            self.say(f"h{name[1:]}", servers={name: Server(False, "its process has ended")})
        return self.all_serve(*names)

    def cut(self, host):
        """A host is gone: its guest is not heard, and the others go on without it."""
        self.say(host, alive=False)
        return self.all_serve(*[key for key, member in self.whole.members.items() if member.host == host])

    def brings(self, number, kind="data", region="eu"):
        """There is one more member, as the API has made it."""
        self.whole.members[f"m{number}"] = self.make(number, kind, region)
        return self

    def joins(self, host, verb="join", **found):
        """A guest says that its server has come in, and all see that."""
        self.answer(host, verb, **found)
        if not found.get("apart"):
            self.all_serve()
        return self.on()

    def order(self, host, verb):
        (found,) = [order for order in self.channels[host].orders.values() if order.verb == verb]
        return found
