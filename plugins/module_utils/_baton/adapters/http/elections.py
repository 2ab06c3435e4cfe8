# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/profiles/{name}/elect and /resign: one request a candidate, however many there are. The seats are a param of the profile."""
from __future__ import annotations

import time
from typing import Any, Dict, Optional

from ...core.documents import Change, Document, check_name
from ...core.leases import no_lease
from ...core.patch import MISSING, find
from ...core.problem import Problem
from ...core.seats import MOST_SEATS, leaders, note_key, same, token_of
from . import members, messages
from .backend import Backend
from .documents import allow
from .leases import check_ours, submit


class Elections:
    """Handlers of seats."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def handle(self, request: Any, profile: str, action: str) -> Any:
        """Serve POST /profiles/{profile}/elect and /resign: Param, Candidate, Seats, Vacant, Lease."""
        allow(request, "POST")
        check_name("profiles", profile)
        body = await messages.read_object(request)
        ask = _ask(body)
        check_ours(self._backend, request, ask["Lease"])
        change = Change("profiles", profile, action, ask, at=("Params", members.param_name(body)))
        note = Change("seats", note_key(change), "read")
        outcome = await submit(self._backend, request, change, note)
        document, tokens = messages.document_of(outcome, change), messages.document_of(outcome, note)
        headers = {"ETag": messages.etag_of(document)} if document is not None else {}
        return messages.respond({**_answer(document, tokens, change), "Changed": outcome.wrote}, 200, headers)


def _ask(body: Dict[str, Any]) -> Dict[str, Any]:
    if body.get("Candidate") is None:
        raise Problem(422, "bad_member", "Candidate is what stands for you: a name, or an object with Name, Uuid and Address")
    return {
        "Candidate": members.small(body, "Candidate"),
        "Seats": members.number(body, "Seats", MOST_SEATS),
        "Vacant": members.small(body, "Vacant") if "Vacant" in body else "none",
        "Lease": members.text(body, "Lease") or None,
        "At": int(time.time()),
    }


def _answer(document: Optional[Document], tokens: Optional[Document], change: Change) -> Dict[str, Any]:
    ask = change.body
    value = find(document.value, change.at) if document is not None else MISSING
    sitting = leaders(value, ask)
    position = next((index for index, seat in enumerate(sitting) if same(seat, ask["Candidate"])), None)
    if position is None and ask["Lease"] is not None and change.action == "elect" and len(sitting) < (ask["Seats"] or 1):
        raise no_lease(ask["Lease"])  # a repeated request: it had been elected, and has lost the seat with its lease since
    token = token_of(tokens, ask["Candidate"]) if position is not None else None
    return {"Leaders": sitting, "Elected": position is not None, "Position": position, "Token": token}
