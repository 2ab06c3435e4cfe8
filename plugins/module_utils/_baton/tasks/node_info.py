# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the cluster as one node sees it; works for a node that has not joined one, too."""
from __future__ import annotations

from .common import Context, Result, spec

SPEC = spec()


def run(context: Context) -> Result:
    status = context.client.ha_status()
    return {"changed": False, "node": status}
