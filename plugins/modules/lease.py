#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lease
short_description: Make a lease, keep it alive, or end it
version_added: 1.0.0
description:
  - Locks, seats and params that are tied to a lease vanish when it ends.
  - Running it again keeps the lease alive and changes nothing else. After a change of the active every lease has its full time again.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  id:
    description: Id of the lease.
    type: str
    required: true
  state:
    description: V(present) makes it or keeps it alive; V(absent) ends it, and all that is tied to it.
    type: str
    choices: [present, absent]
    default: present
  ttl:
    description: How long it lasts unless it is kept alive, such as V(90s), V(10m) or V(2h); from one second to a day.
    type: str
    default: 10m
  owner:
    description: A text that says whose it is. Another owner can't take the lease over, but end it with O(state=absent).
    type: str
    default: ""
seealso:
  - module: baton.ha.lock
  - module: baton.ha.leader_election
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: A lease for this deployment
  baton.ha.lease:
    id: "deploy-{{ inventory_hostname }}"
    ttl: 30m

- name: Say that this host is being deployed, until the lease ends
  baton.ha.compare_and_patch:
    name: web
    param: "deploying/{{ inventory_hostname }}"
    patch:
      - {op: add, path: "", value: true}
    lease: "deploy-{{ inventory_hostname }}"

- name: It is done
  baton.ha.lease:
    id: "deploy-{{ inventory_hostname }}"
    state: absent
"""

RETURN = r"""
lease:
  description: The lease, with the seconds that are C(Left) of it; V(none) when there is none.
  returned: success
  type: dict
  sample:
    Id: deploy-web-1
    Ttl: 1800.0
    Owner: ""
    Ties: []
    Left: 1799.9
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import lease as task
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
