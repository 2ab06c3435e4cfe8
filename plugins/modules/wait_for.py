#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_for
short_description: Wait until a condition on a document holds
version_added: 1.0.0
description:
  - The server answers as soon as the condition holds; nothing is polled. A change of the active in the meantime is waited through.
  - While it waits it prints a line with what stands there, every twenty seconds.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.kind
  - baton.ha.attributes
  - baton.ha.attributes.reading
options:
  name:
    description:
      - Name of the profile or param. A machine is named by its UUID, or as C(Name:) and its name; one that is not there yet is waited for.
      - Without it their number is waited for.
    type: str
  param:
    description: A param of the profile or machine. Without it the condition is on the whole document.
    type: str
  path:
    description: A JSON pointer from the param, or document, to what is compared, such as V(/Meta/icon).
    type: str
  condition:
    description:
      - V(exists) and V(absent) - whether something stands there. A param that is not set reads as the default of its schema.
      - V(equals) and V(differs) - compared with O(value), types included.
      - V(in) - equal to one of the list O(value).
      - V(count) - a list or object with at least O(value) members; without O(name) at least so many documents.
      - V(changed) - something else than when the task began.
    type: str
    choices: [exists, absent, equals, differs, in, count, changed]
    default: exists
  value:
    description:
      - What the condition compares with, of any JSON type.
      - Before ansible-core 2.19 a template gives text, which is no number unless C(jinja2_native) is set;
        O(condition=count) takes it for one.
    type: raw
  filter:
    description: Without O(name), top-level members that the documents must have, such as C(Group).
    type: dict
  stable_for:
    description: For how many seconds the condition must have held, and nothing have changed there; at most 240.
    type: float
    default: 0.0
  escape:
    description:
      - A param of a profile that ends the wait of everybody as soon as it is set, such as V(cluster/escape).
      - V(0) makes them continue, anything else makes them fail.
    type: str
  escape_profile:
    description: The profile that O(escape) is on. The default is O(name), when that is a profile.
    type: str
  wait_timeout:
    description: How long to wait, in seconds. Then the task fails and says what stands there.
    type: float
    default: 300.0
seealso:
  - module: baton.ha.barrier
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Wait until the database is ready
  baton.ha.wait_for:
    name: db
    param: state
    condition: in
    value: [ready, degraded]
    wait_timeout: 600
  register: database

- name: Wait until three leaders are known
  baton.ha.wait_for:
    name: kube
    param: cluster/leaders
    condition: count
    value: 3
    escape: cluster/escape

- name: Wait until nobody has joined for five seconds
  baton.ha.wait_for:
    name: gluster
    param: peers
    stable_for: 5
"""

RETURN = r"""
value:
  description: What stands there; V(none) when nothing does, and when the wait was escaped.
  returned: success
  type: raw
  sample: ready
revision:
  description: The revision of the document; V(none) for a number of documents.
  returned: success
  type: str
  sample: "1.42"
escaped:
  description: The value of O(escape) when that ended the wait; V(none) otherwise.
  returned: success
  type: raw
elapsed:
  description: How long it took, in seconds.
  returned: success
  type: float
  sample: 1.5
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import wait_for as task
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.common import answer
from ansible_collections.baton.ha.plugins.module_utils._options import TaskModule


def main():
    module = TaskModule(
        argument_spec=task.SPEC,
        required_if=task.REQUIRED_IF,
        supports_check_mode=True,
    )
    answer(module, task.run)


if __name__ == "__main__":
    main()
