# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client requests on the active: evaluated on the speculative head, answered when that head has committed. Pure.

A reply never speaks of a state that may still be lost: an outcome and a lost race alike wait until everything they were
evaluated on is committed.
"""
from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from .documents import Document, effect_to_json
from .events import Outcome, Reply, Submit
from .leases import tokens_above
from .log import Entry, Epoch
from .problem import Problem
from .replies import Reply as Remembered
from .state import State

Answer = Union[Outcome, Problem]


class Waiting(NamedTuple):
    """A request whose answer may be given once entry ``seq`` is committed; ``wrote``: it appended that entry."""

    seq: int
    id: int
    answer: Answer
    wrote: bool


def not_applied(code: str, detail: str, **extra: Any) -> Problem:
    """Return a 503 that says that nothing was changed and the request may be repeated."""
    return Problem(503, code, detail, outcome="not_applied", **extra)


def unknown(code: str, detail: str) -> Problem:
    """Return a 503 that says that the change may or may not take effect."""
    return Problem(503, code, detail, outcome="unknown")


TOO_FEW = (
    "the change is on fewer disks than mode strict promises, since a passive was lost before it was everywhere: "
    "repeat it with the same Idempotency-Key"
)


class Submissions:
    """The requests that one reign has yet to answer."""

    def __init__(self, state: State, epoch: Epoch) -> None:
        self.state = state
        self.epoch = epoch
        self._tokens_above = tokens_above(epoch, state.record is not None and state.record.forced > 0)
        self._waiting: Deque[Waiting] = deque()

    def append(self, now: float, body: Dict[str, Any]) -> Entry:
        """Append an entry to the log (not yet stored nor sent), stamped with the log's own time."""
        at = max(self.state.clock.read(now), self.state.last_at)
        entry = Entry.make(self.state.log.end.seq + 1, self.epoch, at, body)
        self.state.log.append(entry)
        return entry

    def submit(self, request: Submit, now: float) -> None:
        """Evaluate a request; its answer comes from ``committed`` (or at once, when nothing is in flight)."""
        known = self._repeated(request)
        if known is not None:
            self._wait(*known)
            return
        if request.deadline is not None and request.wall > request.deadline:
            self._wait(0, request.id, not_applied("deadline_passed", "the request came after its own deadline; nothing was changed"))
            return
        try:
            effects = self.state.heads.evaluate(request.changes, self._tokens_above)
        except Problem as problem:
            self._wait(self.state.log.end.seq, request.id, problem)
            return
        effective = [effect for effect in effects if effect.ops is None or effect.ops]
        if not effective:
            documents = tuple(self.state.heads.speculative(change.kind, change.key) for change in request.changes)
            self._wait(self.state.log.end.seq, request.id, Outcome(documents, wrote=False))
            return
        body: Dict[str, Any] = {"effects": [effect_to_json(effect) for effect in effective]}
        if request.idempotency is not None:
            body["idem"] = [request.idempotency.key, request.idempotency.fingerprint]
        entry = self.append(now, body)
        self.state.speculate(entry, effective)
        documents = tuple(self.state.heads.speculative(change.kind, change.key) for change in request.changes)
        self._wait(entry.seq, request.id, Outcome(documents), True)

    def refusal(self, request: Submit, problem: Problem) -> Problem:
        """Return the answer to a request that can't be taken now: of a repeated one it is not to be said that it changed nothing."""
        if request.idempotency is None or self.state.replies.find(request.idempotency.key) is None:
            return problem
        return unknown(problem.code, f"{problem.detail}; this request was taken before: repeat it later with the same Idempotency-Key")

    def _repeated(self, request: Submit) -> Optional[Tuple[int, int, Answer, bool]]:
        if request.idempotency is None:
            return None
        found = self.state.replies.find(request.idempotency.key)
        if found is None:
            return None
        if found.fingerprint != request.idempotency.fingerprint:
            detail = "this Idempotency-Key was used for another request; use a new key for a new intent"
            return 0, request.id, Problem(422, "key_reused", detail), False
        return found.seq, request.id, Outcome(self._documents_of(found), replayed=True), True

    def _documents_of(self, found: Remembered) -> Tuple[Optional[Document], ...]:
        if found.documents is not None:
            return found.documents
        documents: List[Optional[Document]] = []
        for kind, key in found.names:
            now = self.state.heads.committed(kind, key)
            documents.append(None if now is None else Document(kind, key, now.value, found.revision, now.size))
        return tuple(documents)

    def _wait(self, seq: int, request: int, answer: Answer, wrote: bool = False) -> None:
        if seq <= self.state.commit:
            self.state.out.append(Reply(request, answer))
        else:
            self._insert(Waiting(seq, request, answer, wrote))

    def _insert(self, item: Waiting) -> None:
        # Almost always the newest; only a repeated request waits for an older entry.
        if self._waiting and self._waiting[-1].seq > item.seq:
            ordered = sorted([*self._waiting, item], key=lambda waiting: waiting.seq)
            self._waiting = deque(ordered)
        else:
            self._waiting.append(item)

    def committed(self, promised: bool) -> None:
        """Answer what has committed. ``promised``: on as many disks as the mode promises; else a write is *unknown*."""
        while self._waiting and self._waiting[0].seq <= self.state.commit:
            item = self._waiting.popleft()
            short = item.wrote and not promised
            answer = unknown("too_few_copies", TOO_FEW) if short else item.answer
            self.state.out.append(Reply(item.id, answer))

    def abandon(self, why: str) -> None:
        """The reign ends: say of each open request whether it may still take effect."""
        for item in self._waiting:
            if item.wrote:
                detail = f"{why}; the change may or may not take effect: repeat it with the same Idempotency-Key"
                self.state.out.append(Reply(item.id, unknown("outcome_unknown", detail)))
            else:
                self.state.out.append(Reply(item.id, not_applied("not_active", f"{why}; nothing was changed")))
        self._waiting.clear()

    @property
    def open(self) -> Sequence[Waiting]:
        return tuple(self._waiting)
