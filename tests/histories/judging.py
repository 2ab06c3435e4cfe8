# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All judges of a history. Pure."""

from histories.models import (
    answers,
    barriers,
    ending,
    fences,
    holding,
    keeping,
    lines,
    registers,
    repeats,
    strict,
    ties,
    waits,
)

MODELS = (
    answers,
    holding,
    lines,
    fences,
    keeping,
    ties,
    registers,
    waits,
    barriers,
    repeats,
    strict,
    ending,
)


def judge(history):
    """Return every Violation, those first that clients noticed themselves."""
    found = list(history.found)
    for model in MODELS:
        found += model.judge(history)
    return found
