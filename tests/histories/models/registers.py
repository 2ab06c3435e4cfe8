# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare-and-swap: each register is linearizable, and the stream of events has each of its changes once and in order. Pure."""

from histories.record import Violation
from lab.verdict import Operation, check_register, check_set
from lab.verdict import Violation as Lie

MODEL = "registers"
LINEAR = "compare-and-swap is linearizable"
KEPT = "what was added is there, once"
EVENTS = (
    "a reader of events sees every acknowledged change once and in order, and is never told 410"
)


def judge(history):
    """Return what no single, never failing register could have answered."""
    found = []
    for on in sorted(
        one for one in history.objects("swap", "look") if one.startswith("registers/")
    ):
        operations = steps(history, on)
        try:
            check_register(on, "", operations)
        except Lie as lie:
            found.append(Violation(MODEL, LINEAR, on, str(lie)))
    return found + lists(history) + streams(history)


def steps(history, on):
    """Return the swaps and reads of a register, as the lab's judge wants them."""
    found, key = [], on.partition("/")[2]
    for one in history.of("swap", "batch", "look"):
        if one.what == "look":
            if one.on == on and one.ok:
                found.append(Operation("read", one.call, one.back, one.answer))
            continue
        old, new = (
            (one.ask["old"], one.ask["new"])
            if one.on == on
            else one.ask.get("swaps", {}).get(key, (None, None))
        )
        if new is None:
            continue
        outcome = "not_applied" if one.outcome == "refused" else one.outcome
        found.append(Operation("swap", one.call, one.back, new, old, outcome))
        if one.code == "test_failed" and one.on == on:
            found.append(Operation("read", one.sent, one.back, one.answer["found"]))
    return found


def lists(history):
    """What was added to a list is in it, as often as it was added."""
    reads = [one for one in history.of("size", on="grown/list") if one.ok]
    if not reads or not history.final:
        return []
    last = reads[-1]
    adds = {
        one.ask["item"]: "not_applied" if one.outcome == "refused" else one.outcome
        for one in history.of("add")
    }
    try:
        check_set(adds, set(last.answer))
    except Lie as lie:
        return [Violation(MODEL, KEPT, "grown/list", str(lie), [last])]
    twice = sorted({item for item in last.answer if last.answer.count(item) > 1})
    return (
        [Violation(MODEL, KEPT, "grown/list", f"{twice[0]} is there twice", [last])]
        if twice
        else []
    )


def streams(history):
    """Compare what each reader saw with the chain of what was written."""
    found = [
        Violation(MODEL, EVENTS, "events", f"answered with {one.status}", [one])
        for one in history.of("watch")
    ]
    for reader, seen in sorted(history.events.items()):
        if not seen:
            continue
        begin, events = seen[0]["begin"], seen[1:]
        cursors = [position(event["Cursor"]) for event in events]
        for before, after, event in zip(cursors, cursors[1:], events[1:]):
            if after <= before:
                found.append(
                    Violation(
                        MODEL, EVENTS, "events", f"{reader} saw {event['Cursor']} after {before}"
                    )
                )
        for on in sorted(one for one in history.objects("swap") if one.startswith("registers/")):
            found += stream(
                history,
                reader,
                on,
                begin,
                [value for event in events for value in written(event, on)],
            )
    return found


def stream(history, reader, on, begin, values):
    """Judge the values of one register that a reader saw."""
    found, swaps = [], {one.new: one for one in steps(history, on) if one.kind == "swap"}
    twice = [value for number, value in enumerate(values) if value in values[:number]]
    missing = [
        one.new
        for one in swaps.values()
        if one.outcome == "ok" and one.begin > begin and one.new not in values
    ]
    for value in twice[:1]:
        found.append(Violation(MODEL, EVENTS, on, f"{reader} saw {value!r} twice"))
    for value in missing[:1]:
        found.append(
            Violation(
                MODEL,
                EVENTS,
                on,
                f"{reader} has never seen {value!r}, acknowledged at {swaps[value].end:.3f}",
            )
        )
    for before, after in zip(values, values[1:]):
        if after not in swaps:
            found.append(
                Violation(MODEL, EVENTS, on, f"{reader} saw {after!r}, which nobody wrote")
            )
        elif swaps[after].old != before and not missing:
            found.append(
                Violation(
                    MODEL,
                    EVENTS,
                    on,
                    f"{reader} saw {after!r} after {before!r}, and it replaced {swaps[after].old!r}",
                )
            )
    return found[:2]


def position(cursor):
    """Return a cursor's entry and place in it: both only grow, over changes of active, too."""
    _epoch, seq, place = cursor.rsplit(".", 2)
    return int(seq), int(place)


def written(event, on):
    """Return the values of a register that an event brings."""
    path = "/Params/" + on.partition("/")[2]
    return [
        one["value"] for one in event.get("Patch") or () if one["path"] == path and "value" in one
    ]
