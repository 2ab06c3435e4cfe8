# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request that is sent again, word for word and with its key, gets the first answer, whoever is active by then. Pure."""

from histories.record import Violation

MODEL = "repeats"
FIRST = "a repeated request gets the first answer"
# What an answer has to have in common with the first one; the rest tells of the present.
MEMBERS = {
    "grant": ("Id", "Ttl", "Owner"),
    "acquire": ("Name", "Owner", "Held", "Token"),
    "elect": ("Elected", "Position", "Token", "Run", "Changed"),
    "resign": ("Elected", "Changed"),
    "arrive": ("Generation", "Outcome", "By", "Why"),
    "break": ("Changed",),
    "release": (),
}


def judge(history):
    """Return the repeats that were answered otherwise."""
    found = []
    for one in history.operations:
        if one.repeats is None or one.outcome not in ("ok", "refused"):
            continue
        first, again = essence(one.repeats), essence(one)
        if (
            one.what == "arrive" and one.ok and first[1]["Outcome"] == "waits"
        ):  # it may have ended since
            first, again = first[1]["Generation"], again[1]["Generation"]
        if first != again:
            text = f"first {first}, then {again}"
            found.append(Violation(MODEL, FIRST, one.on, f"{one.what}: {text}", [one.repeats, one]))
    return found


def essence(one):
    """Return what must be the same: the status, and what the answer promises."""
    if not one.ok:
        return one.status, one.code
    if one.what in MEMBERS:
        return one.status, {
            name: one.answer.get(name) for name in MEMBERS[one.what]
        } if one.answer else None
    return one.status, one.answer, one.etag
