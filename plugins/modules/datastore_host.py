#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore_host
short_description: Have a host in the pool for databases, or have it leave
version_added: 1.1.0
description:
  - Describes a host that is given to Baton for databases, and keeps a token for its guest in a file.
  - The role C(baton.ha.pool_host) uses it, and brings the guest to the host.
  - It asks the cluster itself, with an admin's token, not the API of datastores.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  name:
    description: Name of the host.
    type: str
    required: true
  address:
    description:
      - Where the servers of the host are reached. A host that is not in the pool yet needs one.
      - What is there already stays where it is.
    type: str
  region:
    description: Where the host is, for instances that are asked for in a region.
    type: str
  flavors:
    description:
      - What the host can carry, by id. Each has C(name), and may have C(ram) in MiB, C(vcpus), and C(disk) in GiB.
      - They are all that it has. A new host of which nobody says it has one, C(1), called C(small), of 1024 MiB, one processor and 10 GiB.
    type: dict
  datastores:
    description:
      - What servers may be made on the host. By name, a list of versions, each a text in quotes.
      - With V({}), and on a new host of which nobody says it, it is what the guest finds, or could install.
    type: dict
  ram:
    description: Memory for all its servers together, in MiB, by their flavors. Nothing is put there that goes beyond it. V(0) is no limit.
    type: int
  volume:
    description: Room for the data of all its servers together, in GiB. V(0) is no limit.
    type: int
  port:
    description:
      - Port of its first server, from V(1024) to V(55035); others have the 499 that follow, and 10000, 11000 and 12000 more for copies and clusters.
      - Where nobody says it, it is 3306. Give another one where the host has a server of its own there. What is there already keeps its port.
    type: int
  maintenance:
    description: Whether nothing new is put on the host. What is there already stays.
    type: bool
  path:
    description:
      - A file on the controller that has the token for the host's guest, in a directory that is there. Only its owner may read it.
      - A token is made where there is none, or the one in the file is not valid any more. Without this, none is made.
      - Each host needs a path of its own.
      - Where the module itself runs instead of its action plugin, the file is on the host.
    type: path
  state:
    description:
      - Whether the host shall be in the pool. What is not said of one that is there stays as it is.
      - With V(absent) it leaves the pool, its guest's token ends, and the file O(path) goes. That is refused while it carries instances.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: baton.ha.datastore_host_info
  - module: baton.ha.datastore_instance
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Each host of the play is one of the pool
  baton.ha.datastore_host:
    name: "{{ inventory_hostname }}"
    address: "{{ ansible_host | default('127.0.0.1') }}"
    region: eu
    flavors:
      "1": {name: small, ram: 1024, vcpus: 1, disk: 10}
      "2": {name: large, ram: 8192, vcpus: 4, disk: 100}
    path: "{{ playbook_dir }}/{{ inventory_hostname }}.token"

- name: Nothing new comes to it for now
  baton.ha.datastore_host:
    name: "{{ inventory_hostname }}"
    maintenance: true

- name: It leaves the pool; what it carries has been deleted
  baton.ha.datastore_host:
    name: "{{ inventory_hostname }}"
    path: "{{ playbook_dir }}/{{ inventory_hostname }}.token"
    state: absent
"""

RETURN = r"""
host:
  description: The host; in check mode, as it would be. V(none) when it is not in the pool.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      returned: success
      type: str
    address:
      description: Where its servers are reached.
      returned: success
      type: str
    region:
      description: Where it is; empty where nobody says it.
      returned: success
      type: str
    heard:
      description: Whether its guest is heard.
      returned: success
      type: bool
    ram:
      description: Memory for all its servers together, in MiB; V(none) where nobody says it.
      returned: success
      type: int
    volume:
      description: Room for the data of all its servers together, in GiB; V(none) where nobody says it.
      returned: success
      type: int
    port:
      description: Port of its first server; V(none) where nobody says it, which is 3306.
      returned: success
      type: int
    maintenance:
      description: Whether nothing new is put there.
      returned: success
      type: bool
    flavors:
      description: What it can carry, by id.
      returned: success
      type: dict
      sample: {"1": {name: small, ram: 1024, vcpus: 1, disk: 10}}
    datastores:
      description: Versions of what it offers, by name; what its guest finds, where nobody says it.
      returned: success
      type: dict
      sample: {mariadb: ["10.11", "11.8"]}
    servers:
      description:
        - What its guest said of its servers, by id of the instance.
        - Whether each is C(up), what its C(trouble) is, and of which C(set) it is.
      returned: success
      type: dict
      sample: {"6e0a3f1c": {set: "b1f0", trouble: "", up: true}}
token_id:
  description: Public id of the token in O(path); V(none) without one, and in check mode when one would be made.
  returned: success
  type: str
  sample: 9f86d081884c7d65
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import datastore_host as task
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
