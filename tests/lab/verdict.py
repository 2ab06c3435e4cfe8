# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a history of real clients one that a single, never failing copy could have given? Pure: no clock, no I/O.

Every value that is ever written is new, and every write names the value that it replaces. So the order of the writes is a
chain that the values themselves tell, and what remains is to see whether the moments fit: the check is exact, and linear.
"""

import math
from dataclasses import dataclass


class Violation(AssertionError):
    """The history can't be explained."""


@dataclass
class Operation:
    """``kind``: "swap" (``old`` → ``new``) or "read" (``new`` is what was found; a lost race is a read, too).

    ``outcome``: "ok", "not_applied" (the client was told that nothing was done) or "unknown". Moments in seconds.
    """

    kind: str
    begin: float
    end: float
    new: str
    old: str = ""
    outcome: str = "ok"

    def last_moment(self):
        return self.end if self.outcome == "ok" else math.inf


def check_register(name, initial, operations):
    """Raise Violation unless the operations on one register are linearizable; return how many writes took effect."""
    writers = {operation.new: operation for operation in operations if operation.kind == "swap"}
    reads = {}
    for operation in operations:
        if operation.kind == "read":
            reads.setdefault(operation.new, []).append(operation)
    order = _chain(name, initial, writers, reads)
    moment = 0.0
    for value in order:
        if value in writers:
            moment = _place(name, writers[value], moment)
        moments = [_place(name, read, moment) for read in reads.pop(value, ())]
        moment = max([moment, *moments])
    if reads:
        value, (read, *_others) = next(iter(reads.items()))
        raise Violation(f"{name}: {value!r} was read at {read.begin:.3f}, but no write left it there")
    return len(order) - 1


def _chain(name, initial, writers, reads):
    """Return the values in the order in which they were written."""
    seen = {initial, *reads}
    for swap in writers.values():
        if swap.outcome == "ok":
            seen |= {swap.old, swap.new}
    grew = True
    while grew:  # whoever replaced a value proves that it was there
        before = len(seen)
        seen |= {swap.old for value, swap in writers.items() if value in seen}
        grew = len(seen) > before
    following = {}
    for value, swap in writers.items():
        if value not in seen:
            continue
        if swap.outcome == "not_applied":
            raise Violation(f"{name}: the client was told that {value!r} was not written, and it was")
        if swap.old in following:
            raise Violation(f"{name}: both {following[swap.old]!r} and {value!r} replaced {swap.old!r}")
        following[swap.old] = value
    order = [initial]
    while order[-1] in following:
        order.append(following.pop(order[-1]))
    if following:
        old, value = next(iter(following.items()))
        raise Violation(f"{name}: {value!r} replaced {old!r}, which was never there (or is lost); the last value is {order[-1]!r}")
    return order


def _place(name, operation, earliest):
    """Return the first moment at which the operation can have happened."""
    moment = max(earliest, operation.begin)
    if moment > operation.last_moment():
        raise Violation(
            f"{name}: the {operation.kind} of {operation.new!r} ended at {operation.end:.3f}, and can't have happened before {moment:.3f}"
        )
    return moment


def check_set(adds, found):
    """Raise Violation unless ``found`` has every acknowledged element, and none that was refused. adds: element → outcome."""
    lost = sorted(element for element, outcome in adds.items() if outcome == "ok" and element not in found)
    if lost:
        raise Violation(f"{len(lost)} acknowledged writes are lost: {', '.join(lost[:5])}")
    strays = sorted(element for element in found if adds.get(element, "not_applied") == "not_applied")
    if strays:
        some = ", ".join(strays[:5])
        raise Violation(f"{len(strays)} elements are there that nobody wrote, or whose writer was told that nothing was done: {some}")
