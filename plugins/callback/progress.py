# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: E402 (ansible-test wants the imports below the documentation)

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Show the progress of plays on the machines of a Baton cluster
version_added: 1.0.0
description:
  - A host whose name is the C(Name) of a machine (or its C(Uuid)) has its state shown there, as C(icon) and C(color) in C(Meta), which are
    written when the state changes, and nothing else in C(Meta).
  - "The param C(baton/progress) of the machine is C({play, task, state, ok, changed, failed}): the names as they are shown on the screen,
    and how many tasks of this run were ok, changed something and failed. Whoever streams the cluster's events sees it change."
  - A host is C(running) from its first task in a play to the end of the play. Then it is C(ok), C(failed) or C(unreachable), and what the
    recap says at the end of the run. Hosts that still run when a run is interrupted become C(failed).
  - Plays are neither slowed nor failed by it. Of several changes of a host in one second the last one is written; what can't be
    written is tried again later, with one warning for all of it. The end of the run waits five seconds for what is not written yet.
  - In check mode nothing is written.
extends_documentation_fragment:
  - baton.ha.plugin_connection
options:
  running:
    description: Icon and color of a host that runs tasks, with a space between.
    type: str
    default: spinner blue
    env:
      - name: BATON_PROGRESS_RUNNING
    ini:
      - section: callback_baton_progress
        key: running
  ok:
    description: Icon and color of a host that has done its tasks.
    type: str
    default: check green
    env:
      - name: BATON_PROGRESS_OK
    ini:
      - section: callback_baton_progress
        key: ok
  failed:
    description: Icon and color of a host that failed.
    type: str
    default: x red
    env:
      - name: BATON_PROGRESS_FAILED
    ini:
      - section: callback_baton_progress
        key: failed
  unreachable:
    description: Icon and color of a host that could not be reached.
    type: str
    default: plug orange
    env:
      - name: BATON_PROGRESS_UNREACHABLE
    ini:
      - section: callback_baton_progress
        key: unreachable
notes:
  - Of the variables for the connection only extra variables (C(-e)) are known here.
requirements:
  - enable in configuration
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
example: |
  # ansible.cfg; BATON_URL, BATON_TOKEN_FILE and BATON_CA say where the cluster is
  [defaults]
  callbacks_enabled = baton.ha.progress

  [callback_baton_progress]
  running = hourglass yellow
"""

import atexit

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.callback import CallbackBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError
from ansible_collections.baton.ha.plugins.plugin_utils.connection import client_of
from ansible_collections.baton.ha.plugins.plugin_utils.progress import ProgressWriter

STATES = ("running", "ok", "failed", "unreachable")
LAST_WRITES = 5.0  # seconds that the end of a run waits for them


class CallbackModule(CallbackBase):
    """Turns the events of a run into the progress of each host. All I/O is in ProgressWriter's thread."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "baton.ha.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._writer = None
        self._warned = False
        self._watching = False
        self._play = ""
        self._tasks = {}  # id of a task -> its name with templates resolved, which hosts' own copies of the task do not have
        self._hosts = {}  # name -> progress
        self._failed = set()  # hosts with a failed task in this play, which may have been rescued

    def set_options(self, task_keys=None, var_options=None, direct=None):
        super().set_options(task_keys, var_options or load_extra_vars(DataLoader()), direct)

    # --- events, in the order of a run ---

    def v2_playbook_on_play_start(self, play):
        self._warn()
        self._end_play()
        self._watching = not play.check_mode
        self._play = play.get_name().strip()
        if self._watching and self._writer is None:
            self._begin()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._tasks[task._uuid] = task.get_name().strip()

    def v2_playbook_on_handler_task_start(self, task):
        self._tasks[task._uuid] = task.get_name().strip()

    def v2_runner_on_start(self, host, task):
        if self._watching:
            self._hosts.setdefault(host.name, {"ok": 0, "changed": 0, "failed": 0})
            self._set(host.name, state="running", play=self._play, task=self._tasks.get(task._uuid) or task.get_name().strip())

    def v2_runner_on_ok(self, result):
        self._count(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if ignore_errors:
            self._count(result, "ok")
        else:
            self._failed.add(result._host.name)
            self._count(result, "failed", state="failed")

    def v2_runner_on_unreachable(self, result):
        self._count(result, state="unreachable")

    def v2_playbook_on_stats(self, stats):
        for host in self._hosts:
            recap = stats.summarize(host)
            state = "unreachable" if recap["unreachable"] else "failed" if recap["failures"] else "ok"
            self._set(host, state=state, ok=recap["ok"], changed=recap["changed"], failed=recap["failures"])
        self._end()

    # --- from events to progress ---

    def _count(self, result, what=None, **more):
        """Note the result of a task."""
        progress = self._hosts.get(result._host.name)
        if not self._watching or progress is None:
            return
        if what:
            more[what] = progress[what] + 1
        if what == "ok" and result.is_changed():
            more["changed"] = progress["changed"] + 1
        self._set(result._host.name, **more)

    def _set(self, host, **more):
        self._warn()
        self._hosts[host] = {**self._hosts[host], **more}
        self._writer.put(host, self._hosts[host])

    def _end_play(self):
        """End the play before this one. A host that failed runs on in rescue and always; only in another play it has been rescued."""
        for host, progress in self._hosts.items():
            if progress["state"] == "running":
                self._set(host, state="failed" if host in self._failed else "ok")
        self._failed.clear()
        self._tasks.clear()

    # --- begin and end ---

    def _begin(self):
        try:
            looks = {state: self._look(state) for state in STATES}
            self._writer = ProgressWriter(lambda notice: client_of(self, notice=notice), looks)
        except ClientError as error:
            self._display.warning(f"{self.CALLBACK_NAME} is off: {error.message}")
            self._watching, self.disabled = False, True
            return
        atexit.register(self._interrupted)

    def _look(self, state):
        words = self.get_option(state).split()
        if len(words) != 2:
            raise ClientError("usage", f"{state} is an icon and a color, such as 'check green', not {self.get_option(state)!r}")
        return [str(word) for word in words]

    def _end(self):
        if self._writer is not None:
            atexit.unregister(self._interrupted)
            self._writer.close(LAST_WRITES)
            self._warn()

    def _interrupted(self):
        """End a run that did not come to its recap: nobody is to be shown as running for ever."""
        for host, progress in self._hosts.items():
            if progress["state"] == "running":
                self._set(host, state="failed")
        self._end()

    def _warn(self):
        if self._writer is not None and self._writer.problem and not self._warned:
            self._warned = True
            self._display.warning(f"{self.CALLBACK_NAME}: {self._writer.problem}")
