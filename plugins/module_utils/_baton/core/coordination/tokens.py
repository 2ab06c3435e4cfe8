# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders about tokens. Pure; when one ends is known in token_ends.py.

A token ends with its time, and one of a profile or pool host with that, in the same change: whoever makes one of that name later has not
made the token. What is over leaves the documents.
"""

from __future__ import annotations

from typing import List

from ...ground.problem import Problem
from ..model.access import OF_ONE, Scope
from ..model.documents import Change, Lookup
from ..model.kinds import singular
from .leases import Moment

MOST = 10_000  # tokens of a cluster


def make(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """body: the token's document. Problem 404 when it is for a profile or pool host that is not there."""
    check(change.body["Scope"], lookup)
    return [Change("tokens", change.key, "put", change.body)]


def expire(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """A revocation by the clock, or with what it is for; somebody may have been quicker."""
    return [Change("tokens", change.key, "delete")] if lookup("tokens", change.key) is not None else []


def check(scope: Scope, lookup: Lookup) -> None:
    """Raise Problem 404 unless the document is there for which tokens of this scope are."""
    kind = OF_ONE.get(scope["kind"])
    if kind is not None and lookup(kind, scope["name"]) is None:
        raise Problem(404, "not_found", f"there is no {singular(kind)} {scope['name']!r}: make it, then a token for it")
