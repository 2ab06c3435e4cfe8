# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents and remembered replies of a data directory, in the tables that a node has them in. Pure.

To make these of a hundred thousand documents takes a tenth of a second: whoever runs a node may do it elsewhere, beforehand.
"""

from __future__ import annotations

from typing import Iterable, NamedTuple

from ..model.document import Document
from ..model.limits import Limits
from ..model.log import Position
from ..model.replies import Replies, Row
from .heads import Heads


class Loaded(NamedTuple):
    """What a node takes as its own: it is nobody else's from then on."""

    heads: Heads
    replies: Replies

    @classmethod
    def of(cls, documents: Iterable[Document], at: Position, replies: Iterable[Row], limits: Limits) -> "Loaded":
        """``documents`` stand at ``at``; of ``replies`` as many are kept as ``limits`` allow."""
        heads = Heads()
        heads.load(documents, at.seq, at.revision)
        return cls(heads, Replies(replies, limits.replies))
