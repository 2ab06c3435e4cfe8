# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making servers of Valkey or Redis: their users, what is refused, other parameters, and copies that fail."""

import os
import socket
from pathlib import Path

import pytest

from baton.datastores.host.trouble import Trouble
from baton.datastores.host.valkey.protocol import ValkeyTrouble, local, remote
from support.mariadb import always, secrets, until
from support.valkey import HANDS, Pool, client


@pytest.fixture
def pool():
    pool = Pool()
    yield pool
    pool.end()


@pytest.fixture
def member(pool):
    return pool.member()


def refused(member, **more):
    report = member.order("prepare", **member.args(**more))
    assert not member.folder.exists() and member.server.pid() is None
    return report.problem


def user(name="app", password="secret", **more):
    return {"name": name, "password": password, **more}


# --- users --------------------------------------------------------------------------------------------------------------------


def test_users_have_the_keys_that_they_are_given_and_travel_with_the_data(pool):
    users = [user(), user("half", databases=[{"name": "half:*"}, {"name": "both:*"}])]
    source = pool.member()
    source.prepare(users=users)
    source.server.open((), always)
    source.server.mark(1, 1)
    replica = pool.replica(source)
    for member in (source, replica):
        assert member.ask("GET", "half:a", user="half") is None
        with pytest.raises(ValkeyTrouble, match="NOPERM"):
            member.ask("GET", "a", user="half")
    replica.server.kill()
    replica.server.start()
    assert replica.ask("GET", "both:a", user="half") is None


@pytest.mark.parametrize(
    "words",
    [
        ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("REPLICAOF", "NO", "ONE"), ("FUNCTION", "FLUSH"), ("FUNCTION", "LIST"), ("SHUTDOWN",),
        ("DEBUG", "SLEEP", 0), ("FAILOVER",), ("CLIENT", "KILL", "TYPE", "normal"), ("CLIENT", "PAUSE", 1000), ("SWAPDB", 0, 1),
        ("EVAL", "return redis.call('FUNCTION', 'FLUSH')", 0), ("MONITOR",), ("SYNC",), ("BGREWRITEAOF",), ("SAVE",),
    ],
    ids=lambda words: " ".join(map(str, words[:2])),
)  # fmt: skip
def test_users_may_do_nothing_with_the_server(one, words):
    with pytest.raises(ValkeyTrouble, match="NOPERM|ERR"):
        one.ask(*words)


@pytest.fixture(scope="module")
def one():
    pool = Pool()
    yield pool.source()
    pool.end()


def test_users_may_do_all_with_keys(one):
    for words in (
        ("SET", "a", 1), ("EXPIRE", "a", 100), ("KEYS", "*"), ("SCAN", 0), ("EVAL", "return redis.call('SET', KEYS[1], 1)", 1, "b"),
        ("SELECT", 3), ("PUBLISH", "c", "x"), ("FLUSHDB",), ("INFO",), ("WAIT", 0, 1), ("ROLE",), ("CLIENT", "ID"), ("COMMAND", "COUNT"),
    ):  # fmt: skip
        one.ask(*words)
    assert one.names() <= {"a", "b"}


def test_nobody_comes_in_without_a_user(one):
    with socket.create_connection((one.address, one.port), timeout=5) as wire:
        wire.sendall(b"PING\r\n")
        assert wire.recv(100).startswith(b"-NOAUTH")
    for name, password in (("default", ""), ("default", "secret"), ("app", "wrong")):
        with pytest.raises(ValkeyTrouble, match="WRONGPASS"):
            client(one, name, password)


def test_replicas_need_the_sets_certificate_on_both_sides(one):
    files = one.server._instance.files
    password = one.pool.secrets["replication"]
    where = (one.address, one.port + 10000)
    with remote(where, "baton_asks", password, (files.certificate, files.key)) as session:
        assert session.info("replication")["role"] == "master"
        with pytest.raises(ValkeyTrouble, match="NOPERM"):
            session.ask("ACL", "LIST")
    other = one.pool.folder / "other"
    other.mkdir()
    for name, text in secrets().items():
        (other / name).write_text(text)
    with pytest.raises(ValkeyTrouble, match="does not answer"):
        remote(where, "baton_asks", password, (other / "certificate", other / "key"))


def test_no_password_stands_in_a_file_that_others_can_read_or_on_a_command_line(one):
    pid = one.server.pid()
    seen = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    seen += [path.read_bytes() for path in one.folder.rglob("*") if path.is_file() and path.name not in ("admin", "key.pem")]
    own = (one.folder / "admin").read_bytes()
    for secret in (b"secret", one.pool.secrets["replication"].encode(), own):
        assert not [text for text in seen if secret in text]
    assert os.stat(one.folder / "admin").st_mode & 0o077 == 0


# --- what is refused ----------------------------------------------------------------------------------------------------------


def test_databases_can_not_be_made(member):
    assert "have numbers" in refused(member, databases=[{"name": "d"}])


@pytest.mark.parametrize("name", ["default", "baton", "baton_asks", "a b", "", "é"])
def test_names_of_users_that_can_not_be(member, name):
    assert "can't be the name of a user" in refused(member, users=[user(name)])


def test_users_without_passwords_and_patterns_that_can_not_be(member):
    assert "has no password" in refused(member, users=[{"name": "app"}])
    assert "has no password" in refused(member, users=[{"name": "app", "hash": "nopass"}])
    assert "pattern of keys" in refused(member, users=[user(databases=[{"name": "a ~*"}])])


