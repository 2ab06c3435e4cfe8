# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/system, /info, and what load balancers and Prometheus ask without a token."""
from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, List, Sequence, Tuple

from ...ground.form import is_node_id
from ...ground.problem import Problem
from ..aio import web
from . import members, messages
from .backend import Backend
from .documents import allow
from .stays import Stays

SHOWN = ("node", "role", "state", "error", "unable", "active", "active_url", "cluster_id")
MEMBERS = {  # of orders' bodies
    "active": ("force",),
    "passive": ("force",),
    "switch": ("to", "reason", "at"),
    "create": ("cluster_id",),
    "pause": ("paused", "by"),
}
ANSWERS: Dict[str, Callable[[Dict[str, Any]], bool]] = {
    "active": lambda status: bool(status["serving"]),
    "passive": lambda status: status["role"] == "passive" and status["state"] in ("In-Sync", "Syncing"),
    "in-sync": lambda status: status["state"] == "In-Sync" or bool(status["serving"]),
    "health": lambda status: status["error"] is None,
}


class System:
    """Handlers of the cluster's own state and of a person's orders to it."""

    def __init__(self, backend: Backend, version: str, who: Callable[[Any], str], stays: Stays) -> None:
        """``who``: says for people whose request it is."""
        self._backend, self._stays = backend, stays
        self._who = who
        self._version = version

    async def handle(self, request: Any, rest: Sequence[str]) -> Any:
        """Serve /system/…; the caller has checked that the token may."""
        what = rest[0] if rest else ""
        shown = {"ha": self._backend.status, "drivers": self._backend.drivers, "history": self._backend.history}
        if what in shown and len(rest) == 1:
            allow(request, "GET", "HEAD")
            return messages.respond(shown[what]())
        if what == "nodes" and len(rest) == 2:
            allow(request, "DELETE", "PUT")
            if not is_node_id(rest[1]):
                rule = "use letters, digits and _ . - (not first: . -), at most 63"
                raise Problem(400, "bad_name", f"{rest[1][:70]!r} can't name a node: {rule}")
            await (self._backend.remove_node if request.method == "DELETE" else self._backend.readmit_node)(rest[1])
            return web.Response(status=204)
        if what == "switch" and len(rest) == 1:
            allow(request, "POST", "DELETE")
            if request.method == "DELETE":
                await self._backend.cancel_switch()
                return web.Response(status=204)
        if what not in MEMBERS or len(rest) != 1:
            raise Problem(404, "no_such_path", f"there is nothing at {request.path}; see /api/v3/openapi.json")
        allow(request, "POST")
        body = members.check(await messages.read_object(request), *MEMBERS[what])
        if what == "active":
            return messages.respond(await self._backend.become_active(_flag(body, "force")))
        if what == "passive":
            return messages.respond(await self._backend.become_passive(_flag(body, "force")))
        if what == "pause":
            by = ", ".join(text for text in (_text(body, "by"), self._who(request)) if text)
            return messages.respond(await self._backend.pause(_flag(body, "paused", True), by))
        if what == "switch":
            at = _time(body, "at")
            answer = await self._backend.switch(_text(body, "to"), _text(body, "reason"), at)
            return messages.respond(answer, 202 if at else 200)
        return messages.respond(await self._backend.create_cluster(_text(body, "cluster_id")), 201)

    def info(self) -> Any:
        """Serve /info."""
        status = self._backend.status()
        names = ("ha_id", "cluster_id", "system", "role", "active", "active_url")
        return messages.respond(
            {"id": self._backend.node_id, "version": self._version, "api": "v3", **{name: status[name] for name in names}}
        )

    async def probe(self, request: Any, name: str) -> Any:
        """Serve /active, /passive, /in-sync and /health: 200 for yes, 503 for no; ``?wait=S`` waits for a yes."""
        seconds = messages.number(request, "wait", 0, 300)
        if seconds and not ANSWERS[name](self._backend.status()):
            with self._stays.wait(request):
                return await self._probe(name, seconds)
        return await self._probe(name, 0)

    async def _probe(self, name: str, seconds: int) -> Any:
        loop = asyncio.get_running_loop()
        end, wake = loop.time() + seconds, asyncio.Event()
        finish = self._backend.on_role_change(wake.set)
        try:
            while True:
                wake.clear()
                status = self._backend.status()
                yes = ANSWERS[name](status)
                if yes or loop.time() >= end:
                    shown = {key: status[key] for key in SHOWN}
                    return messages.respond(shown, 200 if yes else 503)
                try:
                    await asyncio.wait_for(wake.wait(), end - loop.time())
                except asyncio.TimeoutError:
                    continue
        finally:
            finish()

    def metrics(self) -> Any:
        """Serve /metrics in Prometheus' text format."""
        status = self._backend.status()
        vip = status["vip"] or {}
        lines: List[str] = []
        for name, text, value in _gauges(status, vip):
            lines += [f"# HELP baton_{name} {text}", f"# TYPE baton_{name} gauge", f"baton_{name} {value}"]
        lines += ["# HELP baton_member_in_sync Whether a node is in the in-sync set.", "# TYPE baton_member_in_sync gauge"]
        for node in status["nodes"]:
            lines.append(f'baton_member_in_sync{{node="{node["id"]}"}} {int(node["in_sync"])}')
        lines += _lag_lines(status["nodes"])
        lines += ["# HELP baton_duplicate_node Two processes call themselves this node.", "# TYPE baton_duplicate_node gauge"]
        for name, places in status["duplicates"].items():
            lines.append(f'baton_duplicate_node{{node="{_label(name)}",where="{_label(places)}"}} 1')
        if status["dcs_writable"] is not None:
            lines += ["# HELP baton_dcs_writable Whether the store would take a change of the record.", "# TYPE baton_dcs_writable gauge"]
            lines.append(f"baton_dcs_writable {int(status['dcs_writable'])}")
        lines += _kept_lines(status["kept"])
        for name, text, value in _stalls(*self._backend.stalls()):
            lines += [f"# HELP baton_loop_longest_{name}_seconds {text}", f"# TYPE baton_loop_longest_{name}_seconds gauge"]
            lines.append(f"baton_loop_longest_{name}_seconds {value:.3f}")
        lines += _driver_lines(self._backend.drivers())
        lines += _connection_lines(status["connections"])
        lines.append("# HELP baton_certificate_expiry_timestamp_seconds When a certificate ends, in unix seconds.")
        lines.append("# TYPE baton_certificate_expiry_timestamp_seconds gauge")
        for name, end in status["certificates"].items():
            lines.append(f'baton_certificate_expiry_timestamp_seconds{{file="{name}"}} {end:.0f}')
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain", charset="utf-8")


