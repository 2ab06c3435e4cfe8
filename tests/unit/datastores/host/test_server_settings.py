# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other parameters for a real MariaDB server: while it runs, with a restart, and back where it does not take them."""

import pytest

from baton.datastores.host.mariadb.settings import _is_named
from support.mariadb import Pool


@pytest.fixture(scope="module")
def pool():
    pool = Pool()
    yield pool
    pool.end()


@pytest.fixture(scope="module")
def made(pool):
    """A server that takes writes."""
    return pool.source(parameters={"wait_timeout": 500})


@pytest.fixture
def server(made):
    """It, with what it was made with."""
    made.ok("restart", parameters={"wait_timeout": 500})
    return made


def value(server, name):
    return server.root(f"SELECT @@global.{name} AS value")[0]["value"]


def written(server):
    return (server.pool.folder / server.id / "my.cnf").read_text()


def test_what_it_takes_while_it_runs_is_so_at_once_and_after_a_restart(server):
    pid = server.server.pid()
    found = server.ok("configure", parameters={"wait_timeout": 700, "long_query_time": 2.5, "general_log": False, "sql_mode": "ANSI"})
    assert found == {"restart": []} and server.server.pid() == pid
    assert (value(server, "wait_timeout"), value(server, "long_query_time"), value(server, "general_log")) == (700, 2.5, 0)
    server.server.stop()
    server.server.start()
    assert value(server, "wait_timeout") == 700 and "ANSI" in value(server, "sql_mode")


def test_what_is_left_out_is_what_fits_the_flavor_or_the_server_again(server):
    fits = value(server, "max_connections")
    assert server.ok("configure", parameters={"max_connections": 77, "wait_timeout": 700}) == {"restart": []}
    assert value(server, "max_connections") == 77
    assert server.ok("configure", parameters={}) == {"restart": []}
    assert (value(server, "max_connections"), value(server, "wait_timeout")) == (fits, 28800) and "wait-timeout" not in written(server)


def test_what_takes_a_restart_is_named_until_it_came_or_is_as_it_runs(server):
    assert server.ok("configure", parameters={"wait_timeout": 500, "back_log": 33}) == {"restart": ["back_log"]}
    assert server.ok("configure", parameters={"wait_timeout": 600, "back_log": 33}) == {"restart": ["back_log"]}
    assert server.ok("configure", parameters={"wait_timeout": 600}) == {"restart": []}
    assert server.ok("configure", parameters={"back_log": 34}) == {"restart": ["back_log"]} and value(server, "back_log") != 34
    server.ok("restart", parameters={"back_log": 34})
    assert value(server, "back_log") == 34 and server.ok("configure", parameters={"back_log": 34}) == {"restart": []}


def test_one_that_it_refuses_leaves_all_as_it_was(server):
    report = server.order("configure", parameters={"join_buffer_size": 8192, "sql_mode": "ODD", "wait_timeout": 700})
    assert report.problem.startswith("sql_mode can't be ODD: ")
    assert value(server, "join_buffer_size") != 8192 and value(server, "wait_timeout") == 500 and "ODD" not in written(server)


@pytest.mark.parametrize("parameters", [{"read_only": False}, {"wait_timeout": "5\n[client]"}, {"wait timeout": 5}])
def test_what_is_not_for_people_to_set_never_stands_in_a_file(server, parameters):
    for verb in ("configure", "restart"):
        assert server.order(verb, parameters=parameters).problem
        assert value(server, "wait_timeout") == 500


BAD = {
    "sql_mode=ODD": {"sql_mode": "ODD"},
    "no_such_thing=5": {"no_such_thing": 5},
    "character_set_server=klingon": {"character_set_server": "klingon"},
    "collation_server=odd": {"collation_server": "odd"},
}


@pytest.mark.parametrize("named", BAD)
def test_one_with_which_it_does_not_start_is_named_and_it_runs_as_before(server, named):
    report = server.order("restart", parameters={"wait_timeout": 900, **BAD[named]})
    assert f"does not start with {named}, and has what it had before: " in report.problem, report.problem
    assert server.server.look().up and value(server, "wait_timeout") == 500
    assert "wait-timeout = 500" in written(server)


def test_a_server_that_names_only_a_value_is_understood():
    said = ["[ERROR] InnoDB: preallocating 549755813888 bytes for file ./ib_logfile101 failed with error 28", "[ERROR] Aborting"]
    assert _is_named("innodb_log_file_size", 1 << 39, said) and not _is_named("wait_timeout", 28, said)


def test_a_guest_that_died_while_new_ones_were_tried_goes_back_to_those_before(server):
    server.server._settings.take({"sql_mode": "ODD"})
    server.server.stop()
    server.reborn()
    server.server.start()
    assert server.server.look().up and value(server, "wait_timeout") == 500
    assert "before" not in server.memory


def test_a_restart_without_a_word_on_parameters_keeps_them(server):
    pid = server.server.pid()
    server.ok("restart")
    assert server.server.pid() != pid and value(server, "wait_timeout") == 500
    assert server.root("SELECT @@global.read_only AS value")[0]["value"] == 1
