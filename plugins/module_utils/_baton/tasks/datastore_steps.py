# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan of a task about databases consists of, and how it is made to its end. Pure.

It is made before anything is asked for, each step on what the one before would leave: that is what check mode tells.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, FrozenSet, List, Mapping, Optional, Protocol, Sequence, Tuple, TypeVar

WELL = ("ACTIVE", "RESTART_REQUIRED")
RESTARTS = ("restart", "upgrade")  # verbs after which nothing is left to restart
MOST_STEPS = 64


class Part(Protocol):
    """An instance that stands alone, in a set or in a cluster."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def fault(self) -> str: ...

    @property
    def is_well(self) -> bool: ...


class Whole(Protocol):
    """A set or a cluster. ``task``: what is done with it now, None while nothing is; ``unsettled``: of whom that makes something else."""

    @property
    def parts(self) -> "Sequence[Part]": ...

    @property
    def unsettled(self) -> "Sequence[Part]": ...

    @property
    def task(self) -> Optional[Mapping[str, Any]]: ...


AWhole = TypeVar("AWhole", bound=Whole)


@dataclass(frozen=True)
class Step:
    """``of``: the id of what it is asked of; ``names``: of those that it makes; ``value``: what it brings. ``text``: for people.

    ``new``: what members of a cluster that it makes are, each (type, region); ``old``: ids of those that it takes away.
    """

    verb: str
    of: str
    text: str
    names: Tuple[str, ...] = ()
    value: str = ""
    new: Tuple[Tuple[str, str], ...] = ()
    old: Tuple[str, ...] = ()


def unfold(
    now: AWhole, following: Callable[[AWhole, FrozenSet[str]], Optional[Step]], after: Callable[[Step, AWhole], AWhole],
    restarted: FrozenSet[str],
) -> Tuple[List[Step], AWhole]:  # fmt: skip
    """Return all steps, and how it is then. ``following``: what comes next; ``restarted``: ids of what was restarted already."""
    steps: List[Step] = []
    while len(steps) < MOST_STEPS:
        step = following(now, restarted)
        if step is None:
            break
        steps.append(step)
        restarted = restarted_by(step, restarted)
        now = after(step, now)
    return steps, now


def restarted_by(step: Step, before: FrozenSet[str]) -> FrozenSet[str]:
    return before | {step.of} if step.verb in RESTARTS else before