def _gauges(status: Dict[str, Any], vip: Dict[str, Any]) -> Any:
    return (
        ("active", "Whether this node is active and within its lease.", int(status["serving"])),
        ("in_sync", "Whether this node is in sync.", int(status["node"] in status["in_sync"])),
        ("in_sync_members", "How many nodes have every acknowledged write.", len(status["in_sync"])),
        ("epoch", "The epoch of the cluster record.", status["epoch"]["number"]),
        ("log_end", "The last entry of the log.", status["seq"]),
        ("committed", "The last committed entry.", status["commit"]),
        ("lease_remaining_seconds", "For how long this node may still serve.", status["lease_remaining"] or 0),
        ("dcs_up", "Whether the store of the cluster record answered the last time.", int(status["dcs_reachable"])),
        ("paused", "Whether automatic promotion is paused.", int(status["paused"])),
        ("vip_held", "Whether this node holds the VIP.", int(bool(vip.get("held")))),
        ("vip_able", "Whether the VIP would work on this node.", int(status["unable"] is None)),
        ("disk_full", "Whether this node would refuse changes, since its disk is or was just full.", int(status["disk_full"] is not None)),
        ("trouble", "Whether something needs a person.", int(status["error"] is not None)),
    )


def _stalls(longest: float, cpu: float) -> Any:
    return (
        ("stall", "For how long the event loop stood still at most, since the start.", longest),
        ("cpu", "The most CPU that was used while it stood still.", cpu),
    )


