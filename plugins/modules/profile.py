#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: profile
short_description: Manage a profile, a shared document of params
version_added: 1.0.0
description:
  - Creates, extends or removes a profile, the document that hosts share.
  - Only what the task names is written, each param by itself.
  - Tasks and hosts that write other params of the same profile are never in each other's way.
  - To change a param only if it still has a known value, use M(baton.ha.compare_and_patch).
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  name:
    description: Name of the profile.
    type: str
    required: true
  state:
    description: Whether the profile is to exist.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: Text for people.
    type: str
  params:
    description:
      - Params to set, by name. Others are left as they are.
      - Values may be of any JSON type; names may have slashes.
      - Values are shown in a diff; set C(no_log) on the task for secrets.
    type: dict
  absent_params:
    description: Names of params to unset.
    type: list
    elements: str
  meta:
    description: Members of C(Meta) to set, such as C(icon) and C(color).
    type: dict
seealso:
  - module: baton.ha.profile_info
  - module: baton.ha.compare_and_patch
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: A profile that hosts of this cluster share
  baton.ha.profile:
    name: web
    params:
      my/leader: none
      web/generation: 1

- name: Unset a param
  baton.ha.profile:
    name: web
    absent_params: [web/generation]
"""

RETURN = r"""
profile:
  description: The profile after the task; V(none) when it is absent.
  returned: success
  type: dict
  sample: {"Name": "web", "Description": "", "Meta": {}, "Params": {"my/leader": "none"}}
revision:
  description: The revision that the change made.
  returned: changed, not in check mode
  type: str
  sample: "3.42"
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import profile as task
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.common import answer
from ansible_collections.baton.ha.plugins.module_utils._options import TaskModule


def main():
    module = TaskModule(
        argument_spec=task.SPEC,
        supports_check_mode=True,
    )
    answer(module, task.run)


if __name__ == "__main__":
    main()
