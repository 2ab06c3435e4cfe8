# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics are what Prometheus takes, of what there is, and the page lists the same ones."""

import re

from prometheus_client.parser import text_string_to_metric_families

from baton.datastores.engine.case import Times
from baton.datastores.model.channel import Channel, Server
from baton.datastores.model.documents import PoolHost
from baton.datastores.model.replica_set import Member, ReplicaSet, Task
from baton.datastores.service.metrics import METRICS, PREFIX, Ended, Seen, text
from support.cluster import ROOT


def seen():
    members = {"m1": Member("m1", "h1"), "m2": Member("m2", "h2", joined=True), "m3": Member("m3", "h3")}
    whole = ReplicaSet(
        "s",
        term=3,
        source="m1",
        members=members,
        confirmed=["m2"],
        counted=["m2"],
        needs="somebody",
        task=Task("s.1", "promote", began=90.0),
    )
    lagging = PoolHost("h3", channel=Channel(True, servers={"m3": Server(True, lag_bytes=65536, lag_seconds=4)}))
    hosts = {"h1": PoolHost("h1", channel=Channel(True, servers={"m1": Server(True)})), "h2": PoolHost("h2"), "h3": lagging}
    ended = Ended()
    for is_done in (True, True, False):
        ended.note("failover", is_done, 1.5)
    return Seen([whole, cluster()], {**hosts, **CLUSTER_HOSTS}, ended.seen(), {"h2": 7.5}, 100.0, Times(2.0))


CLUSTER_HOSTS = {
    f"g{number}": PoolHost(f"g{number}", channel=Channel(True, servers={f"n{number}": Server(number < 3, view={"uuid": "u"})}))
    for number in (1, 2, 3)
}


def cluster():
    """Two members serve, and an arbiter does not."""
    own = {1: {"type": "data"}, 2: {"type": "data"}, 3: {"type": "arbiter"}}
    members = {f"n{number}": Member(f"n{number}", f"g{number}", follows=2, joined=True, own=own[number]) for number in own}
    return ReplicaSet("c", "galera", term=2, members=members, formed={"uuid": "u", "seqno": 0, "by": "n1"}, own={"name": "c"})


def samples():
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in text_string_to_metric_families(text(seen())) for s in f.samples}


def test_what_there_is_is_counted():
    found = samples()
    assert found[f"{PREFIX}instances", (("role", "source"), ("server", "up"))] == 1
    assert found[f"{PREFIX}instances", (("role", "replica"), ("server", "down"))] == 1
    assert found[f"{PREFIX}instances", (("role", "member"), ("server", "up"))] == 2
    assert found[f"{PREFIX}instances", (("role", "arbiter"), ("server", "down"))] == 1
    of_a_cluster = [found[f"{PREFIX}{name}", (("set", "c"),)] for name in ("cluster_term", "cluster_members", "cluster_members_serving")]
    assert of_a_cluster == [2, 3, 2] and found[f"{PREFIX}set_guarded", (("set", "c"),)] == 0
    assert (f"{PREFIX}set_term", (("set", "c"),)) not in found
    assert found[f"{PREFIX}task_running_seconds", (("program", "promote"), ("set", "s"))] == 10
    assert found[f"{PREFIX}tasks_total", (("outcome", "done"), ("program", "failover"))] == 2
    assert found[f"{PREFIX}task_seconds_total", (("outcome", "failed"), ("program", "failover"))] == 1.5
    assert found[f"{PREFIX}host_heard", (("host", "h2"),)] == 0 and found[f"{PREFIX}host_silent_seconds", (("host", "h2"),)] == 7.5
    assert found[f"{PREFIX}set_guarded", (("set", "s"),)] == 0  # the one that counts is not heard
    lags = {what: {labels[0][1]: number for (name, labels), number in found.items() if name == f"{PREFIX}instance_lag_{what}"}
            for what in ("bytes", "seconds")}  # fmt: skip
    assert lags == {"bytes": {"m3": 65536}, "seconds": {"m3": 4}}  # nothing of the source, nor of who is not heard
    assert found[f"{PREFIX}set_needs_help", (("set", "s"),)] == 1 and found[f"{PREFIX}set_counted_replicas", (("set", "s"),)] == 1


def test_all_have_samples_here_and_stand_on_the_page():
    page = (ROOT / "docs/reference/datastores-api.md").read_text()
    rows = re.findall(rf"^\| `{PREFIX}(\w+)` \| (\w+) \| ([^|]*) \| (.*) \|$", page, re.MULTILINE)
    assert [(name, kind, told) for name, kind, _labels, told in rows] == [(each.name, each.type, each.help) for each in METRICS]
    for name, _kind, labels, _told in rows:
        ours = {key for found, key in samples() if found == f"{PREFIX}{name}"}
        assert ours and {tuple(label for label, _value in key) for key in ours} == {tuple(sorted(re.findall(r"`(\w+)`", labels)))}


def test_labels_are_quoted():
    odd = seen()._replace(silent={'a"b\\c\nd': 1.0})
    found = {
        s.labels["host"] for f in text_string_to_metric_families(text(odd)) for s in f.samples if s.name == f"{PREFIX}host_silent_seconds"
    }
    assert found == {'a"b\\c\nd'}
