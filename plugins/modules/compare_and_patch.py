#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compare_and_patch
short_description: Change shared documents only if they are as expected
version_added: 1.0.0
description:
  - Applies an RFC 6902 JSON Patch to a document, or swaps one param, all or nothing.
  - Of any number of hosts that do this at the same time with the same reference, under any number of controllers, exactly one wins.
  - The others change nothing and are told what stands there now.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.kind
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  name:
    description: Name of the document. A machine is named by its UUID, or as C(Name:) and its name.
    type: str
  param:
    description:
      - A param of the profile or machine. The root of O(patch) is then the value of this param.
      - A param that is not set reads as the default in its schema.
    type: str
  expect:
    description:
      - The value that O(param) must have. With O(value).
      - Before 2.19 ansible-core makes text of a number that an expression gives (C("3") of C({{ n + 1 }})). There, and only there, such a text is also
        taken for the number or boolean that it is the JSON of, if that is what stands there. O(value) becomes a number likewise where it takes
        the place of one.
    type: raw
  expect_unset:
    description:
      - With V(true), O(param) must not be set; a default in its schema does not count. With O(value). Whoever is first claims it.
    type: bool
  value:
    description:
      - The value that O(param) is to get if it is O(expect), or is not set as O(expect_unset) wants it.
      - If it has this value already the task is won and changes nothing.
    type: raw
  patch:
    description:
      - Operations as in RFC 6902. Use C(test) operations for what must hold.
      - Without any, a path that is not there is an error, and not a race that was lost.
    type: list
    elements: dict
  batch:
    description: Several changes, all or nothing, in the order given; later ones see earlier ones.
    type: list
    elements: dict
    suboptions:
      kind:
        description: As O(kind), one of the same.
        type: str
        default: profiles
      name:
        description: As O(name).
        type: str
        required: true
      param:
        description: As O(param).
        type: str
      expect:
        description: As O(expect).
        type: raw
      expect_unset:
        description: As O(expect_unset).
        type: bool
      value:
        description: As O(value). Here it is also compared when it stands there already.
        type: raw
      patch:
        description: As O(patch).
        type: list
        elements: dict
  lease:
    description: A lease that O(param) is tied to; it is unset when the lease ends, unless another value stands there by then.
    type: str
  only_under:
    description:
      - Change nothing unless this lease holds a lock or seat with this fencing token at that moment. It needs both.
      - In check mode, where a lock that is not held yet has no token, it is not looked at.
    type: dict
    suboptions:
      lease:
        description: Id of the lease.
        type: str
      token:
        description: The fencing token, as M(baton.ha.lock) or M(baton.ha.leader_election) returned it - a number.
        type: raw
  on_conflict:
    description: Whether a lost race is a result with RV(won=false), or a failed task.
    type: str
    choices: [report, fail]
    default: report
seealso:
  - module: baton.ha.leader_election
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Claim the migration, whoever is first
  baton.ha.compare_and_patch:
    name: web
    param: web/migrated-by
    expect_unset: true
    value: "{{ inventory_hostname }}"
  register: claim

- name: Migrate on the one host that won
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} migrates"
  when: claim.won

- name: Claim a number for this host's machine, unless it has one
  baton.ha.compare_and_patch:
    kind: machines
    name: "Name:{{ inventory_hostname }}"
    param: rack/slot
    expect_unset: true
    value: 7
  register: slot

- name: Several members at once, all or nothing
  baton.ha.compare_and_patch:
    name: web
    patch:
      - {op: test, path: /Params/web~1generation, value: 1}
      - {op: replace, path: /Params/web~1generation, value: 2}
      - {op: add, path: /Meta/icon, value: anchor}

- name: Move one worker from blue to green, or change nothing
  baton.ha.compare_and_patch:
    batch:
      - {name: blue, param: workers, expect: 3, value: 2}
      - {name: green, param: workers, expect: 2, value: 3}
  register: move
"""

RETURN = r"""
won:
  description: Whether the patch was applied, or the value stood there already.
  returned: success
  type: bool
found:
  description: What stood there before; after a lost race, what the failed test found. V(none) when nothing was set.
  returned: success
  type: raw
  sample: web-2
value:
  description: What stands there after the task.
  returned: success
  type: raw
  sample: web-1
operation:
  description: Index of the operation that failed.
  returned: when the race was lost
  type: int
  sample: 0
lost:
  description: Index of the change of O(batch) that was in the way; V(none) when none was.
  returned: with O(batch)
  type: int
  sample: 1
revision:
  description: The revision that the change made.
  returned: changed, not in check mode, not with O(batch)
  type: str
  sample: "3.42"
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import compare_and_patch as task
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.common import answer
from ansible_collections.baton.ha.plugins.module_utils._options import TaskModule


def main():
    module = TaskModule(
        argument_spec=task.SPEC,
        mutually_exclusive=task.MUTUALLY_EXCLUSIVE,
        required_one_of=task.REQUIRED_ONE_OF,
        supports_check_mode=True,
    )
    answer(module, task.run)


if __name__ == "__main__":
    main()
