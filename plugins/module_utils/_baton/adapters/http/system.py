# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/system, /info, and what load balancers and Prometheus ask without a token."""
from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict

from ...ground.form import is_node_id
from ...ground.problem import Problem
from ..aio import web
from . import members, messages, parameters
from .backend import Backend
from .metrics import Seen, text_of
from .operations import HEAD, ORDERING, Answer, Body, Handler, asked, list_of, object_of, operation, ref
from .stays import Stays

SHOWN = ("node", "role", "state", "error", "unable", "active", "active_url", "cluster_id")
_FLAG = {"type": "boolean", "default": False}
_LINE = {**members.PRINTED, "nullable": True}
ACTIVE = {"force": _FLAG}
PASSIVE = {"force": _FLAG}
SWITCH = {
    "to": {
        "type": "string", "nullable": True, "pattern": "^([A-Za-z0-9_][A-Za-z0-9_.-]{0,62})?$",
        "description": "The node; without it, the one that is best", "example": "n2",
    },
    "reason": {**_LINE, "description": "Why, for people"},
    "at": {
        "type": "number", "nullable": True, "minimum": 0, "exclusiveMinimum": True, "maximum": 999999999999,
        "description": "Unix seconds: not now but then; answers 202",
    },
}  # fmt: skip
CREATE = {"cluster_id": _LINE}
PAUSE = {"paused": {"type": "boolean", "default": True}, "by": {**_LINE, "description": "Who wants it, for people"}}
PLAN = object_of({"To": {"type": "string"}, "Reason": {"type": "string"}, "At": {"type": "number"}}, ["To", "Reason", "At"], nullable=True)
_TEXT = {"type": "string", "nullable": True}
INFO = {
    "id": ref("NodeName"),
    "version": {"type": "string"},
    "api": {"type": "string", "enum": ["v3"]},
    "ha_id": {"type": "string"},
    "cluster_id": _TEXT,
    "system": {"type": "string"},
    "role": {"type": "string"},
    "active": _TEXT,
    "active_url": _TEXT,
}
NOW = {200: Answer("Who is active now", ref("Active"))}
DONE = {204: Answer("Done")}
ANSWERS: Dict[str, Callable[[Dict[str, Any]], bool]] = {
    "active": lambda status: bool(status["serving"]),
    "passive": lambda status: status["role"] == "passive" and status["state"] in ("In-Sync", "Syncing"),
    "in-sync": lambda status: status["state"] == "In-Sync" or bool(status["serving"]),
    "health": lambda status: status["error"] is None,
}


def probe_of(path: str, id: str, question: str) -> Callable[[Handler], Handler]:
    """Declare a probe. HAProxy asks with OPTIONS, unless it is told otherwise."""
    shown = {"type": "object", "properties": {name: {} for name in SHOWN}, "required": list(SHOWN), "additionalProperties": False}
    return operation(
        "GET", path, id, question, also=("HEAD", "OPTIONS"), takes=(parameters.PROBE_WAIT,), refusals=(400, 429),
        answers={200: Answer("Yes", shown), 503: Answer("No, or not within wait", shown)}, tag="probes", needs_token=False,
        outside=True,
    )  # fmt: skip


