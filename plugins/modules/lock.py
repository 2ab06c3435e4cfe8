#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lock
short_description: Hold a lock for part of a play
version_added: 1.0.0
description:
  - At most O(slots) owners, or any number of O(shared) ones, hold the lock at once, under one controller or several. The others wait
    in line and are let in in the order in which they asked.
  - A lock is held until it is released, or until its run of ansible-playbook ends, however it ends. A controller that dies blocks
    nobody for longer than 20 seconds.
  - For that the first task of a run that takes a lock starts a small process on the controller, which keeps the lease C(run-ID) alive
    while ansible-playbook lives, and ends it then. It keeps its files in a private directory in E(XDG_RUNTIME_DIR), or E(TMPDIR).
  - Acquiring a lock that this owner holds already renews it and changes nothing else. If O(ttl) or O(lease) say something else than before,
    the lock is held under that from then on, with the same token. That is a change, and what was returned as RV(lease) before is no more.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  name:
    description:
      - Name of the lock - parts of letters, digits, C(_), C(.), C(:), C(@) and C(-), with slashes between them. A part begins with a letter, a digit
        or C(_) and has at most 127 characters.
      - A host's name that has others can't be part of it as it is; O(each) takes any.
    type: str
    required: true
  each:
    description:
      - Instead of one lock, one for each of these, named O(name)C(/THING), such as the hosts of the play. Their default owner is not
        this host, but each thing in this run, so that one task with C(run_once) takes them for the whole play.
      - They are taken in one order, whatever order they are given in, so that no two tasks wait for each other crosswise; all or none.
      - A host such as V(localhost), which every machine has, stands for the controller's own name. One that no lock can be named after, such
        as V(Switch 1), gives its letters and some digits, C(Switch-1@3f2a9c1b).
    type: list
    elements: str
  state:
    description: V(acquired) waits for its turn and takes the lock; V(released) gives it up, or leaves the line.
    type: str
    choices: [acquired, released]
    default: acquired
  owner:
    description:
      - Who holds it. Tasks with the same owner share the lock, and only the owner releases it.
      - The default is this host in this run of ansible-playbook, such as C(web-1, run 3f2a1b0c on ctl-2), so that two runs exclude each
        other also on one host. Give a name if one run takes the lock and another one releases it.
      - Where the module itself runs instead of its action plugin, nobody knows the run, and it is the machine alone.
    type: str
  slots:
    description: How many may hold it at once; all who ask must agree. The default is what those who hold it said, else 1.
    type: int
  shared:
    description: Whether it is held together with all others who share it, and beside nobody else - many readers, or one writer.
    type: bool
    default: false
  ttl:
    description:
      - How long the lock is kept without being renewed, such as V(90s), V(10m) or V(2h), at most V(24h), also when the run has ended. Choose it longer
        than the longest task under it; each task that acquires the lock again begins the time anew.
      - V(0) keeps it until it is released, whatever happens.
      - Without it, and without O(lease), the lock lives as long as the run. Where the module itself runs instead of its action plugin,
        nobody can see a run end, and the lock is kept for V(10m).
    type: str
  lease:
    description: A lease that the lock is tied to, instead of one of its own; O(ttl) is not used then.
    type: str
  data:
    description: Something to be shown beside the owner, of any JSON type.
    type: raw
  wait:
    description: Whether to wait in line. Otherwise the task fails if the lock is held.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait, in seconds. Then the task fails, names who holds the lock, and leaves the line.
    type: float
    default: 300.0
notes:
  - Hosts of one play that wait for each other's lock need the strategy C(ansible.builtin.host_pinned), or C(serial). With C(linear) the one
    that has the lock can't go on before the others have ended the task in which they wait; with C(free) those that wait take the forks
    that it needs.
  - A lock may be lost in the middle of a run - its lease is revoked, its controller is cut off for longer than the lease, or somebody
    breaks it. Releasing it, or acquiring it again, then gives a warning if this run had acquired it; acquiring it again also says
    C(changed=true). C(only_under) of M(baton.ha.compare_and_patch) refuses to write once it is lost.
seealso:
  - module: baton.ha.leader_election
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: One host after the other, under any number of controllers
  block:
    - name: Wait for our turn
      baton.ha.lock:
        name: web/restart
      register: turn

    - name: Nobody else does this now
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }} is in, with token {{ turn.token }}"
  always:
    - name: Let the next one in
      baton.ha.lock:
        name: web/restart
        state: released

- name: Two at a time
  block:
    - name: Wait for one of the two slots
      baton.ha.lock:
        name: web/update
        slots: 2
        wait_timeout: 3600
  always:
    - name: Let the next one in
      baton.ha.lock:
        name: web/update
        state: released
"""

RETURN = r"""
held:
  description: Whether the owner holds the lock now.
  returned: success
  type: bool
owner:
  description: Who asked.
  returned: success
  type: str
  sample: web-1
token:
  description:
    - The fencing token. It grows with every acquisition; hand it to what the lock protects, which can then refuse an older one.
    - Baton itself does so for writes with C(If-Lease). V(none) after a release and in check mode.
  returned: success
  type: int
  sample: 4294967297
tokens:
  description: The fencing token of each lock.
  returned: with O(each)
  type: dict
  sample: {"web-1": 4294967297, "web-2": 4294967298}
position:
  description: The owner's place among those who hold the lock, in the order of winning, from 0; V(none) when it is not held.
  returned: success
  type: int
  sample: 0
lease:
  description: The lease that the lock is tied to; V(none) when there is none.
  returned: success
  type: str
  sample: run-3f2a1b0c
holders:
  description: Everybody who holds the lock, in the order of winning.
  returned: success
  type: list
  elements: str
  sample: [web-1]
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import lock as task
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
