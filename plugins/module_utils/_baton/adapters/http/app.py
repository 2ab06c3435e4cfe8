# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's front door: takes a request apart, checks its token, and hands it to the handler of its resource.

One dispatcher instead of a table of patterns: names hold slashes, and the path of a compare-and-patch is hot.
"""
from __future__ import annotations

import asyncio
import logging
import pkgutil
from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional

from ...core.admission import ADMIN, CLIENT
from ...core.admission import NODE as NODE_RANK
from ...core.model import access
from ...ground.problem import Problem
from ..aio import HOLDER, SCOPE, web
from ..disk.files import BlobStore
from . import messages, query
from .backend import Backend
from .barriers import Barriers
from .batch import Batch
from .documents import READ, Documents, allow
from .elections import Elections
from .events import Events
from .files import Files
from .leases import Leases, check_ours
from .locks import Locks
from .stays import Stays
from .system import System
from .tokens import NODE, Tokens

LOG = logging.getLogger("baton.http")
PREFIX = ["", "api", "v3"]
FENCED = ("profiles", "machines", "params", "batch", "leases", "locks", "barriers", "files")
UNFENCED = (("profiles", ["token"]), ("leases", ["keepalive"]))  # no change of what is fenced
PROBES = ("active", "passive", "in-sync", "health")
Handler = Callable[[Any], Awaitable[Any]]


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
        self._documents = Documents(backend, stays)
        self._elections = Elections(backend)
        self._batch = Batch(backend)
        self._events = Events(backend, stays)
        self._files = Files(backend, blobs)
        self._resources: Dict[str, Any] = {
            "leases": Leases(backend),
            "locks": Locks(backend, stays),
            "barriers": Barriers(backend, stays),
            "files": self._files,
        }
        self._system = System(backend, version, self._tokens.who, stays)

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
            return await self._outside(request, parts)
        kind, rest = (parts[3], parts[4:]) if len(parts) > 3 else ("", [])
        if kind == "openapi.json" and not rest:
            allow(request, *READ)
            query.check(request, kind, rest)
            return web.Response(body=_openapi(), content_type="application/json")
        scope = self._tokens.scope(request)
        request.protocol.known(CLIENT if scope.get("kind") not in ("admin", "node") else ADMIN)
        self._authorize(scope, request, kind, rest)
        _check_lease_headers(request, kind, rest)
        if request.method != "OPTIONS":
            query.check(request, kind, rest)
        return await self._dispatch(request, scope, kind, rest)

    async def _dispatch(self, request: Any, scope: access.Scope, kind: str, rest: List[str]) -> Any:
        stale = request.query.get("stale") == "ok"
        if kind in ("profiles", "machines", "params"):
            if kind == "profiles" and len(rest) == 2 and rest[1] == "token":
                return await self._tokens.for_profile(request, rest[0])
            if kind == "profiles" and len(rest) == 2 and rest[1] in ("elect", "resign"):
                return await self._elections.handle(request, rest[0], rest[1])
            return await self._documents.handle(request, kind, rest, stale)
        resource = self._resources.get(kind)
        if resource is not None:
            return await resource.handle(request, rest, stale)
        if kind == "batch" and not rest:
            return await self._batch.handle(request, scope)
        if kind == "events" and not rest:
            return await self._events.handle(request, stale, lambda: self._tokens.scope(request))
        if kind == "tokens" and len(rest) < 2:
            return await self._tokens.handle(request, rest)
        if kind == "info" and not rest:
            allow(request, *READ)
            return self._system.info()
        if kind == "system":
            return await self._system.handle(request, rest)
        raise Problem(404, "no_such_path", f"there is nothing at {request.path}; see /api/v3/openapi.json")

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

    async def _outside(self, request: Any, parts: List[str]) -> Any:
        name = parts[1] if len(parts) > 1 else ""
        if len(parts) == 2 and name in PROBES:
            allow(request, *READ, "OPTIONS")  # with which HAProxy asks, unless it is told otherwise
            return await self._system.probe(request, name)
        if len(parts) == 2 and name == "metrics":
            allow(request, *READ)
            return self._system.metrics()
        if parts[1:4] == ["peer", "v1", "blobs"] and len(parts) == 5:
            allow(request, *READ)
            if not self._is_node(request):
                raise Problem(403, "forbidden", "file contents by hash are for nodes")
            request.protocol.known(NODE_RANK)
            return await self._files.blob(request, parts[4])
        raise Problem(404, "no_such_path", f"there is nothing at {request.path}; the API begins at /api/v3")


def _check_lease_headers(request: Any, kind: str, rest: List[str]) -> None:
    """Raise Problem 400 where a header that makes a change depend on a lease has no meaning: it is never just ignored."""
    writes = request.method not in ("GET", "HEAD")
    fenced = kind in FENCED and writes and (kind, rest[1:]) not in UNFENCED
    ties = writes and (kind == "batch" or kind in ("profiles", "machines") and rest[1:2] == ["params"])
    for header, has_meaning in (("If-Lease", fenced), ("Baton-Lease", ties)):
        if header in request.headers and not has_meaning:
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


def _openapi() -> bytes:
    """Return the API's description; it travels inside the zipapp."""
    name = "openapi.json"
    return pkgutil.get_data(__package__ or "", name) or b"{}"


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
