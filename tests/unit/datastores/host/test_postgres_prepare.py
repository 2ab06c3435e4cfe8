# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making and removing a PostgreSQL server: what is refused before anything is touched, who may what in it, and its parameters."""

import os
import socket
import stat
from pathlib import Path
from signal import SIGCONT, SIGKILL

import pytest

from baton.datastores.host.postgresql import instance as instances
from baton.datastores.host.postgresql import prepare
from baton.datastores.host.postgresql.config import Files, State, slot_of
from baton.datastores.host.postgresql.protocol import Refused
from baton.datastores.host.trouble import Trouble
from baton.datastores.model.passwords import scram
from support.postgres import Client, Pool, always, secrets, until


@pytest.fixture(scope="module")
def pool():
    pool = Pool()
    yield pool
    pool.end()


@pytest.fixture(scope="module")
def made(pool):
    """A source without replicas."""
    return pool.source(parameters={"max_connections": 77, "work_mem": "3MB"})


@pytest.fixture
def alone(made):
    """It, taking writes."""
    made.freeze(SIGCONT)
    made.server.start()
    made.server.open((), always)
    return made


@pytest.fixture
def new(pool):
    """A member that was not made yet, and of which nothing is left."""
    member = pool.member()
    yield member
    if member.server.is_ours():
        member.ok("wipe")
    pool.members.remove(member)


def refused(member, **more):
    """Return why a server was not made; nothing is there after it."""
    before = sorted(member.pool.folder.glob(f"{member.id}/**"))
    report = member.order("prepare", **member.args(**more))
    assert report.problem and sorted(member.pool.folder.glob(f"{member.id}/**")) == before
    assert member.server.pid() is None
    return report.problem


# --- what is refused --------------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_refused(new):
    with socket.socket() as taken:
        taken.bind((new.address, new.port))
        taken.listen()
        assert f"{new.address} port {new.port} can't be used (Address already in use)" in refused(new)


def test_a_folder_that_is_not_ours_is_not_touched(new):
    new.folder.mkdir()
    (new.folder / "precious").write_text("data")
    assert "nothing in it was touched" in refused(new)
    assert "nothing in it was touched" in new.order("wipe").problem
    assert (new.folder / "precious").read_text() == "data"
    (new.folder / "precious").unlink()
    new.folder.rmdir()


def test_another_version_is_refused(new):
    assert f"this host has postgresql {new.pool.version}, not 14: install that version" in refused(new, version="14")


def test_a_package_that_is_missing_is_named(new, monkeypatch, tmp_path):
    for module in (instances, prepare):
        monkeypatch.setattr(module, "BIN", tmp_path)
    assert "install the package postgresql" in refused(new)
    with pytest.raises(Trouble, match="install the package postgresql-17"):
        instances.executable("postgres", "17")
    with pytest.raises(Trouble, match="is no version of PostgreSQL"):
        instances.executable("postgres", "../../15")
    for version, names in (("15", prepare.PROGRAMS), ("17", ("psql", "pg_rewind"))):  # of 17 there are the client's alone
        (tmp_path / version / "bin").mkdir(parents=True)
        for name in names:
            (tmp_path / version / "bin" / name).touch()
    assert prepare.found_version() == "15"


def test_too_little_room_is_refused(new):
    assert "make room, or choose another host" in refused(new, volume={"size": 1 << 30})


@pytest.mark.parametrize("name", ["postgres", "BATON", "template1", "", "x" * 64, "a\nb"])
def test_a_database_of_the_server_or_without_a_proper_name_is_refused(new, name):
    assert "can't be the name of a database" in refused(new, databases=[{"name": name}])


@pytest.mark.parametrize("name", ["postgres", "baton", "baton_replication", "pg_monitor", "", "x" * 64])
def test_a_user_with_a_name_of_ours_is_refused(new, name):
    assert "can't be the name of a user" in refused(new, users=[{"name": name, "password": "x"}])


