# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode strict: while writes are refused nothing is acknowledged, and no lock changes hands. Pure."""

from histories.record import Violation

MODEL = "strict"
HANDS = "while writes are refused no lock changes hands"
SETTLES = 1.0  # seconds in which what was in the log before the first refusal may still commit
WRITES = "what is acknowledged is on as many disks as mode strict wants"


def judge(history):
    """Return what happened while one of the two nodes was surely away and writes were refused."""
    if not history.strict:
        return []
    found = []
    for begin, end in windows(history):
        for on in history.objects("acquire", "elect"):
            looks = [
                one
                for one in history.of("look", on=on)
                if one.ok and begin + SETTLES < one.call and one.back < end
            ]
            for before, after in zip(looks, looks[1:]):
                if held(before) != held(after):
                    when = f"between {before.call:.3f} and {after.back:.3f}"
                    text = f"it changed hands {when}; writes were refused from {begin:.3f} to {end:.3f}"
                    found.append(Violation(MODEL, HANDS, on, text, [before, after]))
                    break
    for fault in gone(history):
        for one in history.of("swap", "add"):
            if one.ok and fault.begin < one.call and one.back < fault.end:
                text = f"acknowledged at {one.back:.3f}, without {fault.node}"
                found.append(Violation(MODEL, WRITES, one.on, text, [one]))
    return found[:5]


def gone(history):
    """Return the faults in which one of two nodes was no more."""
    return [fault for fault in history.faults if fault.kind.startswith(("kill", "stop"))]


def windows(history):
    """Return (begin, end) of the times in which one of two nodes could not answer, from the first refusal on."""
    refusals = history.of("refused_write")
    found = []
    for fault in history.faults:
        if not fault.kind.startswith(("kill", "freeze", "stop")):
            continue
        inside = [one.back for one in refusals if fault.begin < one.sent and one.back < fault.end]
        if inside:
            found.append((min(inside), fault.end))
    return found


def held(look):
    if not isinstance(look.answer, dict) or "Holders" not in look.answer:
        return look.answer
    return sorted((holder["Owner"], holder["Token"]) for holder in look.answer["Holders"])
