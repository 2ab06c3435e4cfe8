# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a member's data has come: a position in the history of its cluster, and where that stands while its server does not run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional

from ..mariadb.instance import Instance, executable
from ..runner import run
from ..trouble import Trouble

NOBODY = "00000000-0000-0000-0000-000000000000"
RECOVERS_WITHIN = 3600.0  # seconds
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.ASCII)
LOOKS = ("--wsrep_recover", "--disable-log-error", "--skip-networking")  # it says where its data is, and ends
STATE = """\
# GALERA saved state
version: 2.1
uuid:    {uuid}
seqno:   {seqno}
safe_to_bootstrap: {first}
"""


class Position(NamedTuple):
    """``uuid``: of a history, ``NOBODY`` for data that is of none; ``seqno``: -1 where that is not known."""

    uuid: str = NOBODY
    seqno: int = -1

    def __str__(self) -> str:
        return f"{self.uuid}:{self.seqno}"

    @property
    def is_known(self) -> bool:
        return self.uuid != NOBODY and self.seqno >= 0

    @property
    def found(self) -> Dict[str, Any]:
        return {"uuid": self.uuid, "seqno": self.seqno}


def asked(value: Optional[Mapping[str, Any]]) -> Optional[Position]:
    """Read a position of an order; ValueError where it is none."""
    if value is None:
        return None
    uuid, seqno = value["uuid"], value["seqno"]
    if not isinstance(uuid, str) or not UUID.match(uuid) or isinstance(seqno, bool) or not isinstance(seqno, int):
        raise ValueError('a position is {"uuid": UUID, "seqno": NUMBER}')
    return Position(uuid, seqno)


def read(text: str) -> Position:
    """Read UUID:SEQNO, as servers say it."""
    uuid, _colon, seqno = text.strip().partition(":")
    if not UUID.match(uuid) or not seqno.lstrip("-").isdigit():
        raise Trouble(f"{text.strip()[:80]!r} is no position of a cluster: copy the data anew")
    return Position(uuid, int(seqno))


def saved(data: Path) -> Optional[Position]:
    """Return what the server has written when it ended; ``NOBODY`` by a server that can't use its data any more. None: it never did."""
    try:
        text = (data / "grastate.dat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    values = dict(re.findall(r"^(\w+): *(\S+) *$", text, re.MULTILINE))
    return read(f"{values.get('uuid', NOBODY)}:{values.get('seqno', -1)}")


def save(instance: Instance, position: Position, first: bool = False) -> None:
    """Have a server start from where its data is. ``first``: it may form the cluster."""
    text = STATE.format(uuid=position.uuid, seqno=position.seqno, first=int(first))
    instance.files.give(instance.files.data / "grastate.dat", text)


def has_data(instance: Instance) -> bool:
    return (instance.files.data / "ibdata1").exists()


def own(instance: Instance) -> Position:
    """Return how far the data of a server is that does not run.

    One that has crashed is asked to look at its data, and serves nobody. One that ended while it was to get a state takes its data for
    spoilt; but nothing was moved, so that it is where it was (``at`` in its memory), if it says so itself.
    """
    if not has_data(instance):
        return Position()
    position, at = saved(instance.files.data), str(instance.memory.get("at") or "")
    if position is not None and position.seqno >= 0 or position is not None and position.uuid == NOBODY and not at:
        return position
    found = recovered(instance)
    if position is None or position.uuid != NOBODY:
        return found
    if str(found) != at:
        return position
    save(instance, found)
    return found


def recovered(instance: Instance) -> Position:
    files = instance.files
    files.write_settings(instance.spec)
    command = [executable("mariadbd"), f"--defaults-file={files.settings}", *LOOKS]
    said = run(command, files.user, files.folder, RECOVERS_WITHIN)
    found = re.findall(r"Recovered position: *(\S+)", said)
    if not found:
        raise Trouble(f"{instance.id} does not say how far its data is: copy it anew")
    return read(found[-1])