@pytest.mark.parametrize(
    "name, value",
    [
        ("appendonly", "no"), ("appendfsync", "everysec"), ("APPENDFSYNC", "no"), ("min-replicas-to-write", 0), ("save", "60 1"),
        ("replica-read-only", "no"), ("replicaof", "a 1"), ("aclfile", "/x"), ("no-appendfsync-on-rewrite", "yes"), ("include", "/x"),
    ],
)  # fmt: skip
def test_parameters_that_would_hide_a_loss_are_refused(member, name, value):
    assert "can't be set by a configuration" in refused(member, parameters={name: value})


def test_values_that_would_begin_another_line(member):
    assert "can't stand" in refused(member, parameters={"maxmemory-policy": "noeviction\nappendonly no"})
    assert "no name of a parameter" in refused(member, parameters={"a b": "c"})


def test_a_parameter_that_there_is_not_is_named_and_nothing_is_left(member):
    assert "no-such-thing" in refused(member, parameters={"no-such-thing": "1"})


def test_a_port_that_is_taken(member):
    for above in (0, 10000, 11000):
        with socket.socket() as taken:
            taken.bind((member.address, member.port + above))
            taken.listen(1)
            assert "can't be used" in refused(member)


def test_a_folder_that_is_not_ours_is_not_touched(member):
    member.folder.mkdir()
    (member.folder / "x").write_text("x")
    assert "not empty" in member.order("prepare", **member.args()).problem
    assert member.order("wipe").problem != ""
    assert [path.name for path in member.folder.iterdir()] == ["x"]


def test_a_version_that_is_not_here(member):
    assert f"this host has {HANDS.datastore}" in refused(member, version="6.0")


def test_wiping_removes_all_and_can_be_asked_again(member):
    member.prepare()
    member.ok("wipe")
    assert not member.folder.exists() and member.server.pid() is None
    member.ok("wipe")
    member.prepare()


# --- parameters ---------------------------------------------------------------------------------------------------------------


def value_of(member, name):
    return member.root("CONFIG", "GET", name)[1].decode()


def test_parameters_are_taken_at_once_or_with_a_start(pool):
    member = pool.source()
    assert member.ok("configure", parameters={"maxmemory-policy": "allkeys-lru", "databases": 20}) == {"restart": ["databases"]}
    assert (value_of(member, "maxmemory-policy"), value_of(member, "databases")) == ("allkeys-lru", "16")
    member.ok("restart", parameters={"maxmemory-policy": "allkeys-lru", "databases": 20})
    assert (value_of(member, "maxmemory-policy"), value_of(member, "databases")) == ("allkeys-lru", "20")
    assert member.ok("configure", parameters={"databases": 20}) == {"restart": []}
    assert value_of(member, "maxmemory-policy") == "noeviction"


def test_a_parameter_that_is_refused_leaves_all_as_it_was(pool):
    member = pool.source()
    report = member.order("configure", parameters={"hz": 20, "maxmemory-policy": "best"})
    assert "maxmemory-policy can't be best" in report.problem
    assert value_of(member, "hz") == "10"
    assert "no such parameter" in member.order("configure", parameters={"no-such-thing": 1}).problem
    assert "can't be set" in member.order("configure", parameters={"appendfsync": "no"}).problem


def test_a_server_that_does_not_start_with_new_parameters_has_those_before(pool):
    member = pool.source()
    report = member.order("restart", parameters={"databases": -3})
    assert "does not start with databases=-3" in report.problem
    assert member.server.look().up and value_of(member, "databases") == "16"


# --- copies -------------------------------------------------------------------------------------------------------------------


def test_a_copy_that_fails_leaves_what_was_there(pool):
    source, member = pool.source(), pool.member()
    member.prepare(users=[user("mine")])
    member.server.open((), always)
    member.ask("SET", "a", 1, user="mine")
    member.server.close(1.0)
    stands = [True, True, False]
    report = member.order("receive", lambda: stands.pop(0) if len(stands) > 1 else stands[0], **member.args())
    assert "taken back" in report.problem
    assert member.ask("GET", "a", user="mine") == b"1"
    pool.copy(source, member)
    assert member.names() == set()
    with pytest.raises(ValkeyTrouble, match="WRONGPASS"):
        client(member, "mine")


def test_a_guest_that_died_while_a_copy_took_the_place_of_what_was_there(pool):
    member = pool.source()
    member.ask("SET", "a", 1)
    member.server.stop()
    files = member.server._instance.files
    files.data.rename(files.aside)
    files.data.mkdir()
    member.memory["swapping"] = True
    member._save()
    member.reborn()
    member.server.start()
    assert member.names() == {"a"}


def test_a_copy_has_all_of_many_writes(pool):
    source = pool.source()
    with client(source) as session:
        session.ask("EVAL", "for i=1,200000 do redis.call('SET', i, i) end", 0)
    replica = pool.replica(source)
    assert replica.ask("DBSIZE") == 200000
    replica.server.kill()
    replica.server.start()
    assert replica.ask("DBSIZE") == 200000


def test_a_server_at_rest_gives_no_copy(pool):
    source = pool.source()
    source.server.close(1.0)
    with source.server._instance.session() as session, pytest.raises(ValkeyTrouble, match="NOMASTERLINK"):
        list(session.copy(5.0))


def test_who_can_not_be_asked_says_so(pool):
    member = pool.member()
    with pytest.raises(ValkeyTrouble, match="does not answer"):
        local(member.folder / "run" / "sock", "baton", "x")
    assert not member.server.look().up
    assert "not prepared" in member.order("receive", **member.args()).problem
    member.prepare()
    member.server.kill()
    look = member.server.look()
    assert not look.up and "it does not run" in look.trouble
    with pytest.raises(Trouble):
        member.server.position()
    member.server.start()
    until(lambda: member.server.look().up, "it is there")
