# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/leases and /locks: what plays agree with. Orders go to the core as they are; waiting in line is a long-poll."""
from __future__ import annotations

import math
import time
import uuid
from typing import Any, Dict, List, Optional, Sequence

from ...core import access
from ...core.coordination import LEAST_TTL, MOST_SLOTS, MOST_TTL, holders, locked, no_lease, standing
from ...core.documents import Change, Document
from ...core.problem import Problem
from ...core.values import is_small
from . import messages
from .backend import Backend
from .documents import READ, allow
from .waiting import MOST_TIMEOUT, Condition, wait_until

MOST_OWNER = 200
MOST_DATA = 4096


class Coordination:
    """Handlers of leases and locks."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    # --- leases ---------------------------------------------------------------------------------------------------------

    async def leases(self, request: Any, rest: Sequence[str], stale: bool) -> Any:
        """Serve /leases[/{id}[/keepalive]]."""
        if not rest or rest == [""]:
            if request.method in READ:
                self._check(stale)
                return messages.respond([self._lease(document) for document in self._backend.heads().list("leases")])
            allow(request, "GET", "HEAD", "POST")
            return await self._grant(request)
        if len(rest) == 2 and rest[1] == "keepalive":
            allow(request, "POST")
            return messages.respond(await self._backend.keep_alive(rest[0]))
        if len(rest) != 1:
            raise Problem(404, "no_such_path", f"there is nothing at {request.path}; see /api/v3/openapi.json")
        if request.method in READ:
            self._check(stale)
            document = self._backend.heads().committed("leases", rest[0])
            if document is None:
                raise no_lease(rest[0])
            return messages.respond(self._lease(document), 200, {"ETag": messages.etag_of(document)})
        allow(request, "GET", "HEAD", "DELETE")
        outcome = await self._submit(request, Change("leases", rest[0], "revoke"))
        return messages.changed(request, None, None, 204, outcome.replayed)

    async def _grant(self, request: Any) -> Any:
        body = await messages.read_object(request)
        key = request.headers.get("Idempotency-Key")
        name = body.get("Id") or str(uuid.uuid5(uuid.NAMESPACE_OID, key) if key else uuid.uuid4())
        if not isinstance(name, str):
            raise Problem(422, "bad_member", "Id is a string")
        change = Change("leases", name, "grant", {"Ttl": _ttl(body.get("Ttl")), "Owner": _owner(body, "")})
        outcome = await self._submit(request, change)
        document = messages.document_of(outcome, change)
        if document is None:
            raise no_lease(name)
        return messages.respond(self._lease(document), 201, {"ETag": messages.etag_of(document)})

    def _lease(self, document: Document) -> Dict[str, Any]:
        return {**document.value, "Left": self._backend.lease_left(document.key)}

    # --- locks ----------------------------------------------------------------------------------------------------------

    async def locks(self, request: Any, rest: Sequence[str], stale: bool) -> Any:
        """Serve /locks, /locks/{name}, /locks/{name}/acquire and /locks/{name}/release; names may hold slashes."""
        if not rest or rest == [""]:
            allow(request, "GET", "HEAD")
            self._check(stale)
            return messages.respond([_shown(document) for document in self._backend.heads().list("locks")])
        if request.method == "POST" and len(rest) > 1 and rest[-1] in ("acquire", "release"):
            name = "/".join(rest[:-1])
            return await (self._acquire(request, name) if rest[-1] == "acquire" else self._release(request, name))
        name = "/".join(rest)
        if request.method in READ:
            self._check(stale)
            document = self._backend.heads().committed("locks", name)
            headers = {"ETag": messages.etag_of(document)} if document is not None else {}
            return messages.respond(_shown(document, name), 200, headers)
        allow(request, "GET", "HEAD", "DELETE")
        outcome = await self._submit(request, Change("locks", name, "delete", if_match=messages.if_match(request)))
        return messages.changed(request, None, None, 204, outcome.replayed)

    async def _acquire(self, request: Any, name: str) -> Any:
        body = await messages.read_object(request)
        wait, owner = _wait(body.get("Wait", 0)), _owner(body)
        lease, queue = _text(body, "Lease") or None, _flag(body, "Queue", wait > 0)
        ask = {"Owner": owner, "Lease": lease, "Slots": _slots(body.get("Slots")), "Queue": queue, "Data": body.get("Data")}
        ask["At"] = int(time.time())
        if not is_small(ask["Data"], MOST_DATA):
            raise Problem(413, "data_too_large", f"Data is at most {MOST_DATA} bytes; keep more in a profile")
        change = Change("locks", name, "acquire", ask)
        outcome = await self._submit(request, change)
        document = messages.document_of(outcome, change)
        if wait and not standing(document, owner)["Held"]:
            document = await self._in_line(name, owner, wait)
        where = standing(document, owner)
        if not where["Held"]:
            raise _not_yet(name, owner, document)
        return messages.respond({"Name": name, "Owner": owner, **where, "Holders": holders(document)})

    async def _in_line(self, name: str, owner: str, wait: float) -> Optional[Document]:
        """Return the lock as soon as ``owner`` holds it, is out of the line, or the time is over."""

        def look(document: Optional[Document]) -> Any:
            where = standing(document, owner)
            return "waits" if where["Ahead"] is not None else "done"

        try:
            found, _value = await wait_until(self._backend, "locks", name, Condition("equals", "done", "", wait), look, False)
            return found
        except Problem as problem:
            if problem.status != 408:
                raise
            return self._backend.heads().committed("locks", name)

    async def _release(self, request: Any, name: str) -> Any:
        body = await messages.read_object(request)
        token = body.get("Token")
        if token is not None and (isinstance(token, bool) or not isinstance(token, int)):
            raise Problem(422, "bad_member", "Token is the number that acquire answered")
        outcome = await self._submit(request, Change("locks", name, "release", {"Owner": _owner(body), "Token": token}))
        return messages.changed(request, None, None, 204, outcome.replayed)

    # --- both -----------------------------------------------------------------------------------------------------------

    async def _submit(self, request: Any, change: Change) -> Any:
        return await self._backend.submit([change], await messages.idempotency(request), messages.deadline(request))

    def _check(self, stale: bool) -> None:
        if not stale:
            self._backend.check_serving()


def _shown(document: Optional[Document], name: str = "") -> Dict[str, Any]:
    """Return a lock for people and modules; one that nobody holds is not stored, and free."""
    if document is None:
        return {"Name": name, "Slots": None, "Holders": [], "Queue": []}
    queue: List[Dict[str, Any]] = [{"Owner": owner, **entry} for owner, entry in document.value["Queue"].items()]
    queue.sort(key=lambda entry: int(entry["Token"]))
    return {"Name": document.key, "Slots": document.value["Slots"], "Holders": holders(document), "Queue": queue}


def _not_yet(name: str, owner: str, document: Optional[Document]) -> Problem:
    where = standing(document, owner)
    if where["Ahead"] is None or document is None:
        detail = f"{owner!r} does not wait for lock {name!r} any more: its lease is gone, or somebody broke the lock"
        return Problem(409, "out_of_line", detail)
    problem = locked(name, document.value)
    ahead = f"{where['Ahead']} wait before {owner!r}" if where["Ahead"] else f"{owner!r} is next"
    return Problem(409, "locked", f"{problem.detail}; {ahead}", **problem.extra, ahead=where["Ahead"], token=where["Token"])


def _ttl(value: Any) -> float:
    seconds = float(access.parse_ttl(value)) if isinstance(value, str) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not LEAST_TTL <= seconds <= MOST_TTL:
        raise Problem(422, "bad_ttl", f"Ttl is a time from {LEAST_TTL:g} s to {MOST_TTL:g} s, such as 30 or \"10m\"")
    return float(seconds)


def _wait(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST_TIMEOUT or math.isnan(value):
        raise Problem(422, "bad_member", f"Wait is a number of seconds from 0 to {MOST_TIMEOUT:g}")
    return float(value)


def _slots(value: Any) -> Optional[int]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_SLOTS:
        raise Problem(422, "bad_member", f"Slots is a whole number from 1 to {MOST_SLOTS}")
    return value


def _owner(body: Dict[str, Any], default: Optional[str] = None) -> str:
    value = body.get("Owner", default)
    if value == "" == default:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= MOST_OWNER or not value.isprintable():
        raise Problem(422, "bad_owner", f"Owner is a printable string of 1 to {MOST_OWNER} characters that names who asks")
    return value


def _text(body: Dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise Problem(422, "bad_member", f"{name} is a string")
    return value or ""


def _flag(body: Dict[str, Any], name: str, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Problem(422, "bad_member", f"{name} is true or false")
    return value
