#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: barrier
short_description: Hosts wait for each other
version_added: 1.0.0
description:
  - No host goes on before O(count) of them, or all O(members), have come here, under one controller or several.
  - A barrier can be used again and again. Each time is a generation.
  - One that fails says so with O(state=broken), in C(rescue) or C(always), and releases the others at once with its reason, those too that are
    yet to come. A host that waits in vain, or stops waiting without a word, breaks the barrier as well.
  - All hosts that wait here are busy, so C(forks) must be at least as many as wait under one controller.
  - A barrier knows hosts and not runs. Two runs of one play at once come to the same barrier and disturb each other; let the role
    C(baton.ha.exclusive) keep them apart, or give each a name of its own.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  name:
    description: Name of the barrier. It may hold slashes. With something of this deployment in it, nothing of an earlier one matters.
    type: str
    required: true
  state:
    description:
      - V(arrived) waits for the others.
      - V(broken) releases the others, as this host won't come.
      - V(reset) forgets what was; the next host to come begins anew.
    type: str
    choices: [arrived, broken, reset]
    default: arrived
  owner:
    description:
      - Who comes. The default is the inventory hostname, as O(members) have it.
      - With O(count), a name that every machine has, such as V(localhost), becomes the machine's own, such as C(web1@3f2a9c1b).
    type: str
  count:
    description: How many must come.
    type: int
  members:
    description: Who must come, all of them, such as the hosts of a group. Then messages name who is missing.
    type: list
    elements: str
  why:
    description: With O(state=broken) what the others are told.
    type: str
    default: ""
  escape:
    description: With O(state=broken) whether the others fail or continue.
    type: str
    choices: [fail, continue]
    default: fail
  ttl:
    description: A host that waits and has not been heard of for so long breaks the barrier; at most V(24h).
    type: str
    default: 60s
  wait_timeout:
    description: How long to wait for the others, in seconds. Then the barrier breaks for all.
    type: float
    default: 300.0
seealso:
  - module: baton.ha.wait_for
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: All migrate, then all restart
  block:
    - name: Migrate
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }} migrates"

    - name: Wait for the others
      baton.ha.barrier:
        name: "deploy/{{ deploy | default('today') }}/migrated"
        members: "{{ ansible_play_hosts_all }}"
        wait_timeout: 600
  rescue:
    - name: Do not let them wait
      baton.ha.barrier:
        name: "deploy/{{ deploy | default('today') }}/migrated"
        state: broken
        why: "{{ ansible_failed_result.msg | default('it failed') }}"

    - name: This host failed all the same
      ansible.builtin.fail:
        msg: "{{ ansible_failed_result.msg | default('it failed') }}"
"""

RETURN = r"""
outcome:
  description:
    - V(opened) when all have come; V(broken) when somebody broke it and said that the others shall continue.
    - V(none) in check mode and for other states.
  returned: success
  type: str
  sample: opened
generation:
  description: The how-manieth time the barrier was used; V(none) in check mode and for other states.
  returned: success
  type: int
  sample: 1
arrived:
  description: How many had come when it opened; V(none) when it did not.
  returned: success
  type: int
  sample: 10
by:
  description: Who broke it; V(none) when nobody did.
  returned: success
  type: str
  sample: web-3
why:
  description: Why it was broken; V(none) when it was not.
  returned: success
  type: str
  sample: the disk is full
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import barrier as task
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.common import answer
from ansible_collections.baton.ha.plugins.module_utils._options import TaskModule


def main():
    module = TaskModule(
        argument_spec=task.SPEC,
        mutually_exclusive=task.MUTUALLY_EXCLUSIVE,
        required_if=task.REQUIRED_IF,
        supports_check_mode=True,
    )
    answer(module, task.run)


if __name__ == "__main__":
    main()
