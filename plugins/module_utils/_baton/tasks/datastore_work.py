# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking for steps of a plan, one after the other, and waiting for what is done: over sets that are busy, and changes of the manager."""
from __future__ import annotations

import hashlib
import time
from typing import Any, Callable, Dict, FrozenSet, Generic, List, Mapping, Optional, Sequence, Tuple

from ..client.error import ClientError
from ..client.patience import Patience
from ..client.progress import Progress, copied
from .datastore_steps import AWhole, Part, Step, restarted_by

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
REFUSALS = (400, 403, 404, 409, 422)  # which may be since somebody else was first, or does something else with the set


def key_of(*what: str) -> str:
    """Return an Idempotency-Key that all have who ask for the same: hosts of a play, and controllers, make one thing together."""
    return hashlib.sha256("\0".join(what).encode()).hexdigest()


class Waiting:
    """``seconds`` of patience, spent in pauses that grow, with a line of progress now and then."""

    def __init__(self, seconds: float, say: Callable[[str], None]) -> None:
        self.patience = Patience(seconds)
        self._progress = Progress(say, self.patience)
        self._pause = FIRST_PAUSE

    def begin(self) -> None:
        self._pause = FIRST_PAUSE

    def pause(self, what: str) -> None:
        """Wait a little; ClientError "conflict" when the patience is at its end."""
        left = self.patience.left
        if not left:
            raise ClientError("conflict", f"{what} still after {self.patience.spent}; it goes on by itself, and the next run waits for it")
        self._progress.tell(what)
        time.sleep(min(self._pause, left))
        self._pause = min(self._pause * 1.5, LONGEST_PAUSE)


def doing(task: Mapping[str, Any]) -> str:
    """Say what is done with a set."""
    steps = task.get("steps") or []
    at = f", {task['step']} ({steps.index(task['step']) + 1} of {len(steps)})" if task.get("step") in steps else ""
    return f"{task['name']}{at}{' (is undone)' if task.get('undoing') else ''}{copied(task)}"


def when_free(send: Callable[[], None], task: Callable[[], Optional[Mapping[str, Any]]], waiting: Optional[Waiting]) -> None:
    """Ask for something as soon as a set is not busy. ``task``: what is done with it now."""
    was_busy = True
    while True:
        try:
            send()
            return
        except ClientError as error:
            now = task() if error.status == 422 else None
            if error.status != 422 or waiting is None or (now is None and not was_busy):
                raise
            was_busy = now is not None
            waiting.pause(f"{error.message}: {doing(now)}" if now is not None else error.message)


