# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to reach the API of datastores, for plugins that run on the controller, besides doc_fragments/plugin_connection.py."""

    DOCUMENTATION = r"""
options:
  datastores_url:
    description:
      - Addresses of the API of datastores, tried in order. The VIP is the usual one, since the API is served where the active is.
      - Without it E(BATON_DATASTORES_URL) is used, or the section of the configuration file; else it is asked at port 8779 of O(url).
    type: list
    elements: str
    vars:
      - name: baton_datastores_url
  project:
    description:
      - Whose databases are meant. A token of a project is for its own, an admin's for each.
      - Without it E(BATON_PROJECT) is used, or the section of the configuration file.
    type: str
    vars:
      - name: baton_project
"""
