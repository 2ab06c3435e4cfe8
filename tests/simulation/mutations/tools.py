# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mutations are made of: something is replaced while a schedule is played, and it is said which schedule notices it."""

from __future__ import annotations

import contextlib


@contextlib.contextmanager
def replaced(owner, name, value):
    old = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


def driven(mutation):
    """Only schedules with drivers can notice it."""
    mutation.driven = True
    return mutation


def seen_in(schedule):
    """An aimed schedule is what notices it."""

    def mark(mutation):
        mutation.schedule = schedule
        return mutation

    return mark
