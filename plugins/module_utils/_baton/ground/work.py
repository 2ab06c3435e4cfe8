# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change costs, counted in steps, so that no request holds up everybody else. Pure.

A step is some ten nanoseconds: an item of an object that is copied. Steps are counted and not timed, so that the same
request is refused on every machine. Only who evaluates a request has a bound; what is in the log is applied at any cost.
"""

from __future__ import annotations

from typing import Optional

from .problem import Problem

MOST_STEPS = 3_000_000  # of one request, a batch included: some 30 ms
CHANGE = 600  # steps of a change, whatever it does
OPERATION = 320  # and of an operation
PART = 35  # of each part of a pointer
MEASURED = 10  # of each value that is looked at to see how large it is
NAME = 40  # of a name that is checked
SETTLED = 100  # of a param that is set: of what is tied to it, and who sits there
LETTERS = 4  # characters of a value that are written to the log in one step
PARSED = 3  # steps of each character of a document's text that is parsed
SHIFTED = 32  # items of a list that are moved up or down in one step


class Work:
    """The steps ``spent``; Problem 413 before they are more than ``most`` (None: no bound)."""

    def __init__(self, most: Optional[int] = MOST_STEPS) -> None:
        self.spent = 0
        self.most = most

    @property
    def left(self) -> int:
        """Return how many steps may be done yet."""
        return 1 << 60 if self.most is None else self.most - self.spent

    def spend(self, steps: int) -> None:
        """Count steps that are about to be done."""
        self.spent += steps
        if self.most is not None and self.spent > self.most:
            raise Problem(
                413,
                "too_much_work",
                f"this request would take more than {self.most // 1_000_000} million steps (changes, operations, params that they "
                "set, and items of lists and objects that they copy or move): send fewer at once, or PUT the whole value",
                most=self.most,
            )
