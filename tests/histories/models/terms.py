# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may believe what, and for how long, by nothing but what clients were told: leases, and terms of holding something. Pure."""

import math
from dataclasses import dataclass
from typing import Optional

from histories.record import Operation

MARGIN = 0.002  # seconds by which a timer may ring early


class Leases:
    """What the clients know of each lease."""

    def __init__(self, history):
        self._kept, self._ended, self._gone = {}, {}, {}
        for one in history.of("grant", "keep"):
            if one.ok:
                self._kept.setdefault(name_of(one), []).append(
                    (one.call, one.back, one.ask["Ttl"], one)
                )
        for one in history.of("revoke"):
            if one.may_have_acted():
                self._ended[name_of(one)] = min(one.call, self._ended.get(name_of(one), math.inf))
        for one in history.of("revoke", "peek", "ties"):
            # Not of those who ask to keep one: they are told so a moment before its end commits.
            if one.code == "no_lease" or (one.ok and one.what == "revoke"):
                self._note_gone(name_of(one), one.back)

    def _note_gone(self, lease, moment):
        self._gone[lease] = min(moment, self._gone.get(lease, math.inf))

    def spans(self, lease, standing=()):
        """Return [begin, end] of each time in which the lease stood without a break, as far as its clients can be sure.

        Who asks for it too late may have another of the same name. ``standing``: (begin, end) of times in which no lease ends.
        """
        found = []
        for call, back, ttl, one in sorted(self._kept.get(lease, ()), key=lambda item: item[:3]):
            lasts = call + ttl
            lasts += sum(
                max(0.0, end - max(call, begin)) for begin, end in standing if begin < lasts
            )
            if not found or (one.what == "grant" and back > found[-1][1]):
                found.append([back, lasts])
            else:
                found[-1][1] = max(found[-1][1], lasts)
        return found

    def until(self, lease, moment):
        """Return until when a lease that was used at ``moment`` stands for certain, counted from sending; or -inf."""
        ends = [end for begin, end in self.spans(lease) if begin <= moment]
        return min(max(ends, default=-math.inf), self._ended.get(lease, math.inf))

    def surely(self, lease, begin, end):
        """Return the operation that says that the lease stood from ``begin`` to ``end``, or None."""
        if self._ended.get(lease, math.inf) <= end:
            return None
        for call, back, ttl, one in self._kept.get(lease, ()):
            if back <= begin and end < call + ttl:
                return one
        return None

    def gone(self, lease):
        """Return from when a client knew that the lease had ended, or inf."""
        return self._gone.get(lease, math.inf)


def name_of(operation):
    """Return the lease that an operation is about."""
    return operation.on.partition("/")[2]


@dataclass
class Term:
    """Who held what, from the moment of the answer to the moment at which it may have ended."""

    on: str
    owner: str
    token: int
    lease: Optional[str]
    shared: bool
    begin: float
    end: float
    told_by: Operation


ENDS = {"locks": ("release",), "seats": ("resign", "hand_back")}


def terms(history, leases, on):
    """Return the terms at a lock or param of seats, by the tokens that were told; one token is one term."""
    gets = history.of("acquire", "elect", on=on)
    asked_back = {}
    for one in history.of(*ENDS[on.partition("/")[0]], on=on):
        if one.may_have_acted():
            asked_back[one.ask["Owner"]] = min(one.call, asked_back.get(one.ask["Owner"], math.inf))
    found = {}
    for one in sorted(gets, key=lambda operation: operation.back):
        if (
            not one.ok
            or not (one.answer.get("Held") or one.answer.get("Elected"))
            or one.answer["Token"] in found
        ):
            continue
        owner, lease = one.ask["Owner"], one.ask.get("Lease")
        end = min(
            asked_back.get(owner, math.inf), leases.until(lease, one.call) if lease else math.inf
        )
        found[one.answer["Token"]] = Term(
            on, owner, one.answer["Token"], lease, bool(one.ask.get("Shared")), one.back, end, one
        )
    return list(found.values())


def over(history, leases, term):
    """Return from when on a client knew that a term had ended, or inf."""
    ends = [leases.gone(term.lease)] if term.lease else []
    for one in history.of(*ENDS[term.on.partition("/")[0]], on=term.on):
        if one.ask["Owner"] == term.owner and one.ok:
            ends.append(one.back)
    return min(ends, default=math.inf)
