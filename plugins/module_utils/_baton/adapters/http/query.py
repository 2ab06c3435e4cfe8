# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the query of a request may say: what its operation declares. A misspelt parameter would be left out in silence, and a list
or a wait be another one than was asked for; so it is refused.
"""

from __future__ import annotations

from typing import Any, List, Tuple

from ...ground.problem import Problem
from . import parameters
from .operations import Operation

WAIT = tuple(taken.name for taken in parameters.WAITS_FOR_ONE if taken is not parameters.WAIT)  # what goes with wait
RESERVED = ("path",)  # of a wait; of what selects documents it is refused, too, rather than taken for a member


def check(request: Any, operation: Operation) -> None:
    """Raise Problem 400 for what the query of a request can't have; lists of documents take any member, too."""
    if not request.query_string:
        return
    taken = {parameter.name: parameter for parameter in operation.takes if parameter.where == "query"}
    for name in request.query:
        if name not in taken:
            if operation.outside:
                continue  # who balances loads, or scrapes, adds what it likes, and is to be told how the node is
            if not operation.selects:
                raise _bad(f"there is no parameter {name[:40]!r} here; {_listed(tuple(taken))}")
            if name not in RESERVED:
                continue
        text, *more = request.query.getall(name)
        if more:
            raise _bad(f"{name} is given twice; say it once")
        only: List[str] = taken[name].schema.get("enum", []) if name in taken else []
        if len(only) == 1 and text != only[0] and name != "wait":  # which is refused by itself
            raise _bad(f"{name} is {only[0]!r}, or left out, not {text[:40]!r}")
        if name in WAIT and "wait" not in request.query:
            raise Problem(400, "bad_wait", f"{name} goes with wait=<what to wait for>")


def _listed(known: Tuple[str, ...]) -> str:
    return f"known are {', '.join(known)}" if known else "it takes none"


def _bad(detail: str) -> Problem:
    return Problem(400, "bad_query", detail)
