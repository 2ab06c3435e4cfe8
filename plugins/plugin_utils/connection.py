# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lookup, inventory and callback share: from a plugin's options to a client of the cluster."""

from __future__ import annotations

import os

from ansible_collections.baton.ha.plugins.module_utils._baton.client.api import Client, connection_from
from ansible_collections.baton.ha.plugins.module_utils._baton.client.connection import datastores_from
from ansible_collections.baton.ha.plugins.module_utils._baton.client.datastores import Datastores

OPTIONS = ("url", "token", "token_file", "ca", "timeout", "cluster")
OF_DATASTORES = (*OPTIONS, "datastores_url", "project")
VARIABLES = ("baton_url", "baton_token", "baton_token_file", "baton_ca", "baton_cluster")


def client_of(plugin, given=(), notice=None):
    """Return a client for a plugin whose options are set, as doc_fragments/plugin_connection.py has them. Raises ClientError.

    ``given``: the options that are set right there, and not by a variable. ``notice`` is told one line when nobody answers.
    """
    return Client(connection_from(_options(plugin, OPTIONS, given), os.environ), notice=notice)


def datastores_of(plugin, given=()):
    """Return the same of the API of datastores, as doc_fragments/plugin_datastores.py has its options besides."""
    return Datastores(*datastores_from(_options(plugin, OF_DATASTORES, given), os.environ))


def _options(plugin, names, given):
    options = {name: plugin.get_option(name) for name in names}
    if "token_file" in given and "token" not in given:
        options["token"] = None  # from a variable, which what is set right there overrides
    return options
