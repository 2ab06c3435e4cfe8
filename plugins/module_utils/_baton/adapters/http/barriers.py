# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/barriers: coming, waiting for the others by a long-poll, and breaking it for all."""
from __future__ import annotations

import time
from typing import Any, Dict, Optional, Sequence

from ...core.coordination.barriers import MOST_OWNERS, came, standing
from ...core.coordination.leases import check_id
from ...core.model import access
from ...core.model.documents import Change
from ...ground.problem import Problem
from ..aio import SCOPE
from . import members, messages
from .backend import Backend
from .documents import READ, allow
from .leases import check_ours, submit
from .stays import WAITS, Stays
from .waiting import until

ACTIONS = ("arrive", "break", "reset")
MOST_WHY = 500


class Barriers:
    """Handlers of barriers."""

    def __init__(self, backend: Backend, stays: Stays) -> None:
        self._backend, self._stays = backend, stays

    async def handle(self, request: Any, rest: Sequence[str], stale: bool) -> Any:
        """Serve /barriers, /barriers/{name} and POST /barriers/{name}/arrive, /break and /reset; names may hold slashes."""
        if not rest or rest == [""]:
            allow(request, "GET", "HEAD")
            self._backend.check_serving(stale)
            found = self._backend.heads().list("barriers")
            return await messages.answer_list(request, [item for item in found if access.sees(request[SCOPE], "barriers", item.key)])
        order = rest[-1] if request.method == "POST" and len(rest) > 1 and rest[-1] in ACTIONS else ""
        name = "/".join(rest[:-1] if order else rest)
        check_id("barrier", name, slashes=True)
        if order:
            return await getattr(self, f"_{order}")(request, name, await messages.read_object(request))
        if request.method in READ:
            self._backend.check_serving(stale)
            document = self._backend.heads().committed("barriers", name)
            if document is None:
                raise Problem(404, "not_found", f"there is no barrier {name!r}: nobody has come to it yet")
            return await messages.answer(request, document.value, 200, {"ETag": messages.etag_of(document)})
        allow(request, "GET", "HEAD", "DELETE", *(("POST",) if len(rest) > 1 and rest[-1] in ACTIONS else ()))
        outcome = await submit(self._backend, request, Change("barriers", name, "delete", if_match=messages.if_match(request)))
        return await messages.changed(request, None, None, 204, outcome.replayed)

    async def _arrive(self, request: Any, name: str, body: Dict[str, Any]) -> Any:
        members.check(body, "Owner", "Count", "Members", "Lease", "Generation", "Age", "Wait")
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

    async def _break(self, request: Any, name: str, body: Dict[str, Any]) -> Any:
        members.check(body, "Owner", "Count", "Members", "Generation", "Age", "Why", "Escape")
        why, escape = members.text(body, "Why"), body.get("Escape", "fail")
        if len(why) > MOST_WHY or not why.isprintable():
            raise Problem(422, "bad_member", f"Why is one line of at most {MOST_WHY} characters")
        if escape not in ("fail", "continue"):
            raise Problem(422, "bad_member", 'Escape is "fail" or "continue": what those who wait shall do')
        ask = {"Owner": members.owner(body), "Why": why or "it gave up", "Escape": escape, **_size(body), **_now(body)}
        return await self._end(request, Change("barriers", name, "break", ask))

    async def _reset(self, request: Any, name: str, body: Dict[str, Any]) -> Any:
        owner = members.owner(members.check(body, "Owner"))
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
    return {"Generation": members.number(body, "Generation", 1 << 53), "Age": members.age(body), "At": int(time.time())}
