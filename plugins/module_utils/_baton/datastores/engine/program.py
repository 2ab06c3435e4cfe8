# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plans are written in: programs of steps, each with its undo. Pure."""
from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..model.channel import Report
from .case import Case


class Outcome(NamedTuple):
    """How a step stands. ``problem``: it can't be done, why, and what a person can do; ``on``: whom or what it waits for."""

    done: bool = False
    problem: str = ""
    on: str = ""


DONE = Outcome(True)


def wait(on: str) -> Outcome:
    return Outcome(on=on)


def fail(problem: str) -> Outcome:
    return Outcome(problem=problem)


def nothing(_case: Case) -> Outcome:
    return DONE


class Step(NamedTuple):
    """``do`` looks, asks, and says how it stands; it may be asked any number of times, by any manager. ``undo``: likewise, the way back.

    ``seconds``: after so many it has failed. ``final``: where it has been done there is no way back.
    """

    name: str
    do: Callable[[Case], Outcome]
    undo: Callable[[Case], Outcome] = nothing
    seconds: float = 60.0
    final: bool = False


class Program(NamedTuple):
    """``gives_way``: until its point of no return it is undone for one that is due and urgent, and for what people ask if nobody asked
    for it; ``urgent``: it does not wait for one that gives way; ``joins``: who asks for it with other members while it is being done has
    it done with those next.
    """

    name: str
    steps: Tuple[Step, ...]
    gives_way: bool = False
    urgent: bool = False
    joins: bool = False


class Due(NamedTuple):
    """What a plan wants to begin unasked, and why."""

    program: str
    why: str
    data: Mapping[str, Any] = {}


class Plan(NamedTuple):
    """``keep``: what is seen to beside any task; ``due``: what is to be begun that nobody asked for; ``given_up``: what a program that
    failed leaves of its members. ``unguarded``: why the next loss would stop the service, "" if it would not, and nobody would see
    to it unasked; ``next_loss``: what that would be, for people.
    """

    programs: Mapping[str, Program]
    keep: Callable[[Case], None]
    due: Callable[[Case], Optional[Due]]
    given_up: Callable[[Case], None]
    unguarded: Callable[[Case], str]
    next_loss: str


def all_of(reports: Iterable[Tuple[str, Optional[Report]]]) -> Outcome:
    """Return how orders to several stand, by whom they are for: failed as soon as one has, done when all are."""
    known: Sequence[Tuple[str, Optional[Report]]] = tuple(reports)
    for name, report in known:
        if report is not None and report.problem:
            return fail(f"{name}: {report.problem}")
    missing = [name for name, report in known if report is None]
    return wait(", ".join(missing)) if missing else DONE
