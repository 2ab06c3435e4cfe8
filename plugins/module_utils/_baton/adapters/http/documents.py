# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/profiles, /machines and /params: documents, their Params, and waiting for one to change."""
from __future__ import annotations

import uuid
from typing import Any, Optional, Sequence, Tuple

from ...core.documents import KINDS, Change, Document, check_name, default_of
from ...core.patch import MISSING
from ...core.problem import Problem
from ..aio import web
from . import messages
from .backend import Backend
from .waiting import Condition, wait_until

MOST_LIST = 100_000
READ = ("GET", "HEAD")
NOT_FILTERS = ("limit", "offset", "stale", "wait", "value", "timeout", "settled", "escape", "escape_profile", "path")


class Documents:
    """Handlers of the three kinds of documents. ``stale`` says that a passive may answer a read."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def handle(self, request: Any, kind: str, rest: Sequence[str], stale: bool) -> Any:
        """Serve one request below /api/v3/``kind``; ``rest`` are the decoded segments after it."""
        if not rest or rest == [""]:
            return await self._collection(request, kind, stale)
        if KINDS[kind].slashes:
            return await self._document(request, kind, "/".join(rest), stale)
        if len(rest) == 1:
            return await self._document(request, kind, rest[0], stale)
        if rest[1] == "params" and len(rest) == 2:
            return await self._params(request, kind, rest[0], stale)
        if rest[1] == "params":
            return await self._param(request, kind, rest[0], "/".join(rest[2:]), stale)
        raise Problem(404, "no_such_path", f"there is nothing at {request.path}; see /api/v3/openapi.json")

    # --- collections ----------------------------------------------------------------------------------------------------

    async def _collection(self, request: Any, kind: str, stale: bool) -> Any:
        if request.method in READ:
            self._backend.check_serving(stale)
            return await self._list(request, kind, stale)
        allow(request, "GET", "HEAD", "POST")
        body = await messages.read_object(request)
        identity = KINDS[kind].identity
        if kind == "machines" and not body.get(identity):
            key = request.headers.get("Idempotency-Key")
            body[identity] = str(uuid.uuid5(uuid.NAMESPACE_OID, key) if key else uuid.uuid4())
        name = body.get(identity)
        if not isinstance(name, str) or not name:
            raise Problem(422, "no_name", f"a {kind[:-1]} needs {identity}, a string")
        return await self._change(request, Change(kind, name, "create", body), created=True)

    async def _list(self, request: Any, kind: str, stale: bool) -> Any:
        limit = messages.number(request, "limit", MOST_LIST, MOST_LIST)
        offset = messages.number(request, "offset", 0, 10**9)
        wanted = [(k, v) for k, v in request.query.items() if k not in NOT_FILTERS]

        def look(_document: Optional[Document] = None) -> Any:
            values = [document.value for document in self._backend.heads().list(kind)]
            for member, text in wanted:
                values = [value for value in values if _same(value.get(member), text)]
            return values

        if "wait" in request.query:
            condition = self._condition(request, "")
            if condition.name != "count" or condition.path:
                raise Problem(400, "bad_wait", f"all {kind} can be waited for with wait=count&value=<how many at least>; else name one")
            _none, values = await wait_until(self._backend, kind, "", condition, look, stale)
        else:
            values = look()
        return messages.respond(values[offset : offset + limit])

    # --- one document ---------------------------------------------------------------------------------------------------

    async def _document(self, request: Any, kind: str, key: str, stale: bool) -> Any:
        check_name(kind, key)
        if request.method in READ:
            return await self._read(request, kind, key, (), stale)
        allow(request, "GET", "HEAD", "PUT", "PATCH", "DELETE")
        match = messages.if_match(request)
        if request.method == "DELETE":
            return await self._change(request, Change(kind, key, "delete", if_match=match))
        body = await messages.read_json(request)
        if request.method == "PATCH":
            return await self._change(request, Change(kind, key, "patch", body, match))
        action = "create" if request.headers.get("If-None-Match", "").strip() == "*" else "put"
        return await self._change(request, Change(kind, key, action, body, match), created=action == "create")

    async def _params(self, request: Any, kind: str, key: str, stale: bool) -> Any:
        check_name(kind, key)
        if request.method in READ:
            return await self._read(request, kind, key, ("Params",), stale)
        allow(request, "GET", "HEAD", "PUT", "PATCH")
        body = await messages.read_json(request)
        operations = body if request.method == "PATCH" else [{"op": "replace", "path": "", "value": body}]
        change = Change(kind, key, "patch", operations, messages.if_match(request), ("Params",))
        return await self._change(request, change)

    async def _param(self, request: Any, kind: str, key: str, param: str, stale: bool) -> Any:
        check_name(kind, key)
        check_name("params", param)
        at = ("Params", param)
        if request.method in READ:
            return await self._read(request, kind, key, at, stale)
        allow(request, "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")
        match = messages.if_match(request)
        if request.method == "DELETE":
            change = Change(kind, key, "patch", messages.REMOVE, match, at)
        elif request.method == "PATCH":
            change = Change(kind, key, "patch", await messages.read_json(request), match, at)
        else:
            set_it = [{"op": "add", "path": "", "value": await messages.read_json(request)}]
            unset = request.headers.get("If-None-Match", "").strip() == "*"
            change = Change(kind, key, "patch", set_it, match, at, unset)
        try:
            return await self._change(request, change)
        except Problem as problem:
            if request.method == "DELETE" and problem.code == "path_missing":
                raise Problem(404, "not_set", f"param {param!r} is not set on {kind[:-1]} {key!r}") from None
            raise

    # --- reading --------------------------------------------------------------------------------------------------------

    async def _read(self, request: Any, kind: str, key: str, at: Tuple[str, ...], stale: bool) -> Any:
        self._backend.check_serving(stale)
        defaults = request.query.get("default") != "no"

        def look(document: Optional[Document]) -> Any:
            return self._value(document, at, defaults)

        if "wait" in request.query:
            condition = self._condition(request, key if kind == "profiles" else "")
            document, value = await wait_until(self._backend, kind, key, condition, look, stale)
        else:
            document = self._backend.heads().committed(kind, key)
            value = look(document)
        if value is MISSING:
            if "wait" in request.query and condition.name == "absent":
                return web.Response(status=204)
            raise self._absent(document, kind, key, at)
        headers = {"ETag": messages.etag_of(document)} if document is not None else {}
        if document is not None and request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return messages.respond(value, 200, headers)

    def _condition(self, request: Any, profile: str) -> Condition:
        condition = Condition.read(request.query, profile)
        if condition.escape is not None and request["profile"] not in (None, condition.escape[0]):
            raise Problem(403, "forbidden", f"this token does not allow GET on profiles/{condition.escape[0]}")
        return condition

    def _value(self, document: Optional[Document], at: Tuple[str, ...], defaults: bool) -> Any:
        if document is None:
            return MISSING
        if not at:
            return document.value
        params = document.value["Params"]
        if len(at) == 1:
            return params
        if at[1] not in params and defaults:
            return default_of(at[1], self._backend.heads().committed)
        return params.get(at[1], MISSING)

    def _absent(self, document: Optional[Document], kind: str, key: str, at: Tuple[str, ...]) -> Problem:
        if document is None:
            return Problem(404, "not_found", f"there is no {kind[:-1]} {key!r}")
        return Problem(404, "not_set", f"param {at[1]!r} is not set on {kind[:-1]} {key!r}")

    # --- changing -------------------------------------------------------------------------------------------------------

    async def _change(self, request: Any, change: Change, created: bool = False) -> Any:
        key = await messages.idempotency(request)
        changes = [*messages.fence(request), messages.tied(request, change)]
        outcome = await self._backend.submit(changes, key, messages.deadline(request))
        created = created or (request.method == "PUT" and not change.at and bool(outcome.said))
        document = messages.document_of(outcome, change)
        value = self._value(document, change.at, False)
        if value is MISSING:
            return messages.changed(request, None, None, 204, outcome.replayed)
        return messages.changed(request, value, document, 201 if created else 200, outcome.replayed)


def allow(request: Any, *methods: str) -> None:
    """Raise Problem 405 for another method."""
    if request.method not in methods:
        raise Problem(405, "method_not_allowed", f"{request.method} is not for {request.path}", allow=list(methods))


def _same(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    return value == text or (isinstance(value, (int, float)) and str(value) == text)
