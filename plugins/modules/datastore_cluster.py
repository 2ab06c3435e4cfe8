#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore_cluster
short_description: Make, change and remove clusters of databases
version_added: 1.1.0
description:
  - Has a cluster of database servers that all take writes, each on a host of the pool of its own. Arbiters among its members have a vote
    and no data.
  - How many members there shall be is said by O(size) and O(arbiters), or region by region with O(members). Those that are missing are
    added, those that are too many taken away. Members come before others go.
  - All that is to be done is planned before anything is begun; check mode shows that plan. It is carried out step by step, over clusters
    that are busy with something else, and over changes of the active. Hosts of a play, and controllers, that do the same make one cluster
    together.
  - What is not said is left as it is.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.datastores
  - baton.ha.datastore_contents
  - baton.ha.attributes
  - baton.ha.attributes.changing
attributes:
  idempotent:
    support: partial
    details: All is, but O(restart=always).
options:
  name:
    description: Name of the cluster. It keeps it. Members that the task makes are called like it, with C(-1), C(-2) and so on behind it.
    type: str
    required: true
  id:
    description: Id of the cluster, where its name is not enough.
    type: str
  state:
    description: Whether the cluster shall be there. With V(absent) it is taken away with its data.
    type: str
    choices: [present, absent]
    default: present
  datastore:
    description: What it is a cluster of. Without it V(galera). It stays as it was made.
    type: str
  version:
    description:
      - Version of the datastore, such as V(10.11). Without it the newest that is offered, and a cluster that is there keeps the one it has.
      - Where a cluster has an older one, the task fails unless O(rolling) is said. There is no way back to an older one.
    type: str
  rolling:
    description: Upgrade the members to O(version), one after the other, each once all others are well.
    type: bool
    default: false
  flavor:
    description: What its members need, by id or name. One that is made must say it. It stays as it was made; new members get the same.
    type: str
  volume:
    description:
      - How many GiB of data its members shall have room for. Without it as many as the flavor says. It stays as it was made; new members
        get the same.
    type: int
  size:
    description:
      - How many members with data there shall be, at least two, and at least three members in all. They are all in one region.
      - Of those that are too many, who is not well goes first, then the youngest. None goes unless a majority of those that stay serves.
    type: int
  arbiters:
    description: How many arbiters there shall be beside O(size), 0 to 2, and fewer than members with data.
    type: int
  members:
    description:
      - All members that there shall be, instead of O(size) and O(arbiters). Of what is not listed there shall be none.
      - What is said of O(size) holds for each region.
    type: list
    elements: dict
    suboptions:
      region:
        description: In which region of the pool they shall be.
        type: str
        required: true
      type:
        description: Whether they have data, or a vote alone.
        type: str
        choices: [data, arbiter]
        default: data
      count:
        description: How many they shall be.
        type: int
        default: 1
  copy_limit:
    description:
      - How many bytes a second a copy of the cluster's data may take on its way to a new member, V(65536) at least; V(0) for as many as can be.
      - One that is under way goes on with it. Without it a new cluster has 100 MB a second.
    type: int
  configuration:
    description:
      - Configuration that all members with data shall have, by name or id. See M(baton.ha.datastore_configuration).
      - An empty text takes it off.
    type: str
  restart:
    description:
      - V(required) restarts the members, if some of them have parameters that take effect with a restart.
      - V(always) restarts them in any case.
      - One is restarted after the other, each once all others are well, so that the cluster serves all the time.
    type: str
    choices: [never, required, always]
    default: never
  replace:
    description:
      - Members that another one shall take the place of, by name or id. Whoever is none of the members has been replaced already.
      - V(lost) means those whose host is not heard, and those that could not be made.
    type: list
    elements: str
  force:
    description:
      - With O(state=absent), cancel what is being done, and do not wait for hosts that are not heard, on which the data stay.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until all is done. Every twenty seconds a line says how far it is.
      - Without waiting, one step is begun; RV(pending) says what is left for the next run.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait in all, in seconds. Then the task fails and says what is being done, which goes on by itself.
    type: float
    default: 1800.0
seealso:
  - module: baton.ha.datastore_configuration
  - module: baton.ha.datastore_info
  - module: baton.ha.datastore_instance
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Three members that all take writes, a database and a user
  baton.ha.datastore_cluster:
    name: shop
    flavor: small
    volume: 2
    size: 3
    databases:
      - name: shop
    users:
      - name: app
        password: "{{ shop_password | default('change me') }}"
        databases: [shop]
  run_once: true
  register: shop

- name: Where clients may connect to
  ansible.builtin.debug:
    msg: "{{ shop.addresses | join(', ') }}"
  run_once: true

