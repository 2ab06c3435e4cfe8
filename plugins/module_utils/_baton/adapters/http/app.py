# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's front door: takes a request apart, checks its token, and hands it to the handler of its resource.

What there is, is declared above each handler (operations.py).
"""
from __future__ import annotations

import asyncio
import logging
from typing import Any, Awaitable, Callable, List, Mapping, Optional

from ...core.admission import ADMIN, CLIENT
from ...core.admission import NODE as NODE_RANK
from ...core.model import access
from ...ground.problem import Problem
from ...ground.values import dumps
from ..aio import HOLDER, SCOPE, web
from ..disk.files import BlobStore
from . import messages, query
from .backend import Backend
from .barriers import Barriers
from .batch import Batch
from .description import describe
from .documents import Documents
from .elections import Elections
from .events import Events
from .files import Files
from .leases import Leases, check_ours
from .locks import Locks
from .operations import HEAD, Answer, Operation, operation
from .routes import Found, Routes
from .stays import Stays
from .system import System
from .tokens import NODE, Tokens

LOG = logging.getLogger("baton.http")
PREFIX = ["", "api", "v3"]
Handler = Callable[[Any], Awaitable[Any]]


class OpenApi:
    """The handler of the API's description."""

    def __init__(self) -> None:
        self._text = b""

    @operation(
        "GET", "/openapi.json", "description", "This description, which needs no token", also=HEAD, needs_token=False,
        answers={200: Answer("OpenAPI 3.0", {"type": "object", "properties": {}, "additionalProperties": True})}, refusals=(400,),
        tag="system",
    )  # fmt: skip
    async def show(self, _request: Any) -> Any:
        self._text = self._text or dumps(describe(RESOURCES)).encode()
        return web.Response(body=self._text, content_type="application/json")


RESOURCES = (Documents, Batch, Leases, Locks, Elections, Barriers, Events, Files, Tokens, System, OpenApi)


class Api:
    """All of /api/v3, the probes, and the peers' way to file contents."""

    def __init__(
        self, backend: Backend, blobs: BlobStore, is_ha_token: Callable[[str], bool], may_order: Callable[[Any], bool], version: str,
        is_node: Callable[[Any], bool],
    ) -> None:  # fmt: skip
        self._is_node = is_node
        self._backend = backend
        self._tokens = Tokens(backend, is_ha_token, may_order)
        stays = Stays(backend, self._tokens.scope)
        self._files = Files(backend, blobs)
        system = System(backend, version, self._tokens.who, stays)
        resources = (
            Documents(backend, stays), Batch(backend), Leases(backend), Locks(backend, stays), Elections(backend),
            Barriers(backend, stays), Events(backend, stays, self._tokens.scope), self._files, self._tokens, system, OpenApi(),
        )  # fmt: skip
        self._routes, self._probes = Routes(resources), Routes(resources, outside=True)

    async def handle(self, request: Any) -> Any:
        """Answer any request; whatever goes wrong is a problem document.

        It ends when its client hangs up: who opens waits and leaves them would fill the memory for minutes. A change
        that was submitted by then takes its course, as it does when the answer is lost.
        """
        task = asyncio.current_task()
        end = request.protocol.on_lost(task.cancel if task is not None else lambda: None)
        try:
            if request.headers.get("Content-Encoding", "identity") != "identity":
                raise Problem(415, "encoded_body", "send the body as it is, without Content-Encoding")
            return await self._route(request)
        except Problem as problem:
            if problem.status == 405 and request.method == "OPTIONS":
                return web.Response(status=204, headers={"Allow": ", ".join(problem.extra["allow"])})
            return await messages.refuse_any(problem, request)
        except (asyncio.CancelledError, ConnectionError, web.HTTPException):
            raise
        except Exception:
            LOG.exception("%s %s failed", request.method, request.path)
            return messages.refuse(Problem(500, "internal", "this is a bug in Baton; the journal has the details"), request)
        finally:
            end()

    async def _route(self, request: Any) -> Any:
        parts = _parts(request.raw_path.partition("?")[0])
        if parts[:3] != PREFIX:
            return await self._outside(request, parts[1:])
        found = self._routes.find(parts[3:])
        if not found.needs_token():
            return await self._answer(request, found)
        scope = self._tokens.scope(request)
        request.protocol.known(CLIENT if scope.get("kind") not in ("admin", "node") else ADMIN)
        kind, rest = (parts[3], parts[4:]) if len(parts) > 3 else ("", [])
        self._authorize(scope, request, kind, rest)
        return await self._answer(request, found)

    async def _outside(self, request: Any, parts: List[str]) -> Any:
        if parts[:3] == ["peer", "v1", "blobs"] and len(parts) == 4:
            return await self._blob(request, parts[3])
        return await self._answer(request, self._probes.find(parts))

    async def _answer(self, request: Any, found: Found) -> Any:
        """Let the handler answer, if what the request says beside its body is what the operation takes."""
        route = found.route(request.method)
        if route is None:
            raise found.refused(request)
        (operation, handler), names = route
        if not operation.outside:
            _check_lease_headers(request, operation)
        query.check(request, operation)
        return await handler(request, **names)

    async def _blob(self, request: Any, sha256: str) -> Any:
        """Serve a content to another node; as all below /peer/v1 it is no part of the API."""
        if request.method not in ("GET", "HEAD"):
            raise Problem(405, "method_not_allowed", f"{request.method} is not for {request.path}", allow=["GET", "HEAD"])
        if not self._is_node(request):
            raise Problem(403, "forbidden", "file contents by hash are for nodes")
        request.protocol.known(NODE_RANK)
        return await self._files.blob(request, sha256)

    def _authorize(self, scope: access.Scope, request: Any, kind: str, rest: List[str]) -> None:
        """Raise Problem 403 for what the token does not allow; note for handlers who asks, and whose leases are its own."""
        method, key = request.method, rest[0] if rest else ""
        request[SCOPE], request[HOLDER] = scope, access.holder(scope)
        if scope is NODE:
            allowed = kind in ("system", "info")
        else:
            allowed = access.allows(scope, method, kind, key, rest[1] if len(rest) > 1 else "")
        if not allowed:
            shown = f"{kind}/{key}" if key else kind
            raise Problem(403, "forbidden", f"this token does not allow {method} on {shown}")
        if request[HOLDER] is not None:
            for header in ("If-Lease", "Baton-Lease"):
                check_ours(self._backend, request, request.headers.get(header, "").partition(";")[0].strip() or None)


