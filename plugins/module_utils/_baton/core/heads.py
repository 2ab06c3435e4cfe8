# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two heads: documents as committed, and as they will be when all that was appended commits. Pure.

New changes are evaluated on the speculative head; whatever is visible comes from the committed one. The speculative head
is a thin layer: only documents with an uncommitted change are in it.
"""
from __future__ import annotations

from collections import deque
from typing import Deque, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from .coordination import expand
from .documents import Change, Document, Effect, Lookup, apply_effect, evaluate
from .leases import NO_MOMENT, Moment
from .problem import Problem
from .sizes import Sizes, growth
from .ties import settle

Key = Tuple[str, str]
Changes = List[Tuple[str, str, Optional[Document]]]


class Evaluation:
    """What a request comes to: its ``effects``, and the documents as they leave them (``lookup``)."""

    def __init__(self, base: Lookup, moment: Moment) -> None:
        self.effects: List[Effect] = []
        self._base, self._moment = base, moment
        self._staged: Dict[Key, Optional[Document]] = {}

    def lookup(self, kind: str, key: str) -> Optional[Document]:
        return self._staged[(kind, key)] if (kind, key) in self._staged else self._base(kind, key)

    def run(self, changes: Sequence[Change]) -> None:
        """Evaluate changes and the orders among them. A Problem has the number of its change, if there are several."""
        asked = [change for change in changes if change.action != "check"]
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
        effect, document = evaluate(change, self.lookup)
        self._staged[(change.kind, change.key)] = document
        self.effects.append(effect)
        return settle(change, old, document, effect, self.lookup)

    def _untie(self, change: Change) -> None:
        """Each tie of a lease ends for itself: what can't be undone stays, and keeps neither the others nor the lease."""
        one = Evaluation(self.lookup, self._moment)
        try:
            one.run(expand(change, self.lookup, self._moment) or ())
        except Problem:
            return
        self.effects += one.effects
        self._staged.update(one._staged)


class Heads:
    """All documents of a node, in memory."""

    def __init__(self) -> None:
        self._committed: Dict[str, Dict[str, Document]] = {}
        self._speculative: Dict[Key, Tuple[int, Optional[Document]]] = {}
        self._appended: Deque[Tuple[int, Changes]] = deque()
        self._dirty: Set[Key] = set()
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
        return found[1] if found is not None else self.committed(kind, key)

    def list(self, kind: str) -> List[Document]:
        """Return the committed documents of a kind, sorted by key."""
        documents = self._committed.get(kind, {})
        return [documents[key] for key in sorted(documents)]

    def list_speculative(self, kind: str) -> List[Document]:
        """Return the documents of a kind as the next change will find them, sorted by key."""
        keys = {*self._committed.get(kind, {}), *(key for of, key in self._speculative if of == kind)}
        found = (self.speculative(kind, key) for key in sorted(keys))
        return [document for document in found if document is not None]

    def all(self) -> List[Document]:
        """Return every committed document."""
        return [document for documents in self._committed.values() for document in documents.values()]

    def evaluate(self, changes: Sequence[Change], moment: Moment = NO_MOMENT) -> Evaluation:
        """Return what ``changes`` come to, of which later ones see earlier ones: all or, with a Problem, nothing."""
        evaluation = Evaluation(self.speculative, moment)
        evaluation.run(changes)
        return evaluation

    def growth(self, effects: Sequence[Effect], after: Lookup) -> Sizes:
        """Return by how many bytes the documents grow by ``effects``, which leave them as ``after`` shows."""
        keys = {(effect.kind, effect.key) for effect in effects}
        return growth((self.speculative(*key), after(*key)) for key in keys)

    # --- moving ---------------------------------------------------------------------------------------------------------

    def append(self, seq: int, revision: str, effects: Sequence[Effect]) -> None:
        """Move the speculative head over entry ``seq``."""
        changes: Changes = []
        for effect in effects:
            old = self.speculative(effect.kind, effect.key)
            document = apply_effect(old, effect, revision)
            self.sizes.change(old, document)
            self._speculative[(effect.kind, effect.key)] = (seq, document)
            changes.append((effect.kind, effect.key, document))
        self._appended.append((seq, changes))

    def commit(self, seq: int) -> Changes:
        """Move the committed head up to ``seq``; return what changed, oldest first."""
        changed: Changes = []
        while self._appended and self._appended[0][0] <= seq:
            entry, changes = self._appended.popleft()
            for kind, key, document in changes:
                documents = self._committed.setdefault(kind, {})
                self._committed_sizes.change(documents.get(key), document)
                if document is None:
                    documents.pop(key, None)
                else:
                    documents[key] = document
                self._dirty.add((kind, key))
                # A later entry may have changed it again: then the layer stays.
                if self._speculative.get((kind, key), (0, None))[0] == entry:
                    del self._speculative[(kind, key)]
            changed.extend(changes)
        self.seq = max(self.seq, seq)
        return changed

    def drop(self) -> None:
        """Forget everything above the committed head."""
        self._speculative.clear()
        self._appended.clear()
        self.sizes.become(self._committed_sizes)

    def load(self, documents: Iterable[Document], seq: int) -> None:
        """Begin with a snapshot as of entry ``seq``."""
        for document in documents:
            self._committed.setdefault(document.kind, {})[document.key] = document
            self._committed_sizes.change(None, document)
        self.sizes.become(self._committed_sizes)
        self.seq = seq

    def take_dirty(self) -> Changes:
        """Return what changed since the last call, as committed now (None: deleted)."""
        dirty, self._dirty = self._dirty, set()
        return [(kind, key, self.committed(kind, key)) for kind, key in sorted(dirty)]
