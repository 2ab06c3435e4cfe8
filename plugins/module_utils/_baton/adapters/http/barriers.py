# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/barriers: coming, waiting for the others by a long-poll, and breaking it for all."""
from __future__ import annotations

import time
from typing import Any, Dict, Optional

from ...core.coordination.barriers import MOST_OWNERS, came, standing
from ...core.coordination.leases import check_id
from ...core.model import access
from ...core.model.documents import Change
from ...ground.problem import Problem
from ..aio import SCOPE
from . import members, messages, parameters
from .backend import Backend
from .leases import check_ours, submit
from .operations import CHANGING, HEAD, READING, Answer, Body, list_of, object_of, operation, ref
from .stays import WAITS, Stays
from .waiting import until

MOST_WHY = 500
GENERATION = 1 << 53
_COUNT = members.number_of(MOST_OWNERS, "How many it waits for; or give Members")
_GENERATION = members.number_of(GENERATION, "As the first answer said, to ask again")
ARRIVE = {
    "Owner": members.OWNER,
    "Count": _COUNT,
    "Members": members.OWNERS,
    "Generation": _GENERATION,
    "Lease": members.LEASE,
    "Age": members.AGE,
    "Wait": members.WAIT,
}
BREAK = {
    "Owner": members.OWNER,
    "Count": _COUNT,
    "Members": members.OWNERS,
    "Generation": _GENERATION,
    "Age": members.AGE,
    "Why": {**members.PRINTED, "maxLength": MOST_WHY, "nullable": True},
    "Escape": {
        "type": "string", "enum": ["fail", "continue"], "default": "fail", "description": "What those who wait shall do",
    },
}  # fmt: skip
RESET = {"Owner": members.OWNER}
REPLAYED = ("Idempotency-Replayed",)
NAME = (parameters.BARRIER_NAME,)
_LEFT = {200: Answer("What it left, and whether that is new", ref("Barrier"))}


