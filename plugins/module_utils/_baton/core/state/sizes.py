# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many bytes documents take, in all and for each profile: with its locks, barriers and leases it is what one token fills. Pure.

That is the JSON text, and what a node keeps beside it: of many small documents the most of it.
"""

from __future__ import annotations

from typing import Dict, Iterable, Optional, Tuple

from ..model.document import Document
from ..model.kinds import BY_ORDERS

BESIDE = 400  # bytes: the document's name and revision, and its places in the tables by name


def profile_of(document: Document) -> Optional[str]:
    """Return the profile whose token may write a document, None where only an admin's may."""
    if document.kind == "profiles":
        return document.key
    if document.kind in BY_ORDERS:
        return document.key.partition("/")[0]
    return document.value.get("Profile") if document.kind == "leases" else None


class Sizes:
    """A sum that goes along with changes. ``of``: profile → bytes."""

    def __init__(self) -> None:
        self.all = 0
        self.of: Dict[str, int] = {}

    def change(self, old: Optional[Document], new: Optional[Document]) -> None:
        """Count ``new`` in the place of ``old``."""
        for document, sign in ((old, -1), (new, 1)):
            if document is None:
                continue
            size = sign * (document.size + BESIDE)
            self.all += size
            profile = profile_of(document)
            if profile is not None:
                left = self.of.get(profile, 0) + size
                if left:
                    self.of[profile] = left
                else:
                    del self.of[profile]

    def become(self, other: "Sizes") -> None:
        """Take the state of another."""
        self.all, self.of = other.all, dict(other.of)


def growth(changes: Iterable[Tuple[Optional[Document], Optional[Document]]]) -> Sizes:
    """Return by how much changes (old, new) make all and each profile larger, or smaller."""
    sizes = Sizes()
    for old, new in changes:
        sizes.change(old, new)
    return sizes
