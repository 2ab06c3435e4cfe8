# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks and seats, what both promise: never more than there is room for, and tokens that grow. Pure."""

import heapq

from histories.models.terms import Leases, over, terms
from histories.record import Violation

MODEL = "holding"
ROOM = "never more hold it than there is room for"
GROW = "fencing tokens grow in the order of holding"
TOLD = "what is said not to be applied has no effect"
GONE = "who let go, or whose lease has ended, is gone"


def judge(history):
    """Return what is wrong with locks and seats."""
    leases, found = Leases(history), []
    objects = [
        on for on in history.objects("acquire", "elect") if on.startswith(("locks/", "seats/"))
    ]
    for on in objects:
        held = terms(history, leases, on)
        room = room_of(history, on)
        found += crowded(on, held, room)
        found += backwards(on, held) if room == 1 else []
        found += ghosts(history, leases, on, held)
        found += overfull(history, on, room) + strangers(history, on)
    return found + unordered(history)


def room_of(history, on):
    """Return how many may hold it at once: what all who asked said."""
    first = history.of("acquire", "elect", on=on)[0]
    return first.ask.get("Slots") or first.ask.get("Seats") or 1


def crowded(on, held, room):
    """Sweep over the terms in time: too many at once, or a reader beside a writer."""
    found, now = [], []
    for term in sorted((one for one in held if one.begin < one.end), key=lambda one: one.begin):
        now = [one for one in now if one.end > term.begin]
        beside = [one for one in now if not (one.shared and term.shared)]
        if len(beside) >= room:
            names = ", ".join(f"{one.owner} (until {one.end:.3f})" for one in beside)
            text = f"{term.owner} was told at {term.begin:.3f} that it holds it, and so do still {names}"
            found.append(
                Violation(MODEL, ROOM, on, text, [term.told_by, *(one.told_by for one in beside)])
            )
        now.append(term)
    return found


def backwards(on, held):
    """With room for one, who comes later has the higher token."""
    found, order = (
        [],
        sorted((one for one in held if one.begin < one.end), key=lambda one: one.begin),
    )
    for before, after in zip(order, order[1:]):
        if after.token <= before.token and not (before.shared and after.shared):
            text = f"{after.owner} held it after {before.owner}, with token {after.token} after {before.token}"
            found.append(Violation(MODEL, GROW, on, text, [before.told_by, after.told_by]))
    return found


def unordered(history):
    """A token that was told before another was asked for is the smaller one, whatever they are for."""
    first, asked, owners, found = {}, {}, {}, []
    for one in history.of("acquire", "elect"):
        key = (one.on, one.ask["Owner"])
        asked[key] = min(one.call, asked.get(key, one.call))
        token = told_token(one)
        if token is not None and owners.setdefault(token, key) != key:
            found.append(
                Violation(
                    MODEL, GROW, one.on, f"token {token} is that of {owners[token]}, too", [one]
                )
            )
        if token is not None and one.back < first.get((key, token), (one.back + 1, None))[0]:
            first[(key, token)] = (one.back, one)
    told = sorted(
        ((asked[key], back, token, one) for (key, token), (back, one) in first.items()),
        key=lambda item: item[:3],
    )
    waiting, highest = [], None
    for number, (call, back, token, one) in enumerate(told):
        while waiting and waiting[0][0] < call:
            _back, _number, before, by = heapq.heappop(waiting)
            highest = (before, by) if highest is None or before > highest[0] else highest
        if highest is not None and highest[0] >= token:
            text = f"token {token} was given after {highest[0]} was known"
            found.append(Violation(MODEL, GROW, one.on, text, [highest[1], one]))
        heapq.heappush(waiting, (back, number, token, one))
    return found


def told_token(one):
    """Return the token that an answer has for who asked, whether it holds or waits in line."""
    if one.ok:
        return (
            one.answer.get("Token") if one.answer.get("Held") or one.answer.get("Elected") else None
        )
    return one.answer.get("token") if one.code == "locked" else None


def entries(one):
    """Return the holders that an answer shows, each with its Owner; None where it says nothing of them."""
    answer = one.answer
    if answer is None or not (one.ok or one.code == "locked"):
        return None
    if one.on.startswith("locks/"):
        return answer.get("Holders" if one.ok else "holders")
    if one.what == "look":
        leaders = answer if isinstance(answer, list) else [] if answer == "none" else [answer]
    else:
        leaders = answer["Leaders"]
    return [{"Owner": name["Uuid"] if isinstance(name, dict) else name} for name in leaders]


def seen(one):
    """Return the owners that an answer shows as holders."""
    return [entry["Owner"] for entry in entries(one) or ()]


def ghosts(history, leases, on, held):
    """Whoever is known to be gone is seen no more. A keyed answer may be of the first time that it was sent."""
    found = []
    asking = {}
    for one in history.operations:
        if one.on == on and one.what in ("acquire", "elect"):
            asking[one.ask["Owner"]] = max(one.back, asking.get(one.ask["Owner"], 0.0))
    ends = {term.owner: (over(history, leases, term), term) for term in held}
    for one in history.of("acquire", "elect", "release", "resign", "look", on=on):
        for owner in seen(one):
            end, term = ends.get(owner, (None, None))
            if end is not None and one.call > end and asking.get(owner, 0.0) < end:
                text = f"{owner} is there at {one.back:.3f}, though all was over at {end:.3f}"
                found.append(Violation(MODEL, GONE, on, text, [term.told_by, one]))
    return found[:3]


def overfull(history, on, room):
    """No answer shows more holders than there is room for."""
    found = []
    for one in history.of("acquire", "elect", "release", "resign", "look", on=on):
        names = seen(one)
        shared = any(entry.get("Shared") for entry in entries(one) or ())
        if len(names) > (len(names) if shared else room) or len(set(names)) < len(names):
            text = f"the answer at {one.back:.3f} shows {', '.join(names)}"
            found.append(Violation(MODEL, ROOM, on, text, [one]))
    return found[:3]


def strangers(history, on):
    """Nobody is there, nor waits, who was told that nothing was done."""
    asked, found = {}, []
    for one in history.operations:
        if one.on == on and one.what in ("acquire", "elect"):
            asked.setdefault(one.ask["Owner"], []).append(one)
    for one in history.of("look", on=on):
        queue = one.answer.get("Queue") if isinstance(one.answer, dict) else None
        for owner in (*seen(one), *(entry["Owner"] for entry in queue or ())):
            if owner in asked and not any(ask.may_have_acted() or ask.code for ask in asked[owner]):
                text = f"{owner} is there at {one.back:.3f}, and was told that nothing was done"
                found.append(Violation(MODEL, TOLD, on, text, [*asked[owner], one]))
    return found[:2]
