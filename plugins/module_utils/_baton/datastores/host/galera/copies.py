# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying a member's data to another that is to join: as with MariaDB, but that nothing is started: the manager orders that."""

from __future__ import annotations

from pathlib import Path

from ..mariadb.copies import Copies
from ..trouble import Trouble
from . import own_tables, position
from .settings import COPY, DATASTORE

INFO = ("mariadb_backup_galera_info", "xtrabackup_galera_info")


class MemberCopies(Copies):
    datastore, port, options = DATASTORE, COPY, ("--galera-info",)

    def let_in(self, to: str) -> None:
        """Whoever has the set's certificate may join."""

    def _position(self, folder: Path) -> str:
        for name in INFO:
            path = folder / name
            if path.exists():
                return str(position.read((path.read_text(encoding="utf-8").split() or [""])[0]))
        raise Trouble("the copy does not say how far it has come: it comes from a server that is no member of a cluster")

    def _settle(self, came_to: str) -> None:
        """Its tables are those of the server of which it is a copy."""
        tables = own_tables.of_a_copy(self._instance.files.data) or self._instance.memory.get("tables", "")
        position.save(self._instance, position.read(came_to))
        self._instance.remember(tables=tables)

    def _again(self) -> None:
        """It is here, and waits for the order to join."""
