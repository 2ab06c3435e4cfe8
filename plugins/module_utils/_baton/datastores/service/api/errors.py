# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals in the words of Trove's clients: one member, named after the status, with ``code`` and ``message``. Pure."""
from __future__ import annotations

from typing import Any, Dict

from ....ground.problem import Problem

NAMES = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod", 408: "requestTimeout",
    409: "conflict", 413: "overLimit", 415: "badMediaType", 422: "unprocessableEntity", 429: "overLimit", 500: "instanceFault",
    501: "notImplemented", 503: "serviceUnavailable",
}  # fmt: skip


def body_of(problem: Problem) -> Dict[str, Any]:
    """Return the body of a refusal."""
    return {NAMES.get(problem.status, "fault"): {"code": problem.status, "message": problem.detail}}


def keystone_body_of(problem: Problem) -> Dict[str, Any]:
    """Return the body of a refusal as Keystone's clients read it."""
    return {"error": {"code": problem.status, "title": NAMES.get(problem.status, "fault"), "message": problem.detail}}


def bad(message: str) -> Problem:
    return Problem(400, "bad_request", message)


def not_found(message: str) -> Problem:
    return Problem(404, "not_found", message)


def forbidden(message: str) -> Problem:
    return Problem(403, "forbidden", message)


def unprocessable(message: str) -> Problem:
    return Problem(422, "unprocessable", message)


def not_offered(message: str) -> Problem:
    return Problem(501, "not_offered", message)
