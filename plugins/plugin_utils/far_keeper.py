# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps a run's lease alive through the connection of a task: keeper.py in a process that is forked, since a connection can't be handed on.

The process has nothing of its parent but that connection, which makes a process of its own for each command (ssh, podman, local).
"""

from __future__ import annotations

import os
import select
import time

from ansible.utils.display import Display
from ansible_collections.baton.ha.plugins.module_utils._baton.client.api import Client
from ansible_collections.baton.ha.plugins.module_utils._baton.client.connection import Connection
from ansible_collections.baton.ha.plugins.module_utils._baton.run import keeper
from ansible_collections.baton.ha.plugins.module_utils._baton.run.lease import PATIENCE

MOST_FILES = 65536


def start(order, session):
    """Start it; return "ready", or what went wrong. ``order``: as keeper.py has it; ``session``: a FarSession."""
    hears, says = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _keep(order, session, says)
        finally:
            os._exit(0)
    os.close(says)
    os.waitpid(child, 0)
    try:
        return _heard(hears)
    finally:
        os.close(hears)


def _heard(pipe):
    end, text = time.monotonic() + PATIENCE, b""
    while select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
        more = os.read(pipe, 4096)
        if not more:
            break
        text += more
    return text.decode(errors="replace").strip() or "it ended at once"


def _keep(order, session, says):
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.closerange(3, says)
    os.closerange(says + 1, MOST_FILES)
    display = Display()
    display.verbosity, display._final_q = 0, None  # what is to be shown goes through a pipe that is closed

    def answer(line):
        os.write(says, line.encode())
        os.close(says)

    connection = Connection(tuple(order["urls"]), order["token"], order["ca"], keeper.LAST_TRIES)
    keeper.keep(order, Client(connection, "baton-keeper", session=session), answer)
