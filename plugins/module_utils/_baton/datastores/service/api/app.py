# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front door of the API of datastores: takes requests apart, looks at tokens, writes answers and refusals.

What is answered is worked out in a thread, since the backend asks a cluster.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Callable, Dict, Optional

from ....adapters.aio import web
from ....core.admission import ADMIN, CLIENT
from ....core.model import access
from ....ground.problem import Problem
from ....ground.values import dumps
from . import errors, keystone, reading
from .backend import Backend
from .resources import OPERATIONS, Call, Resources
from .routes import Routes

LOG = logging.getLogger("baton.datastores.http")
PREFIX = "/v1.0"
READS = ("GET", "HEAD")


class Api:
    def __init__(self, backend: Backend, clock: Callable[[], float]) -> None:
        self._backend, self._clock = backend, clock
        self._resources = Resources(backend, clock)
        self._routes = Routes(OPERATIONS)

    async def handle(self, request: Any) -> Any:
        """Answer any request."""
        is_keystone = request.path == "/v3" or request.path.startswith("/v3/")
        try:
            return await (self._keystone(request) if is_keystone else self._route(request))
        except Problem as problem:
            return _refuse(request, problem, is_keystone)
        except web.HTTPException as error:
            text = "the body is larger than 64 KiB" if error.status == 413 else error.reason or "refused"
            return _refuse(request, Problem(error.status, "http", text), is_keystone)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            LOG.exception("%s %s failed", request.method, request.path)
            return _refuse(request, Problem(500, "internal", "this is a bug in Baton; the manager's journal has the details"), is_keystone)

    # --- Trove ------------------------------------------------------------------------------------------------------------

    async def _route(self, request: Any) -> Any:
        parts = _parts(request)
        if len(parts) < 2 or f"/{parts[0]}" != PREFIX:
            return _respond(request, 200, _versions(request, parts))
        project, rest = parts[1], parts[2:]
        await self._authorize(request, project)
        operation, names = self._routes.find(request.method, rest)
        call = Call(
            project, names, await _read(request), dict(request.query), f"{_address(request)}{PREFIX}/{project}",
            request.headers.get("Idempotency-Key"), operation.path,
        )  # fmt: skip
        text = await asyncio.to_thread(lambda: _text(operation.answer(self._resources, call)))  # lists may be long
        return _send(request, operation.status, text)

    async def _authorize(self, request: Any, project: str) -> None:
        """Raise Problem 401 for a token that is none, 403 for one of another project: its name is nothing that the token tells."""
        token = request.headers.get("X-Auth-Token") or _bearer(request)
        scope = await asyncio.to_thread(self._backend.scope, token) if token else None
        if scope is None:
            what = "this token is not valid" if token else "there is no token"
            raise Problem(401, "unauthorized", f"{what}: send a token of Baton as X-Auth-Token")
        if not keystone.reaches(scope, project) or not _is_project(project):
            raise errors.forbidden(f"this token is not for project {project[:60]}")
        known = getattr(request.protocol, "known", None)  # of a server that counts connections
        if known is not None:
            known(ADMIN if scope.get("kind") == "admin" else CLIENT)
        if scope.get("kind") == "viewer" and request.method not in READS:
            raise errors.forbidden(f"a viewer's token does not allow {request.method}")

    # --- Keystone ---------------------------------------------------------------------------------------------------------

    async def _keystone(self, request: Any) -> Any:
        path = request.path.rstrip("/")
        if path == "/v3" and request.method in READS:
            return _respond(request, 200, {"version": keystone.version(_address(request))})
        if path != "/v3/auth/tokens":
            raise errors.not_found(f"there is nothing at {request.path[:100]}: of Keystone there are /v3 and /v3/auth/tokens")
        if request.method != "POST":
            raise Problem(405, "method_not_allowed", f"{request.method} is not for {path}", allow=["POST"])
        asked = keystone.login(await _read(request))
        scope = await asyncio.to_thread(self._backend.scope, asked.token)
        document = keystone.answer(asked, scope, self._clock(), lambda project: f"{_address(request)}{PREFIX}/{project}")
        return _respond(request, 201, document, {"X-Subject-Token": asked.token, "Vary": "X-Auth-Token"})


