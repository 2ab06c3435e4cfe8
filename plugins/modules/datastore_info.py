#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore_info
short_description: Read what there is of databases
version_added: 1.1.0
description:
  - Returns instances and clusters, what is being done with them, and what they can be made of, as it stands at this moment.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.datastores
  - baton.ha.attributes
  - baton.ha.attributes.reading
options:
  gather:
    description: What to read. The rest is returned empty.
    type: list
    elements: str
    choices: [instances, clusters, datastores, flavors, configurations, parameters, history]
    default: [instances, clusters, datastores, flavors, configurations]
  name:
    description: Read instances, clusters, and history, only of the cluster of this name, and the set or cluster that has the instance of it.
    type: str
  id:
    description: The same, by the id of the cluster or the instance.
    type: str
  datastore:
    description: Whose parameters to read. Without it V(mariadb), if that is offered.
    type: str
  version:
    description: Of which version. Without it the newest that is offered.
    type: str
seealso:
  - module: baton.ha.datastore_cluster
  - module: baton.ha.datastore_instance
  - module: baton.ha.datastore_configuration
  - module: baton.ha.datastore_host_info
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: What is there, and what can be made
  baton.ha.datastore_info:
  register: databases

- name: Databases that are not well
  ansible.builtin.debug:
    msg: "{{ databases.instances | rejectattr('status', 'eq', 'ACTIVE') | map(attribute='name') }}"

- name: Members of clusters that are not well
  ansible.builtin.debug:
    msg: "{{ databases.clusters | map(attribute='members') | flatten | rejectattr('status', 'eq', 'ACTIVE') | map(attribute='name') }}"

- name: What was done with the shop's databases, and why
  baton.ha.datastore_info:
    name: shop
    gather: [instances, history]
  register: shop
"""

RETURN = r"""
instances:
  description: Instances that are in no cluster, set by set, each with its source first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      returned: success
      type: str
    name:
      description: Its name.
      returned: success
      type: str
    role:
      description: V(source) or V(replica).
      returned: success
      type: str
    status:
      description: Its status, such as V(ACTIVE), V(BUILD), V(RESTART_REQUIRED) or V(ERROR).
      returned: success
      type: str
    lag_bytes:
      description: What a replica has received and not applied; V(0) is less than 64 KiB, V(none) where nobody knows.
      returned: success
      type: int
    lag_seconds:
      description: How old that is, in seconds; V(none) where nobody knows, as while it does not hear its source.
      returned: success
      type: int
    fault:
      description: What is wrong with it, and what is needed; V(none) when nothing is.
      returned: success
      type: str
    address:
      description: Where it listens.
      returned: success
      type: str
    port:
      description: At which port it listens.
      returned: success
      type: int
    host:
      description: The host of the pool that it is on.
      returned: success
      type: str
    region:
      description: The region of that host.
      returned: success
      type: str
    datastore:
      description: What it is a server of.
      returned: success
      type: str
    version:
      description: Its version.
      returned: success
      type: str
    flavor:
      description: Id of its flavor.
      returned: success
      type: str
    volume:
      description: For how many GiB of data it has room.
      returned: success
      type: int
    configuration:
      description: Name of the configuration that it has; V(none) when it has none.
      returned: success
      type: str
    set:
      description: Id of its set.
      returned: success
      type: str
    task:
      description: What is being done with its set; V(none) when nothing is.
      returned: success
      type: str
clusters:
  description: Clusters, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      returned: success
      type: str
      sample: 6f0a6a1e-8f0e-4c8e-9d9b-2f6c0c7a51de
    name:
      description: Its name.
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
      description: Their version.
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
          description: Its id.
          returned: success
          type: str
        name:
          description: Its name.
          returned: success
          type: str
        type:
          description: V(data), or V(arbiter), which has a vote and no data.
          returned: success
          type: str
        status:
          description: Its status, such as V(ACTIVE), V(BUILD), V(RESTART_REQUIRED) or V(ERROR).
          returned: success
          type: str
        fault:
          description: What is wrong with it, and what is needed; V(none) when nothing is.
          returned: success
          type: str
        address:
          description: Where it listens.
          returned: success
          type: str
        port:
          description: At which port it listens.
          returned: success
          type: int
        host:
          description: The host of the pool that it is on.
          returned: success
          type: str
        region:
          description: The region of that host.
          returned: success
          type: str
        datastore:
          description: What it is a server of.
          returned: success
          type: str
        version:
          description: Its version.
          returned: success
          type: str
        flavor:
          description: Id of its flavor.
          returned: success
          type: str
        volume:
          description: For how many GiB of data it has room; V(none) of an arbiter.
          returned: success
          type: int
        configuration:
          description: Name of the configuration that it has; V(none) when it has none.
          returned: success
          type: str
        cluster:
          description: Id of its cluster.
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
datastores:
  description: What instances and members of clusters can be servers of.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      returned: success
      type: str
    versions:
      description: The versions that hosts of the pool offer, the newest last.
      returned: success
      type: list
      elements: str
    default_version:
      description: The version that an instance has which says none.
      returned: success
      type: str
flavors:
  description: What instances can be made of.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      returned: success
      type: str
    name:
      description: Its name.
      returned: success
      type: str
    ram:
      description: Memory in MiB; V(none) where the pool does not say.
      returned: success
      type: int
    vcpus:
      description: Processors; V(none) where the pool does not say.
      returned: success
      type: int
    disk:
      description: Room for data in GiB; V(none) where the pool does not say.
      returned: success
      type: int
configurations:
  description: Configurations that people have made, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      returned: success
      type: str
    name:
      description: Its name.
      returned: success
      type: str
    description:
      description: What it is for.
      returned: success
      type: str
    datastore:
      description: What it is for servers of.
      returned: success
      type: str
    version:
      description: For which version.
      returned: success
      type: str
    values:
      description: Parameters and their values.
      returned: success
      type: dict
    attached_to:
      description: Names of the instances and clusters that have it.
      returned: success
      type: list
      elements: str
parameters:
  description: Parameters that a version of a datastore has.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      returned: success
      type: str
    type:
      description: V(integer), V(float), V(boolean) or V(string).
      returned: success
      type: str
    min:
      description: The least that it can be; V(none) when it is no number.
      returned: success
      type: float
    max:
      description: The most that it can be; V(none) when it is no number.
      returned: success
      type: float
    enum:
      description: What it can be; V(none) when it is not one of a few.
      returned: success
      type: list
      elements: str
    restart_required:
      description: Whether it takes effect with a restart.
      returned: success
      type: bool
    read_only:
      description: Whether Baton sets it itself, and nobody else can.
      returned: success
      type: bool
history:
  description: What was done with sets and clusters, the latest of each last.
  returned: success
  type: list
  elements: dict
  contains:
    set:
      description: Id of the set or the cluster.
      returned: success
      type: str
    at:
      description: When, in UTC.
      returned: success
      type: str
    what:
      description: What it was.
      returned: success
      type: str
    why:
      description: Why; empty when there is nothing to say.
      returned: success
      type: str
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import datastore_info as task
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
