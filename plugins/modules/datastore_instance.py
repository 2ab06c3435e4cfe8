#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore_instance
short_description: Make, change and remove databases, with their replicas
version_added: 1.1.0
description:
  - Has a database server, and so many replicas of it, on hosts of the pool. Together they are a set, one of which, the source, takes writes.
  - The set is that of the instance O(name), whichever instance is its source by now. Replicas that the task makes are called like it, with
    C(-1), C(-2) and so on behind it.
  - All that is to be done is planned before anything is begun; check mode shows that plan. It is carried out step by step, over sets that
    are busy with something else, and over changes of the active. Hosts of a play, and controllers, that do the same make one set together.
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
    description:
      - Name of the instance that the set is known by.
      - Where it is gone, and others are called like its replicas, no second set is made; the task fails and says what to do.
    type: str
    required: true
  id:
    description: Id of the instance, where its name is not enough. It is called O(name) then.
    type: str
  state:
    description:
      - Whether the instance shall be there.
      - With V(absent) it is taken away with its data. A source goes after its replicas; see O(whole_set).
    type: str
    choices: [present, absent]
    default: present
  datastore:
    description: What it is a server of, such as V(postgresql). Without it V(mariadb), if that is offered. It stays as it was made.
    type: str
  version:
    description: Version of the datastore, such as V(11.8). Without it the newest that is offered. It stays as it was made.
    type: str
  flavor:
    description: What the instance needs, by id or name. One that is made must say it. It stays as it was made.
    type: str
  volume:
    description: How many GiB of data it shall have room for. Without it as many as the flavor says. It stays as it was made.
    type: int
  region:
    description: Where instances that the task makes come to. Without it anywhere, and replicas to the region of their source.
    type: str
  replicas:
    description:
      - How many replicas there shall be, 0 to 14; each comes to a host of its own.
      - Those that are too many are taken away with their data; those that are not well go first, then the youngest, and never O(name).
    type: int
  configuration:
    description:
      - Configuration that all instances of the set shall have, by name or id. See M(baton.ha.datastore_configuration).
      - An empty text takes it off.
    type: str
  source:
    description: The instance of the set that shall be the source, by name or id. It is promoted, if it is a replica; no acknowledged write is lost.
    type: str
  restart:
    description:
      - V(required) restarts those instances that wait for it, since they have parameters that take effect with a restart.
      - V(always) restarts all.
      - One is restarted after the other, the source last. Meanwhile one of its replicas may become the source; say O(source) to have it back.
    type: str
    choices: [never, required, always]
    default: never
  whole_set:
    description: With O(state=absent), take away all instances of the set, the source last.
    type: bool
    default: false
  force:
    description:
      - With O(state=absent), cancel what is being done, and do not wait for a host that is not heard, on which the data stay.
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
    default: 900.0
seealso:
  - module: baton.ha.datastore_cluster
  - module: baton.ha.datastore_configuration
  - module: baton.ha.datastore_info
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: A source with two replicas, a database and a user
  baton.ha.datastore_instance:
    name: shop
    datastore: mariadb
    flavor: small
    volume: 2
    replicas: 2
    databases:
      - name: shop
    users:
      - name: app
        password: "{{ shop_password | default('change me') }}"
        databases: [shop]
  run_once: true
  register: shop

- name: Where to write to
  ansible.builtin.debug:
    msg: "{{ shop.instances[0].address }}:{{ shop.instances[0].port }}"
  run_once: true

- name: The first replica becomes the source
  baton.ha.datastore_instance:
    name: shop
    source: shop-1
  run_once: true

- name: Restart what waits for it
  baton.ha.datastore_instance:
    name: shop
    restart: required
  run_once: true

- name: It is not needed any more
  baton.ha.datastore_instance:
    name: shop
    state: absent
    whole_set: true
  run_once: true
"""

RETURN = r"""
id:
  description: Id of the instance O(name); V(none) where it is gone, and in check mode when it would be made.
  returned: success
  type: str
  sample: 3e769234-1de7-4446-8a8a-cb02bdfd518a
source:
  description: Name of the source; V(none) when there is none.
  returned: success
  type: str
  sample: shop-1
instances:
  description: All instances of the set, the source first. In check mode, as they would be.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id; V(none) of one that would be made.
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
      description: Its status, such as V(ACTIVE), V(BUILD), V(RESTART_REQUIRED) or V(ERROR); V(none) of one that would be made.
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
      description: The region of that host; V(none) of one that would be made.
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
      description: For how many GiB of data it has room; V(none) of one that would be made.
      returned: success
      type: int
    configuration:
      description: Name of the configuration that it has; V(none) when it has none.
      returned: success
      type: str
    set:
      description: Id of its set; V(none) of one that would be made.
      returned: success
      type: str
    task:
      description: What is being done with its set; V(none) when nothing is.
      returned: success
      type: str
restart_required:
  description: Names of the instances that have parameters which take effect with a restart.
  returned: success
  type: list
  elements: str
steps:
  description: What was done, one after the other; in check mode, what would be.
  returned: success
  type: list
  elements: str
  sample: ["make instance shop", "make shop-1, shop-2 of shop"]
pending:
  description: What is left to do. Empty, but with O(wait=false).
  returned: success
  type: list
  elements: str
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import datastore_instance as task
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
