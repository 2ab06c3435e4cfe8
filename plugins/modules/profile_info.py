#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: profile_info
short_description: Read profiles
version_added: 1.0.0
description:
  - Returns one profile, or all of them, as committed at this moment.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.reading
options:
  name:
    description: Name of the profile; without it all profiles are returned.
    type: str
seealso:
  - module: baton.ha.profile
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Read the shared profile
  baton.ha.profile_info:
    name: web
  register: web
"""

RETURN = r"""
profiles:
  description: The profiles, sorted by name; empty when the named one does not exist.
  returned: success
  type: list
  elements: dict
  sample: [{"Name": "web", "Description": "", "Meta": {}, "Params": {"my/leader": "web-2"}}]
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import profile_info as task
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
