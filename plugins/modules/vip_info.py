#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_info
short_description: Tell whether a virtual IP is on this host now
version_added: 1.0.0
description:
  - Looks at the addresses of the host at the moment when the task runs, not at facts that were gathered earlier.
  - So "run this where the VIP is" holds when it matters.
  - Secondary addresses, IPv6 in any notation and interface names of any form are understood.
  - With an empty O(vip) every host counts as holding it, and a warning says so.
extends_documentation_fragment:
  - baton.ha.attributes
  - baton.ha.attributes.reading
options:
  vip:
    description:
      - The address, with or without a prefix length; or several, of which the host must have all.
      - An interface that is named with V(@) is not looked at, so that C(baton_vip) can be given as it is.
    type: list
    elements: str
    default: []
  interface:
    description: Look at this interface only.
    type: str
seealso:
  - module: baton.ha.leader_election
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Where is the VIP?
  baton.ha.vip_info:
    vip: 192.0.2.10/24
  register: vip

- name: Run on the holder only
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} rebalances"
  when: vip.held
"""

RETURN = r"""
held:
  description: Whether the VIP, with all its addresses, is on the host.
  returned: success
  type: bool
vip:
  description: The VIP in its canonical form; V(none) when none was given.
  returned: success
  type: str
  sample: 192.0.2.10
interface:
  description: The interface that has it, or the first of its addresses.
  returned: success
  type: str
  sample: eth0
mode:
  description: V(none) without a VIP; V(fixed) if it is a permanent address of this host; else V(floating).
  returned: success
  type: str
  sample: floating
addresses:
  description: All addresses that were looked at.
  returned: success
  type: list
  elements: dict
  sample: [{"interface": "eth0", "address": "192.0.2.10", "prefix": 32, "floating": true}]
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import vip_info as task
from ansible_collections.baton.ha.plugins.module_utils._options import TaskModule


def main():
    module = TaskModule(argument_spec=task.SPEC, supports_check_mode=True)
    _status, output, _errors = module.run_command(task.COMMAND, check_rc=True)
    try:
        result = task.evaluate(module.params, output)
    except ClientError as error:
        module.fail_json(msg=error.message)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
