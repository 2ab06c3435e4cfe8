# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/metrics: all of them, each with its name, type, labels, what it says and where that comes from.

docs/reference/metrics.md is the same list. One that has no samples is left out, so that an alarm on it tells what is not known from
what is 0.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

PREFIX = "baton_"
Sample = Tuple[Tuple[str, ...], Any]  # the values of the labels, and the number; None: it is not known


class Seen(NamedTuple):
    """What metrics are made of: /system/ha, /system/drivers, and the longest stall of the event loop with its CPU."""

    status: Dict[str, Any]
    drivers: List[Dict[str, Any]]
    stalls: Tuple[float, float]


class Metric(NamedTuple):
    """``samples``: as they are now."""

    name: str
    help: str
    samples: Callable[[Seen], Iterable[Sample]]
    labels: Tuple[str, ...] = ()
    type: str = "gauge"


def _status(value: Callable[[Dict[str, Any]], Any]) -> Callable[[Seen], Iterable[Sample]]:
    return lambda seen: [((), value(seen.status))]


def _nodes(value: Callable[[Dict[str, Any]], Any]) -> Callable[[Seen], Iterable[Sample]]:
    return lambda seen: [((node["id"],), value(node)) for node in seen.status["nodes"]]


def _drivers(value: Callable[[Dict[str, Any]], Any]) -> Callable[[Seen], Iterable[Sample]]:
    return lambda seen: [((driver["id"],), value(driver)) for driver in seen.drivers]


def _kept(member: str) -> Callable[[Seen], Iterable[Sample]]:
    return lambda seen: [((what,), sizes[member]) for what, sizes in seen.status["kept"].items()]


def _connections(all_of: str, parts: Dict[str, str]) -> Callable[[Seen], Iterable[Sample]]:
    names = {"all": all_of, **parts}
    return lambda seen: [((of,), seen.status["connections"].get(name)) for of, name in names.items()]


