# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a task's options, said alike by action plugins and by modules."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import UnsupportedError


def problems(errors, name):
    """Return the errors of a validation in one line. An unknown option comes first: it may be why another one is missing."""
    unknown = [error.msg for error in errors if isinstance(error, UnsupportedError)]
    others = [error.msg for error in errors if not isinstance(error, UnsupportedError)]
    return "; ".join([f"Unsupported parameters for ({name}) module: {msg.rstrip('.')}" for msg in unknown] + others)


class TaskModule(AnsibleModule):
    """An AnsibleModule that says all that is wrong with its options, as ``problems`` does."""

    def fail_json(self, msg, **kwargs):
        checked = getattr(self, "validation_result", None)
        wrong = checked.errors.errors if checked is not None else ()  # there are none once a module runs
        super().fail_json(msg=problems(wrong, self._name) if wrong else msg, **kwargs)
