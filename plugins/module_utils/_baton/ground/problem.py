# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error type that a caller of Baton meets. Pure: it knows HTTP's numbers, not HTTP.

A Problem is an answer, not a crash: it says in one line what is wrong and what to do. The API writes it as
``application/problem+json`` (RFC 9457), modules turn it into ``fail_json``, batonctl into one line and an exit status.
"""
from __future__ import annotations

from typing import Any, Dict

TITLES = {
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


class Problem(Exception):
    """A refused request: HTTP ``status``, a stable machine ``code``, one line of ``detail``, and ``extra`` members."""

    def __init__(self, status: int, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.extra: Dict[str, Any] = extra

    def to_json(self) -> Dict[str, Any]:
        """Return the body of a problem document; ``extra`` stands beside the standard members."""
        body: Dict[str, Any] = {
            "type": f"urn:baton:{self.code}",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
        }
        body.update(self.extra)
        return body