def _versions(request: Any, parts: Any) -> Dict[str, Any]:
    """Return what there is, which needs no token; Problem 404 for a path that leads nowhere."""
    links = [{"rel": "self", "href": f"{_address(request)}{PREFIX}/"}]
    trove = {"id": "v1.0", "status": "CURRENT", "updated": "2014-08-01T00:00:00Z", "links": links}
    if request.method not in READS:
        raise Problem(405, "method_not_allowed", f"{request.method} is not for {request.path[:100]}", allow=list(READS))
    if not parts:
        return {"versions": [trove, keystone.version(_address(request))]}
    if parts == [PREFIX[1:]]:
        return {"version": trove}
    raise errors.not_found(f"there is nothing at {request.path[:100]}: the API begins at {PREFIX}/PROJECT")


# --- requests and answers -----------------------------------------------------------------------------------------------------


def _is_project(name: str) -> bool:
    """Whether a project can be called so."""
    try:
        return bool(access.check_scope({"kind": "project", "name": name}))
    except Problem:
        return False


def _parts(request: Any) -> Any:
    """Return the segments of the path, decoded. A slash at the end is no part of a name."""
    parts = [reading.segment(part) for part in request.rel_url.raw_path.split("/")[1:]]
    return parts[:-1] if parts and not parts[-1] else parts


def _address(request: Any) -> str:
    return f"{request.scheme}://{request.host}"


def _bearer(request: Any) -> Optional[str]:
    kind, _space, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


async def _read(request: Any) -> bytes:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Problem(415, "encoded_body", "send the body as it is, without Content-Encoding")
    if (request.content_length or 0) > reading.MOST_BODY:
        raise Problem(413, "body_too_large", f"the body is larger than {reading.MOST_BODY >> 10} KiB")
    data: bytes = await request.read()
    return data


def _text(value: Any) -> bytes:
    return b"" if value is None else dumps(value).encode()


def _respond(request: Any, status: int, value: Any, headers: Optional[Dict[str, str]] = None) -> Any:
    return _send(request, status, _text(value), headers)


def _send(request: Any, status: int, text: bytes, headers: Optional[Dict[str, str]] = None) -> Any:
    body = b"" if request.method == "HEAD" else text
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def _refuse(request: Any, problem: Problem, is_keystone: bool) -> Any:
    headers = {}
    if problem.status == 405:
        headers["Allow"] = ", ".join(problem.extra.get("allow", ()))
    elif problem.status in (429, 503):
        headers["Retry-After"] = "1"
    elif problem.status == 401:
        headers["WWW-Authenticate"] = f'Keystone uri="{_address(request)}/v3"'
    body = errors.keystone_body_of(problem) if is_keystone else errors.body_of(problem)
    return _respond(request, problem.status, body, headers)


def _clocked(handle: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a handler during which a server that has clocks for its connections knows that one is at work."""

    async def clocked(request: Any) -> Any:
        serving = getattr(request.protocol, "serving", None)
        with serving(request) if serving is not None else contextlib.nullcontext():
            return await handle(request)

    return clocked


def application(backend: Backend, clock: Callable[[], float], metrics: Optional[Callable[[Any], Any]] = None) -> Any:
    """Return the aiohttp application. ``clock``: the time in unix seconds; ``metrics``: what answers /metrics, which needs no token."""
    app = web.Application(client_max_size=reading.MOST_BODY)
    if metrics is not None:
        app.router.add_get("/metrics", _clocked(metrics))
    app.router.add_route("*", "/{tail:(?s:.*)}", _clocked(Api(backend, clock).handle))
    return app
