# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/locks: what plays agree with. Orders go to the core as they are; waiting in line is a long-poll."""
from __future__ import annotations

import time
from typing import Any, Optional, Sequence

from ...core.coordination.leases import check_id
from ...core.coordination.locks import MOST_SLOTS, holders, locked, shown, standing
from ...core.model import access
from ...core.model.document import Document
from ...core.model.documents import Change
from ...ground.problem import Problem
from ..aio import SCOPE
from . import members, messages
from .backend import Backend
from .documents import READ, allow
from .leases import check_ours, submit
from .stays import WAITS, Stays
from .waiting import until

ORDERS = ("acquire", "release")


class Locks:
    """Handlers of locks."""

    def __init__(self, backend: Backend, stays: Stays) -> None:
        self._backend, self._stays = backend, stays

    async def handle(self, request: Any, rest: Sequence[str], stale: bool) -> Any:
        """Serve /locks, /locks/{name}, /locks/{name}/acquire and /locks/{name}/release; names may hold slashes."""
        if not rest or rest == [""]:
            allow(request, "GET", "HEAD")
            self._backend.check_serving(stale)
            found = self._backend.heads().list("locks")
            seen = [document for document in found if access.sees(request[SCOPE], "locks", document.key)]
            return await messages.answer_list(request, seen, shown)
        order = rest[-1] if request.method == "POST" and len(rest) > 1 and rest[-1] in ORDERS else ""
        name = "/".join(rest[:-1] if order else rest)
        check_id("lock", name, slashes=True)
        if order:
            return await (self._acquire(request, name) if order == "acquire" else self._release(request, name))
        if request.method in READ:
            self._backend.check_serving(stale)
            document = self._backend.heads().committed("locks", name)
            headers = {"ETag": messages.etag_of(document)} if document is not None else {}
            return await messages.answer(request, shown(document, name), 200, headers)
        allow(request, "GET", "HEAD", "DELETE", *(("POST",) if len(rest) > 1 and rest[-1] in ORDERS else ()))
        outcome = await submit(self._backend, request, Change("locks", name, "delete", if_match=messages.if_match(request)))
        return await messages.changed(request, None, None, 204, outcome.replayed)

    async def _acquire(self, request: Any, name: str) -> Any:
        body = members.check(await messages.read_object(request), "Owner", "Lease", "Slots", "Shared", "Wait", "Queue", "Data")
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

    async def _release(self, request: Any, name: str) -> Any:
        body = members.check(await messages.read_object(request), "Owner", "Token")
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