def _lag_lines(nodes: List[Dict[str, Any]]) -> List[str]:
    """Return how far each node is behind, and for how long it was not heard, as far as that is known here."""
    known = [(node["id"], {**(node["lag"] or {}), "contact": node["last_contact"]}) for node in nodes]
    metrics = (
        ("member_lag_entries", "Entries of the active's log that a node lacks.", "entries"),
        ("member_lag_bytes", "Bytes of the active's log that a node lacks.", "bytes"),
        ("member_lag_seconds", "Age of the oldest entry that a node lacks.", "seconds"),
        ("member_last_contact_seconds", "For how long nothing was heard of a node.", "contact"),
    )
    lines: List[str] = []
    for name, text, key in metrics:
        lines += [f"# HELP baton_{name} {text}", f"# TYPE baton_{name} gauge"]
        lines += [f'baton_{name}{{node="{node}"}} {values[key]}' for node, values in known if values.get(key) is not None]
    return lines


def _kept_lines(kept: Dict[str, Any]) -> List[str]:
    """Return how much of each thing that is bounded is in memory."""
    metrics = (("kept_bytes", "How much of something is kept in memory.", "used"), ("kept_limit_bytes", "How much may be.", "limit"))
    lines: List[str] = []
    for name, text, key in metrics:
        lines += [f"# HELP baton_{name} {text}", f"# TYPE baton_{name} gauge"]
        lines += [f'baton_{name}{{what="{what}"}} {sizes[key]}' for what, sizes in kept.items()]
    return lines


def _driver_lines(drivers: List[Dict[str, Any]]) -> List[str]:
    """Return the metrics of this node's drivers."""
    metrics: Sequence[Tuple[str, str, str, Callable[[Dict[str, Any]], Any]]] = (
        ("driver_active", "gauge", "Whether the driver's service runs here.", lambda d: int(d["state"] == "active")),
        ("driver_connected", "gauge", "Whether the driver is connected.", lambda d: int(d["connected"])),
        ("driver_healthy", "gauge", "Whether its checks pass; 0 while that is not known.", lambda d: int(d["healthy"] is True)),
        ("driver_failures_total", "counter", "How often it failed since batond started.", lambda d: d["failures"]),
        ("driver_last_change_timestamp_seconds", "gauge", "When its state changed, in unix seconds.", lambda d: d["last_change"]),
        ("driver_last_order_seconds", "gauge", "How long its last start or stop took.", lambda d: d["seconds"] or 0),
    )
    lines: List[str] = []
    for name, kind, text, value in metrics if drivers else ():
        lines += [f"# HELP baton_{name} {text}", f"# TYPE baton_{name} {kind}"]
        lines += [f'baton_{name}{{driver="{driver["id"]}"}} {value(driver)}' for driver in drivers]
    return lines


def _connection_lines(connections: Dict[str, Any]) -> List[str]:
    """Return how many connections there are and may be, in all and by what they have shown."""
    if not connections:
        return []
    lines = ["# HELP baton_connections Connections to the API.", "# TYPE baton_connections gauge"]
    lines.append(f'baton_connections{{of="all"}} {connections["used"]}')
    lines += [f'baton_connections{{of="{kind}"}} {connections[kind]}' for kind in ("without_token", "with_token", "nodes")]
    lines += ["# HELP baton_connections_limit How many there may be.", "# TYPE baton_connections_limit gauge"]
    lines.append(f'baton_connections_limit{{of="all"}} {connections["limit"]}')
    lines += [f'baton_connections_limit{{of="{kind}"}} {connections[f"limit_{kind}"]}' for kind in ("without_token", "with_token")]
    lines.append("# HELP baton_connections_pushed_out_total Connections without a token that had to make room for new ones.")
    lines.append("# TYPE baton_connections_pushed_out_total counter")
    lines.append(f"baton_connections_pushed_out_total {connections['pushed_out']}")
    return lines


def _label(text: str) -> str:
    """Return a text as the value of a label."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _time(body: Dict[str, Any], name: str) -> float:
    value = body.get(name)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e12:
        raise Problem(422, "bad_member", f"{name} is a time in unix seconds, such as 1700000000")
    return float(value)


def _flag(body: Dict[str, Any], name: str, default: bool = False) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Problem(422, "bad_member", f"{name} is true or false")
    return value


def _text(body: Dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        raise Problem(422, "bad_member", f"{name} is one printable line of at most 200 characters")
    return value
