# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the journal that somebody else can cause as often as he likes: said once, then counted, once a minute. Decides nothing."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Callable, Tuple

FOLD_SECONDS = 60.0
MOST_KEYS = 256  # that are remembered; the oldest is forgotten, so that its next line is said again


class Folded:
    """``say`` writes a line for each key (such as a node), and no more than one a minute."""

    def __init__(self, log: Callable[..., None], clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._said: "OrderedDict[str, Tuple[float, int]]" = OrderedDict()  # key → when it was said last, and how often since

    def say(self, key: str, text: str) -> None:
        """Write ``text``, or count it where something of ``key`` was written less than a minute ago."""
        now = self._clock()
        at, more = self._said.pop(key, (float("-inf"), 0))
        if now - at < FOLD_SECONDS:
            self._said[key] = (at, more + 1)
            return
        self._log("%s%s", text, f" ({more} more times before)" if more else "")
        self._said[key] = (now, 0)
        if len(self._said) > MOST_KEYS:
            self._said.popitem(last=False)
