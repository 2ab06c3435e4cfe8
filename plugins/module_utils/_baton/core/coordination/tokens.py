# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders about tokens. Pure; when one ends is known in token_ends.py.

A token ends with its time, and one of a profile with the profile, in the same change: whoever makes a profile of that name later has not
made the token. What is over leaves the documents.
"""

from __future__ import annotations

from typing import List

from ...ground.problem import Problem
from ..model.documents import Change, Lookup
from .leases import Moment

MOST = 10_000  # tokens of a cluster


def make(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """body: the token's document. Problem 404 when it is for a profile that is not there."""
    scope = change.body["Scope"]
    if scope["kind"] == "profile" and lookup("profiles", scope["name"]) is None:
        raise no_profile(scope["name"])
    return [Change("tokens", change.key, "put", change.body)]


def expire(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """A revocation by the clock, or with the profile; somebody may have been quicker."""
    return [Change("tokens", change.key, "delete")] if lookup("tokens", change.key) is not None else []


def no_profile(name: str) -> Problem:
    return Problem(404, "not_found", f"there is no profile {name!r}: make it, then a token for it")
