# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a configuration can't set, however it writes the name: servers know names by their beginning, and with words before them."""

import pytest

from baton.datastores.host.galera.settings import MemberFiles
from baton.datastores.host.mariadb.config import Files
from baton.datastores.host.trouble import Trouble

OF_ALL = ("read_only", "loose_read_only", "skip-read-only", "LOOSE-skip-read_only", "plugin_load_ad", "datadi", "enable-log-bin")
OF_MEMBERS = ("wsrep_notify_cmd", "wsrep_notify", "loose_wsrep_notify_cmd", "wsrep_on", "skip-wsrep-on", "wsrep_sst_method", "wsrep_prov")


@pytest.mark.parametrize("name", OF_ALL)
def test_nothing_that_sets_depend_on(tmp_path, name):
    with pytest.raises(Trouble, match="can't be set by a configuration"):
        Files(tmp_path, "one")._parameters({name: 1})


@pytest.mark.parametrize("name", OF_MEMBERS)
def test_nothing_of_a_group_but_what_is_offered(tmp_path, name):
    files = MemberFiles(tmp_path, "one")
    with pytest.raises(Trouble, match="can't be set by a configuration"):
        files._parameters({name: 1})
    assert files._parameters({"wsrep_sync_wait": 1, "max_connections": 100}) == {"wsrep-sync-wait": 1, "max-connections": 100}
