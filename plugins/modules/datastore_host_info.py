#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore_host_info
short_description: Read the pool of hosts for databases
version_added: 1.1.0
description:
  - Returns the hosts of the pool, whether their guests are heard, what they offer, and which servers they carry.
  - It asks the cluster itself, with an admin's token, not the API of datastores.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.reading
options:
  name:
    description: Read only the host of this name. RV(hosts) is empty where there is none.
    type: str
seealso:
  - module: baton.ha.datastore_host
  - module: baton.ha.datastore_info
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: The pool as it stands
  baton.ha.datastore_host_info:
  register: pool

- name: Hosts whose guests are not heard
  ansible.builtin.debug:
    msg: "{{ pool.hosts | rejectattr('heard') | map(attribute='name') }}"
"""

RETURN = r"""
hosts:
  description: Hosts of the pool, sorted by name.
  returned: success
  type: list
  elements: dict
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
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import datastore_host_info as task
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
