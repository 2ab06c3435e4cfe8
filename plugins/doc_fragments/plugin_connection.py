# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How plugins that run on the controller reach a Baton cluster; plugin_utils/connection.py reads it."""

    # The token has no env entries here: with them a token of the environment would win over a token_file that a task names.
    # The client reads the environment itself, after all options.
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Addresses of nodes, tried in order; any node leads to the active. The VIP is a good one.
    type: list
    elements: str
    env:
      - name: RS_ENDPOINT
      - name: BATON_URL
    vars:
      - name: baton_url
  token:
    description:
      - The token. Without it O(token_file), then the environment variables E(BATON_TOKEN), E(BATON_TOKEN_FILE) and E(RS_TOKEN) are used.
    type: str
    vars:
      - name: baton_token
  token_file:
    description: A file on the controller that has the token.
    type: path
    vars:
      - name: baton_token_file
  ca:
    description: A file with the CA certificate of the nodes. Without it the system's store is used.
    type: path
    env:
      - name: BATON_CA
    vars:
      - name: baton_ca
  timeout:
    description: Seconds that one request may take with all its retries; a change of the active is waited through.
    type: float
    default: 30.0
requirements:
  - requests (on the controller)
"""
