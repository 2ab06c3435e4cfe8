# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/profiles/{name}/elect and /resign: one request a candidate, however many there are. The seats are a param of the profile."""
from __future__ import annotations

import time
from typing import Any, Dict

from ...core.coordination.seats import MOST_SEATS, leaders, standing
from ...core.model.documents import Change, check_name
from ...core.model.kinds import KINDS
from ...ground.patch import MISSING, find
from ...ground.problem import Problem
from . import members, messages, parameters
from .backend import Backend
from .leases import check_ours, submit
from .operations import CHANGING, Answer, Body, object_of, operation, ref

SEATS = {
    "Param": ref("ParamName"),
    "Candidate": {
        "anyOf": [
            {"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "object"}, {"type": "array", "items": {}},
        ],
        "description": "Who stands: a name, or an object with Name, Uuid and Address. "
        f"Of at most {members.MOST_DATA} bytes, and not Vacant",
        "example": "web-1",
    },
    "Seats": members.number_of(MOST_SEATS, "Without it the param holds one candidate, with it a list"),
    "Vacant": {"description": "The value that means an empty seat", "default": "none"},
    "Lease": members.LEASE,
    "Run": members.label_of("In which run a seat is won, for people"),
}  # fmt: skip
TAKES = (parameters.key_of(KINDS["profiles"]), *parameters.ORDERED)
BODY = Body(object_of(SEATS, ["Param", "Candidate"]))
ANSWERS = {200: Answer("Who sits, and where the candidate does", ref("Seats"), ("ETag", "Idempotency-Replayed"))}


class Elections:
    """Handlers of seats."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @operation(
        "POST", "/profiles/{name}/elect", "elect",
        "Take a seat if one is free, or learn who has them; one log entry a winner, none for the others",
        takes=TAKES, body=BODY, answers=ANSWERS, refusals=(*CHANGING, 404), tag="seats",
    )  # fmt: skip
    async def elect(self, request: Any, name: str) -> Any:
        return await self._order(request, name, "elect")

    @operation(
        "POST", "/profiles/{name}/resign", "resign", "Give a seat back", takes=TAKES, body=BODY, answers=ANSWERS,
        refusals=(*CHANGING, 404), tag="seats",
    )  # fmt: skip
    async def resign(self, request: Any, name: str) -> Any:
        return await self._order(request, name, "resign")

    async def _order(self, request: Any, profile: str, action: str) -> Any:
        check_name("profiles", profile)
        body = members.check(await messages.read_object(request), SEATS)
        ask = _ask(body)
        check_ours(self._backend, request, ask["Lease"])
        change = Change("profiles", profile, action, ask, at=("Params", members.param_name(body)))
        outcome = await submit(self._backend, request, change)
        document = messages.document_of(outcome, change)
        headers = {"ETag": messages.etag_of(document)} if document is not None else {}
        if outcome.replayed:
            headers["Idempotency-Replayed"] = "true"
        said = outcome.said or self._unsaid(change)
        value = find(document.value, change.at) if document is not None else MISSING
        as_it_is = ask if isinstance(value, list) else {**ask, "Seats": None}  # of a repeat it may be another thing by now
        return messages.respond({"Leaders": leaders(value, as_it_is) if "Leaders" not in said else [], **said}, 200, headers)

    def _unsaid(self, change: Change) -> Dict[str, Any]:
        """Return the answer to the repeat of what a version before this one was asked: it remembered what changed something only."""
        return {**standing(change, self._backend.heads().committed)[0], "Changed": True}


def _ask(body: Dict[str, Any]) -> Dict[str, Any]:
    if body.get("Candidate") is None:
        raise Problem(422, "bad_member", "Candidate is what stands for you: a name, or an object with Name, Uuid and Address")
    return {
        "Candidate": members.small(body, "Candidate"),
        "Seats": members.number(body, "Seats", MOST_SEATS),
        "Vacant": members.small(body, "Vacant") if "Vacant" in body else "none",
        "Lease": members.lease(body),
        "Run": members.label(body, "Run"),
        "At": int(time.time()),
    }
