# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/locks: what plays agree with. Orders go to the core as they are; waiting in line is a long-poll."""
from __future__ import annotations

import time
from typing import Any, Optional

from ...core.coordination.leases import check_id
from ...core.coordination.locks import MOST_SLOTS, holders, locked, shown, standing
from ...core.model import access
from ...core.model.document import Document
from ...core.model.documents import Change
from ...ground.problem import Problem
from ..aio import SCOPE
from . import members, messages, parameters
from .backend import Backend
from .leases import check_ours, submit
from .operations import CHANGING, HEAD, READING, Answer, Body, list_of, object_of, operation, ref
from .stays import WAITS, Stays
from .waiting import until

ACQUIRE = {
    "Owner": members.OWNER,
    "Lease": members.LEASE,
    "Slots": members.number_of(MOST_SLOTS, "How many may hold it; one, or as it is"),
    "Shared": {"type": "boolean", "default": False, "description": "Hold it beside others that share it, and beside nobody else"},
    "Wait": members.WAIT,
    "Queue": {"type": "boolean", "description": "Take a place in line; who waits does"},
    "Data": {"description": f"Anything of at most {members.MOST_DATA} bytes, for those who look"},
}
RELEASE = {
    "Owner": members.OWNER,
    "Token": {
        "type": "integer", "nullable": True, "minimum": 0, "maximum": (1 << 53) - 1,
        "description": "Only if it is held with this fencing token",
    },
}  # fmt: skip
REPLAYED = ("Idempotency-Replayed",)
NAME = (parameters.LOCK_NAME,)


class Locks:
    """Handlers of locks. Their names may hold slashes."""

    def __init__(self, backend: Backend, stays: Stays) -> None:
        self._backend, self._stays = backend, stays

    @operation(
        "GET", "/locks", "listLocks", "List the locks that somebody holds", also=HEAD, takes=(parameters.STALE,), refusals=READING,
        answers={200: Answer("Locks, by name", list_of("Lock"))},
    )  # fmt: skip
    async def list(self, request: Any) -> Any:
        self._backend.check_serving(messages.is_stale(request))
        found = self._backend.heads().list("locks")
        seen = [document for document in found if access.sees(request[SCOPE], "locks", document.key)]
        return await messages.answer_list(request, seen, shown)

    @operation(
        "GET", "/locks/{name...}", "getLock", "Show a lock; one that nobody holds is free, and has no ETag", also=HEAD,
        takes=(*NAME, parameters.STALE), answers={200: Answer("The lock", ref("Lock"), ("ETag",))}, refusals=READING,
    )  # fmt: skip
    async def show(self, request: Any, name: str) -> Any:
        check_id("lock", name, slashes=True)
        self._backend.check_serving(messages.is_stale(request))
        document = self._backend.heads().committed("locks", name)
        headers = {"ETag": messages.etag_of(document)} if document is not None else {}
        return await messages.answer(request, shown(document, name), 200, headers)

    @operation(
        "DELETE", "/locks/{name...}", "breakLock", "Take a lock from everybody", answers={204: Answer("Done", headers=REPLAYED)},
        takes=(*NAME, parameters.IF_MATCH, *parameters.ORDERED), refusals=(*CHANGING, 404),
    )  # fmt: skip
    async def delete(self, request: Any, name: str) -> Any:
        check_id("lock", name, slashes=True)
        outcome = await submit(self._backend, request, Change("locks", name, "delete", if_match=messages.if_match(request)))
        return await messages.changed(request, None, None, 204, outcome.replayed)

    @operation(
        "POST", "/locks/{name...}/acquire", "acquireLock",
        "Take a lock, waiting in line for Wait seconds; 409 while others hold it", takes=(*NAME, *parameters.ORDERED),
        body=Body(object_of(ACQUIRE, ["Owner"], example={"Owner": "web-1", "Lease": "deploy-1", "Slots": 2, "Wait": 60})),
        answers={200: Answer("It is held", ref("Acquired"), REPLAYED)}, refusals=(*CHANGING, 404, 429),
    )  # fmt: skip
    async def acquire(self, request: Any, name: str) -> Any:
        check_id("lock", name, slashes=True)
        body = members.check(await messages.read_object(request), ACQUIRE)
        wait, owner = members.wait(body.get("Wait", 0)), members.owner(body)
        lease, queue = members.lease(body), members.flag(body, "Queue", wait > 0)
        check_ours(self._backend, request, lease)
        slots, data = members.number(body, "Slots", MOST_SLOTS), members.small(body, "Data")
        shared = members.flag(body, "Shared", False)
        ask = {"Owner": owner, "Lease": lease, "Slots": slots, "Shared": shared, "Queue": queue, "Data": data, "At": int(time.time())}
        change = Change("locks", name, "acquire", ask)
        if wait:
            self._stays.room(request, WAITS)
        outcome = await submit(self._backend, request, change)
        document = messages.document_of(outcome, change)
        where = {**standing(document, owner), "Changed": True, **(outcome.said or {})}
        if not where["Held"]:
            if wait:
                with self._stays.wait(request):
                    document = await self._in_line(name, owner, wait)
                self._backend.check_copies()  # in strict mode a turn that came with too few copies is not to be relied on
            where = {**standing(document, owner), "Changed": True}
        if not where["Held"]:
            raise _not_yet(name, owner, document)
        return messages.respond({"Name": name, "Owner": owner, "Holders": holders(document), **where}, 200, messages.replayed(outcome))

    async def _in_line(self, name: str, owner: str, wait: float) -> Optional[Document]:
        """Return the lock as soon as ``owner`` holds it, is out of the line, or the time is over."""

        def out_of_line() -> Any:
            document = self._backend.heads().committed("locks", name)
            return (document,) if document is None or owner not in document.value["Queue"] else None

        found = await until(self._backend, [("locks", name)], out_of_line, wait)
        return found[0] if found is not None else self._backend.heads().committed("locks", name)

    @operation(
        "POST", "/locks/{name...}/release", "releaseLock", "Give a lock up, or leave its line", takes=(*NAME, *parameters.ORDERED),
        body=Body(object_of(RELEASE, ["Owner"])), refusals=CHANGING,
        answers={
            200: Answer("Released; others hold it or wait", ref("Lock"), ("ETag!", *REPLAYED)),
            204: Answer("Released; nobody has it", headers=REPLAYED),
        },
    )  # fmt: skip
    async def release(self, request: Any, name: str) -> Any:
        check_id("lock", name, slashes=True)
        body = members.check(await messages.read_object(request), RELEASE)
        token = body.get("Token")
        if token is not None and (isinstance(token, bool) or not isinstance(token, int)):
            raise Problem(422, "bad_member", "Token is the number that acquire answered")
        change = Change("locks", name, "release", {"Owner": members.owner(body), "Token": token})
        outcome = await submit(self._backend, request, change)
        document = messages.document_of(outcome, change)
        return await messages.changed(request, shown(document, name), document, 200, outcome.replayed)


def _not_yet(name: str, owner: str, document: Optional[Document]) -> Problem:
    where = standing(document, owner)
    if where["Ahead"] is None or document is None:
        detail = f"{owner!r} does not wait for lock {name!r} any more: its lease is gone, or somebody broke the lock"
        return Problem(409, "out_of_line", detail)
    problem = locked(name, document.value)
    ahead = f"{where['Ahead']} wait before {owner!r}" if where["Ahead"] else f"{owner!r} is next"
    return Problem(409, "locked", f"{problem.detail}; {ahead}", **problem.extra, ahead=where["Ahead"], token=where["Token"])
