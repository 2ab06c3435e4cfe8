# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that users of the client meet, and the one place that maps it to fail_json and to exit statuses.

Knows the API's problem documents; does no I/O.
"""
from __future__ import annotations

import json
from typing import Any, Dict, Optional

EXIT_STATUS = {
    "conflict": 1,
    "not_found": 1,
    "auth": 1,
    "usage": 2,
    "connection": 3,
    "unavailable": 3,
    "server": 3,
}
_KINDS = {
    307: "conflict",
    401: "auth",
    403: "auth",
    404: "not_found",
    408: "conflict",
    409: "conflict",
    412: "conflict",
    429: "unavailable",
    503: "unavailable",
}
_MOST_SHOWN = 200


class ClientError(Exception):
    """A request that was not done, in one line.

    ``kind``: "connection" (nobody answered, or not a Baton server), "conflict" (the answer was no), "usage" (a bad
    request), "auth", "not_found", "unavailable" (503 until the time ran out), "server". ``status`` and ``problem``:
    the HTTP status and the problem document, when a server answered. ``outcome``: "unknown" when a change may or may
    not have taken effect, "not_applied" when it certainly did not, else None. ``retriable``: trying for longer may help.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        status: Optional[int] = None,
        problem: Optional[Dict[str, Any]] = None,
        outcome: Optional[str] = None,
        retriable: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.problem: Dict[str, Any] = problem or {}
        self.outcome = outcome
        self.retriable = retriable

    @property
    def code(self) -> str:
        """The stable machine code of the problem, such as "test_failed"; "" when no server gave one."""
        return str(self.problem.get("type", "")).rpartition(":")[2]

    @property
    def exit_status(self) -> int:
        """What a command ends with: 1 the answer was no, 2 usage, 3 no (usable) answer."""
        return EXIT_STATUS[self.kind]

    def result(self) -> Dict[str, Any]:
        """Return the arguments for a module's ``fail_json``."""
        error = {"kind": self.kind, "status": self.status, "outcome": self.outcome, "problem": self.problem}
        return {"msg": self.message, "error": error}


def one_line(text: str) -> str:
    """Return text that is safe to show: one line without control characters."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def from_problem(status: int, problem: Dict[str, Any]) -> ClientError:
    """Return the error for a problem document; the value that was found is part of the message."""
    kind = _KINDS.get(status, "usage" if status < 500 else "server")
    message = one_line(str(problem.get("detail") or problem.get("title") or f"HTTP status {status}"))
    if status in (408, 409) and "found" in problem:
        message += f"; {found_in(problem)}"
    if status == 401:
        message += "; check BATON_TOKEN or the token file"
    outcome = problem.get("outcome")
    return ClientError(kind, message, status, problem, outcome=outcome if isinstance(outcome, str) else None)


def found_in(problem: Dict[str, Any]) -> str:
    """Say what stands where a problem document's test or wait looked."""
    return "nothing is set" if problem.get("missing") else f"found {short(problem.get('found'))}"


def short(value: Any) -> str:
    """Return a JSON value for a message."""
    text = one_line(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
