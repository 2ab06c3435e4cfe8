# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import vip_info as task
from ansible_collections.baton.ha.plugins.plugin_utils.action import BatonAction


class ActionModule(BatonAction):
    """Asks the host for its addresses with one command and judges them on the controller."""

    SPEC = task.SPEC

    def perform(self, context):
        answer = self._low_level_execute_command(" ".join(task.COMMAND), sudoable=False)
        if answer["rc"] != 0:
            raise ClientError("usage", f"`{' '.join(task.COMMAND)}` failed on the host: {answer['stderr'].strip()[:200]}")
        return task.evaluate(context.params, answer["stdout"])
