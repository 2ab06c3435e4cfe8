# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend of the API of datastores in memory: the real engine and plans, and guests that do at once what they are told."""

import contextlib
import threading
from dataclasses import replace

from baton.datastores.engine.case import Case, Silences, Times
from baton.datastores.engine.engine import advance, request
from baton.datastores.model.channel import Channel, End, Report, Server
from baton.datastores.model.documents import PoolHost
from baton.datastores.model.replica_set import ReplicaSet
from baton.datastores.service.api.asking import PLANS
from baton.datastores.service.api.parameters import PARAMETERS
from baton.ground.problem import Problem
from support.pool_groups import Groups

TIMES = Times(lease=2.0)
FLAVORS = {"1": {"name": "small", "ram": 512, "vcpus": 1, "disk": 10}, "2": {"name": "large", "ram": 4096, "vcpus": 4, "disk": 40}}
FOUND = {"seal": {"received": "1-1-9", "had": "1-1-9"}, "quiesce": {"position": "1-1-9"}}
MARIADB = {"mariadb": ["10.11", "11.8"]}
TOKENS = {
    "admin-token": {"kind": "admin"}, "demo-token": {"kind": "project", "name": "demo"},
    "other-token": {"kind": "project", "name": "other"},
    "viewer-token": {"kind": "viewer", "project": "demo"}, "profile-token": {"kind": "profile", "name": "demo"},
}  # fmt: skip


class Memory:
    """``lively``: guests do what they are told as soon as something has changed; else when ``settle`` is called."""

    def __init__(self, hosts=4, lively=True, regions=("eu",), datastores=None):
        self.lively, self.now = lively, 1_800_000_000.0
        self.documents, self.kept, self.tokens = {}, {}, dict(TOKENS)
        names = [f"h{number}" for number in range(1, hosts + 1)]
        self.channels = {name: Channel(True) for name in names}
        self.meta = {
            name: {
                "address": f"192.0.2.{number}", "region": regions[number % len(regions)], "flavors": FLAVORS,
                "datastores": datastores or MARIADB, "maintenance": False,
            }
            for number, name in enumerate(names, 1)
        }  # fmt: skip
        self.refuse = {}  # verb → why guests fail with it
        self.groups = Groups()
        self.found, self.running = dict(FOUND), {}  # what guests say of orders; with which parameters servers were started
        self._silences, self._lock, self._busy = Silences(), threading.RLock(), threading.Lock()

    times = TIMES

    def clock(self):
        return self.now

    # --- as the API uses it ---------------------------------------------------------------------------------------------

    def sets(self):
        with self._lock:
            return [ReplicaSet.from_json(value) for value in self.documents.values()]

    def hosts(self):
        return {name: PoolHost(name, meta, self.channels[name]) for name, meta in self.meta.items()}

    def create(self, whole, program, why, **data):
        with self._lock:
            if whole.id in self.documents:
                raise Problem(409, "exists", f"there is a set {whole.id}")
            self._write(self._case(whole), lambda case: request(case, PLANS[whole.datastore], program, why, **data))
            return self.set(whole.id)

    def change(self, set_id, change):
        with self._lock:
            if set_id not in self.documents:
                raise Problem(404, "not_found", f"there is no set {set_id}")
            return self._write(self._case(self.set(set_id)), change)

    def configurations(self):
        return [dict(value) for value in self.kept.values()]

    def put_configuration(self, value, create):
        if create == (value["id"] in self.kept):
            raise Problem(409, "exists", "it is there") if create else Problem(404, "not_found", "it is gone")
        self.kept[value["id"]] = value

    def delete_configuration(self, id):
        del self.kept[id]

    def scope(self, token):
        return self.tokens.get(token)

    @contextlib.contextmanager
    def lock(self):
        with self._busy:
            yield

    # --- as a test does ---------------------------------------------------------------------------------------------------

    def set(self, set_id):
        return ReplicaSet.from_json(self.documents[set_id])

    def say(self, host, **what):
        self.channels[host] = replace(self.channels[host], **what)

    def dies(self, host):
        self.say(host, alive=False, claims={})

    def settle(self, rounds=60):
        """Let guests and manager do what there is to do."""
        with self._lock:
            for _round in range(rounds):
                before = dict(self.documents), dict(self.channels)
                self.settle_once()
                if (self.documents, self.channels) == before:
                    return self
        raise AssertionError("it does not come to rest")

    def settle_once(self):
        """Let the manager look once, and guests do what they are told."""
        self.now += 0.1
        for set_id in list(self.documents):
            case = self._case(self.set(set_id))
            advance(case, PLANS[case.whole.datastore])
            self._keep(case)
        for host in self.channels:
            self._obey(host)
        self.channels.update(self.groups.see(self.channels))

    # --- inside -----------------------------------------------------------------------------------------------------------

    def _case(self, whole):
        return Case(whole, dict(self.channels), self.now, self.now, 1, TIMES, self._silences)

    def _write(self, case, change):
        found = change(case)
        self._keep(case)
        if self.lively:
            self.settle()
        return found

    def _keep(self, case):
        self.channels.update(case.written())
        self.documents.update({new.id: new.to_json() for new in case.parted})
        if not case.whole.members:
            self.documents.pop(case.whole.id, None)
        else:
            self.documents[case.whole.id] = case.whole.to_json()

    def _found(self, order):
        """What a guest says of an order. Which parameters need a restart it knows as the API does."""
        now = order.args.get("parameters") or {}
        running = self.running.setdefault(order.instance, {})
        if order.verb in ("prepare", "restart", "receive"):
            self.running[order.instance] = dict(now)
        elif order.verb == "configure" and order.verb not in self.found:
            changed = sorted(name for name in {*running, *now} if running.get(name) != now.get(name))
            known = PARAMETERS[self.documents[order.set]["datastore"]]
            return {"restart": [name for name in changed if known[name].restart]}
        of_a_cluster = self.groups.found(order) if order.verb not in self.found else None
        return self.found.get(order.verb, {}) if of_a_cluster is None else of_a_cluster

    def _is_of_a_cluster(self, order):
        return order.set in self.documents and bool(self.documents[order.set]["own"])

    def _obey(self, host):
        channel = self.channels[host]
        if not channel.alive:
            return
        reports, servers = dict(channel.reports), dict(channel.servers)
        claims, claimed, opened, ends = (dict(each) for each in (channel.claims, channel.claimed, channel.opened, channel.ends))
        for key, order in channel.orders.items():
            if key in reports:
                continue
            why = self.refuse.get(order.verb, "")
            reports[key] = Report(why, {} if why else self._found(order))
            if self._is_of_a_cluster(order):
                self.groups.obey(order, host, reports[key].found, servers) if not why else None
            elif order.verb == "wipe":
                servers.pop(order.instance, None)
            elif not why and order.verb in ("prepare", "receive"):
                servers[order.instance] = Server(True)
        for set_id, grant in channel.grants.items():
            claims[set_id] = claimed[set_id] = grant.term
            opened[set_id] = grant
        for set_id in [each for each in claims if each not in channel.grants]:
            ends[set_id] = End(claims.pop(set_id), "1-1-9")
        self.say(host, reports=reports, servers=servers, claims=claims, claimed=claimed, opened=opened, ends=ends)
