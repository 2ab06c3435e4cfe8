#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: leader_election
short_description: Elect one leader, or several, among hosts
version_added: 1.0.0
description:
  - Run it on all candidates at once, with any C(forks), C(serial) or strategy, under one controller or several.
  - Exactly one host is elected, or exactly O(seats), and it stays elected until it resigns, or until its lease ends.
  - The seat is a param of a shared profile; the profile is made if it does not exist.
  - Running it again changes nothing and tells who leads, also in later runs. What only the leader does is done in each of them, and in
    two runs at once by both. For work that is to be done once use M(baton.ha.once).
  - A host that leads and is not among those of a play does in it nothing of what only the leader does; the task warns of that.
  - Each host has to stand for itself. With C(run_once) one would stand for all, so that is refused where there are several.
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
    description: Name of the param that holds the leader. The default is V(my/leader), and with O(seats) V(cluster/leaders).
    type: str
  seats:
    description:
      - How many leaders there are. The param then holds a list of candidates in the order of winning.
      - Without it there is one, and the param holds that candidate itself.
    type: int
  candidate:
    description:
      - What stands for this host, of any JSON type, such as a name or an object with C(Name), C(Uuid) and C(Address).
      - Of two objects with a C(Uuid) only that is compared. A seat whose holder has another address now is updated in place.
      - The default is the inventory hostname. One that every machine has, such as V(localhost), becomes the machine's own name and
        some digits of its machine id, such as C(web1@3f2a9c1b).
    type: raw
  vacant:
    description: The value of the param that means that nobody leads. A param that is not set is vacant, too.
    type: raw
    default: none
  state:
    description: V(elected) takes a seat if one is vacant; V(resigned) gives it back if this host has one.
    type: str
    choices: [elected, resigned]
    default: elected
  eligible:
    description: Whether this host may be elected. One that may not only learns who leads.
    type: bool
    default: true
  ttl:
    description:
      - How long the seat is kept after the last task that elected this host, such as V(10m); at most V(24h).
      - Without it, and without O(lease), it is kept until this host resigns.
    type: str
  lease:
    description: A lease that the seat is tied to, such as the one that an agent on the host keeps alive.
    type: str
  wait:
    description: Whether a host that is not eligible waits until all seats are taken.
    type: bool
    default: true
  wait_timeout:
    description: How long it waits, in seconds.
    type: float
    default: 300.0
seealso:
  - module: baton.ha.compare_and_patch
  - module: baton.ha.lease
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Elect a leader among all hosts of the play
  baton.ha.leader_election:
    profile: web
  register: election

- name: Only the leader does this
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} prepares the database"
  when: election.is_leader

- name: Everybody knows the leader
  ansible.builtin.debug:
    msg: "{{ election.leader }} leads"

- name: Three control planes, for as long as each comes back within the hour
  baton.ha.leader_election:
    profile: kube
    seats: 3
    ttl: 1h
    candidate:
      Name: "{{ inventory_hostname }}"
      Uuid: "{{ inventory_hostname | to_uuid }}"
      Address: "{{ ansible_host | default(inventory_hostname) }}"
  register: planes

- name: The first of them begins
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} was first"
  when: planes.position == 0
"""

RETURN = r"""
leader:
  description: The candidate that leads, and with O(seats) the one that was first; V(none) when there is none.
  returned: success
  type: raw
  sample: web-2
leaders:
  description: All who lead, in the order of winning.
  returned: success
  type: list
  elements: raw
  sample: [web-2]
is_leader:
  description: Whether this host leads.
  returned: success
  type: bool
won:
  description: Whether this host won its seat in this run of ansible-playbook; V(false) for one that has led since an earlier run.
  returned: success
  type: bool
since:
  description:
    - When the first of those who lead was elected, in seconds since 1970.
    - V(none) on a host that leads itself, where it was set by hand, and in check mode.
  returned: success
  type: int
  sample: 1767225600
position:
  description: This host's place among RV(leaders), from 0; V(none) when it does not lead.
  returned: success
  type: int
  sample: 0
candidate:
  description: What stands for this host.
  returned: success
  type: raw
  sample: web-1
token:
  description: The fencing token of the seat. It grows with every seat that is won. V(none) when this host does not lead, and in check mode.
  returned: success
  type: int
  sample: 4294967297
lease:
  description: The lease that the seat is tied to; V(none) when there is none.
  returned: success
  type: str
  sample: seat-2c26b46b68ffc68ff99b453c
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import leader_election as task
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.common import answer
from ansible_collections.baton.ha.plugins.module_utils._options import TaskModule


def main():
    module = TaskModule(
        argument_spec=task.SPEC,
        mutually_exclusive=task.MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    answer(module, task.run)


if __name__ == "__main__":
    main()
