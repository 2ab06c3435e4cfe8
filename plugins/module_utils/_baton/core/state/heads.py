# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two heads: documents as committed, and as they will be when all that was appended commits. Pure.

New changes are evaluated on the speculative head; whatever is visible comes from the committed one. The speculative head
is a thin layer: only documents with an uncommitted change are in it.
"""
from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from ...ground.patch import MISSING
from ...ground.problem import Problem
from ...ground.work import CHANGE, MOST_STEPS, PARSED, Work
from ..coordination import seats
from ..coordination.actions import expand
from ..coordination.leases import NO_MOMENT, Moment
from ..coordination.ties import NOTES, Noted, settle
from ..model.access import OF_ONE
from ..model.document import Document, Parsed
from ..model.documents import Change, Effect, Lookup, apply_effect, evaluate
from ..model.log import ALL
from .sizes import Sizes, growth

Key = Tuple[str, str]
Changes = List[Tuple[str, str, Optional[Document]]]
TokensOf = Mapping[Key, Sequence[str]]


class Evaluation:
    """What a request comes to: its ``effects``, the ``documents`` that each of them leaves, and what stands then (``lookup``).

    ``work``: what it took, over all of the request's changes.
    """

    def __init__(self, base: Lookup, moment: Moment, work: Work, tokens_of: Callable[[], TokensOf],
                 noted: Noted) -> None:  # fmt: skip
        """``noted``: see ties.py. ``tokens_of``: returns the tokens of each document, by OF_ONE; asked once, as soon as that matters."""
        self.effects: List[Effect] = []
        self.documents: List[Optional[Document]] = []
        self.work = work
        self._base, self._moment, self._tokens_of = base, moment, tokens_of
        self._tokens: Optional[TokensOf] = None
        self._noted = noted
        self._alone = False  # one change is all that is asked, which can't be divided: what is large can be deleted
        self._staged: Dict[Key, Optional[Document]] = {}

    def lookup(self, kind: str, key: str) -> Optional[Document]:
        found: Any = self._staged.get((kind, key), MISSING)
        return self._base(kind, key) if found is MISSING else found

    def noted(self, kind: str, key: str) -> Set[str]:
        """Return the params of a document that have a note beside them, as ``lookup`` sees them, and maybe some that had one."""
        above = seats.note_of(kind, key, "")
        staged = {name[len(above) :] for of, name in self._staged if of in NOTES and name.startswith(above)}
        return staged | self._noted(kind, key)

    def run(self, changes: Sequence[Change]) -> None:
        """Evaluate changes and the orders among them. A Problem has the number of its change, if there are several."""
        asked = [change for change in changes if change.action != "check"]
        self.work.spend(CHANGE * len(asked))
        self._alone = len(asked) == 1
        waiting = deque((max(0, index - len(changes) + len(asked)), change) for index, change in enumerate(changes))
        while waiting:
            number, change = waiting.popleft()
            try:
                orders = self._step(change)
            except Problem as problem:
                if len(asked) > 1:
                    problem.extra.setdefault("change", number)
                raise
            waiting.extendleft((number, order) for order in reversed(orders))

    def _step(self, change: Change) -> Sequence[Change]:
        """Evaluate one change; return the orders that follow from it, to be evaluated next."""
        if change.action == "untie":
            self._untie(change)
            return ()
        orders = expand(change, self.lookup, self._moment)
        if orders is not None:
            return orders
        old = self.lookup(change.kind, change.key)
        effect, document = evaluate(change, self.lookup, self.work)
        self._staged[(change.kind, change.key)] = document
        self.effects.append(effect)
        self.documents.append(document)
        following = settle(change, old, document, effect, self.lookup, self.work, self.noted if self._alone else None)
        if change.kind in OF_ONE.values() and document is None:
            if self._tokens is None:
                self._tokens = self._tokens_of()
            following += [Change("tokens", token, "expire") for token in self._tokens.get((change.kind, change.key), ())]
        return following

    def _untie(self, change: Change) -> None:
        """Each tie of a lease ends for itself: what can't be undone stays, and keeps neither the others nor the lease."""
        one = Evaluation(self.lookup, self._moment, Work(None), self._tokens_of, self.noted)
        try:
            one.run(expand(change, self.lookup, self._moment) or ())
        except Problem:
            return
        self.effects += one.effects
        self.documents += one.documents
        self._staged.update(one._staged)


