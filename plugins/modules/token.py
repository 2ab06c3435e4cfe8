#!/usr/bin/python

# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: token
short_description: Make, refresh and revoke tokens
version_added: 1.0.0
description:
  - Makes a token for one profile, for a project, for a viewer, for the guest of a host of the pool, or one that may do everything.
  - With O(path) the token is kept in a file and made anew when it has expired or soon will; without, each run makes one.
extends_documentation_fragment:
  - baton.ha.connection
  - baton.ha.attributes
  - baton.ha.attributes.changing
options:
  profile:
    description:
      - The profile that the token is for. It ends with the profile.
      - Without this, O(project), O(viewer) and O(guest), it is an admin's token.
    type: str
  project:
    description: The token is for the profiles, locks, barriers and files named like this, or like this with C(:) and more behind it.
    type: str
  viewer:
    description: The token only reads, with O(project) what is the project's, else all but tokens.
    type: bool
    default: false
  guest:
    description:
      - The token is for the guest of this host of the pool, see M(baton.ha.datastore_host). It ends with the host.
    type: str
    version_added: 1.1.0
  ttl:
    description: How long it lasts, such as V(2h), V(7d) or V(3y). Without it, for ever.
    type: str
  description:
    description: What it is for.
    type: str
    default: ""
  path:
    description:
      - A file on the controller that has the token. Only its owner may read it. The token itself is not returned then.
      - Where the module itself runs instead of its action plugin, the file is on the host.
    type: path
  refresh_before:
    description: With O(path) a token is made anew when it lasts no longer than this.
    type: str
    default: 1h
  id:
    description: Id of the token to revoke. Without it, the one in O(path).
    type: str
  state:
    description: Whether there shall be a token; V(absent) revokes it and removes the file.
    type: str
    choices: [present, absent]
    default: present
notes:
  - O(path) keeps the secret out of the result, and so out of what callbacks and logs show. Without it the result has the secret,
    which a warning says; use C(no_log) on the task then, which hides the warning, too.
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: A token for the hosts of one profile, refreshed a day before it ends
  baton.ha.token:
    profile: web
    ttl: 7d
    refresh_before: 1d
    path: "{{ playbook_dir }}/web.token"
  run_once: true

- name: A token for a dashboard
  baton.ha.token:
    viewer: true
    ttl: 30d
    path: "{{ playbook_dir }}/dashboard.token"
  run_once: true

- name: It is not needed any more
  baton.ha.token:
    path: "{{ playbook_dir }}/web.token"
    state: absent
  run_once: true
"""

RETURN = r"""
id:
  description: The token's public id; V(none) in check mode when one would be made.
  returned: success
  type: str
  sample: 9f86d081884c7d65
expires:
  description: When it ends, in unix seconds; V(none) when it does not.
  returned: success
  type: int
  sample: 1800000000
scope:
  description: What it allows.
  returned: success
  type: dict
  sample: {kind: profile, name: web}
token:
  description: The secret; V(none) when it is in O(path), and when none was made.
  returned: success
  type: str
"""

from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import token as task
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
