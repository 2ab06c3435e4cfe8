# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How to reach a Baton cluster."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Addresses of nodes, tried in order; any node leads to the active. The VIP is a good one.
      - Without it the environment variable E(BATON_URL) is used, or E(RS_ENDPOINT). The keyword C(environment) of a play, block or task
        may set these variables, too.
    type: list
    elements: str
  token:
    description:
      - The cluster's token, not a fencing token.
      - Without it O(token_file), then the environment variables E(BATON_TOKEN), E(BATON_TOKEN_FILE) and E(RS_TOKEN) are used.
    type: str
  token_file:
    description: A file on the controller that has the token.
    type: path
  ca:
    description:
      - A file with the CA certificate of the nodes. Without it E(BATON_CA), then the system's store is used.
      - Where a list of revoked certificates stands beside it, as C(crl.pem), that is used, too.
    type: path
  cluster:
    description:
      - The section of the configuration file that says what no other option does.
      - Without it the one that E(BATON_CLUSTER) names, then the section C(default) is used.
      - The file is E(BATON_CONFIG), or C(~/.config/baton/config.ini), and on a node C(/etc/baton/config.ini).
      - It may say O(url), O(token), O(token_file), O(ca), O(timeout), and C(datastores_url) and C(project) of modules for datastores.
    type: str
  run_on:
    description:
      - From where the cluster is asked. With V(host) each request goes out from the task's host, as its login and through no proxy; with
        C(delegate_to), from the host that is delegated to. That is for a cluster whose API the controller does not reach.
      - All else stays on the controller, such as the files O(token_file) and O(ca).
      - The host needs Python 3.7 or newer, and no library. A request costs as much as a small module does.
    type: str
    choices: [controller, host]
    default: controller
    version_added: 1.0.0
  timeout:
    description: Seconds that one request may take with all its retries (30); a change of the active is waited through.
    type: float
requirements:
  - requests (where the task runs, which is the controller)
"""
