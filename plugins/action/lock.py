# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import lock as task
from ansible_collections.baton.ha.plugins.plugin_utils.action import BatonAction
from ansible_collections.baton.ha.plugins.plugin_utils.waiting import names_host, warn_of_turns


class ActionModule(BatonAction):
    """Runs M(baton.ha.lock) on the controller, which spares the host a Python start."""

    SPEC = task.SPEC
    RULES = {"mutually_exclusive": task.MUTUALLY_EXCLUSIVE}

    def run(self, tmp=None, task_vars=None):
        self._hosts = len((task_vars or {}).get("ansible_play_batch", ()))
        self._name = (task_vars or {}).get("inventory_hostname", "")
        return super().run(tmp, task_vars)

    def perform(self, context):
        options = context.params
        waits = options["state"] == "acquired" and options["wait"] and not context.check and not self._task.run_once
        contends = waits and options["each"] is None and not options["shared"]
        if contends and not names_host(options["name"], self._name):
            warn_of_turns(context.play, f"lock {options['name']!r}", self._strategy(), self._hosts, options["slots"] or 1)
        return task.run(context)
