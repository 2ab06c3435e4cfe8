# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import barrier as task
from ansible_collections.baton.ha.plugins.plugin_utils.action import BatonAction
from ansible_collections.baton.ha.plugins.plugin_utils.waiting import warn_of_meeting


class ActionModule(BatonAction):
    """Runs M(baton.ha.barrier) on the controller, which spares the host a Python start."""

    SPEC = task.SPEC
    RULES = {"mutually_exclusive": task.MUTUALLY_EXCLUSIVE, "required_if": task.REQUIRED_IF}

    def run(self, tmp=None, task_vars=None):
        self._hosts = len((task_vars or {}).get("ansible_play_batch", ()))
        self._name = (task_vars or {}).get("inventory_hostname", "")
        return super().run(tmp, task_vars)

    def perform(self, context):
        if not context.params["owner"] and self._name in (context.params["members"] or ()):
            context.params = {**context.params, "owner": self._name}
        if context.params["state"] == "arrived" and not context.check and not self._task.run_once:
            warn_of_meeting(context.play, f"barrier {context.params['name']!r}", self._hosts)
        return task.run(context)
