# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks, and making and revoking tokens: /tokens and /profiles/{name}/token."""
from __future__ import annotations

import secrets
from typing import Any, Callable, Dict, Optional

from ...core.coordination.tokens import MOST, check
from ...core.model import access
from ...core.model.document import Document
from ...core.model.documents import Change, check_name
from ...core.model.kinds import KINDS
from ...ground.problem import Problem
from ..aio import TOKEN
from . import members, messages, parameters
from .backend import Backend
from .operations import HEAD, READING, Answer, Body, asked, list_of, object_of, operation, ref

MAKE = {
    "Scope": ref("Scope"),
    "Ttl": {
        "description": "Seconds, or a text; without it the token does not end by itself",
        "oneOf": [{"type": "integer", "minimum": 1, "maximum": access.MOST_TTL}, ref("Ttl")],
        "example": "7d",
    },
    "Description": {
        "type": "string", "nullable": True, "description": "For people; of a long one the first 200 characters are kept",
    },
}  # fmt: skip
MADE = {201: Answer("The token; nobody can read it again", ref("NewToken"), ("Cache-Control!",))}
ADMIN: access.Scope = {"kind": "admin"}
NODE: access.Scope = {"kind": "node"}


def fresh_token() -> str:
    """Return a random token; not one that begins with "-", which `drpcli -T "$TOKEN"` would take for an option."""
    while True:
        token = secrets.token_urlsafe(32)
        if token[0] != "-":
            return token


class Tokens:
    """Authentication by the replicated token documents, and their API."""

    def __init__(self, backend: Backend, is_ha_token: Callable[[str], bool], may_order: Callable[[Any], bool]) -> None:
        """See ``build_app``."""
        self._backend = backend
        self._is_ha_token = is_ha_token
        self._may_order = may_order

    def scope(self, request: Any) -> access.Scope:
        """Return what the request's token may do; Problem 401 without a valid one."""
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Problem(401, "no_token", "send a token: Authorization: Bearer TOKEN")
        document = self._backend.heads().committed("tokens", access.token_id(token))
        if document is not None and access.valid(document.value, token, self._backend.log_time()):
            scope: access.Scope = document.value["Scope"]
            request[TOKEN] = document.key
            return scope
        if self._is_ha_token(token):
            if not self._may_order(request):
                why = "the secret of the nodes counts on a node itself, or with a node's certificate; elsewhere use an admin token"
                raise Problem(403, "not_a_node", why)
            return NODE
        raise Problem(401, "bad_token", "this token is unknown, expired or revoked")

    def who(self, request: Any) -> str:
        """Return for people whose request this is, as far as its token tells."""
        token = request.headers.get("Authorization", "").partition(" ")[2].strip()
        document = self._backend.heads().committed("tokens", access.token_id(token))
        if document is None:
            return "with the nodes' secret"
        description = document.value.get("Description") or ""
        return f"with token {document.key}" + (f" ({description})" if description else "")

    @operation(
        "GET", "/tokens/self", "getOwnToken", "What the token of the request is, which any token may ask", also=HEAD,
        answers={200: Answer("The token", ref("Token"))}, refusals=asked(404),
    )  # fmt: skip
    async def own(self, request: Any) -> Any:
        document = self._backend.heads().committed("tokens", request.get(TOKEN, ""))
        if document is None:
            raise Problem(404, "not_found", "the nodes' secret is no token")
        return messages.respond(_public(document))

    @operation(
        "DELETE", "/tokens/{id}", "revokeToken", "Revoke a token", takes=(parameters.TOKEN_ID, parameters.IDEMPOTENCY_KEY),
        answers={204: Answer("Done", headers=("Idempotency-Replayed",))}, refusals=asked(307, 404, 422, 507),
    )  # fmt: skip
    async def revoke(self, request: Any, id: str) -> Any:
        outcome = await self._backend.submit([Change("tokens", id, "delete")], await messages.idempotency(request))
        return await messages.changed(request, None, None, 204, outcome.replayed)

    @operation(
        "GET", "/tokens", "listTokens", "List tokens, without secrets", also=HEAD, refusals=READING,
        answers={200: Answer("Tokens, by id", list_of("Token"))},
    )  # fmt: skip
    async def list(self, request: Any) -> Any:
        self._backend.check_serving()
        return await messages.answer_list(request, self._backend.heads().list("tokens"), _public)

    @operation(
        "POST", "/tokens", "createToken", "Make a token", body=Body(object_of(MAKE, ["Scope"])), answers=MADE,
        refusals=asked(307, 404, 409, 413, 422, 507),
    )  # fmt: skip
    async def make(self, request: Any) -> Any:
        body = members.check(await messages.read_object(request), MAKE)
        scope = access.check_scope(body.get("Scope"))
        self._check_there(scope)
        return await self._make(scope, _ttl(body), members.text(body, "Description")[:200])

    @operation(
        "POST", "/profiles/{name}/token", "createProfileToken", "Make a token that reads and writes this profile and nothing else",
        takes=(parameters.key_of(KINDS["profiles"]), parameters.TOKEN_TTL), answers=MADE, refusals=asked(307, 404, 409, 507), tag="tokens",
    )  # fmt: skip
    async def make_for_profile(self, request: Any, name: str) -> Any:
        scope = {"kind": "profile", "name": name}
        self._check_there(scope)
        return await self._make(scope, access.parse_ttl(request.query.get("ttl", "7200")), "")

    def _check_there(self, scope: access.Scope) -> None:
        """Raise Problem 404 where what a token is for is not there: it would be for whoever makes that later."""
        if scope["kind"] not in access.OF_ONE:
            return
        check_name(access.OF_ONE[scope["kind"]], scope["name"])
        self._backend.check_serving()
        check(scope, self._backend.heads().committed)

    async def _make(self, scope: access.Scope, ttl: Optional[int], description: str) -> Any:
        if self._backend.heads().count("tokens") >= MOST:
            raise Problem(409, "too_many_tokens", f"there are {MOST} tokens, which is the most: revoke some, or give them a Ttl")
        token = fresh_token()
        value = access.token_document(token, scope, int(self._backend.log_time()), ttl, description)
        key = access.token_id(token)
        await self._backend.submit([Change("tokens", key, "make", value)])
        answer = {"Token": token, "Id": key, "Expires": value["Expires"], "Scope": scope}
        return messages.respond(answer, 201, {"Cache-Control": "no-store"})


def _ttl(body: Dict[str, Any]) -> Optional[int]:
    """Return the seconds of a token, None for ever: only for who says nothing, since null may be a variable that somebody forgot to set."""
    if "Ttl" not in body:
        return None
    ttl = body["Ttl"]
    if isinstance(ttl, bool) or not isinstance(ttl, (int, str)):
        shown = "null" if ttl is None else repr(ttl)[:40]
        raise Problem(422, "bad_ttl", f"Ttl is a time such as 7200, 90s, 2h or 7d, not {shown}; leave it out for a token that does not end")
    return access.parse_ttl(str(ttl))


def _public(document: Document) -> Dict[str, Any]:
    value = document.value
    shown = {name: value.get(name) for name in ("Scope", "Created", "Expires", "Description")}
    return {"Id": document.key, **shown}
