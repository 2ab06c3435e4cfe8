# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request that is sent again, word for word and with its key, gets the first answer, whoever is active by then. Pure."""

from histories.models.terms import Leases, terms
from histories.record import Violation

MODEL = "repeats"
REMEMBERED = 8  # generations of a barrier whose end is known
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
    found, leases = [], Leases(history)
    for one in history.operations:
        first = one.repeats
        if first is None or one.outcome not in ("ok", "refused"):
            continue
        if one.what == "arrive" and allowed_at_a_barrier(history, first, one):
            continue
        if (
            one.what == "acquire"
            and one.code
            and first.ask["Wait"]
            and is_over(history, leases, first, one)
        ):
            continue  # what came of a wait is not remembered: the repeat tells how it stands
        if essence(first) != essence(one):
            text = f"{one.what}: first {essence(first)}, then {essence(one)}"
            found.append(Violation(MODEL, FIRST, one.on, text, [first, one]))
    return found


def allowed_at_a_barrier(history, first, one):
    """Who waited may hear of the end since; and that is forgotten after a number of generations."""
    if not one.ok or first.answer["Generation"] != one.answer["Generation"]:
        return False
    later = first.answer["Generation"] + REMEMBERED
    if one.answer["Outcome"] == "gone":
        return any(
            other.ok and other.answer["Generation"] >= later
            for other in history.of("arrive", on=one.on)
        )
    return first.answer["Outcome"] == "waits"


def is_over(history, leases, first, one):
    """Return whether what was held may have ended before the repeat was answered."""
    term = next(
        (term for term in terms(history, leases, one.on) if term.token == first.answer["Token"]),
        None,
    )
    return term is None or term.end < one.back


def essence(one):
    """Return what must be the same: the status, and what the answer promises."""
    if not one.ok:
        return one.status, one.code
    if one.what in MEMBERS:
        answer = one.answer or {}
        return one.status, {name: answer.get(name) for name in MEMBERS[one.what]}
    return one.status, one.answer, one.etag
