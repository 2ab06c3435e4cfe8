# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conditions that one can wait for. The API and its description, clients, batonctl and modules read it; nobody else lists them. Pure.

What each means stands in adapters/http/waiting (``Condition.holds``). It travels with batonctl and with each module, so that it imports
nothing of ours.
"""
from __future__ import annotations

from typing import Dict

CONDITIONS: Dict[str, str] = {  # what each goes with: a member of the query, or ""
    "exists": "", "absent": "", "equals": "value", "differs": "value", "in": "value", "count": "value", "changed": "revision",
}  # fmt: skip
WITH_VALUE = tuple(name for name, more in CONDITIONS.items() if more == "value")
