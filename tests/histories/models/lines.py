# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line before a lock: first come, first served, and nobody waits for a slot that is free. Pure."""

import math

from histories.models.terms import MARGIN, Leases, over, terms
from histories.record import Violation

MODEL = "line"
FAIR = "who asked first is let in first"
IDLE = "nobody waits while there is room"
TRUE = "whoever waited in vain is told how it stood at the end of the wait"


def judge(history):
    """Return what is wrong with the lines before locks."""
    leases, found = Leases(history), []
    for on in (one for one in history.objects("acquire") if one.startswith("locks/")):
        held = terms(history, leases, on)
        found += overtaken(history, on, held)
        found += misordered(history, on)
        found += outdated(history, leases, on, held)
    return found


def overtaken(history, on, held):
    """One was told that it waits with a token, later another with a higher one that it holds, and then the first still waits."""
    found, let_in = [], sorted(held, key=lambda term: term.begin)
    for one in history.of("acquire", on=on):
        if one.code != "locked" or one.answer.get("token") is None:
            continue
        token = one.answer["token"]
        for term in let_in:
            if term.begin >= one.sent:
                break
            if term.token > token:
                text = f"{one.ask['Owner']} waits at {one.back:.3f} with token {token}; {term.owner} was let in with {term.token}"
                found.append(Violation(MODEL, FAIR, on, text, [term.told_by, one]))
                break
    return found[:3]


def misordered(history, on):
    """What a look shows: whoever holds came before whoever waits; and the first in line can't be let in."""
    found = []
    for one in history.of("look", "release", on=on):
        if not one.ok or not isinstance(one.answer, dict) or not one.answer.get("Queue"):
            continue
        holders, queue, slots = one.answer["Holders"], one.answer["Queue"], one.answer["Slots"]
        first = min(queue, key=lambda entry: entry["Token"])
        late = [entry for entry in holders if entry["Token"] > first["Token"]]
        if late:
            text = f"{late[0]['Owner']} ({late[0]['Token']}) holds it before {first['Owner']} ({first['Token']})"
            found.append(Violation(MODEL, FAIR, on, text, [one]))
        readers = bool(first.get("Shared")) and all(entry.get("Shared") for entry in holders)
        writers = sum(not entry.get("Shared") for entry in holders)
        if readers or (not first.get("Shared") and writers == len(holders) < slots) or not holders:
            found.append(
                Violation(MODEL, IDLE, on, f"{first['Owner']} waits at {one.back:.3f}", [one])
            )
    return found[:3]


def outdated(history, leases, on, held):
    """An answer after a wait names nobody who was known to be gone before the wait was over."""
    found = []
    ends = {term.owner: (over(history, leases, term), term) for term in held}
    for one in history.of("acquire", on=on):
        if one.code != "locked":
            continue
        waited = one.sent + one.ask["Wait"]
        for holder in one.answer.get("holders", ()):
            end, term = ends.get(holder["Owner"], (math.inf, None))
            if end < waited - MARGIN and holder["Token"] == term.token:
                text = f"{one.ask['Owner']} waited until {one.back:.3f} for {term.owner}, which was gone at {end:.3f}"
                found.append(Violation(MODEL, TRUE, on, text, [term.told_by, one]))
    return found[:3]