class Barriers:
    """Handlers of barriers. Their names may hold slashes."""

    def __init__(self, backend: Backend, stays: Stays) -> None:
        self._backend, self._stays = backend, stays

    @operation(
        "GET", "/barriers", "listBarriers", "List barriers", also=HEAD, takes=(parameters.STALE,), refusals=READING,
        answers={200: Answer("Barriers, by name", list_of("Barrier"))},
    )  # fmt: skip
    async def list(self, request: Any) -> Any:
        self._backend.check_serving(messages.is_stale(request))
        found = self._backend.heads().list("barriers")
        return await messages.answer_list(request, [item for item in found if access.sees(request[SCOPE], "barriers", item.key)])

    @operation(
        "GET", "/barriers/{name...}", "getBarrier", "Read a barrier", also=HEAD, takes=(*NAME, parameters.STALE),
        answers={200: Answer("The barrier", ref("Barrier"), ("ETag!",))}, refusals=(*READING, 404),
    )  # fmt: skip
    async def show(self, request: Any, name: str) -> Any:
        check_id("barrier", name, slashes=True)
        self._backend.check_serving(messages.is_stale(request))
        document = self._backend.heads().committed("barriers", name)
        if document is None:
            raise Problem(404, "not_found", f"there is no barrier {name!r}: nobody has come to it yet")
        return await messages.answer(request, document.value, 200, {"ETag": messages.etag_of(document)})

    @operation(
        "DELETE", "/barriers/{name...}", "deleteBarrier", "Forget a barrier", answers={204: Answer("Done", headers=REPLAYED)},
        takes=(*NAME, parameters.IF_MATCH, *parameters.ORDERED), refusals=(*CHANGING, 404),
    )  # fmt: skip
    async def delete(self, request: Any, name: str) -> Any:
        check_id("barrier", name, slashes=True)
        outcome = await submit(self._backend, request, Change("barriers", name, "delete", if_match=messages.if_match(request)))
        return await messages.changed(request, None, None, 204, outcome.replayed)

    @operation(
        "POST", "/barriers/{name...}/arrive", "arriveAtBarrier",
        "Come to a barrier and wait for the others for Wait seconds; Generation when asking again",
        takes=(*NAME, *parameters.ORDERED),
        body=Body(object_of(ARRIVE, ["Owner"], example={"Owner": "web-1", "Count": 10, "Wait": 60})),
        answers={200: Answer("How the generation stands", ref("Arrival"), REPLAYED)}, refusals=(*CHANGING, 404, 429),
    )  # fmt: skip
    async def arrive(self, request: Any, name: str) -> Any:
        check_id("barrier", name, slashes=True)
        body = members.check(await messages.read_object(request), ARRIVE)
        wait, owner, lease = members.wait(body.get("Wait", 0)), members.owner(body), members.lease(body)
        check_ours(self._backend, request, lease)
        change = Change("barriers", name, "arrive", {"Owner": owner, "Lease": lease, **_size(body), **_now(body)})
        if wait:
            self._stays.room(request, WAITS)
        outcome = await submit(self._backend, request, change)
        generation = (outcome.said or body).get("Generation") or came(messages.document_of(outcome, change), owner)
        where = outcome.said or standing(self._backend.heads().committed("barriers", name), generation)
        if wait and where["Outcome"] == "waits":
            with self._stays.wait(request):
                where = await until(self._backend, [("barriers", name)], lambda: self._ended(name, generation), wait) or where
            self._backend.check_copies()  # in strict mode what came with too few copies is not to be relied on
            if where["Outcome"] == "waits":
                where = standing(self._backend.heads().committed("barriers", name), generation)
        return messages.respond({"Name": name, "Owner": owner, **where}, 200, messages.replayed(outcome))

    def _ended(self, name: str, generation: int) -> Optional[Dict[str, Any]]:
        """Return how the generation ended, or None; of a thousand who wait each asks at every commit, so this looks at little."""
        document = self._backend.heads().committed("barriers", name)
        if document is not None and document.value["Generation"] == generation and document.value["Broken"] is None:
            return None
        return standing(document, generation)

    @operation(
        "POST", "/barriers/{name...}/break", "breakBarrier", "Release all who wait and all who are to come, with an error",
        takes=(*NAME, *parameters.ORDERED), body=Body(object_of(BREAK, ["Owner"])), answers=_LEFT, refusals=(*CHANGING, 404),
    )  # fmt: skip
    async def break_it(self, request: Any, name: str) -> Any:
        check_id("barrier", name, slashes=True)
        body = members.check(await messages.read_object(request), BREAK)
        why, escape = members.text(body, "Why"), body.get("Escape", "fail")
        if len(why) > MOST_WHY or not why.isprintable():
            raise Problem(422, "bad_member", f"Why is one line of at most {MOST_WHY} characters")
        if escape not in ("fail", "continue"):
            raise Problem(422, "bad_member", 'Escape is "fail" or "continue": what those who wait shall do')
        ask = {"Owner": members.owner(body), "Why": why or "it gave up", "Escape": escape, **_size(body), **_now(body)}
        return await self._end(request, Change("barriers", name, "break", ask))

    @operation(
        "POST", "/barriers/{name...}/reset", "resetBarrier", "Begin a new generation; who waits is told so",
        takes=(*NAME, *parameters.ORDERED), body=Body(object_of(RESET, ["Owner"])), answers=_LEFT, refusals=(*CHANGING, 404),
    )  # fmt: skip
    async def reset(self, request: Any, name: str) -> Any:
        check_id("barrier", name, slashes=True)
        owner = members.owner(members.check(await messages.read_object(request), RESET))
        return await self._end(request, Change("barriers", name, "reset", {"Owner": owner, "At": int(time.time())}))

    async def _end(self, request: Any, change: Change) -> Any:
        outcome = await submit(self._backend, request, change)
        document = messages.document_of(outcome, change)
        said = outcome.said or {"Changed": True}  # what versions before this one remember, changed something
        return messages.respond({**(document.value if document is not None else {}), **said})


def _size(body: Dict[str, Any]) -> Dict[str, Any]:
    count, names = members.number(body, "Count", MOST_OWNERS), members.owners(body, "Members")
    if count is not None and names is not None:
        raise Problem(422, "bad_member", "give Count or Members, not both")
    return {"Count": count, "Members": names}


def _now(body: Dict[str, Any]) -> Dict[str, Any]:
    return {"Generation": members.number(body, "Generation", GENERATION), "Age": members.age(body), "At": int(time.time())}
