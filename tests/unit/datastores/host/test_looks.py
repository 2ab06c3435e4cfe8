# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server is looked at: without TLS where nobody listens."""

import pymysql
import pytest

from baton.datastores.host.mariadb import sql


def test_the_socket_is_spoken_to_in_the_clear(monkeypatch, tmp_path):
    """Newer clients would begin TLS unasked, and read all authorities of the system for it, several times a second."""
    asked = {}

    def connect(**where):
        asked.update(where)
        raise pymysql.err.OperationalError(2002, "nobody is there")

    monkeypatch.setattr(pymysql, "connect", connect)
    with pytest.raises(sql.SqlTrouble, match="nobody is there"):
        sql.local(tmp_path / "sock", "root")
    assert asked["ssl_disabled"] is True
