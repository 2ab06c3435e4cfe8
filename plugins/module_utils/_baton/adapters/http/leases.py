# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/leases: granting, keeping alive and revoking; and whose leases a token may use. Orders go to the core as they are."""
from __future__ import annotations

import uuid
from typing import Any, Dict, Optional

from ...core.coordination.leases import no_lease
from ...core.coordination.ties import live
from ...core.model import access
from ...core.model.document import Document
from ...core.model.documents import Change
from ...ground.problem import Problem
from ..aio import HOLDER, SCOPE
from . import members, messages, parameters
from .backend import Backend
from .operations import CHANGING, HEAD, READING, Answer, Body, list_of, object_of, operation, ref

GRANT = {
    "Id": {
        "type": "string", "nullable": True, "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,126}$",
        "description": "One is made for who gives none", "example": "deploy-1",
    },
    "Ttl": members.TTL,
    "Owner": {**members.PRINTED, "default": "", "description": "Who makes it, for people"},
}  # fmt: skip
ID = (parameters.LEASE_ID,)
KEPT = object_of({"Id": ref("Name"), "Ttl": {"type": "number"}}, ["Id", "Ttl"])


class Leases:
    """Handlers of leases."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @operation(
        "GET", "/leases", "listLeases", "List leases", also=HEAD, takes=(parameters.STALE,), refusals=READING,
        answers={200: Answer("Leases, by id", list_of("Lease"))},
    )  # fmt: skip
    async def list(self, request: Any) -> Any:
        self._backend.check_serving(messages.is_stale(request))
        found = [document for document in self._backend.heads().list("leases") if is_ours(request, document)]
        return await messages.answer_list(request, found, self._lease)

    @operation(
        "GET", "/leases/{id}", "getLease", "Show a lease", also=HEAD, takes=(*ID, parameters.STALE), refusals=(*READING, 404),
        answers={200: Answer("The lease", ref("Lease"), ("ETag!",))},
    )  # fmt: skip
    async def show(self, request: Any, id: str) -> Any:
        check_ours(self._backend, request, id)
        self._backend.check_serving(messages.is_stale(request))
        document = self._backend.heads().committed("leases", id)
        if document is None:
            raise no_lease(id)
        return await messages.answer(request, self._lease(document), 200, {"ETag": messages.etag_of(document)})

    @operation(
        "DELETE", "/leases/{id}", "revokeLease", "End a lease and all that is tied to it", takes=(*ID, *parameters.ORDERED),
        answers={204: Answer("Done", headers=("Idempotency-Replayed",))}, refusals=(*CHANGING, 404),
    )  # fmt: skip
    async def delete(self, request: Any, id: str) -> Any:
        check_ours(self._backend, request, id)
        outcome = await submit(self._backend, request, Change("leases", id, "revoke"))
        return await messages.changed(request, None, None, 204, outcome.replayed)

    @operation(
        "POST", "/leases/{id}/keepalive", "keepLeaseAlive", "Give a lease its full time again", takes=ID, refusals=(*READING, 404),
        answers={200: Answer("It has so many seconds again", KEPT)},
    )  # fmt: skip
    async def keep_alive(self, request: Any, id: str) -> Any:
        check_ours(self._backend, request, id)
        return messages.respond(await self._backend.keep_alive(id))

    @operation(
        "POST", "/leases", "grantLease", "Make a lease; the same again is the same lease", takes=parameters.ORDERED,
        body=Body(object_of(GRANT, ["Ttl"])), answers={201: Answer("The lease", ref("Lease"), ("ETag",))}, refusals=CHANGING,
    )  # fmt: skip
    async def grant(self, request: Any) -> Any:
        body = members.check(await messages.read_object(request), GRANT)
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
