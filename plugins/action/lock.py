# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.utils.display import Display
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import lock as task
from ansible_collections.baton.ha.plugins.plugin_utils.action import BatonAction

LINEAR = (
    "this play's strategy is linear: no host goes on before all have ended this task, so hosts that wait for each other's lock do so "
    "until wait_timeout. Use strategy: free, or serial."
)


class ActionModule(BatonAction):
    """Runs M(baton.ha.lock) on the controller, which spares the host a Python start."""

    SPEC = task.SPEC
    RULES = {"mutually_exclusive": task.MUTUALLY_EXCLUSIVE}

    def run(self, tmp=None, task_vars=None):
        self._hosts = len((task_vars or {}).get("ansible_play_batch", ()))
        return super().run(tmp, task_vars)

    def perform(self, context):
        options = context.params
        waits = options["state"] == "acquired" and options["wait"] and not context.check and not self._task.run_once
        contends = waits and options["each"] is None and not options["shared"]
        if contends and self._hosts > (options["slots"] or 1) and self._strategy() == "linear":
            Display().warning(LINEAR)
        return task.run(context)
