# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tied to a lease goes with it, unless somebody has set it since. Pure: one client plays on one param, one step after the other."""

from histories.models.ending import unbroken
from histories.models.terms import Leases
from histories.record import Violation

MODEL = "ties"
TIED = "a param is gone when its lease is, unless somebody has set it since"
SHOWN = "a lease shows what is tied to it, and nothing else"
SETS = ("write", "batch", "unset")


def judge(history):
    """Return where a param did not stand as the steps before say."""
    leases, found = Leases(history), []
    for one in history.of("expect", "ties"):
        alive = one.ask["alive"]
        if one.outcome not in ("ok", "refused") or not all(
            leases.surely(lease, one.call, one.back) for lease in alive
        ):
            continue
        if one.what == "ties":
            found += shown(one)
        else:
            stands = one.answer if one.ok else None
            if stands != one.ask["value"]:
                text = f"{stands!r} stands there at {one.back:.3f}, and not {one.ask['value']!r}"
                found.append(Violation(MODEL, TIED, one.on, text, [one]))
    return found + left(history, leases)


def shown(one):
    if not one.ok:
        return []
    ties = sorted([tie["Kind"], tie["Key"], tie["Path"]] for tie in one.answer["Ties"])
    if ties == one.ask["ties"]:
        return []
    text = f"{one.on} shows {ties} at {one.back:.3f}, and not {one.ask['ties']}"
    return [Violation(MODEL, SHOWN, one.ask["param"], text, [one])]


def left(history, leases):
    """In the end, when all leases but those that are kept are gone, a param is as its last writer left it."""
    found = []
    profiles = {
        profile["Name"]: profile["Params"] for profile in history.final.get("profiles") or ()
    }
    kept = unbroken(history) if history.final else ()
    for on in sorted(one for one in history.objects(*SETS) if one.startswith(("tied/", "kept/"))):
        steps = history.of(*SETS, on=on)
        if any(one.outcome not in ("ok", "refused") for one in steps) or not history.final.get(
            "ended"
        ):
            continue
        done = [one for one in steps if one.ok]
        profile, _slash, param = on.partition("/")
        if not done or profile not in profiles:
            continue
        last = done[-1]
        lease = last.ask.get("lease")
        if lease in history.final["kept"] and lease not in kept:
            continue
        gone = last.what == "unset" or (lease and lease not in kept)
        wanted = None if gone else last.ask["value"]
        stands = profiles[profile].get(param)
        if stands != wanted:
            found.append(
                Violation(
                    MODEL,
                    TIED,
                    on,
                    f"{stands!r} stands there in the end, and not {wanted!r}",
                    [last],
                )
            )
    return found
