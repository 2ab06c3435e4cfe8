# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Barriers: nobody passes before all have come, all hear the same, and a new run begins anew. Pure."""

from histories.record import Violation

MODEL = "barriers"
ALL = "nobody passes before all have come"
ONE = "all who came get one outcome"
ANEW = "a run that began after a break begins anew"
TOLD = "what is said not to be applied has no effect"
LOST = "no barrier is lost"


def judge(history):
    """Return what is wrong with barriers."""
    found = []
    for on in history.objects("arrive"):
        arrivals = history.of("arrive", on=on)
        told = [one for one in arrivals if one.ok]
        found += outcomes(on, told)
        found += early(on, arrivals)
        found += old_breaks(history, on, told)
        found += lost(history, on, told)
    return found


def outcomes(on, told):
    """One generation has one outcome."""
    found, first = [], {}
    for one in told:
        if one.answer["Outcome"] not in ("opened", "broken"):
            continue
        number = one.answer["Generation"]
        before = first.setdefault(number, one)
        if outcome(before) != outcome(one):
            text = f"generation {number} is {outcome(before)} for {before.client}, and {outcome(one)} for {one.client}"
            found.append(Violation(MODEL, ONE, on, text, [before, one]))
    return found[:3]


def outcome(one):
    return tuple(one.answer.get(name) for name in ("Outcome", "By", "Why"))


def early(on, arrivals):
    """Whoever passed a generation: all members had asked to come to it before."""
    found = []
    for one in arrivals:
        if not one.ok or one.answer["Outcome"] != "opened":
            continue
        number = one.answer["Generation"]
        came = {
            other.client for other in arrivals if other.call < one.back and may_be_of(other, number)
        }
        missing = sorted(set(one.ask.get("of", ())) - came)
        refused = [
            other
            for other in arrivals
            if other.client in missing and other.outcome == "not_applied"
        ]
        if missing and {other.client for other in refused} == set(missing):
            text = f"{', '.join(missing)} were told that nothing was done, and {one.client} passed with them at {one.back:.3f}"
            found.append(Violation(MODEL, TOLD, on, text, [*refused, one]))
        elif missing:
            text = f"{one.client} passed generation {number} at {one.back:.3f}, and {', '.join(missing)} had not come"
            found.append(Violation(MODEL, ALL, on, text, [one]))
    return found[:3]


def may_be_of(one, number):
    """Return whether an operation may be an arrival at generation ``number``."""
    if one.outcome == "ok":
        return one.answer["Generation"] == number
    return one.may_have_acted()


def old_breaks(history, on, told):
    """Who began its run after a break was known is not told of it."""
    found = []
    breaks = {one.ask["Why"]: one for one in history.of("break", on=on) if one.ok}
    for one in told:
        by = breaks.get(one.answer.get("Why"))
        first = one.ask.get("Generation") is None
        if (
            by is not None
            and first
            and one.answer["Outcome"] == "broken"
            and one.ask["began"] > by.back
        ):
            text = f"{one.client} began its run at {one.ask['began']:.3f}, and is told of a break that was known at {by.back:.3f}"
            found.append(Violation(MODEL, ANEW, on, text, [by, one]))
    return found[:3]


def lost(history, on, told):
    """A generation that somebody was told of is known in the end."""
    gone = [one for one in told if one.answer["Outcome"] == "gone"]
    found = [
        Violation(MODEL, LOST, on, f"{one.client} was told that it is gone", [one])
        for one in gone[:1]
    ]
    if told and history.final.get("barriers") is not None:
        last = max(told, key=lambda one: one.answer["Generation"])
        number = last.answer["Generation"]
        standing = {barrier["Name"]: barrier["Generation"] for barrier in history.final["barriers"]}
        if standing.get(on.partition("/")[2], 0) < number:
            found.append(
                Violation(
                    MODEL, LOST, on, f"generation {number} was there, and is not in the end", [last]
                )
            )
    return found