METRICS = (
    # This node and the cluster.
    Metric("active", "Whether this node is active and within its lease.", _status(lambda s: int(s["serving"]))),
    Metric("in_sync", "Whether this node is in sync.", _status(lambda s: int(s["node"] in s["in_sync"]))),
    Metric("in_sync_members", "How many nodes have every acknowledged write.", _status(lambda s: len(s["in_sync"]))),
    Metric("epoch", "The epoch of the cluster record.", _status(lambda s: s["epoch"]["number"])),
    Metric("log_end", "The last entry of the log.", _status(lambda s: s["seq"])),
    Metric("committed", "The last committed entry.", _status(lambda s: s["commit"])),
    Metric("lease_remaining_seconds", "For how long this node may still serve.", _status(lambda s: s["lease_remaining"] or 0)),
    Metric("paused", "Whether automatic promotion is paused.", _status(lambda s: int(s["paused"]))),
    Metric("trouble", "Whether something needs a person.", _status(lambda s: int(s["error"] is not None))),
    Metric(
        "disk_full", "Whether this node would refuse changes, since its disk is or was just full.",
        _status(lambda s: int(s["disk_full"] is not None)),
    ),
    Metric(
        "duplicate_node", "Two processes call themselves this node.",
        lambda seen: [((name, places), 1) for name, places in seen.status["duplicates"].items()], ("node", "where"),
    ),
    # The store of the record.
    Metric("dcs_up", "Whether the store of the cluster record answered the last time.", _status(lambda s: int(s["dcs_reachable"]))),
    Metric(
        "dcs_writable", "Whether the store would take a change of the record.",
        _status(lambda s: None if s["dcs_writable"] is None else int(s["dcs_writable"])),
    ),
    # The VIP.
    Metric("vip_held", "Whether this node holds the VIP.", _status(lambda s: int(bool((s["vip"] or {}).get("held"))))),
    Metric("vip_able", "Whether the VIP would work on this node.", _status(lambda s: int(s["unable"] is None))),
    # Each node, as far as this one knows.
    Metric("member_in_sync", "Whether a node is in the in-sync set.", _nodes(lambda n: int(n["in_sync"])), ("node",)),
    Metric("member_lag_entries", "Entries of the active's log that a node lacks.", _nodes(lambda n: _lag(n, "entries")), ("node",)),
    Metric("member_lag_bytes", "Bytes of the active's log that a node lacks.", _nodes(lambda n: _lag(n, "bytes")), ("node",)),
    Metric("member_lag_seconds", "Age of the oldest entry that a node lacks.", _nodes(lambda n: _lag(n, "seconds")), ("node",)),
    Metric("member_last_contact_seconds", "For how long nothing was heard of a node.", _nodes(lambda n: n["last_contact"]), ("node",)),
    # What is bounded.
    Metric("kept_bytes", "How much of something is kept in memory.", _kept("used"), ("what",)),
    Metric("kept_limit_bytes", "How much may be.", _kept("limit"), ("what",)),
    Metric(
        "loop_longest_stall_seconds", "For how long the event loop stood still at most, since the start.",
        lambda seen: [((), f"{seen.stalls[0]:.3f}")],
    ),
    Metric(
        "loop_longest_cpu_seconds", "The most CPU that was used while it stood still.", lambda seen: [((), f"{seen.stalls[1]:.3f}")]
    ),
    Metric(
        "connections", "Connections to the API.",
        _connections("used", {kind: kind for kind in ("without_token", "with_token", "nodes")}), ("of",),
    ),
    Metric(
        "connections_limit", "How many there may be.",
        _connections("limit", {kind: f"limit_{kind}" for kind in ("without_token", "with_token")}), ("of",),
    ),
    Metric(
        "connections_pushed_out_total", "Connections without a token that had to make room for new ones.",
        _status(lambda s: s["connections"].get("pushed_out")), type="counter",
    ),
    # The drivers of this node.
    Metric("driver_active", "Whether the driver's service runs here.", _drivers(lambda d: int(d["state"] == "active")), ("driver",)),
    Metric("driver_connected", "Whether the driver is connected.", _drivers(lambda d: int(d["connected"])), ("driver",)),
    Metric(
        "driver_healthy", "Whether its checks pass; 0 while that is not known.", _drivers(lambda d: int(d["healthy"] is True)),
        ("driver",),
    ),
    Metric(
        "driver_failures_total", "How often it failed since batond started.", _drivers(lambda d: d["failures"]), ("driver",), "counter"
    ),
    Metric(
        "driver_last_change_timestamp_seconds", "When its state changed, in unix seconds.", _drivers(lambda d: d["last_change"]),
        ("driver",),
    ),
    Metric("driver_last_order_seconds", "How long its last start or stop took.", _drivers(lambda d: d["seconds"] or 0), ("driver",)),
    # Certificates.
    Metric(
        "certificate_expiry_timestamp_seconds", "When a certificate ends, in unix seconds.",
        lambda seen: [((name,), f"{end:.0f}") for name, end in seen.status["certificates"].items()], ("file",),
    ),
)  # fmt: skip


def _lag(node: Dict[str, Any], member: str) -> Optional[float]:
    return (node["lag"] or {}).get(member)


def text_of(seen: Seen) -> str:
    """Return them all in Prometheus' text format."""
    return "".join(f"{line}\n" for metric in METRICS for line in _lines(metric, seen))


def _lines(metric: Metric, seen: Seen) -> Iterator[str]:
    known = [(labels, value) for labels, value in metric.samples(seen) if value is not None]
    if not known:
        return
    name = PREFIX + metric.name
    yield f"# HELP {name} {metric.help}"
    yield f"# TYPE {name} {metric.type}"
    for values, value in known:
        labels = ",".join(f'{label}="{_escaped(text)}"' for label, text in zip(metric.labels, values))
        yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"


def _escaped(text: str) -> str:
    """Return a text as the value of a label."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