def test_a_user_without_a_password_or_with_another_servers_is_refused(new):
    assert "has no password" in refused(new, users=[{"name": "app", "password": ""}])
    assert "is not PostgreSQL's" in refused(new, users=[{"name": "app", "hash": "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"}])


@pytest.mark.parametrize(
    "parameters",
    [
        {"fsync": False}, {"SYNCHRONOUS_COMMIT": "off"}, {"work_mem": "1MB\nfsync = off"}, {"x y": 1}, {"archive_command": "rm"},
        {"work_mem": "much"},
    ],
)
def test_a_parameter_that_sets_depend_on_or_with_more_than_a_value_is_refused(new, parameters):
    assert refused(new, parameters=parameters)


# --- what was made ----------------------------------------------------------------------------------------------------------


def test_a_server_is_made_once_and_read_only_at_rest(alone):
    before = alone.root("SELECT system_identifier FROM pg_control_system()")
    alone.prepare(databases=[{"name": "other"}])
    assert alone.root("SELECT system_identifier FROM pg_control_system()") == before
    assert alone.root("SELECT 1 FROM pg_database WHERE datname = 'other'") == []
    alone.server.stop()
    assert alone.server.pid() is None and not alone.server.look().up
    alone.server.start()
    with pytest.raises(Refused, match="read-only transaction"):
        alone.sql("CREATE TABLE u (id int)")
    assert alone.server.look().up


