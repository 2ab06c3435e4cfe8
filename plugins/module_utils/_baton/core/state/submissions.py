# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client requests on the active: evaluated on the speculative head, answered when that head has committed. Pure.

A reply never speaks of a state that may still be lost: an outcome and a lost race alike wait until everything they were
evaluated on is committed.
"""
from __future__ import annotations

import traceback
from collections import deque
from typing import Any, Deque, Dict, NamedTuple, Optional, Sequence, Tuple, Union

from ...ground.problem import Problem
from ...ground.work import MOST_STEPS
from ..commands import Reply
from ..coordination.actions import answer
from ..coordination.leases import Moment, tokens_above
from ..model.document import Document
from ..model.documents import Change, Effect, Lookup, effect_to_json
from ..model.kinds import DOCUMENTS
from ..model.limits import full
from ..model.log import MOST_ENTRY, Entry, Epoch
from ..model.replies import Reply as Remembered
from ..model.replies import seq_of
from ..model.requests import Idempotency, Outcome, Submit
from .state import State

Answer = Union[Outcome, Problem]


class Waiting(NamedTuple):
    """A request whose answer may be given once entry ``seq`` is committed; ``wrote``: that entry is its own, and changes something."""

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


TOO_LARGE = f"the change would take more than {MOST_ENTRY >> 20} MiB in the log: make it in several requests"
TOO_FEW = (
    "the change is on fewer disks than mode strict promises, since a passive was lost before it was everywhere: "
    "repeat it with the same Idempotency-Key"
)


def _is_remembered(request: Submit) -> bool:
    """Whether a request that changes nothing gets an entry all the same, so that its repeat gets its answer.

    A lease needs none: it is asked for again and again, and whoever has it gets the same answer.
    """
    return request.idempotency is not None and any(change.action != "grant" for change in request.changes)


def _is_same(found: Remembered, asked: Idempotency) -> bool:
    """Whether a request is the one that was answered; a version that knew less of it may have taken it."""
    return found.fingerprint == asked.fingerprint and found.asked in ("", asked.asked)


class Submissions:
    """The requests that one reign has yet to answer."""

    def __init__(self, state: State, epoch: Epoch) -> None:
        self.state = state
        self.epoch = epoch
        self._tokens_above = tokens_above(epoch, state.record is not None and state.record.forced > 0)
        self._waiting: Deque[Waiting] = deque()

    def append(self, now: float, body: Dict[str, Any]) -> Entry:
        """Append an entry to the log (not yet stored nor sent), stamped with the log's own time."""
        entry = self._make(now, body)
        self.state.log.append(entry)
        return entry

    def _make(self, now: float, body: Dict[str, Any]) -> Entry:
        return Entry.make(self.state.log.end.seq + 1, self.epoch, self._time(now), body)

    def _time(self, now: float) -> int:
        return max(self.state.clock.read(now), self.state.last_at)

    def submit(self, request: Submit, now: float) -> bool:
        """Evaluate a request; its answer comes from ``committed`` (or at once, when nothing is in flight). Return whether it is a yes."""
        known = self._repeated(request)
        if known is not None:
            self._wait(*known)
            return isinstance(known[2], Outcome)
        if request.deadline is not None and request.wall > request.deadline:
            self._wait(0, request.id, not_applied("deadline_passed", "the request came after its own deadline; nothing was changed"))
            return False
        heads = self.state.heads
        try:
            most = MOST_STEPS if request.id else None  # our own changes are none of a client's making
            evaluation = heads.evaluate(request.changes, Moment(self._tokens_above, self._time(now)), most)
        except Problem as problem:
            self._wait(self.state.log.end.seq, request.id, problem)
            return False
        except Exception as error:  # a bug, of which nothing has come yet: one request must not end one active after the other
            self._wait(self.state.log.end.seq, request.id, self._bug(error))
            return False
        made = [(effect, left) for effect, left in zip(evaluation.effects, evaluation.documents) if effect.ops is None or effect.ops]
        effects = [effect for effect, _left in made]
        no_room = self._no_room(effects, evaluation.lookup) if request.id else None  # what nobody waits for is our own
        if no_room is not None:
            self._wait(self.state.log.end.seq, request.id, no_room)
            return False
        said = answer(request.changes, heads.speculative, evaluation.lookup)
        if effects or _is_remembered(request):
            body: Dict[str, Any] = {"effects": [effect_to_json(effect) for effect in effects]}
            if request.idempotency is not None:
                body["idem"] = [request.idempotency.key, request.idempotency.fingerprint]
                body.update({"asked": request.idempotency.asked} if request.idempotency.asked else {})
                body.update({"said": said} if said is not None else {})
                changed = {(effect.kind, effect.key) for effect in effects}
                found = [[c.kind, c.key] for c in request.changes if c.kind in DOCUMENTS and (c.kind, c.key) not in changed]
                body.update({"found": found} if found else {})
            entry = self._make(now, body)
            if request.id and 2 * len(entry.text) > MOST_ENTRY and entry.framed > MOST_ENTRY:
                self._wait(self.state.log.end.seq, request.id, Problem(413, "too_large", TOO_LARGE))
                return False
            self.state.log.append(entry)
            self.state.speculate(entry, effects, [left for _effect, left in made], evaluation.work.spent)
        documents = tuple(heads.speculative(change.kind, change.key) for change in request.changes)
        self._wait(self.state.log.end.seq, request.id, Outcome(documents, said=said), bool(effects))
        return True

    def _bug(self, error: Exception) -> Problem:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"a bug of Baton ({type(error).__name__} in {place.name}, line {place.lineno})"
        self.state.note("error", f"a request can't be evaluated: {text}: {error}"[:500])
        return Problem(500, "bug", f"{text}; nothing was changed: please report it with the request")

    def _no_room(self, effects: Sequence[Effect], after: Lookup) -> Optional[Problem]:
        """Return why documents would become too large by ``effects``; what makes them smaller is always welcome."""
        limits, now, more = self.state.config.limits, self.state.heads.sizes, self.state.heads.growth(effects, after)
        if more.all > 0 and now.all + more.all > limits.documents:
            return full("documents", limits, "the documents would be too large")
        for profile, size in more.of.items():
            if size > 0 and now.of.get(profile, 0) + size > limits.profile:
                return full("profile", limits, f"profile {profile!r} with its locks, barriers and leases would be too large")
        return None

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
        if not _is_same(found, request.idempotency):
            detail = "this Idempotency-Key was used for another request; use a new key for a new intent"
            return 0, request.id, Problem(422, "key_reused", detail), False
        documents = self._documents_of(found, request.changes)
        return found.seq, request.id, Outcome(documents, replayed=True, said=found.said), True

    def _documents_of(self, found: Remembered, changes: Sequence[Change]) -> Tuple[Optional[Document], ...]:
        """Return what the changes of a repeated request left, or, of what is not kept any more, what stands there now."""
        left = {(document.kind, document.key): document for document in found.documents or () if document is not None}
        return tuple(left.get((change.kind, change.key)) or self._since(found, change) for change in changes)

    def _since(self, found: Remembered, change: Change) -> Optional[Document]:
        stands = self.state.heads.committed(change.kind, change.key)
        if stands is None or seq_of(stands.revision) <= found.seq:
            return stands  # as the request found it, and left it
        if found.documents is not None:
            return None  # the request deleted it
        return Document(change.kind, change.key, stands.value, found.revision, stands.size)

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
        """Answer what has committed. ``promised``: on as many disks as the mode promises; else what it comes to is *unknown*.

        So it is for one who wrote nothing, too: a lock that he has may be his by another's change that is on too few.
        """
        while self._waiting and self._waiting[0].seq <= self.state.commit:
            item = self._waiting.popleft()
            short = not promised and isinstance(item.answer, Outcome)
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
