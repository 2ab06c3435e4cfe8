# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Warnings to hosts that would wait for each other in vain. They come before the wait, since after it they come too late."""

from __future__ import annotations

import re

from ansible import constants
from ansible.context import CLIARGS
from ansible.utils.display import Display
from ansible_collections.baton.ha.plugins.module_utils._baton.client.contender import Run
from ansible_collections.baton.ha.plugins.module_utils._baton.run.notes import RunNotes

LINEAR = (
    "the strategy of this play is linear: no host goes on before all have ended this task, so hosts that wait for {what} do so until "
    "wait_timeout. Use strategy: ansible.builtin.host_pinned, or serial."
)
FREE = (
    "{waiting} hosts may wait for {what}, and no more than {forks} tasks run at once (forks): under strategy free those that wait keep "
    "the one that they wait for from going on. Use strategy: ansible.builtin.host_pinned, or at least {enough} forks."
)
MEETING = (
    "{hosts} hosts may wait for each other at {what}, but no more than {forks} run at once (forks): those that wait keep the others from "
    "coming. Use at least {hosts} forks."
)


def forks() -> int:
    """Return how many tasks run at once; 0 where nobody knows."""
    return int(CLIARGS.get("forks") or 0)


def warn(run: Run, text: str) -> None:
    """Show a warning now, and once in a run. Ansible itself keeps those of a task until that has ended."""
    if RunNotes(run).is_first("warning", text):
        Display().display(f"[WARNING]: {text}", color=constants.COLOR_WARN, stderr=True)


def names_host(name: str, host: str) -> bool:
    """Return whether a name has the name of a host in it, as that of a lock for each host does."""
    return bool(host) and re.search(rf"(?<![^\W_]){re.escape(host)}(?![^\W_])", name) is not None


def warn_of_turns(run: Run, what: str, strategy: str, hosts: int, inside: int) -> None:
    """Warn if of ``hosts``, of which ``inside`` may go on at once, those that wait would keep the others from going on."""
    if strategy == "linear" and hosts > inside:
        warn(run, LINEAR.format(what=what))
    waiting = hosts - inside
    if strategy == "free" and 0 < forks() <= waiting:
        warn(run, FREE.format(what=what, waiting=waiting, forks=forks(), enough=waiting + 1))


def warn_of_meeting(run: Run, what: str, hosts: int) -> None:
    """Warn if not all of the hosts that wait for each other can be there at the same time."""
    if 0 < forks() < hosts:
        warn(run, MEETING.format(what=what, hosts=hosts, forks=forks()))