def test_databases_belong_to_their_users_and_to_nobody_else(new):
    users = [
        {"name": "app", "password": "it's %s\\", "databases": [{"name": 'a "b"'}]},
        {"name": "Two", "hash": scram("other", b"0123456789abcdef"), "databases": [{"name": 'a "b"'}, {"name": "c"}]},
    ]
    databases = [{"name": 'a "b"', "character_set": "LATIN1", "collate": "C"}, {"name": "c"}]
    new.prepare(databases=databases, users=users)
    new.server.open((), always)
    with Client(new, "app", "it's %s\\", 'a "b"') as client:
        client.ask("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
        assert client.ask("SHOW server_encoding") == [{"server_encoding": "LATIN1"}]
        with pytest.raises(Refused, match="must be superuser|permission denied"):
            client.ask("COPY t TO '/tmp/not-ours'")
        with pytest.raises(Refused, match="must be superuser|permission denied"):
            client.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
        with pytest.raises(Refused, match="permission denied"):
            client.ask("SELECT pg_wal_replay_pause()")
    with Client(new, "Two", "other", 'a "b"') as client:
        client.ask("CREATE TABLE u (id int)")
    for who, database in (("app", "c"), ("app", "postgres"), ("app", "template1"), ("baton", "c"), ("baton_replication", "c")):
        with pytest.raises(Refused):
            Client(new, who, "it's %s\\", database)
    with pytest.raises(Refused, match="password authentication failed"):
        Client(new, "Two", "it's %s\\", "c")
    assert new.root("SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolbypassrls", "c") == [{"rolname": "baton"}]


def test_replicas_come_in_with_tls_and_the_sets_password_alone(alone):
    for password, says in ((alone.pool.secrets["replication"], "no encryption"), ("x", "no encryption")):
        with pytest.raises(Refused, match=says):
            Client(alone, "baton_replication", password, "postgres")


def test_secrets_stand_in_files_of_the_server_alone_and_on_no_command_line(alone):
    assert stat.S_IMODE(alone.folder.stat().st_mode) == 0o711 and alone.folder.stat().st_uid == os.geteuid()
    for name in ("key.pem", "certificate.pem", "postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
        assert stat.S_IMODE((alone.folder / name).stat().st_mode) == 0o600
    with open(f"/proc/{alone.server.pid()}/cmdline", "rb") as file:
        assert b"own" not in file.read()
    said = (alone.folder / "log.err").read_text() + (alone.folder / "postgresql.conf").read_text()
    assert alone.pool.secrets["replication"] not in said and "secret" not in said.replace("secrets", "")
    assert "PRIVATE KEY" not in alone.saved and "secret" not in alone.saved.replace("secrets", "")


def test_a_frozen_server_is_not_up_and_says_so_at_once(alone):
    alone.freeze()
    try:
        look = alone.server.look()
        assert not look.up and "does not answer" in look.trouble
    finally:
        alone.freeze(SIGCONT)
    assert alone.server.look().up


def test_another_life_of_the_guest_finds_the_server(alone):
    pid = alone.server.pid()
    alone.pool.runner = type(alone.pool.runner)()
    alone.reborn()
    assert alone.server.pid() == pid
    alone.server.start()
    assert alone.server.pid() == pid and not alone.is_at_rest
    os.kill(pid, SIGKILL)
    os.waitpid(pid, 0)  # whoever has started it is this process, and not init as it would be
    until(lambda: alone.server.pid() is None, "it is gone")
    alone.server.start()
    assert alone.server.pid() not in (None, pid) and alone.is_at_rest


def test_a_server_that_was_half_made_is_made_anew(new, monkeypatch):
    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "_fill", interrupted)
    monkeypatch.setattr(type(new.server._instance.files), "remove", lambda files: None)
    with pytest.raises(KeyboardInterrupt):
        new.server.do("prepare", new.args(), lambda: True)
    monkeypatch.undo()
    assert new.server.is_ours()
    new.reborn()
    new.prepare()
    assert new.server.look().up


def test_a_folder_with_a_long_path_has_its_socket_elsewhere(new):
    new.pool.folder, before = new.pool.folder / ("long" * 30), new.pool.folder
    new.reborn()
    try:
        new.prepare()
        run = new.server._instance.files.run
        assert new.server.look().up and run.exists() and not run.is_relative_to(before)
        new.ok("wipe")
        assert not run.exists()
    finally:
        new.pool.folder = before


def test_wiping_leaves_nothing_and_may_be_asked_again(new):
    new.prepare()
    shared = (new.folder / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1]
    assert shared in _shared()
    assert new.ok("wipe") == {} and not new.folder.exists() and new.server.pid() is None and new.processes() == []
    assert shared not in _shared()
    assert new.ok("wipe") == {}


def _shared():
    """Return the numbers of the host's pieces of shared memory."""
    return [line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()]


def test_orders_that_no_server_is_there_for_say_so(new):
    assert new.order("seal").problem == "its server does not run"
    assert new.server.do("follow", {"source": "m1", "address": "127.0.1.1", "port": 1}, lambda: True) is None
    assert "knows no order" in new.order("dance").problem
    assert new.order("prepare", version="15").problem == "the order prepare does not say 'address'"


def test_who_takes_writes_can_not_be_sealed_or_follow(alone):
    assert "takes writes" in alone.order("seal").problem
    assert "takes writes" in alone.follow(alone).problem


def test_names_become_slots_and_settings_without_more_than_a_name(tmp_path):
    assert slot_of("A1-b.c") == "baton_a1_b_c"
    files = Files(tmp_path, "it's")
    follow = {"source": "s", "address": "::1", "port": 5432}
    spec = {"address": "127.0.0.1", "port": 5432, "secrets": {"replication": "a:b\\c"}}
    text = files.postgresql_conf(spec, State(["x\"y", "it's"], follow))
    assert "synchronous_standby_names = 'ANY 1 (\"it''s\", \"x\"\"y\")'" in text and "cluster_name = 'it''s'" in text
    assert "application_name=''it\\\\''s''" in text


# --- parameters -------------------------------------------------------------------------------------------------------------


def value(server, name):
    return server.root(f"SELECT current_setting('{name}') AS value")[0]["value"]


def test_a_configuration_sets_its_parameters(alone):
    assert (value(alone, "max_connections"), value(alone, "work_mem")) == ("77", "3MB")


def test_what_it_takes_while_it_runs_is_so_at_once_and_after_a_restart(alone):
    pid = alone.server.pid()
    assert alone.ok("configure", parameters={"max_connections": 77, "work_mem": "5MB", "log_connections": True}) == {"restart": []}
    assert alone.server.pid() == pid and (value(alone, "work_mem"), value(alone, "log_connections")) == ("5MB", "on")
    assert alone.ok("configure", parameters={"max_connections": 77}) == {"restart": []}
    assert value(alone, "work_mem") == "1MB"


def test_what_takes_a_restart_is_named_and_comes_with_it(alone):
    assert alone.ok("configure", parameters={"max_connections": 78}) == {"restart": ["max_connections"]}
    alone.ok("restart")
    assert value(alone, "max_connections") == "78" and alone.is_at_rest
    alone.ok("restart", parameters={"max_connections": 79, "work_mem": "4MB"})
    assert (value(alone, "max_connections"), value(alone, "work_mem")) == ("79", "4MB")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"work_mem": "much"}, 'invalid value for parameter "work_mem": "much"'),
        ({"max_connections": -1}, "-1 is outside the valid range"),
        ({"no_such": 1}, "no_such: a server of this version has no such parameter"),
        ({"data_checksums": True}, "data_checksums: a server of this version has no such parameter"),
        ({"port": 1}, "what sets of servers depend on"),
    ],
)
def test_what_it_does_not_take_is_named_and_changes_nothing(alone, parameters, says):
    before, text = value(alone, "work_mem"), (alone.folder / "postgresql.conf").read_text()
    for verb in ("configure", "restart") if "has no such" not in says else ("configure",):
        assert says in alone.order(verb, parameters=parameters).problem
    assert value(alone, "work_mem") == before and "trial.conf" not in {path.name for path in alone.folder.iterdir()}
    assert alone.server.look().up and (alone.folder / "postgresql.conf").read_text() == text