- name: One more, and whoever is lost is replaced
  baton.ha.datastore_cluster:
    name: shop
    size: 4
    replace: [lost]
  run_once: true

- name: Two members with data, and an arbiter that decides when they lose each other
  baton.ha.datastore_cluster:
    name: shop
    size: 2
    arbiters: 1
  run_once: true

- name: Restart one after the other, if they wait for it
  baton.ha.datastore_cluster:
    name: shop
    restart: required
  run_once: true

- name: It is not needed any more
  baton.ha.datastore_cluster:
    name: shop
    state: absent
  run_once: true
"""

RETURN = r"""
id:
  description: Its id; V(none) where there is none, and in check mode when it would be made.
  returned: success
  type: str
  sample: 6f0a6a1e-8f0e-4c8e-9d9b-2f6c0c7a51de
name:
  description: Its name; V(none) where there is none.
  returned: success
  type: str
  sample: shop
status:
  description: Its status, such as V(ACTIVE), V(BUILD), V(SHUTDOWN), V(BLOCKED) or V(ERROR). It is V(ACTIVE) while members with data serve.
  returned: success
  type: str
  sample: ACTIVE
fault:
  description: What keeps it from serving, and what is needed; V(none) when nothing does.
  returned: success
  type: str
datastore:
  description: What its members are servers of.
  returned: success
  type: str
  sample: galera
version:
  description: Their version. In check mode, as it would be.
  returned: success
  type: str
  sample: "10.11"
configuration:
  description: Name of the configuration that its members have; V(none) when they have none.
  returned: success
  type: str
  sample: shop
serving:
  description: How many members serve, arbiters, too.
  returned: success
  type: int
  sample: 3
addresses:
  description: Where clients may connect to, each V(ADDRESS:PORT); those members that have data and serve.
  returned: success
  type: list
  elements: str
  sample: ["192.0.2.11:3306", "192.0.2.12:3306"]
members:
  description: Its members, the oldest first.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 0b6f1a52-6a53-4d2e-9d0e-0f7a3a6d1c11
      name: shop-1
      type: data
      status: ACTIVE
      fault: null
      address: 192.0.2.11
      port: 3306
      host: db-1
      region: eu
      datastore: galera
      version: "10.11"
      flavor: "1"
      volume: 10
      configuration: shop
      cluster: 6f0a6a1e-8f0e-4c8e-9d9b-2f6c0c7a51de
      task: null
  contains:
    id:
      description: Its id; V(none) of one that would be made.
      returned: success
      type: str
    name:
      description: Its name; V(none) of one that would take the place of another.
      returned: success
      type: str
    type:
      description: V(data), or V(arbiter), which has a vote and no data.
      returned: success
      type: str
    status:
      description: Its status, such as V(ACTIVE), V(BUILD), V(RESTART_REQUIRED) or V(ERROR); V(none) of one that would be made.
      returned: success
      type: str
    fault:
      description: What is wrong with it, and what is needed; V(none) when nothing is.
      returned: success
      type: str
    address:
      description: Where it listens; V(none) of one that would be made.
      returned: success
      type: str
    port:
      description: At which port it listens; V(none) of one that would be made.
      returned: success
      type: int
    host:
      description: The host of the pool that it is on; V(none) of one that would be made.
      returned: success
      type: str
    region:
      description: The region of that host; V(none) of one that would be made wherever there is room.
      returned: success
      type: str
    datastore:
      description: What it is a server of; V(none) of one that would be made.
      returned: success
      type: str
    version:
      description: Its version; V(none) of one that would be made.
      returned: success
      type: str
    flavor:
      description: Id of its flavor; V(none) of one that would be made.
      returned: success
      type: str
    volume:
      description: For how many GiB of data it has room; V(none) of an arbiter, and of one that would be made.
      returned: success
      type: int
    configuration:
      description: Name of the configuration that it has; V(none) when it has none.
      returned: success
      type: str
    cluster:
      description: Id of its cluster; V(none) of one that would be made.
      returned: success
      type: str
    task:
      description: What is being done with its cluster; V(none) when nothing is.
      returned: success
      type: str
task:
  description: What is being done with it; V(none) when nothing is.
  returned: success
  type: str
restart_required:
  description: Names of the members that have parameters which take effect with a restart.
  returned: success
  type: list
  elements: str
steps:
  description: What was done, one after the other; in check mode, what would be.
  returned: success
  type: list
  elements: str
  sample: ["make cluster shop: shop-1 (data), shop-2 (data), shop-3 (data)"]
pending:
  description: What is left to do. Empty, but with O(wait=false).
  returned: success
  type: list
  elements: str
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import datastore_cluster as task
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
