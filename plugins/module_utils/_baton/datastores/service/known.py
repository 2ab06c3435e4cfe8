# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stream of events has told of sets and pool hosts, for those who only look: a large pool is not read anew for each of them.

Whoever looks first asks the cluster when something of a kind changed last, and then has what was heard up to there: so it sees all that
was written before it asked, by whomever. Of any thread.
"""

from __future__ import annotations

import threading
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Set

from ..model.documents import order_of

PATIENCE = 0.3  # seconds for what is on its way to us


class Found(NamedTuple):
    """A document: its key, its revision ("" before it is there), and its value."""

    key: str
    revision: str
    value: Mapping[str, Any]


class Known:
    """Nothing is known of a kind before it was ``read``. ``at``: where in the log something changed, see Client.changed."""

    def __init__(self) -> None:
        self._heard = threading.Condition()
        self._found: Dict[str, Dict[str, Found]] = {}
        self._gone: Dict[str, Dict[str, List[int]]] = {}  # while a kind is read
        self._until: Dict[str, List[int]] = {}  # by kind: where the last change was that we heard of
        self._whole: Set[str] = set()  # kinds that were read
        self._missed: Dict[str, str] = {}  # what was not heard in time: nobody waits for it again

    def forget(self) -> None:
        """All is read anew."""
        with self._heard:
            for each in (self._found, self._gone, self._until, self._whole, self._missed):
                each.clear()

    def learn(self, kind: str, key: str, revision: str, value: Optional[Mapping[str, Any]], at: str = "") -> None:
        """Take note of a document, None where it is gone; of what is older than what is known of it nothing. ``at``: the change."""
        with self._heard:
            found, gone, order = self._found.setdefault(kind, {}), self._gone.setdefault(kind, {}), order_of(revision)
            known = found.get(key)
            if order >= (order_of(known.revision) if known is not None else gone.get(key, order)):
                if value is not None:
                    found[key] = Found(key, revision, value)
                else:
                    found.pop(key, None)
                    gone.update({} if kind in self._whole else {key: order})
            if at:
                self._until[kind] = max(order_of(at), self._until.get(kind, []))
                self._heard.notify_all()

    def read(self, kind: str, at: str) -> None:
        """All of a kind was read after its change ``at``, and we hear of all that happens since."""
        with self._heard:
            self._until[kind] = max(order_of(at), self._until.get(kind, []))
            self._whole.add(kind)
            self._gone.pop(kind, None)

    def values(self, kind: str, at: str, patience: float = PATIENCE) -> Optional[List[Mapping[str, Any]]]:
        """Return all of a kind, by key, that was written until its change ``at``, and perhaps more; None where that is not heard."""
        wanted = order_of(at)
        with self._heard:
            if kind not in self._whole or self._missed.get(kind) == at:
                patience = 0.0
            is_heard = self._heard.wait_for(lambda: self._until.get(kind, []) >= wanted, patience)
            if is_heard and kind in self._whole:
                return [each.value for _key, each in sorted(self._found.get(kind, {}).items())]
            self._missed[kind] = at
            return None


def place_of(cursor: str) -> str:
    """Return where a change was by the cursor of its event, which has the epoch's name beside its number."""
    epoch, _name = cursor.split(".", 1)
    return ".".join((epoch, *cursor.rsplit(".", 2)[1:]))
