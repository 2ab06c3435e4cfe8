# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/system, /info, and what load balancers and Prometheus ask without a token."""
from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, Sequence

from ...ground.form import is_node_id
from ...ground.problem import Problem
from ..aio import web
from . import members, messages
from .backend import Backend
from .documents import allow
from .metrics import Seen, text_of
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
        seen = Seen(self._backend.status(), self._backend.drivers(), self._backend.stalls())
        return web.Response(text=text_of(seen), content_type="text/plain", charset="utf-8")


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
