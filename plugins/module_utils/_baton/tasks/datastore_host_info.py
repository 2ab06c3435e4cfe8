# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the pool: what people say of its hosts, and what their guests do. What guests are told, which has secrets in it, is not shown."""
from __future__ import annotations

from ..client import pool
from ..client.error import ClientError
from .common import Context, Result, spec

SPEC = spec(name={"type": "str"})


def run(context: Context) -> Result:
    name = context.params["name"]
    if name is None:
        return {"changed": False, "hosts": [pool.shown(each) for each in context.client.list(pool.POOL)]}
    try:
        return {"changed": False, "hosts": [pool.shown(context.client.get(pool.POOL, name).body)]}
    except ClientError as error:
        if error.kind != "not_found":
            raise
        return {"changed": False, "hosts": []}
