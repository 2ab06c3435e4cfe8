# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of PostgreSQL, against what a server says of its own."""

import pytest

from baton.datastores.host.postgresql.config import OURS, Files, State
from baton.datastores.host.postgresql.instance import executable
from baton.datastores.host.postgresql.prepare import found_version
from baton.datastores.host.runner import run
from baton.datastores.host.trouble import Trouble
from baton.datastores.service.api.parameters import PARAMETERS, checked
from baton.ground.problem import Problem

KINDS = {"BOOLEAN": "boolean", "INTEGER": "integer", "REAL": "float", "STRING": "string", "ENUM": "string"}
KNOWN = PARAMETERS["postgresql"]
SETTABLE = {name: known for name, known in KNOWN.items() if not known.read_only}


@pytest.fixture(scope="module")
def described():
    """By parameter: when a server takes it, of what kind it is, and its bounds."""
    try:
        said = run([executable("postgres", found_version()), "--describe-config"])
    except Trouble as trouble:
        pytest.fail(f"{trouble}: run `make system`")
    rows = [line.split("\t") for line in said.splitlines()]
    return {row[0]: (row[1], KINDS[row[3]], *(float(bound or 0) for bound in row[5:7])) for row in rows}


def test_a_server_knows_each_and_takes_all_values_within_its_bounds(described):
    for name, known in SETTABLE.items():
        context, kind, least, most = described[name]
        assert known.type == kind and known.restart == (context == "postmaster"), name
        if known.type in ("integer", "float"):
            assert least <= known.min <= known.max <= most, name
    assert {name for name in KNOWN if not KNOWN[name].hidden} <= {*described, "port"}


def test_what_sets_depend_on_is_no_persons_to_set_here_nor_there(tmp_path):
    assert not {*SETTABLE} & OURS and {name for name in KNOWN if name not in SETTABLE} <= OURS
    for word in ("synchronous", "archive", "recovery", "ssl", "file", "library", "fsync", "command", "listen", "preload", "read_only"):
        assert {name for name in SETTABLE if word in name} <= {"max_files_per_process", "temp_file_limit", "log_temp_files"}, word


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"fsync": False}, "fsync is read-only: Baton sets it for each instance; leave it out"),
        ({"synchronous_commit": "local"}, "synchronous_commit is read-only"),
        ({"archive_command": "cp"}, "postgresql has no parameter 'archive_command' that can be set"),
        ({"wait_timeout": 60}, "postgresql has no parameter 'wait_timeout' that can be set"),
        ({"work_mem": "64MB"}, "work_mem is a whole number from 64 to 2147483647, not '64MB'"),
        ({"max_connections": 10}, "max_connections is a whole number from 30 to 10000, not 10"),
        ({"max_standby_streaming_delay": -1}, "max_standby_streaming_delay is a whole number from 0 to 30000, not -1"),
        ({"default_transaction_isolation": "serializable"}, "default_transaction_isolation is one of repeatable read, read"),
        ({"wal_compression": True}, "wal_compression is one of pglz, lz4, zstd, on, off, not true"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(values, why):
    with pytest.raises(Problem) as refused:
        checked("postgresql", values)
    assert refused.value.status == 422 and refused.value.detail.startswith(why)


def test_whatever_can_be_set_can_stand_in_a_servers_file(tmp_path):
    values = {name: known.values[-1] if known.values else known.type == "boolean" or known.max for name, known in SETTABLE.items()}
    assert checked("postgresql", values) == values
    files = Files(tmp_path, "m")
    text = files.postgresql_conf({"address": "127.0.0.1", "port": 5432, "parameters": values}, State())
    assert all(f"\n{name} = " in text for name in values)