class Heads:
    """All documents of a node, in memory."""

    def __init__(self) -> None:
        self._committed: Dict[str, Dict[str, Document]] = {}
        self._keys: Dict[str, List[str]] = {}  # of each kind, sorted
        self._speculative: Dict[Key, Tuple[int, Optional[Document]]] = {}
        self._appended: Deque[Tuple[int, str, Changes]] = deque()
        self._changed: Dict[str, str] = {}  # by kind
        self._began = f"0.0.{ALL}"  # the snapshot
        self._dirty: Set[Key] = set()
        self.unwritten = 0  # bytes of what is dirty and could be packed
        self.parsed = Parsed()
        self.sizes = Sizes()  # on the speculative head
        self._committed_sizes = Sizes()
        self.seq = 0  # the last committed entry

    # --- reading --------------------------------------------------------------------------------------------------------

    def committed(self, kind: str, key: str) -> Optional[Document]:
        """Return a document as everybody may see it."""
        return self._committed.get(kind, {}).get(key)

    def speculative(self, kind: str, key: str) -> Optional[Document]:
        """Return a document as the next change will find it."""
        found = self._speculative.get((kind, key))
        if found is not None:
            return found[1]
        documents = self._committed.get(kind)
        return documents.get(key) if documents else None

    def list(self, kind: str) -> List[Document]:
        """Return the committed documents of a kind, sorted by key."""
        return list(map(self._committed.get(kind, {}).__getitem__, self._keys.get(kind, ())))

    def page(self, kind: str, offset: int, limit: int) -> List[Document]:
        """Return some of ``list``: at most ``limit`` after the first ``offset``, at the cost of those alone."""
        documents = self._committed.get(kind, {})
        return [documents[key] for key in self._keys.get(kind, ())[offset : offset + limit]]

    def count(self, kind: str) -> int:
        """Return how many committed documents of a kind there are."""
        return len(self._committed.get(kind, {}))

    def changed(self, kind: str) -> str:
        """Return where in the log a committed document of a kind changed last, or went, or a snapshot replaced all: entry and place in it.

        An event of that change has it in its Cursor.
        """
        return self._changed.get(kind, self._began)

    def list_speculative(self, kind: str) -> List[Document]:
        """Return the documents of a kind as the next change will find them, sorted by key."""
        keys = {*self._committed.get(kind, {}), *(key for of, key in self._speculative if of == kind)}
        found = (self.speculative(kind, key) for key in sorted(keys))
        return [document for document in found if document is not None]

    def all(self) -> List[Document]:
        """Return every committed document."""
        return [document for documents in self._committed.values() for document in documents.values()]

    def evaluate(
        self, changes: Sequence[Change], moment: Moment = NO_MOMENT, most: Optional[int] = MOST_STEPS
    ) -> Evaluation:
        """Return what ``changes`` come to, of which later ones see earlier ones: all or, with a Problem, nothing.

        ``most``: the steps that it may take (see work.py).
        """
        evaluation = Evaluation(self.speculative, moment, Work(most), self._tokens_of_one, self._noted)
        evaluation.run(changes)
        return evaluation

    def _noted(self, kind: str, key: str) -> Set[str]:
        above = seats.note_of(kind, key, "")
        found = {name for of, name in self._speculative if of in NOTES and name.startswith(above)}
        for note in NOTES:
            keys = self._keys.get(note, [])
            at = bisect_left(keys, above)
            while at < len(keys) and keys[at].startswith(above):
                found.add(keys[at])
                at += 1
        return {name[len(above) :] for name in found}

    def _tokens_of_one(self) -> TokensOf:
        """Return the tokens that are for one document, by which, as the next change will find them."""
        found: Dict[Key, List[str]] = {}
        for document in self.list_speculative("tokens"):
            scope = document.value.get("Scope") or {}
            if scope.get("kind") in OF_ONE:
                found.setdefault((OF_ONE[scope["kind"]], scope.get("name", "")), []).append(document.key)
        return found

    def growth(self, effects: Sequence[Effect], after: Lookup) -> Sizes:
        """Return by how many bytes the documents grow by ``effects``, which leave them as ``after`` shows."""
        keys = {(effect.kind, effect.key) for effect in effects}
        return growth((self.speculative(*key), after(*key)) for key in keys)

    # --- moving ---------------------------------------------------------------------------------------------------------

    def append(
        self,
        seq: int,
        revision: str,
        effects: Sequence[Effect],
        left: Optional[Sequence[Optional[Document]]] = None,
    ) -> int:
        """Move the speculative head over entry ``seq``; return the steps that took (see work.py).

        ``left``: the documents that the effects leave, where they are known from the evaluation: then nothing is done twice.
        """
        changes: Changes = []
        work = Work(None)
        for index, effect in enumerate(effects):
            document: Optional[Document]
            old = self.speculative(effect.kind, effect.key)
            if left is None:
                document = apply_effect(old, effect, revision, work)
            else:
                found = left[index]
                document = None if found is None else found.at(revision)
            self.sizes.change(old, document)
            self._speculative[(effect.kind, effect.key)] = (seq, document)
            changes.append((effect.kind, effect.key, document))
        self._appended.append((seq, revision, changes))
        return work.spent

    def steps_to_parse(self, keys: Iterable[Key]) -> int:
        """Return how many steps it takes to parse those documents that are not parsed."""
        found = (self.speculative(*key) for key in keys)
        return PARSED * sum(document.cost for document in found if document is not None and document.is_packed)

    def prepare(self, keys: Iterable[Key], most: int, held: List[Document]) -> int:
        """Parse documents that are about to be changed, until that took ``most`` steps (see work.py); return how many it took.

        They are added to ``held``, and stay parsed until those are released (``parsed``). Less than ``most``: all are parsed.
        """
        steps = 0
        for key in keys:
            document = self.speculative(*key)
            if document is not None and document.is_packed:
                steps += PARSED * document.cost
                self.parsed.hold(document, held)
                if steps >= most:
                    break
        return steps

    def commit(self, seq: int) -> Changes:
        """Move the committed head up to ``seq``; return what changed, oldest first."""
        changed: Changes = []
        while self._appended and self._appended[0][0] <= seq:
            entry, revision, changes = self._appended.popleft()
            for place, (kind, key, document) in enumerate(changes, 1):
                self._changed[kind] = f"{revision}.{place}"
                old = self.committed(kind, key)
                self._committed_sizes.change(old, document)
                if document is not None and document.packable:
                    before = old.size if old is not None and (kind, key) in self._dirty else 0
                    self.unwritten += max(0, document.size - before)
                self._put(kind, key, document)
                self._dirty.add((kind, key))
                # A later entry may have changed it again: then the layer stays.
                if self._speculative.get((kind, key), (0, None))[0] == entry:
                    del self._speculative[(kind, key)]
            changed.extend(changes)
        self.seq = max(self.seq, seq)
        return changed

    def _put(self, kind: str, key: str, document: Optional[Document]) -> None:
        documents, keys = self._committed.setdefault(kind, {}), self._keys.setdefault(kind, [])
        old = documents.get(key)
        if old is not None:
            old.leave()
        if document is None:
            if documents.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]
            return
        if old is None:
            insort(keys, key)
        documents[key] = self.parsed.take_in(document)

    def drop(self) -> None:
        """Forget everything above the committed head."""
        self._speculative.clear()
        self._appended.clear()
        self.sizes.become(self._committed_sizes)

    def load(self, documents: Iterable[Document], seq: int, revision: str = "0.0") -> None:
        """Begin with a snapshot as of entry ``seq``, whose revision it is."""
        for document in documents:
            self._committed.setdefault(document.kind, {})[document.key] = self.parsed.take_in(document)
            self._committed_sizes.change(None, document)
        self.sizes.become(self._committed_sizes)
        self._keys = {kind: sorted(documents) for kind, documents in self._committed.items()}
        self.seq, self._began = seq, f"{revision}.{ALL}"

    def take_dirty(self) -> Changes:
        """Return what changed since the last call, as committed now (None: deleted)."""
        dirty, self._dirty, self.unwritten = self._dirty, set(), 0
        return [(kind, key, self.committed(kind, key)) for kind, key in sorted(dirty)]
