# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making and removing a server: what is refused before anything is touched, and what nobody may in one that was made."""

import os
import signal
import socket
import stat

import pymysql
import pytest

from baton.datastores.host.mariadb import instance as instances
from baton.datastores.host.mariadb import prepare, sql
from baton.datastores.host.trouble import Trouble
from support.mariadb import Pool, always, until


@pytest.fixture(scope="module")
def pool():
    pool = Pool()
    yield pool
    pool.end()


@pytest.fixture(scope="module")
def alone(pool):
    """A source without replicas."""
    return pool.source(parameters={"max_connections": 77, "wait_timeout": 1234})


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


def test_a_port_that_is_taken_is_refused(new):
    with socket.socket() as taken:
        taken.bind((new.address, new.port))
        taken.listen()
        assert f"{new.address} port {new.port} can't be used (Address already in use)" in refused(new)


def test_a_port_without_one_for_copies_is_refused(new):
    assert "port 60000 can't be used" in refused(new, port=60000)


def test_an_address_that_is_not_of_this_host_is_refused(new):
    assert "192.0.2.1" in refused(new, address="192.0.2.1")


def test_a_folder_that_is_not_ours_is_not_touched(new):
    folder = new.pool.folder / new.id
    folder.mkdir()
    (folder / "precious").write_text("data")
    assert "nothing in it was touched" in refused(new)
    assert "nothing in it was touched" in new.order("wipe").problem
    (folder / "marker").write_text("another\n")
    assert "nothing in it was touched" in refused(new) and "nothing in it was touched" in new.order("wipe").problem
    assert (folder / "precious").read_text() == "data"
    for path in (folder / "precious", folder / "marker"):
        path.unlink()
    folder.rmdir()


def test_another_version_is_refused(new):
    assert "this host has mariadb 10.11, not 11.8: install that version, or choose another host" in refused(new, version="11.8")


def test_a_package_that_is_missing_is_named(new, monkeypatch, tmp_path):
    for name in ("mariadbd", "mariadb-install-db"):
        (tmp_path / name).symlink_to(f"/usr/{'s' * (name == 'mariadbd')}bin/{name}")
    monkeypatch.setattr(instances, "PATH", str(tmp_path))
    assert "install the package mariadb-backup" in refused(new)
    (tmp_path / "mariadbd").unlink()
    assert "install the package mariadb-server" in refused(new)


def test_a_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(sql, "pymysql", None)
    monkeypatch.setattr(sql, "PYMYSQL_ERROR", "No module named 'pymysql': install python3-pymysql")
    with pytest.raises(Trouble, match="install python3-pymysql"):
        sql.local("/nowhere", "root")


def test_too_little_room_is_refused(new):
    assert "make room, or choose another host" in refused(new, volume={"size": 1 << 30})
    assert "make room, or choose another host" in refused(new, volume=1 << 30)


@pytest.mark.parametrize("name", ["mysql", "BATON", "", "x" * 65, "a\nb"])
def test_a_database_of_the_server_or_without_a_proper_name_is_refused(new, name):
    assert "can't be the name of a database" in refused(new, databases=[{"name": name}])


@pytest.mark.parametrize("name", ["root", "baton_s_m1", "", "x" * 81])
def test_a_user_with_a_name_of_ours_is_refused(new, name):
    assert "can't be the name of a user" in refused(new, users=[{"name": name, "password": "x"}])


def test_a_user_without_a_password_is_refused(new):
    assert "has no password" in refused(new, users=[{"name": "app", "password": ""}])


@pytest.mark.parametrize(
    "parameters", [{"read_only": False}, {"rpl-semi-sync-master-timeout": 1}, {"max_connections": "1\n[client]"}, {"x y": 1}]
)
def test_a_parameter_that_sets_depend_on_or_with_more_than_a_value_is_refused(new, parameters):
    assert refused(new, parameters=parameters)


def test_a_server_that_does_not_start_says_why_and_is_gone(new):
    assert "unknown variable" in refused(new, parameters={"no_such_parameter": 1})


