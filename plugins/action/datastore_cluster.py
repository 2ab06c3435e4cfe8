# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import datastore_cluster as task
from ansible_collections.baton.ha.plugins.plugin_utils.action import BatonAction


class ActionModule(BatonAction):
    """Runs M(baton.ha.datastore_cluster) on the controller, which spares the host a Python start."""

    SPEC = task.SPEC
    RULES = {"mutually_exclusive": task.MUTUALLY_EXCLUSIVE}

    def perform(self, context):
        return task.run(context)