def _check_lease_headers(request: Any, operation: Operation) -> None:
    """Raise Problem 400 where a header that makes a change depend on a lease has no meaning: it is never just ignored."""
    for header in ("If-Lease", "Baton-Lease"):
        if header in request.headers and not operation.has_header(header):
            raise Problem(400, "bad_lease", f"{header} has no meaning for {request.method} {request.path}; leave it out")


def _parts(path: str) -> List[str]:
    """Return the decoded segments of a path, the first one empty; Problem 400 for an empty one within.

    A slash at the end is no part of a name: whoever asks for "x/" means "x", whatever the resource.
    """
    parts = [messages.segment(raw) for raw in path.split("/")]
    if len(parts) > 1 and parts[-1] == "":
        parts.pop()
    if any(not piece for part in parts[1:] for piece in part.split("/")):
        raise Problem(400, "bad_path", "the path has an empty segment: two slashes, or an encoded one at the end of a name")
    return parts


async def _served(request: Any, handler: Handler) -> Any:
    """Let the connection know while a handler is at work, whichever it is; and answer what aiohttp has no handler for, such as CONNECT."""
    with request.protocol.serving(request):
        try:
            return await handler(request)
        except web.HTTPException as error:
            return messages.refuse(Problem(error.status, "http", error.reason or "refused"), request)


def build_app(
    backend: Backend,
    blobs: BlobStore,
    *,
    is_ha_token: Callable[[str], bool],
    may_order: Callable[[Any], bool],
    version: str,
    is_node: Callable[[Any], bool],
    extra_routes: Optional[Mapping[str, Handler]] = None,
) -> Any:
    """Return the aiohttp application.

    ``is_ha_token``: whether a token is the secret of the nodes; ``may_order``: whether a request that has it comes from one.
    ``is_node``: whether a request is a node's own (token and certificate). ``extra_routes`` are the peers' own endpoints:
    "METHOD path" → handler.
    """
    api = Api(backend, blobs, is_ha_token, may_order, version, is_node)
    app = web.Application(client_max_size=messages.MOST_BODY, middlewares=[web.middleware(_served)])

    def of_nodes(handler: Handler) -> Handler:
        async def handle(request: Any) -> Any:
            if is_node(request):
                request.protocol.known(NODE_RANK)
            return await handler(request)

        return handle

    for route, handler in (extra_routes or {}).items():
        method, _space, path = route.partition(" ")
        app.router.add_route(method, path, of_nodes(handler), expect_handler=messages.expected)
    app.router.add_route("*", "/{tail:(?s:.*)}", api.handle, expect_handler=messages.expected)
    return app
