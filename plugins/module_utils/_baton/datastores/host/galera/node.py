# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A MariaDB server that is a member of a cluster, as a process, and what its guest remembers of it."""

from __future__ import annotations

from ..mariadb import sql
from ..mariadb.instance import Instance
from .settings import MemberFiles

ALONE = ("--wsrep-on=OFF", "--wsrep-provider=none", "--skip-networking")  # of a life in which it is no member


class Node(Instance):
    """A MariaDB server that is a member. In its memory: ``group``: under which name it was started last, ``came_from`` the time before;
    ``formed``: {"group", "at"}, with the position at which it was to form that, if it was not started otherwise since; ``at``: where it
    was started, while it has not come in; ``halted``: it was, by an order; ``tables``: of which version its own tables are.
    """

    files_of = MemberFiles
    files: MemberFiles
    also = ", wsrep_sync_wait=0"  # a look waits for nobody: who waits is taken for frozen

    @property
    def is_alone(self) -> bool:
        """Whether it was started for ourselves last."""
        return set(ALONE) <= {*(self.memory.get("argv") or ())}

    def stop(self) -> None:
        """Leave in good order. One that looks for the others still would do so for half a minute before it ends, and is killed."""
        if self.pid() is not None and not self.answers():
            self.kill()
        super().stop()

    def answers(self) -> bool:
        try:
            with self.session():
                return True
        except sql.SqlTrouble as error:
            return error.number == sql.TOO_MANY_CONNECTIONS
