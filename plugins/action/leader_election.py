# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.utils.display import Display
from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import leader_election as task
from ansible_collections.baton.ha.plugins.plugin_utils.action import BatonAction, machine_of

ONE_STANDS_FOR_ALL = (
    "with run_once one of {hosts} hosts stands, and all of them are told that they lead: leave run_once out, so that every host stands, or "
    "use baton.ha.once for what is to be done once"
)


class ActionModule(BatonAction):
    """Runs M(baton.ha.leader_election) on the controller, which spares the host a Python start."""

    SPEC = task.SPEC
    RULES = {"mutually_exclusive": task.MUTUALLY_EXCLUSIVE}

    def run(self, tmp=None, task_vars=None):
        self._vars = task_vars or {}
        return super().run(tmp, task_vars)

    def perform(self, context):
        stands = context.params["state"] == "elected" and context.params["eligible"]
        batch = len(self._vars.get("ansible_play_batch", ()))
        if stands and batch > 1 and self._runs_once():
            why = ONE_STANDS_FOR_ALL.format(hosts=batch)
            if not context.check:
                raise ClientError("usage", why)
            context.warnings.append(why)
        result = task.run(context)
        hosts = [machine_of(host) for host in self._vars.get("ansible_play_hosts", ())]
        warning = task.nobody_here(context, result, [context.host, *hosts])
        if warning is not None:
            Display().warning(warning)
        return result
