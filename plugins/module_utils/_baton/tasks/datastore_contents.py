# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases and users with which an instance or a cluster is made, as tasks say them and as the API is asked for them."""
from __future__ import annotations

from typing import Any, Dict, Mapping

CONTENTS: Dict[str, Any] = {
    "databases": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str", "required": True}, "character_set": {"type": "str"}, "collate": {"type": "str"}},
    },
    "users": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "databases": {"type": "list", "elements": "str", "default": []},
            "host": {"type": "str"},
        },
    },
}


def contents(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Return databases and users of the options of a task as the API is asked for them."""
    users = [
        {**given(user), "databases": [{"name": each} for each in user["databases"]]} for user in params["users"] or ()
    ]  # fmt: skip
    databases = [given(database) for database in params["databases"] or ()]
    return {name: value for name, value in (("databases", databases), ("users", users)) if value}


def given(members: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
