# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one profile, or all."""
from __future__ import annotations

from ..client.error import ClientError
from .common import Context, Result, spec

SPEC = spec(name={"type": "str"})


def run(context: Context) -> Result:
    name = context.params["name"]
    if not name:
        return {"changed": False, "profiles": context.client.list("profiles")}
    try:
        return {"changed": False, "profiles": [context.client.get("profiles", name).body]}
    except ClientError as error:
        if error.kind != "not_found":
            raise
        return {"changed": False, "profiles": []}
