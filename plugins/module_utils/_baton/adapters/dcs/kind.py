# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``STORE`` in the data directory: which kind of store keeps the record of the cluster that the data belong to.

Two stores at once could name two actives, so data of the one are not started with the other. Only
a person changes the kind, on all nodes while none of them runs: see docs/guides/failover.md.
"""

from __future__ import annotations

from pathlib import Path

from ...core.model.record import FIRST_MANUAL
from ...ground.problem import Problem
from ..disk.durable import write_durably

NAME = "STORE"
RECORD = "record.json"  # of ``manual``


def check(directory: Path, kind: str, version: int = -1) -> None:
    """Raise Problem when the data in ``directory`` are of a cluster whose record another kind of store keeps.

    ``version``: of the record as these data know it; it tells for data of versions that noted no kind.
    """
    kept = _noted(directory) or ("manual" if version >= FIRST_MANUAL else "")
    if kept and kept != kind:
        raise Problem(
            400,
            "other_store",
            f"--dcs says {kind}, but the data in {directory} belong to a cluster that keeps its record with {kept}: start this node "
            f'with --dcs {kept} as before, or change the store of all nodes as docs/guides/failover.md says ("Another store")',
        )


def note(directory: Path, kind: str) -> None:
    """Note that the cluster's record is kept by this kind; a record of ``manual`` from before counts no more."""
    if _noted(directory) != kind:
        write_durably(directory / NAME, kind + "\n")
    if kind != "manual" and (directory / RECORD).exists():
        (directory / RECORD).replace(directory / f"{RECORD}.old")


def _noted(directory: Path) -> str:
    try:
        return (directory / NAME).read_text().strip()
    except FileNotFoundError:
        return ""
