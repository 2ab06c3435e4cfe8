#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore_configuration
short_description: Make, change, attach and remove groups of parameters of databases
version_added: 1.1.0
description:
  - Has a configuration with its values, attached to the instances that are named.
  - Instances take up what they can at once, and say of the rest that a restart is needed. See RV(restart_required).
  - What is not said is left as it is. Hosts of a play, and controllers, that do the same make one configuration together.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.datastores
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  name:
    description: Name of the configuration.
    type: str
    required: true
  id:
    description: Id of the configuration, where its name is not enough. It is called O(name) then.
    type: str
  state:
    description: Whether there shall be one. One that is attached is removed only with O(attached_to) empty, which takes it off before.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: What it is for.
    type: str
  datastore:
    description: What it is for servers of, such as V(postgresql). Without it V(mariadb), if that is offered. It stays as it was made.
    type: str
  version:
    description: For which version, such as V(11.8). Without it the newest that is offered. It stays as it was made.
    type: str
  values:
    description:
      - Parameters and their values, each of its own type; M(baton.ha.datastore_info) lists what there is.
      - Before ansible-core 2.19 a template gives text, which is taken for the number, or the boolean, that the parameter has.
      - In check mode it is seen whether a parameter can be set, not whether its value fits.
    type: dict
  replace:
    description: Whether O(values) are all that it shall have. Otherwise those that are not named stay.
    type: bool
    default: false
  attached_to:
    description:
      - Instances that shall have it, by name or id, and no others.
      - For all instances of a set, and those that will be made, rather say it with M(baton.ha.datastore_instance); for a cluster, which
        is not said here, with M(baton.ha.datastore_cluster).
    type: list
    elements: str
  wait:
    description: Whether to wait for sets that are busy, and until servers have taken up what they can. Every twenty seconds a line says how it is.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait in all, in seconds.
    type: float
    default: 300.0
seealso:
  - module: baton.ha.datastore_cluster
  - module: baton.ha.datastore_instance
  - module: baton.ha.datastore_info
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Parameters of the shop's databases
  baton.ha.datastore_configuration:
    name: shop
    values:
      max_connections: 200
      wait_timeout: 600
  run_once: true

- name: The databases have it
  baton.ha.datastore_instance:
    name: shop
    flavor: small
    configuration: shop
    restart: required
  run_once: true

- name: Fewer connections, and nothing else
  baton.ha.datastore_configuration:
    name: shop
    values:
      max_connections: 100
    replace: true
  run_once: true

- name: It is not needed any more
  baton.ha.datastore_configuration:
    name: shop
    attached_to: []
    state: absent
  run_once: true
"""

RETURN = r"""
configuration:
  description: The configuration; in check mode, as it would be. V(none) when there is none.
  returned: success
  type: dict
  contains:
    id:
      description: Its id; V(none) of one that would be made.
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
      description: Names of the instances that have it.
      returned: success
      type: list
      elements: str
restart_required:
  description: Names of the instances and members that have it, and wait for a restart. In check mode, those that wait for one already.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import datastore_configuration as task
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