class Work(Generic[AWhole]):
    """Carries a plan out. ``look`` returns a set or cluster, ``called`` so in messages, as it stands. Who derives from it says the rest."""

    def __init__(self, look: Callable[[], AWhole], called: str, waiting: Optional[Waiting]) -> None:
        self._look, self._called = look, called
        self._waiting = waiting  # None: ask for one thing, and wait for nothing
        self.done: List[str] = []
        self._restarted: FrozenSet[str] = frozenset()
        self._refused: Optional[Step] = None

    # --- what is said by who derives from it ------------------------------------------------------------------------------

    def steps(self, now: AWhole, restarted: FrozenSet[str]) -> List[Step]:
        """Return what is to be done. ``restarted``: as ``unfold`` has it."""
        raise NotImplementedError

    def send(self, step: Step) -> None:
        """Ask for a step."""
        raise NotImplementedError

    def about(self, step: Step, before: AWhole, now: AWhole) -> Sequence[Part]:
        """Return who is to be well when a step has ended."""
        raise NotImplementedError

    def is_under_way(self, step: Step, task: Mapping[str, Any]) -> bool:
        """Return whether a task is that of a step."""
        raise NotImplementedError

    def failure(self, _now: AWhole, _step: Step) -> str:
        """Return why a step that has ended has failed, where nobody whom it is about says so; "" if it has not."""
        return ""

    def history(self, now: AWhole, step: Step) -> List[Dict[str, Any]]:
        """Return what was done with it, the latest last; nothing of what is not there."""
        raise NotImplementedError

    # --- step by step -----------------------------------------------------------------------------------------------------

    def run(self, now: AWhole) -> Tuple[AWhole, List[Step]]:
        """Bring about what is wanted; return how it is then, and the steps that are left where nothing is waited for."""
        last, waiting = None, self._waiting  # last: the step that was done last
        while True:
            steps = self.steps(now, self._restarted)
            if not steps:
                if waiting is None or not now.unsettled:
                    return now, []
                now = self._later(now, waiting)
                continue
            step = steps[0]
            if step == last:
                raise ClientError("conflict", f"{step.text}: {self._why(now, step)}")
            refused = self._ask(step)
            if refused is not None and refused.outcome != "unknown":
                now = self._after_refusal(step, refused)
                if waiting is None:
                    return now, self.steps(now, self._restarted)
                continue
            self.done.append(step.text)
            self._restarted = restarted_by(step, self._restarted)
            if waiting is None:
                after = self._look()
                left = self.steps(after, self._restarted)
                return after, left[1:] if left[:1] == [step] else left
            now = self._wait(step, now, waiting)
            last = step if refused is None else None

    def _ask(self, step: Step) -> Optional[ClientError]:
        """Ask for a step; return why it was refused, or whether nobody knows if it was heard."""
        try:
            self.send(step)
        except ClientError as error:
            if error.outcome != "unknown" and error.status not in REFUSALS:
                raise
            return error
        return None

    def _after_refusal(self, step: Step, error: ClientError) -> AWhole:
        """Return it as it is now, if that is why a step was refused; else raise the refusal."""
        now = self._look()
        if now.task is not None and error.status in (403, 422):
            if self._waiting is not None:
                self._waiting.pause(f"{self._called} is busy with {doing(now.task)}")
                return self._look()
            return now
        if self.steps(now, self._restarted)[:1] == [step]:
            if error.status != 422 or step == self._refused or self._waiting is None:
                raise error
            self._refused = step  # it was busy, and is not any more when we look; else it is refused again
        return now

    # --- waiting ----------------------------------------------------------------------------------------------------------

    def _wait(self, step: Step, before: AWhole, waiting: Waiting) -> AWhole:
        """Wait until what was asked for has ended, and who it was about is well; ClientError where that is not to be."""
        waiting.begin()
        while True:
            now = self._look()
            about, task = self.about(step, before, now), now.task
            if task is None or not self.is_under_way(step, task):
                failed = [fault_of(each) for each in about if each.status == "ERROR"]
                why = next(iter(failed), "") or self.failure(now, step)
                if why:
                    raise ClientError("conflict", f"{step.text}: {why}")
                if all(each.is_well for each in about):
                    return now
            how = doing(task) if task is not None else ", ".join(fault_of(each) for each in about)
            waiting.pause(f"{step.text}: {how or 'it is gone'}")

    def _later(self, now: AWhole, waiting: Waiting) -> AWhole:
        """Return it as it is a little later: what somebody else has begun is to end first."""
        names = ", ".join(each.name for each in now.unsettled)
        waiting.pause(f"{names}: {doing(now.task)}" if now.task is not None else names)
        return self._look()

    def _why(self, now: AWhole, step: Step) -> str:
        """Say why a step that has ended has done nothing."""
        last: Dict[str, Any] = next(reversed(self.history(now, step)), {})
        if str(last.get("what", "")).endswith("has failed"):
            return f"{last['what']}: {last['why']}"
        faults = [fault_of(each) for each in now.parts if each.fault and (each.id == step.of or each in self.about(step, now, now))]
        return faults[0] if faults else "it has ended, and all is as before; run the task again"


def fault_of(each: Part) -> str:
    return f"{each.name} is {each.status}{f': {each.fault}' if each.fault else ''}"
