#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is a virtual module that is entirely implemented as an action plugin and runs on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: once
short_description: Do something really once, whatever runs the play
version_added: 1.0.0
description:
  - Exactly one of all hosts, runs and controllers does it, and all get its result. C(run_once) is once for each controller, each batch
    of C(serial), and each run.
  - One task - O(module) and O(args) say what is done. Whoever comes first does it; the others wait in the same task, with any strategy
    and any number of forks, and get its result, or its failure.
  - Several tasks - O(state=begun) says who does it, in RV(mine). That host ends with O(state=done) or O(state=failed), the others go on
    with O(state=awaited).
  - Who does it holds a lock for as long as its run of ansible-playbook lives. When that ends without an outcome, or the host can't be
    reached, the next one who waits does it. It may then be done a second time, from where the first one left it.
  - The outcome stays until it is forgotten with O(state=absent), a failure too, such as that of a module with a wrong option. Put what
    it is for into the name, such as a version.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  name:
    description: What is done, such as V(migrate/2.1). The outcome is a param of that name, so it has letters, digits, and V(/ _ . -).
    type: str
    required: true
  profile:
    description:
      - The profile that keeps the outcome; it is made if it does not exist. A token for this profile is enough.
      - In another profile than V(once) the param is C(once/NAME).
    type: str
    default: once
  module:
    description: The module that does it, as a task would name it; its action plugin and C(module_defaults) are used.
    type: str
  args:
    description: Its options, or for V(command), V(shell), V(script) and V(raw) a command line.
    type: raw
  state:
    description:
      - V(begun) claims it, or says that it is another's or done already; it never waits.
      - V(done) and V(failed) end what this host has begun in this run.
      - V(awaited) waits for the outcome. It fails if that is a failure, or if whoever began it is gone.
      - V(absent) forgets the outcome, so that it is done again.
    type: str
    choices: [begun, done, failed, awaited, absent]
  result:
    description: What the others get, with O(state=done) or O(state=failed), of any JSON type.
    type: raw
  why:
    description: Why it failed, with O(state=failed).
    type: str
    default: ""
  retry:
    description:
      - Whether a failure that stood already when this task began is tried again, once in a run. Otherwise this task fails with it.
      - A failure that happens while this task waits is its result in any case.
      - With C(until) and C(retries) of the task the host that failed tries it again in the same run.
    type: bool
    default: false
  wait_timeout:
    description: How long to wait for another one's outcome, in seconds. Then the task fails, names who does it, and leaves the line.
    type: float
    default: 3600.0
notes:
  - It runs as an action plugin only, since it is held by a run of ansible-playbook.
  - A result of a task with C(no_log) is not kept, and one of more than 64 KiB is kept without its text, both with a warning.
  - C(failed_when) and C(changed_when) of the task are about the task on each host, after the outcome was recorded.
  - Facts that the module returns, such as those of M(ansible.builtin.set_fact), are set on the host that does it only. The others get
    what RV(result) has, which is no facts.
  - In check mode nothing is claimed. The first host of the run that comes says that it would do it, and the others find what it would
    have left.
seealso:
  - module: baton.ha.lock
  - module: baton.ha.leader_election
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: Migrate the database once for all hosts, runs and controllers
  baton.ha.once:
    name: "migrate/{{ version | default('2.1') }}"
    module: ansible.builtin.command
    args:
      cmd: echo migrating the database
  register: migration

- name: Everybody knows what came of it
  ansible.builtin.debug:
    msg: "{{ migration.by }} said {{ migration.result.stdout }}"

- name: Several tasks
  baton.ha.once:
    name: "reindex/{{ version | default('2.1') }}"
    state: begun
  register: reindex

- name: On one host
  when: reindex.mine
  block:
    - name: Work
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }} does it"

    - name: Say that it is done
      baton.ha.once:
        name: "reindex/{{ version | default('2.1') }}"
        state: done
        result:
          documents: 17
  rescue:
    - name: Say that it failed, so that nobody waits in vain
      baton.ha.once:
        name: "reindex/{{ version | default('2.1') }}"
        state: failed
        why: "{{ ansible_failed_result.msg | default('it failed') }}"

- name: Nobody goes on before it is done
  baton.ha.once:
    name: "reindex/{{ version | default('2.1') }}"
    state: awaited
"""

RETURN = r"""
mine:
  description: Whether this host does it, or did it in this task.
  returned: success
  type: bool
state:
  description: V(done) or V(failed) where there is an outcome, else V(begun); V(absent) after it was forgotten.
  returned: success
  type: str
  sample: done
done:
  description: Whether it is done.
  returned: success
  type: bool
result:
  description: The result of the module, or what was given as O(result); V(none) where it is not kept.
  returned: success
  type: raw
  sample: {"rc": 0, "stdout": "migrating the database"}
why:
  description: Why it failed.
  returned: success
  type: str
  sample: "non-zero return code: the disk is full"
by:
  description: Who did it, or does it - a host in a run.
  returned: success
  type: str
  sample: web-1, run 3f2a1b0c on ctl-2
at:
  description: When it was done, in seconds since 1970.
  returned: success
  type: int
  sample: 1767225600
"""
