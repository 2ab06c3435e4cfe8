# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a data directory holds. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Optional, Sequence, Tuple

from .document import Document
from .log import NO_EPOCH, ORIGIN, Entry, Epoch, Position
from .record import Record
from .replies import Row


@dataclass
class Saved:
    """What a data directory holds: the state that a node starts from."""

    incarnation: str
    cluster_id: str = ""
    promised: Epoch = NO_EPOCH
    noted: int = -1  # the record version noted before an unanswered promotion (M3)
    known: int = -1  # the newest record version seen
    cleared: int = -1  # the last epoch in which our drivers could have been started (I5)
    commit: int = 0
    checkpoint: Position = ORIGIN  # the position that ``documents`` stand at
    documents: List[Document] = field(default_factory=list)
    log_start: Position = ORIGIN
    entries: List[Entry] = field(default_factory=list)
    replies: Sequence[Row] = ()
    at: int = 0  # the log's time (ms) as of the checkpoint
    record: Optional[Record] = None  # as it was known last, in ``record_version``
    record_version: int = -1
    log_offset: Tuple[str, int] = ("", 0)  # in this boot of the machine: the log's time less the node's clock (ms)
