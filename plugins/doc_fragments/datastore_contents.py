# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Databases and users with which an instance or a cluster is made."""

    DOCUMENTATION = r"""
options:
  databases:
    description: Databases that are made with it; none of Valkey and Redis. They are not looked at once it is there.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the database.
        type: str
        required: true
      character_set:
        description: Its character set, such as V(utf8mb4); of PostgreSQL V(UTF8).
        type: str
      collate:
        description: Its collation; of PostgreSQL V(C.UTF-8) or V(C).
        type: str
  users:
    description: Users that are made with it. They are not looked at once it is there.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      password:
        description: The user's password.
        type: str
        required: true
      databases:
        description: Which of O(databases) the user may use; of Valkey and Redis, which keys, as patterns.
        type: list
        elements: str
        default: []
      host:
        description: From which address, such as V(192.0.2.10). Without it from any, as users of PostgreSQL are.
        type: str
"""
