# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Which documents a module is for: C(DOCUMENTS) in module_utils/_baton/core/model/kinds.py."""

    DOCUMENTATION = r"""
options:
  kind:
    description: The kind of document.
    type: str
    choices: [profiles, machines, params]
    default: profiles
"""
