# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a server's own (mysql.*), which a newer version has otherwise: they are made to fit before it comes into its cluster.

It runs alone meanwhile, and writes nothing of that to its group: each member does it for itself. Tables of people are left as they are.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Tuple

from ..mariadb.instance import executable, ourselves
from ..mariadb.prepare import found_version
from ..runner import run
from ..trouble import Trouble
from .node import ALONE, Node

LOG = logging.getLogger("baton.guest")
WITHIN = 600.0  # seconds
INFO = ("mariadb_backup_info", "xtrabackup_info")
OPTIONS = ("--upgrade-system-tables", "--skip-write-binlog", "--force")


def numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]+", version))


def of_a_copy(folder: Path) -> str:
    """Return of which version the server was of which a copy is, such as 10.11; "" where it does not say that."""
    for name in INFO:
        if (folder / name).exists():
            found = re.search(r"^server_version *= *([0-9]+\.[0-9]+)", (folder / name).read_text(encoding="utf-8", errors="replace"), re.M)
            return found[1] if found else ""
    return ""


def are_old(node: Node, version: str) -> bool:
    """Whether they are of an older version than that which is here. ``tables`` in its memory: of which they are; older guests did not take
    note of that.
    """
    return numbers(str(node.memory.get("tables") or node.spec.get("version") or version)) < numbers(version)


def fit(node: Node) -> str:
    """Make them fit, if they are old; return why that failed: it serves with old ones, too. Trouble where its server does not start."""
    version = found_version()
    if not version or not are_old(node, version):
        return ""
    LOG.info("%s: its own tables are made to fit version %s", node.id, version)
    node.start(*ALONE)
    try:
        command = [executable("mariadb-upgrade"), "--no-defaults", f"--socket={node.files.socket}", f"--user={ourselves()}", *OPTIONS]
        run(command, folder=node.files.folder, seconds=WITHIN)
        node.remember(tables=version)
        return ""
    except Trouble as trouble:
        why = f"the own tables of {node.id} can't be made to fit version {version}, and it serves with what it has: {trouble}"
        LOG.error("%s", why)
        return why
    finally:
        node.stop()
