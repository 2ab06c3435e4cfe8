# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sets that are gone have left with hosts is taken away, and nothing of a set that is there."""

import contextlib

import pytest

from baton.client.error import ClientError, from_problem
from baton.datastores.engine.case import Times
from baton.datastores.engine.traces import left_by_others, without
from baton.datastores.model.channel import Channel, End, Grant
from baton.datastores.model.documents import channel_of, set_document
from baton.datastores.model.replica_set import Member, ReplicaSet
from baton.datastores.service.carrier import Documents
from baton.datastores.service.store import Found, Reign, Store
from baton.ground.patch import Patch, parse_patch
from baton.ground.problem import Problem

TRACES = Channel(
    claimed={"s": 3, "gone": 2, "odd~/": 1}, opened={"s": Grant(3, (), 4), "gone": Grant(2, (), 3)}, ends={"older": End(1, "1-1-9")}
)
PARAMS = {
    "claimed": {"s": 3, "gone": 2, "odd~/": 1}, "ends": {"older": {"term": 1, "position": "1-1-9"}}, "grants": {},
    "opened": {"s": {"term": 3, "counted": [], "number": 4}, "gone": {"term": 2, "counted": [], "number": 3}},
}  # fmt: skip


def test_traces_are_of_sets_that_nobody_knows_and_that_are_not_granted_or_claimed():
    assert left_by_others(TRACES, {"s"}) == {"gone", "odd~/", "older"}
    assert left_by_others(Channel(claimed={"a": 1, "b": 1, "c": 1}, grants={"a": Grant(1)}, claims={"b": 1}), ()) == {"c"}


def test_all_else_stays():
    assert without(TRACES, {"gone", "older"}) == Channel(claimed={"s": 3, "odd~/": 1}, opened={"s": Grant(3, (), 4)})
    assert without(TRACES, ()) == TRACES and without(Channel(), {"s"}).is_whole


class Cluster:
    """A client of a cluster in which there are some sets, and one host."""

    def __init__(self, *sets):
        self.sets, self.params, self.revision, self.batches = set(sets), PARAMS, "1.5", []

    def get(self, _kind, key):
        if key not in self.sets:
            raise ClientError("not_found", "it is gone", 404)
        return type("Answer", (), {"revision": "1.1", "body": {}})

    def batch(self, changes, under):
        (change,) = changes
        self.batches.append((change["Key"], under))
        if change["IfMatch"] != self.revision:
            raise from_problem(412, {"type": "urn:baton:revision_differs", "detail": "it has changed"})
        patch = Patch({"Params": self.params}, 1000)
        for operation in parse_patch(change["Body"]):
            patch.apply(operation)
        self.params, self.revision = patch.value["Params"], "1.6"
        return [{"Kind": "pool", "Key": change["Key"], "Revision": self.revision}]


def swept(cluster, left, revision="1.5"):
    store = Store(lambda: cluster, lambda: Reign({"lock": "ours"}, 7), {}, Times(2.0))
    return store.sweep(Found("h1", revision, {"Name": "h1", "Meta": {}, "Params": PARAMS}), left)


def test_a_sweep_takes_what_is_not_there_now_alone():
    """``left`` is what we have heard: a set may have been made since."""
    cluster = Cluster("s", "odd~/")
    assert swept(cluster, {"gone", "odd~/", "older"}) == {("pool", "h1"): "1.6"}
    assert channel_of(cluster.params) == Channel(claimed={"s": 3, "odd~/": 1}, opened={"s": Grant(3, (), 4)})
    assert cluster.batches == [("h1", {"lock": "ours"})]
    again = Cluster("s")
    assert swept(again, {"odd~/"}) and "odd~/" not in channel_of(again.params).claimed


def test_a_sweep_writes_nothing_where_nothing_is_gone_or_the_host_has_changed():
    cluster = Cluster("gone")
    assert swept(cluster, {"gone"}) == {} and cluster.batches == []
    assert swept(Cluster(), {"gone"}, "1.4") == {}


def test_a_cluster_that_does_not_serve_takes_nothing_away():
    def nobody(_kind, _key):
        raise ClientError("connection", "nobody answers")

    cluster = Cluster()
    cluster.get = nobody
    with pytest.raises(Problem) as refused:
        swept(cluster, {"gone"})
    assert refused.value.status == 503 and cluster.batches == []


def test_the_carrier_knows_which_hosts_have_some():
    documents = Documents()
    documents.learn("pool", "h1", "1.5", {"Name": "h1", "Meta": {}, "Params": PARAMS})
    documents.learn("pool", "h2", "1.6", {"Name": "h2", "Meta": {}, "Params": {"claimed": ["no channel"]}})
    documents.learn("pool", "h3", "1.7", {"Name": "h3", "Meta": {}, "Params": {"claimed": {"s": 1}}})
    documents.learn("sets", "s", "1.8", set_document(ReplicaSet("s", members={"m1": Member("m1", "h1")})))
    assert [(host.key, left) for host, left in documents.traces()] == [("h1", {"gone", "odd~/", "older"})]
    documents.expect({("pool", "h1"): "1.9"})
    assert documents.traces() == []  # what we know of it is old
    with contextlib.suppress(KeyError):
        documents.learn("pool", "h4", "1.9", {"Name": "h4"})
    assert documents.traces() == []
