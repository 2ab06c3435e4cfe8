#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine
short_description: Register a machine and set its params and metadata
version_added: 1.0.0
description:
  - Registers a machine, or sets what the task names of it. Everything else stays as it is, and writers of other members are never in the way.
  - A machine is found by O(uuid), else by its name. Of several hosts that register one name at once, one makes it.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  name:
    description:
      - Name of the machine. The default is the inventory hostname.
      - One that every machine has, such as V(localhost), becomes the machine's own, such as C(web1@3f2a9c1b).
    type: str
  uuid:
    description: Uuid of the machine. The default is made from its name.
    type: str
  state:
    description: Whether the machine shall be there.
    type: str
    choices: [present, absent]
    default: present
  address:
    description: Its address.
    type: str
  description:
    description: What it is.
    type: str
  icon:
    description: The icon in its metadata, such as V(anchor).
    type: str
  color:
    description: The colour in its metadata, such as V(green).
    type: str
  meta:
    description: More metadata; members that are not named stay.
    type: dict
  params:
    description: Params to set; params that are not named stay.
    type: dict
  absent_params:
    description: Params to unset.
    type: list
    elements: str
  profiles:
    description: The names of its profiles, all of them.
    type: list
    elements: str
seealso:
  - module: baton.ha.profile
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Register this host
  baton.ha.machine:
    address: "{{ ansible_host | default('192.0.2.1') }}"
    profiles: [web]
    params:
      role: frontend

- name: Show how far it is
  baton.ha.machine:
    icon: anchor
    color: green
"""

RETURN = r"""
machine:
  description: The machine as it is now, or in check mode as it would be; V(none) when it is absent.
  returned: success
  type: dict
  sample:
    Uuid: 3d8a1f0e-0c0b-5f5a-9f0e-3b8f5e0a7c11
    Name: web-1
    Meta: {icon: anchor, color: green}
    Params: {role: frontend}
    Profiles: [web]
revision:
  description: The revision that the change made.
  returned: when something was written
  type: str
  sample: "1.42"
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import machine as task
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
