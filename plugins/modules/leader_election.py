#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: leader_election
short_description: Elect one leader among hosts
version_added: 0.1.0
description:
  - Run it on all candidates at once, with any C(forks), C(serial) or strategy, under one controller or several.
  - Exactly one host is elected, and it stays elected until it resigns.
  - The seat is a param of a shared profile; the profile is made if it does not exist.
  - Running it again changes nothing and tells who leads.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  profile:
    description: Name of the profile that the candidates share.
    type: str
    required: true
  param:
    description: Name of the param that holds the leader.
    type: str
    default: my/leader
  candidate:
    description:
      - What stands for this host, of any JSON type. The default is the inventory hostname.
      - Where the module itself runs instead of its action plugin, the default is the host's own name.
    type: raw
  vacant:
    description: The value of the param that means that nobody leads. A param that is not set is vacant, too.
    type: raw
    default: none
  state:
    description: V(elected) takes the seat if it is vacant; V(resigned) gives it back if this host has it.
    type: str
    choices: [elected, resigned]
    default: elected
  eligible:
    description: Whether this host may be elected. One that may not only learns who leads.
    type: bool
    default: true
  wait:
    description: Whether a host that is not eligible waits until there is a leader.
    type: bool
    default: true
  wait_timeout:
    description: How long it waits, in seconds.
    type: float
    default: 300.0
seealso:
  - module: baton.ha.compare_and_patch
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Elect a leader among all hosts of the play
  baton.ha.leader_election:
    profile: web
  register: election

- name: Only the leader does this
  ansible.builtin.command: /usr/local/bin/prepare-database
  when: election.is_leader
  changed_when: true

- name: Everybody knows the leader
  ansible.builtin.debug:
    msg: "{{ election.leader }} leads"
"""

RETURN = r"""
leader:
  description: The candidate that leads; V(none) when the seat is vacant.
  returned: success
  type: raw
  sample: web-2
is_leader:
  description: Whether this host leads.
  returned: success
  type: bool
candidate:
  description: What stands for this host.
  returned: success
  type: raw
  sample: web-1
"""

import platform

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import leader_election as task
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.common import Context, perform


def main():
    module = AnsibleModule(
        argument_spec=task.SPEC,
        supports_check_mode=True,
    )
    result = perform(task.run, Context(module.params, module.check_mode, platform.node()))
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
