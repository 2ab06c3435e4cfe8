# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/leases: granting, keeping alive and revoking; and whose leases a token may use. Orders go to the core as they are."""
from __future__ import annotations

import uuid
from typing import Any, Dict, Optional, Sequence

from ...core.coordination.leases import no_lease
from ...core.coordination.ties import live
from ...core.model import access
from ...core.model.document import Document
from ...core.model.documents import Change
from ...ground.problem import Problem
from ..aio import HOLDER, SCOPE
from . import members, messages
from .backend import Backend
from .documents import READ, allow


class Leases:
    """Handlers of leases."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def handle(self, request: Any, rest: Sequence[str], stale: bool) -> Any:
        """Serve /leases[/{id}[/keepalive]]."""
        if not rest or rest == [""]:
            if request.method in READ:
                self._backend.check_serving(stale)
                found = [document for document in self._backend.heads().list("leases") if is_ours(request, document)]
                return await messages.answer_list(request, found, self._lease)
            allow(request, "GET", "HEAD", "POST")
            return await self._grant(request)
        check_ours(self._backend, request, rest[0])
        if len(rest) == 2 and rest[1] == "keepalive":
            allow(request, "POST")
            return messages.respond(await self._backend.keep_alive(rest[0]))
        if len(rest) != 1:
            raise Problem(404, "no_such_path", f"there is nothing at {request.path}; see /api/v3/openapi.json")
        if request.method in READ:
            self._backend.check_serving(stale)
            document = self._backend.heads().committed("leases", rest[0])
            if document is None:
                raise no_lease(rest[0])
            return await messages.answer(request, self._lease(document), 200, {"ETag": messages.etag_of(document)})
        allow(request, "GET", "HEAD", "DELETE")
        outcome = await submit(self._backend, request, Change("leases", rest[0], "revoke"))
        return await messages.changed(request, None, None, 204, outcome.replayed)

    async def _grant(self, request: Any) -> Any:
        body = members.check(await messages.read_object(request), "Id", "Ttl", "Owner")
        key, name = request.headers.get("Idempotency-Key"), body.get("Id")
        if name is None:
            name = str(uuid.uuid5(uuid.NAMESPACE_OID, key) if key else uuid.uuid4())
        if not isinstance(name, str):
            raise Problem(422, "bad_member", "Id is a string")
        asked = {"Ttl": members.ttl(body.get("Ttl")), "Owner": members.owner(body, ""), "Profile": request[HOLDER]}
        change = Change("leases", name, "grant", asked)
        outcome = await submit(self._backend, request, change)
        document = messages.document_of(outcome, change)
        value = outcome.said or (document.value if document is not None else {"Id": name, **asked, "Ties": []})
        headers = {"ETag": messages.etag_of(document)} if document is not None else {}
        return messages.respond(self._shown(name, value), 201, headers)

    def _shown(self, name: str, value: Dict[str, Any]) -> Dict[str, Any]:
        """Return a lease as it is seen: with the ties that stand, and without when it was granted, which only the log's clock knows."""
        seen = {member: item for member, item in value.items() if member != "At"}
        return {**seen, "Ties": live(value["Ties"], self._backend.heads().committed), "Left": self._backend.lease_left(name)}

    def _lease(self, document: Document) -> Dict[str, Any]:
        return self._shown(document.key, document.value)


def is_ours(request: Any, document: Document) -> bool:
    """Return whether the token of a request may use a lease: a profile's or project's token those that were made with such a token."""
    return request[HOLDER] is None or document.value.get("Profile") == request[HOLDER]


def check_ours(backend: Backend, request: Any, lease: Optional[str]) -> None:
    """Raise Problem 403 for a lease that is another's."""
    document = backend.heads().committed("leases", lease) if lease is not None else None
    if document is not None and not is_ours(request, document):
        raise Problem(403, "forbidden", f"lease {lease!r} was not made with a token of {access.shown(request[SCOPE])}")


async def submit(backend: Backend, request: Any, *changes: Change) -> Any:
    """Carry out orders, all or nothing, with what the request's headers say of repeating and of being late."""
    changes = (*messages.fence(request), *changes)
    key, large = await messages.idempotency(request), await messages.is_large(request)
    return await backend.submit(changes, key, messages.deadline(request), large=large)
