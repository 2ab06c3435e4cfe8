# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How plugins that run on the controller reach a Baton cluster; plugin_utils/connection.py reads it."""

    # No env entries here: the client reads the environment itself, after all options and before the configuration file.
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Addresses of nodes, tried in order; any node leads to the active. The VIP is a good one.
      - Without it the environment variable E(BATON_URL) is used, or E(RS_ENDPOINT).
    type: list
    elements: str
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
    description:
      - A file with the CA certificate of the nodes. Without it E(BATON_CA), then the system's store is used.
      - Where a list of revoked certificates stands beside it, as C(crl.pem), that is used, too.
    type: path
    vars:
      - name: baton_ca
  cluster:
    description:
      - The section of the configuration file that says what no other option does.
      - Without it the one that E(BATON_CLUSTER) names, then the section C(default) is used.
      - The file is E(BATON_CONFIG), or C(~/.config/baton/config.ini), and on a node C(/etc/baton/config.ini).
    type: str
    vars:
      - name: baton_cluster
  timeout:
    description: Seconds that one request may take with all its retries (30); a change of the active is waited through.
    type: float
requirements:
  - requests (on the controller)
"""
