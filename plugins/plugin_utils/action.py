# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of all action plugins: the task's options are checked as a module's are, then its code runs on the controller."""

from __future__ import annotations

import ssl

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.common import Context, perform, text_for_numbers

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # a process's first one costs milliseconds: made here, before workers are forked
TEXT_FOR_NUMBERS = text_for_numbers(ansible_version) and not constants.config.get_config_value("DEFAULT_JINJA2_NATIVE")


class BatonAction(ActionBase):
    """``SPEC``: the argument spec of the module of the same name; ``perform(context)`` returns its result."""

    SPEC: dict = {}
    RULES: dict = {}
    TRANSFERS_FILES = False
    _requires_connection = False

    def perform(self, context):
        raise NotImplementedError

    def _progress(self, host):
        """Return what shows a line while a task waits; Ansible itself says nothing until it ends."""
        return lambda text: Display().display(f"waiting: [{host}]: {text}")

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(self.SPEC, **self.RULES).validate(self._task.args)
        if checked.error_messages:
            return {**result, "failed": True, "msg": "; ".join(checked.error_messages)}
        host = (task_vars or {}).get("inventory_hostname", "")
        context = Context(checked.validated_parameters, self._task.check_mode, host, self._task.diff, self._progress(host))
        context.text_for_numbers = TEXT_FOR_NUMBERS
        answer = perform(self.perform, context)
        hidden = {v for k, v in checked.validated_parameters.items() if self.SPEC.get(k, {}).get("no_log") and v}
        return {**result, **remove_values(answer, hidden)}
