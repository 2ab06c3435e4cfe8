#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Read the state of the HA cluster
version_added: 1.0.0
description:
  - Returns the state of the cluster as the node at O(url) sees it. It works for a node that has not joined a cluster, too.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.reading
options: {}
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Who is active?
  baton.ha.node_info:
  register: ha

- name: Show it
  ansible.builtin.debug:
    msg: "{{ ha.node.active }} is active in epoch {{ ha.node.epoch.number }}"
"""

RETURN = r"""
node:
  description: The state of the node and of its cluster.
  returned: success
  type: dict
  contains:
    node:
      description: Name of the node that answered.
      returned: success
      type: str
    role:
      description: One of V(unjoined), V(starting), V(passive), V(taking), V(active).
      returned: success
      type: str
    serving:
      description: Whether it is active and within its lease.
      returned: success
      type: bool
    state:
      description: One of V(Up), V(Connecting), V(Syncing), V(In-Sync), V(Refused).
      returned: success
      type: str
    error:
      description: What needs a person, and what to do.
      returned: success
      type: str
    unable:
      description: Why the VIP would not work on this node; V(none) when it would, or no VIP is configured.
      returned: success
      type: str
    disk_full:
      description: Why this node would refuse changes for want of room on its disk, or did a moment ago; V(none) when it has room.
      returned: success
      type: str
    kept:
      description: Of each thing that is kept in memory how many bytes are C(used), and what the C(limit) is.
      returned: success
      type: dict
    cluster_id:
      description: Id of the cluster; V(none) when the node has not joined one.
      returned: success
      type: str
    epoch:
      description: Number and id of the epoch.
      returned: success
      type: dict
    active:
      description: Name of the active.
      returned: success
      type: str
    in_sync:
      description: Names of the nodes that have every acknowledged write.
      returned: success
      type: list
      elements: str
    paused:
      description: Whether nobody becomes active by itself until the pause is ended.
      returned: success
      type: bool
    paused_by:
      description: Who paused, for people; V(none) while there is no pause, or where it is not known.
      returned: success
      type: str
    paused_at:
      description: Since when, in unix seconds.
      returned: success
      type: int
    dcs:
      description: The store of the cluster record, V(local), V(manual) or V(etcd). With V(manual) no node takes over by itself.
      returned: success
      type: str
    dcs_reachable:
      description: Whether the store answered the last time.
      returned: success
      type: bool
    dcs_last_contact:
      description:
        - For how many seconds the store has not answered; V(none) before it has.
        - A file (V(local), V(manual)) is asked only when there is a reason to.
      returned: success
      type: float
    connections:
      description: How many connections to its API there are, and may be.
      returned: success
      type: dict
    vip:
      description:
        - Address, interface and whether this node holds it; all C(addresses), if there are several.
        - Why it is C(unable) to hold it now, a C(rival) that claims it, C(twins) of another program on this host. V(none) without a VIP.
      returned: success
      type: dict
    nodes:
      description: What is known of every node. Ask the active to know how far the others are behind.
      returned: success
      type: list
      elements: dict
      contains:
        id:
          description: Its name.
          returned: success
          type: str
        url:
          description: Where it is asked.
          returned: success
          type: str
        state:
          description: One of V(Up), V(Connecting), V(Syncing), V(In-Sync), V(Refused), V(Unreachable).
          returned: success
          type: str
        in_sync:
          description: Whether the cluster record counts it as in sync.
          returned: success
          type: bool
        electable:
          description:
            - Whether it may take over. It is in sync, reachable, not set never to be active, and not cut off from the store; and no other
              that can hold the VIP, or has more room on its disk, comes before it.
          returned: success
          type: bool
        able:
          description: Whether the VIP would work on the node, as far as it has said.
          returned: success
          type: bool
        unable:
          description: Why it would not; V(none) when it would.
          returned: success
          type: str
        disk_full:
          description: Why it would refuse changes as the active for want of room on its disk, as far as it has said; V(none) when it has room.
          returned: success
          type: str
        cut_off:
          description: Why the store of the cluster record would not let it take over, as far as it has said; V(none) when it would.
          returned: success
          type: str
        seq:
          description: The last entry of the log that its disk is known to have; V(none) where that is not known.
          returned: success
          type: int
        version:
          description: The version of its batond; V(none) where that is not known.
          returned: success
          type: str
        lag:
          description:
            - What it lacks of the active's log as C(entries), C(bytes) and C(seconds) (the age of the oldest of them).
            - V(none) where the node that answers does not know; only the active does.
          returned: success
          type: dict
        last_contact:
          description: For how many seconds nothing was heard of it; V(none) of the node that answers, and where it is not known.
          returned: success
          type: float
  sample: {"node": "n1", "role": "active", "serving": true, "state": "Up", "active": "n1", "in_sync": ["n1", "n2"]}
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import node_info as task
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
