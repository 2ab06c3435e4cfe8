# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking for steps of a plan, one after the other, and waiting for what is done: over sets that are busy, and changes of the manager."""
from __future__ import annotations

import hashlib
import time
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple

from ..client.datastores import Datastores
from ..client.error import ClientError
from ..client.patience import Patience
from ..client.progress import Progress
from .datastore_set import Instance, Seen, Step, Wanted, plan

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
REFUSALS = (400, 403, 404, 409, 422)  # which may be since somebody else was first, or does something else with the set
PROGRAMS = {"create": "CREATE", "replicate": "REPLICATE", "configure": "CONFIGURE", "restart": "RESTART", "promote": "PROMOTE"}
PROGRAMS["remove"] = "DELETE"


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
    return f"{task['name']}{at}{' (is undone)' if task.get('undoing') else ''}"


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


class Work:
    """Carries a plan out. ``look`` returns the set as it stands; ``new``: what an instance that is made gets."""

    def __init__(
        self, client: Datastores, look: Callable[[], Seen], wanted: Wanted, new: Mapping[str, Any], waiting: Optional[Waiting],
    ) -> None:  # fmt: skip
        self._client, self._look, self._wanted, self._new = client, look, wanted, new
        self._waiting = waiting  # None: ask for one thing, and wait for nothing
        self.done: List[str] = []
        self._restarted: FrozenSet[str] = frozenset()
        self._refused: Optional[Step] = None

    def run(self, now: Seen) -> Tuple[Seen, List[Step]]:
        """Bring about what is wanted; return how the set is then, and the steps that are left where nothing is waited for."""
        last: Optional[Step] = None
        while True:
            steps, _then = plan(self._wanted, now, self._restarted)
            if not steps:
                return self._settled(now), []
            step = steps[0]
            if step == last:
                raise ClientError("conflict", f"{step.text}: {self._why(now, step)}")
            refused = self._ask(step)
            if refused is not None and refused.outcome != "unknown":
                now = self._after_refusal(step, refused)
                if self._waiting is None:
                    return now, plan(self._wanted, now, self._restarted)[0]
                continue
            self.done.append(step.text)
            self._restarted = self._restarted | {step.of} if step.verb == "restart" else self._restarted
            if self._waiting is None:
                after = self._look()
                return after, plan(self._wanted, after, self._restarted)[0]
            now = self._wait(step, now)
            last = step if refused is None else None

    # --- asking -----------------------------------------------------------------------------------------------------------

    def _ask(self, step: Step) -> Optional[ClientError]:
        """Ask for a step; return why it was refused, or whether nobody knows if it was heard."""
        try:
            self._send(step)
        except ClientError as error:
            if error.outcome != "unknown" and error.status not in REFUSALS:
                raise
            return error
        return None

    def _send(self, step: Step) -> None:
        client, wanted = self._client, self._wanted
        if step.verb == "create":
            client.create({"name": wanted.name, **self._new}, key_of("instance", wanted.name))
        elif step.verb == "replicate":
            name = step.names[0] if len(step.names) == 1 else wanted.name
            body = {"name": name, "replica_of": step.of, "replica_count": len(step.names)}
            region = {"region": self._new["region"]} if "region" in self._new else {}
            client.create({**body, **region}, key_of("replicas", step.of, *step.names))
        elif step.verb == "rename":
            client.change(step.of, name=step.names[0])
        elif step.verb == "configure":
            client.change(step.of, configuration=step.value or None)
        elif step.verb == "remove":
            if wanted.force:
                client.act(step.of, "reset_status")
            client.delete(step.of)
        else:
            client.act(step.of, {"restart": "restart", "promote": "promote_to_replica_source"}[step.verb])

    def _after_refusal(self, step: Step, error: ClientError) -> Seen:
        """Return the set as it is now, if that is why a step was refused; else raise the refusal."""
        now = self._look()
        if now.task is not None and error.status in (403, 422):
            if self._waiting is not None:
                self._waiting.pause(f"the set of {self._wanted.name} is busy with {doing(now.task)}")
                return self._look()
            return now
        if plan(self._wanted, now, self._restarted)[0][:1] == [step]:
            if error.status != 422 or step == self._refused or self._waiting is None:
                raise error
            self._refused = step  # it was busy, and is not any more when we look; else it is refused again
        return now

    # --- waiting ----------------------------------------------------------------------------------------------------------

    def _wait(self, step: Step, before: Seen) -> Seen:
        """Wait until what was asked for has ended, and who it was about is well; ClientError where that is not to be."""
        waiting = self._waiting
        if waiting is None:
            return self._look()
        waiting.begin()
        while True:
            now = self._look()
            new = [each for each in now.instances if before.find(each.id) is None]
            about = new if step.verb in ("create", "replicate") else [each for each in now.instances if each.id == step.of]
            task = now.task
            is_under_way = task is not None and task["name"] == PROGRAMS.get(step.verb)
            if not is_under_way:
                failed = [each for each in about if each.status == "ERROR" and step.verb != "remove"]
                if failed:
                    raise ClientError("conflict", f"{step.text}: {_fault(failed[0])}")
                if step.verb in ("remove", "rename") or all(each.is_well for each in about):
                    return now
            waiting.pause(f"{step.text}: {doing(task) if task is not None else ', '.join(_fault(each) for each in about) or 'it is gone'}")

    def _settled(self, now: Seen) -> Seen:
        """Return the set when what somebody has begun to make is made."""
        while self._waiting is not None and now.task is not None and any(each.status == "BUILD" for each in now.instances):
            names = ", ".join(each.name for each in now.instances if each.status == "BUILD")
            self._waiting.pause(f"{names}: {doing(now.task)}")
            now = self._look()
        return now

    def _why(self, now: Seen, step: Step) -> str:
        """Say why a step that has ended has done nothing."""
        key = step.of or next((each.id for each in now.instances), "")
        last: Dict[str, Any] = next(reversed(self._client.history(key)), {}) if key else {}
        if str(last.get("what", "")).endswith("has failed"):
            return f"{last['what']}: {last['why']}"
        about = now.find(step.of)
        return _fault(about) if about is not None and about.fault else "it has ended, and all is as before; run the task again"


def _fault(each: Instance) -> str:
    return f"{each.name} is {each.status}{f': {each.fault}' if each.fault else ''}"