class System:
    """Handlers of the cluster's own state and of a person's orders to it."""

    def __init__(self, backend: Backend, version: str, who: Callable[[Any], str], stays: Stays) -> None:
        """``who``: says for people whose request it is."""
        self._backend, self._stays = backend, stays
        self._who = who
        self._version = version

    @operation(
        "GET", "/info", "info", "What this node is", also=HEAD, refusals=asked(), tag="system",
        answers={200: Answer("The node", object_of(INFO, ["id", "version", "api", "role"]))},
    )  # fmt: skip
    async def info(self, _request: Any) -> Any:
        status = self._backend.status()
        names = ("ha_id", "cluster_id", "system", "role", "active", "active_url")
        return messages.respond(
            {"id": self._backend.node_id, "version": self._version, "api": "v3", **{name: status[name] for name in names}}
        )

    # --- the cluster ------------------------------------------------------------------------------------------------------

    @operation(
        "GET", "/system/ha", "haStatus", "The state of the cluster as this node sees it", also=HEAD, refusals=asked(),
        answers={200: Answer("The state", ref("Status"))},
    )  # fmt: skip
    async def status(self, _request: Any) -> Any:
        return messages.respond(self._backend.status())

    @operation(
        "GET", "/system/history", "history", "Who was active, since when and why, oldest first", also=HEAD, refusals=asked(),
        answers={200: Answer("Reigns", list_of("Reign"))},
    )  # fmt: skip
    async def history(self, _request: Any) -> Any:
        return messages.respond(self._backend.history())

    @operation(
        "GET", "/system/drivers", "drivers", "The drivers of the node that is asked", also=HEAD, refusals=asked(),
        answers={200: Answer("Drivers, by id", list_of("Driver"))},
    )  # fmt: skip
    async def drivers(self, _request: Any) -> Any:
        return messages.respond(self._backend.drivers())

    # --- a person's orders ------------------------------------------------------------------------------------------------

    @operation(
        "POST", "/system/active", "becomeActive", "Become active; refused while another is, unless forced",
        body=Body(object_of(ACTIVE), required=False), answers=NOW, refusals=ORDERING,
    )  # fmt: skip
    async def become_active(self, request: Any) -> Any:
        body = members.check(await messages.read_object(request), ACTIVE)
        return messages.respond(await self._backend.become_active(_flag(body, "force")))

    @operation(
        "POST", "/system/passive", "becomePassive", "Give the active role up; force: also if nobody can take it",
        body=Body(object_of(PASSIVE), required=False), answers=NOW, refusals=ORDERING,
    )  # fmt: skip
    async def become_passive(self, request: Any) -> Any:
        body = members.check(await messages.read_object(request), PASSIVE)
        return messages.respond(await self._backend.become_passive(_flag(body, "force")))

    @operation(
        "POST", "/system/switch", "switch", "Move the active role in good order", body=Body(object_of(SWITCH), required=False),
        answers={**NOW, 202: Answer("Scheduled", object_of({"scheduled": PLAN}, ["scheduled"]))}, refusals=ORDERING,
    )  # fmt: skip
    async def switch(self, request: Any) -> Any:
        body = members.check(await messages.read_object(request), SWITCH)
        at = _time(body, "at")
        answer = await self._backend.switch(_text(body, "to"), _text(body, "reason"), at)
        return messages.respond(answer, 202 if at else 200)

    @operation(
        "DELETE", "/system/switch", "cancelSwitch", "Call a scheduled switch off", answers=DONE, refusals=asked(307, 409)
    )
    async def cancel_switch(self, _request: Any) -> Any:
        await self._backend.cancel_switch()
        return web.Response(status=204)

    @operation(
        "POST", "/system/create", "createCluster", "Create the cluster on this node (with the HA token)",
        body=Body(object_of(CREATE), required=False), answers={201: Answer("Created", ref("Active"))}, refusals=ORDERING,
    )  # fmt: skip
    async def create(self, request: Any) -> Any:
        body = members.check(await messages.read_object(request), CREATE)
        return messages.respond(await self._backend.create_cluster(_text(body, "cluster_id")), 201)

    @operation(
        "PUT", "/system/nodes/{node}", "readmitNode", "Let a node that was removed join again", takes=(parameters.NODE,),
        answers=DONE, refusals=asked(307, 404, 409, 507),
    )  # fmt: skip
    async def readmit_node(self, _request: Any, node: str) -> Any:
        await self._backend.readmit_node(_node(node))
        return web.Response(status=204)

    @operation(
        "DELETE", "/system/nodes/{node}", "removeNode",
        "Remove a node that does not run any more; it stays removed until it is readmitted", takes=(parameters.NODE,), answers=DONE,
        refusals=asked(307, 404, 409, 507),
    )  # fmt: skip
    async def remove_node(self, _request: Any, node: str) -> Any:
        await self._backend.remove_node(_node(node))
        return web.Response(status=204)

    @operation(
        "POST", "/system/pause", "pause", "Stop promotions that nobody ordered, or allow them again",
        body=Body(object_of(PAUSE), required=False), refusals=ORDERING,
        answers={200: Answer("Whether they are stopped now", {
            "type": "object", "properties": {"paused": {"type": "boolean"}}, "required": ["paused"], "additionalProperties": True,
        })},
    )  # fmt: skip
    async def pause(self, request: Any) -> Any:
        body = members.check(await messages.read_object(request), PAUSE)
        by = ", ".join(text for text in (_text(body, "by"), self._who(request)) if text)
        return messages.respond(await self._backend.pause(_flag(body, "paused", True), by))

    # --- without a token --------------------------------------------------------------------------------------------------

    @probe_of("/active", "isActive", "Is this node active, and within its lease?")
    async def active(self, request: Any) -> Any:
        return await self._probe(request, "active")

    @probe_of("/passive", "isPassive", "Is this node a passive that has all there is, or gets it?")
    async def passive(self, request: Any) -> Any:
        return await self._probe(request, "passive")

    @probe_of("/in-sync", "isInSync", "Has this node every acknowledged write?")
    async def in_sync(self, request: Any) -> Any:
        return await self._probe(request, "in-sync")

    @probe_of("/health", "isHealthy", "Does nothing need a person?")
    async def health(self, request: Any) -> Any:
        return await self._probe(request, "health")

    async def _probe(self, request: Any, name: str) -> Any:
        """Answer 200 for yes and 503 for no; ``?wait=S`` waits for a yes."""
        seconds = messages.number(request, "wait", 0, 300)
        if seconds and not ANSWERS[name](self._backend.status()):
            with self._stays.wait(request):
                return await self._answer(name, seconds)
        return await self._answer(name, 0)

    async def _answer(self, name: str, seconds: int) -> Any:
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

    @operation(
        "GET", "/metrics", "metrics", "What Prometheus reads; docs/reference/metrics.md lists all", also=HEAD, refusals=(400,),
        answers={200: Answer("The metrics", {"type": "string"}, media="text/plain")}, tag="probes", needs_token=False, outside=True,
    )  # fmt: skip
    async def metrics(self, _request: Any) -> Any:
        seen = Seen(self._backend.status(), self._backend.drivers(), self._backend.stalls())
        return web.Response(text=text_of(seen), content_type="text/plain", charset="utf-8")


def _node(name: str) -> str:
    if not is_node_id(name):
        raise Problem(400, "bad_name", f"{name[:70]!r} can't name a node: use letters, digits and _ . - (not first: . -), at most 63")
    return name


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
