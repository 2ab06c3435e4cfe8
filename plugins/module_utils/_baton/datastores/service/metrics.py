# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/metrics of baton-datastores, in the text format of Prometheus: how sets and pool hosts are, and what was done with them here.

docs/reference/datastores-api.md is the same list.
"""
from __future__ import annotations

import threading
from collections import Counter
from typing import Callable, Dict, Iterable, List, Mapping, NamedTuple, Tuple

from ..engine.case import Case, Silences, Times
from ..model.documents import PoolHost
from ..model.replica_set import Member, ReplicaSet
from ..plans.group import said_of
from .api.asking import PLANS, is_cluster
from .api.settings_made import type_of
from .api.wanted_clusters import ARBITER

PREFIX = "baton_datastores_"
Sample = Tuple[Dict[str, str], float]


class Ended:
    """What was done since this manager began: how often, how long it took in all, by program and outcome. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: Dict[Tuple[str, str], Tuple[int, float]] = {}

    def note(self, program: str, is_done: bool, seconds: float) -> None:
        key = program, "done" if is_done else "failed"
        with self._lock:
            many, total = self._seconds.get(key, (0, 0.0))
            self._seconds[key] = many + 1, total + max(0.0, seconds)

    def seen(self) -> Dict[Tuple[str, str], Tuple[int, float]]:
        with self._lock:
            return dict(self._seconds)


class Seen(NamedTuple):
    """``silent``: for how many seconds nobody has heard a host's guest, of those who are not heard; ``now``: in unix seconds."""

    sets: List[ReplicaSet]
    hosts: Mapping[str, PoolHost]
    ended: Mapping[Tuple[str, str], Tuple[int, float]]
    silent: Mapping[str, float]
    now: float
    times: Times


class Metric(NamedTuple):
    name: str
    help: str
    samples: Callable[[Seen], Iterable[Sample]]
    type: str = "gauge"


def _instances(seen: Seen) -> Iterable[Sample]:
    found: Counter[Tuple[str, str]] = Counter()
    for whole in seen.sets:
        for member in whole.members.values():
            found[_role(whole, member), "up" if _is_up(seen, whole, member) else "down"] += 1
    return [({"role": role, "server": state}, many) for (role, state), many in sorted(found.items())]


def _role(whole: ReplicaSet, member: Member) -> str:
    if is_cluster(whole):
        return "arbiter" if type_of(member) == ARBITER else "member"
    return "source" if member.id == whole.source else "replica"


def _is_up(seen: Seen, whole: ReplicaSet, member: Member) -> bool:
    return said_of(_case(seen, whole), member).up


def _case(seen: Seen, whole: ReplicaSet) -> Case:
    channels = {name: seen.hosts[name].channel for name in whole.hosts if name in seen.hosts}
    return Case(whole, channels, seen.now, 0.0, 0, seen.times, Silences())


def _of_clusters(number: Callable[[Seen, ReplicaSet], float]) -> Callable[[Seen], Iterable[Sample]]:
    return lambda seen: [({"set": whole.id}, number(seen, whole)) for whole in seen.sets if is_cluster(whole)]


def _serving(seen: Seen, whole: ReplicaSet) -> int:
    return sum(1 for member in whole.members.values() if member.joined and _is_up(seen, whole, member))


def _with_sources(number: Callable[[ReplicaSet], float]) -> Callable[[Seen], Iterable[Sample]]:
    return lambda seen: [({"set": whole.id}, number(whole)) for whole in seen.sets if not is_cluster(whole)]


def _guarded(seen: Seen) -> Iterable[Sample]:
    return [
        ({"set": whole.id}, int(not PLANS[whole.datastore].unguarded(_case(seen, whole))))
        for whole in seen.sets if whole.source and whole.replicas or whole.formed
    ]  # fmt: skip


def _running(seen: Seen) -> Iterable[Sample]:
    return [
        ({"set": whole.id, "program": whole.task.program}, max(0.0, seen.now - whole.task.began))
        for whole in seen.sets if whole.task is not None
    ]  # fmt: skip


def _lags(seen: Seen, what: str) -> Iterable[Sample]:
    """What guests tell of replicas; of who is not heard, or does not hear its source, nobody knows it."""
    found: List[Sample] = []
    for whole in seen.sets:
        for key, member in sorted(whole.members.items()):
            host = seen.hosts.get(member.host)
            number = getattr(host.channel.server(key), what) if host is not None else None
            found += [({"set": whole.id, "instance": key}, number)] if number is not None and key != whole.source else []
    return found


METRICS = (
    Metric("sets", "How many sets there are.", lambda seen: [({}, len(seen.sets))]),
    Metric("instances", "Servers, by role and by whether they run and answer.", _instances),
    Metric("set_needs_help", "Sets that wait for a person.", lambda seen: [({"set": each.id}, 1) for each in seen.sets if each.needs]),
    Metric("set_guarded", "Whether all would go on unasked if the source, or one more member of a cluster, were lost now.", _guarded),
    Metric(
        "set_counted_replicas", "How many replicas count: one of them has a commit before it returns.",
        _with_sources(lambda whole: len(whole.confirmed)),
    ),
    Metric("set_term", "How often a set has had a source.", _with_sources(lambda whole: whole.term)),
    Metric("cluster_term", "How often a cluster was formed.", _of_clusters(lambda _seen, whole: whole.term)),
    Metric("cluster_members", "How many members a cluster is to have.", _of_clusters(lambda _seen, whole: len(whole.members))),
    Metric("cluster_members_serving", "How many of them have joined, and serve.", _of_clusters(_serving)),
    Metric(
        "instance_lag_bytes", "What a replica has received and not applied, in steps of a third or half; less than 64 KiB is 0.",
        lambda seen: _lags(seen, "lag_bytes"),
    ),
    Metric(
        "instance_lag_seconds", "How old that is; there is no sample while the replica does not hear its source.",
        lambda seen: _lags(seen, "lag_seconds"),
    ),
    Metric("task_running_seconds", "For how long something is being done with a set.", _running),
    Metric(
        "tasks_total", "What has ended since this manager began.",
        lambda seen: [({"program": p, "outcome": o}, many) for (p, o), (many, _s) in sorted(seen.ended.items())], "counter",
    ),
    Metric(
        "task_seconds_total", "How long that took in all.",
        lambda seen: [({"program": p, "outcome": o}, round(s, 3)) for (p, o), (_many, s) in sorted(seen.ended.items())], "counter",
    ),
    Metric(
        "host_heard", "Whether a host's guest is heard.",
        lambda seen: [({"host": name}, int(host.channel.alive)) for name, host in sorted(seen.hosts.items())],
    ),
    Metric(
        "host_silent_seconds", "For how long a host's guest was not heard, while it is not.",
        lambda seen: [({"host": name}, round(seconds, 3)) for name, seconds in sorted(seen.silent.items())],
    ),
)  # fmt: skip


def text(seen: Seen) -> str:
    """Return all metrics that have samples."""
    lines: List[str] = []
    for metric in METRICS:
        samples = list(metric.samples(seen))
        if samples:
            lines += [f"# HELP {PREFIX}{metric.name} {metric.help}", f"# TYPE {PREFIX}{metric.name} {metric.type}"]
            lines += [f"{PREFIX}{metric.name}{_labels(labels)} {number:g}" for labels, number in samples]
    return "\n".join([*lines, ""])


def _labels(labels: Mapping[str, str]) -> str:
    quoted = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(quoted) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
