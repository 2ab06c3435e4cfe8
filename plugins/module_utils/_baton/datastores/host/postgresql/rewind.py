# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undoing what a server has that its source has not: pg_rewind, tried first without changing anything.

It wants a server that has ended, and no file that says "standby"; it copies all that differs from the source, but our settings lie
beside the data. Half a rewind is worth nothing, so that the server is not started before it has been done.
"""

from __future__ import annotations

import logging
import subprocess
import threading
from typing import IO, Any, List, Mapping, cast

from ..files import remove
from ..runner import environment, identity, reason, run
from ..trouble import Trouble
from . import sql
from .instance import Instance, executable
from .place import Place

LOG = logging.getLogger("baton.guest")
TRIES_WITHIN, REWINDS_WITHIN = 300.0, 7200.0  # seconds
KNOWS = "need to copy"  # what it says once it knows all that is to be done


def may_rewind(source: sql.Session, ours: Place, theirs: Place) -> bool:
    """Whether a rewind would see the difference: the source's last checkpoint has to be on its timeline (15 looks at nothing else)."""
    last = source.text("(SELECT timeline_id FROM pg_control_checkpoint())")
    return theirs.timeline != ours.timeline and last == str(theirs.timeline)


def rewind(instance: Instance, source: Mapping[str, Any]) -> bool:
    """Have the server be as its source was where they parted, and follow it; return whether that could be done. Else all is as it was, or
    its data is spoilt: then it is to be copied, and is not started before.
    """
    instance.stop()
    try:
        instance.memory["follow"] = dict(source)  # for the password of its source
        instance.write_settings()
        remove(instance.files.standby)
        _try([*_command(instance, source), "--dry-run", "--progress"], instance)
    except Trouble as trouble:
        LOG.info("%s can't be rewound: %s", instance.id, trouble)
        instance.memory["follow"] = None
        instance.start()
        return False
    instance.remember(spoilt=True, whole=False)
    try:
        run(_command(instance, source), instance.files.user, instance.files.folder, REWINDS_WITHIN)
    except Trouble as trouble:
        LOG.error("%s could not be rewound, and what it has is spoilt: %s", instance.id, trouble)
        instance.remember(follow=None)
        return False
    instance.files.rest()
    instance.remember(forget=("spoilt", "reign"))
    instance.start()
    return True


def _try(command: List[str], instance: Instance) -> None:
    """See that a rewind can be done. A trial would fetch all that it is about, and throw it away: it is ended before that."""
    said: List[str] = []
    with subprocess.Popen(
        command, cwd=instance.files.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", **identity(instance.files.user),
    ) as trial:  # fmt: skip
        late = threading.Timer(TRIES_WITHIN, trial.kill)
        late.start()
        try:
            for line in cast(IO[str], trial.stdout):
                said.append(line)
                if KNOWS in line:
                    return
        finally:
            late.cancel()
            trial.kill()
    if trial.returncode != 0:
        raise Trouble(f"pg_rewind failed with exit status {trial.returncode}: {reason(''.join(said))}")


def _command(instance: Instance, source: Mapping[str, Any]) -> List[str]:
    files = instance.files
    return [
        executable("pg_rewind", str(instance.spec["version"])), f"--target-pgdata={files.data}", f"--config-file={files.settings}",
        f"--source-server={files.conninfo(source, sql.DATABASE)}",
    ]  # fmt: skip