def test_a_server_is_made_once_and_read_only_at_rest(alone):
    before = alone.root("SELECT @@server_id AS it")
    alone.prepare(databases=[{"name": "other"}])
    assert alone.root("SELECT @@server_id AS it") == before
    assert alone.root("SHOW DATABASES LIKE 'other'") == []
    alone.server.stop()
    assert alone.server.pid() is None and not alone.server.look().up
    alone.server.start()
    with pytest.raises(pymysql.err.OperationalError) as problem:
        alone.sql("CREATE TABLE d.u (id INT)")
    assert problem.value.args[0] == 1290 and alone.server.look().up


def test_a_new_server_has_written_nothing(new):
    new.prepare(databases=[{"name": "a_b"}], users=[{"name": "app", "password": "it's %s\\", "databases": [{"name": "a_b"}]}])
    assert new.server.position() == ""
    new.server.open((), always)
    new.server.mark(1, 1)
    assert new.server.position() == f"1-{new.number}-1"
    new.sql("CREATE TABLE a_b.t (id INT)", password="it's %s\\")
    new.root("CREATE DATABASE axb")
    with pytest.raises(pymysql.err.OperationalError):  # a name is no pattern
        new.sql("CREATE TABLE axb.t (id INT)", password="it's %s\\")


def test_nobody_but_the_guest_has_more_than_some_databases(alone):
    accounts = {(row["User"], row["Host"]) for row in alone.root("SELECT User, Host FROM mysql.global_priv")}
    ours = {("mariadb.sys", "localhost"), ("root", "localhost"), (instances.ourselves(), "localhost"), ("PUBLIC", "")}
    assert accounts - ours == {("app", "%"), ("baton_a_m1", "%"), ("baton_s_m1", "%")}
    granted = " ".join(str(value) for row in alone.root("SHOW GRANTS FOR app") for value in row.values())
    assert "ALL PRIVILEGES ON `d`.*" in granted and "GRANT USAGE ON *.*" in granted


def test_secrets_stand_in_files_of_the_server_alone_and_on_no_command_line(alone):
    folder = alone.pool.folder / alone.id
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711 and folder.stat().st_uid == os.geteuid()
    for name in ("key.pem", "certificate.pem", "my.cnf"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    with open(f"/proc/{alone.server.pid()}/cmdline", "rb") as file:
        assert b"own" not in file.read()
    assert alone.pool.secrets["replication"] not in (folder / "my.cnf").read_text()
    assert "PRIVATE KEY" not in alone.saved and "secret" not in alone.saved.replace("secrets", "")


def test_a_configuration_sets_its_parameters(alone):
    assert alone.root("SELECT @@max_connections AS a, @@wait_timeout AS b") == [{"a": 77, "b": 1234}]


def test_a_frozen_server_is_not_up_and_says_so_at_once(alone):
    alone.signal(signal.SIGSTOP)
    try:
        look = alone.server.look()
        assert not look.up and "does not answer" in look.trouble
    finally:
        alone.signal(signal.SIGCONT)
    assert alone.server.look().up


def test_another_life_of_the_guest_finds_the_server(alone):
    pid = alone.server.pid()
    alone.reborn()
    alone.pool.runner = type(alone.pool.runner)()
    alone.reborn()
    assert alone.server.pid() == pid
    alone.server.start()
    assert alone.server.pid() == pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: alone.server.pid() is None, "it is gone")
    alone.server.start()
    assert alone.server.pid() not in (None, pid)


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
    assert new.ok("wipe") == {} and not (new.pool.folder / new.id).exists() and new.server.pid() is None
    assert new.ok("wipe") == {}


def test_orders_that_no_server_is_there_for_say_so(new):
    assert new.order("seal").problem == "its server does not run"
    assert new.server.do("follow", {"source": "m1", "address": "127.0.1.1", "port": 1}, lambda: True) is None
    assert "knows no order" in new.order("dance").problem
    assert new.order("prepare", version="10.11").problem == "the order prepare does not say 'address'"