def test_a_server_that_does_not_start_with_new_ones_has_those_before_them(alone):
    alone.ok("restart", parameters={"work_mem": "4MB"})
    report = alone.order("restart", parameters={"work_mem": "4MB", "shared_buffers": "7000GB"})
    assert "p1 does not start with shared_buffers=7000GB, and has what it had before: " in report.problem
    assert alone.server.look().up and value(alone, "work_mem") == "4MB"
    alone.ok("restart")


# --- a set of its own -------------------------------------------------------------------------------------------------------


def test_a_replica_that_is_detached_is_a_source_of_which_the_others_know_nothing(pool):
    source = pool.source()
    leaving, staying = pool.replica(source), pool.replica(source)
    members = [source, leaving, staying]
    source.server.open([leaving.id, staying.id], always)
    source.server.mark(1, 2)
    source.sql("INSERT INTO t VALUES (1)")
    assert "it must be sealed first" in leaving.order("adopt", secrets=pool.secrets).problem
    source.server.open([staying.id], always)
    source.server.mark(1, 3)
    until(lambda: leaving.rows() == {1}, "it is there", members)  # nobody waits for it: it does not count
    sealed = leaving.ok("seal")
    leaving.ok("drain", position=sealed["received"])
    others, own = pool.secrets, secrets("another set's own")
    for _again in range(2):  # a guest may die before it has said that it is done
        leaving.ok("adopt", secrets=own)
        leaving.reborn()
    assert "baton_replication all scram" not in (leaving.folder / "pg_hba.conf").read_text()
    leaving.server.open((), always)
    leaving.server.mark(1, 1)
    leaving.sql("INSERT INTO t VALUES (2)")
    source.sql("INSERT INTO t VALUES (3)")
    assert leaving.rows() == {1, 2} and source.rows() == {1, 3}
    where = {"source": leaving.id, "address": leaving.address, "port": leaving.port, "secrets": others}
    assert staying.server.do("follow", where, always) is None  # they do not trust each other, so that it is silent to it
    assert staying.follow(source).found == {}
    try:
        pool.secrets = own
        replica = pool.replica(leaving)
        leaving.server.open([replica.id], always)
        leaving.sql("INSERT INTO t VALUES (4)")
        until(lambda: replica.rows() == {1, 2, 4}, "the new one has all", [leaving, replica])
    finally:
        pool.secrets = others
