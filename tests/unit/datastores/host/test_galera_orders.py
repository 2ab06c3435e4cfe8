# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders for members of a cluster that can't be done: each says what to do, and leaves all as it was."""

import contextlib
import os
import shutil
import socket
import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest

from baton.datastores.host import runner
from baton.datastores.host.galera import arbiter, position, room, server, settings
from baton.datastores.host.galera.arbiter import Arbiter, Log
from baton.datastores.host.galera.joining import View
from baton.datastores.host.galera.position import NOBODY, Position
from baton.datastores.host.galera.server import Galera
from baton.datastores.host.mariadb import instance as instances
from baton.datastores.host.mariadb.server import MariaDB
from baton.datastores.host.mariadb.sql import SqlTrouble
from baton.datastores.host.postgresql.server import PostgreSQL
from baton.datastores.host.serve import hands_of
from baton.datastores.host.trouble import Trouble
from support.galera import USERS, ClusterPool, until

UUID = "0f5e3a2c-eaae-11f1-8714-87b944eed51f"


@pytest.fixture(scope="module")
def pool():
    pool = ClusterPool("c9")
    yield pool
    pool.end()


@pytest.fixture(scope="module")
def founder(pool):
    """A member with data of its own, of which no cluster was formed."""
    member = pool.member()
    member.ok("prepare", **{**member.args(**USERS), "found": True})
    return member


@pytest.fixture(params=["data", "arbiter"])
def new(pool, request):
    """A member that was not made yet, and of which nothing is left."""
    member = pool.member(kind=request.param)
    yield member
    if member.server.is_ours():
        member.ok("wipe")
    pool.members.remove(member)


@pytest.fixture
def bare(pool):
    """A member that was made, and has no data."""
    member = pool.member()
    member.prepare()
    yield member
    member.ok("wipe")
    pool.members.remove(member)


def refused(member, **more):
    """Return why a member was not made; nothing is there after it."""
    before = sorted(member.pool.folder.glob(f"{member.id}/**"))
    report = member.order("prepare", **{**member.args(), **more})
    assert report.problem and sorted(member.pool.folder.glob(f"{member.id}/**")) == before
    assert member.server.pid() is None and member.memory.get("spec") is None
    return report.problem


def kept(member, verb, **args):
    """Return what is said of an order that changes nothing: no server runs, and its data is where it was."""
    before = member.ok("halt")
    report = member.order(verb, **{**member.pool.group(), **args})
    assert member.server.pid() is None and {**member.ok("halt"), "group": ""} == {**before, "group": ""}
    return report.problem or report.found["apart"]


# --- making one -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", [0, 10000, 11000, 12000])
def test_each_port_that_it_needs_must_be_free(pool, above):
    member = pool.member()
    with socket.socket() as taken:
        taken.bind((member.address, member.port + above))
        taken.listen()
        assert f"{member.address} port {member.port + above} can't be used (Address already in use)" in refused(member)
    assert "port 54000 can't be used: one from 1 to 53535 can" in refused(member, port=54000)
    pool.members.remove(member)


def test_an_address_that_is_not_this_hosts_is_refused(new):
    assert "can't be used (Cannot assign requested address): free it, or choose another host" in refused(new, address="192.0.2.1")


def test_a_folder_that_is_somebody_elses_is_not_touched(new):
    folder = new.pool.folder / new.id
    folder.mkdir()
    (folder / "precious").write_text("data")
    assert "nothing in it was touched; move it away" in refused(new)
    assert new.order("wipe").problem.endswith("nothing in it was touched")
    assert (folder / "precious").read_text() == "data"
    shutil.rmtree(folder)


def test_a_disk_without_room_is_refused(new, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1 << 20))
    assert "make room, or choose another host" in refused(new)


def test_a_set_without_certificate_is_refused(new):
    secrets = {"replication": "x", "key": new.pool.secrets["key"]}
    assert refused(new, secrets=secrets) == "the set has no certificate: it must come with secrets"


def test_packages_that_are_missing_are_named(new, monkeypatch):
    monkeypatch.setattr(settings, "LIBRARIES", ())
    monkeypatch.setattr(instances, "PATH", "/nonexistent" if new.kind == "arbiter" else instances.PATH)
    assert f"install the package {'galera-4' if new.kind == 'data' else arbiter.PACKAGE}" in refused(new)


def test_another_version_than_the_one_that_is_here_is_refused(bare, pool):
    member = pool.member()
    assert "this host has galera 10.11, not 99.9" in refused(member, version="99.9")
    pool.members.remove(member)


def test_what_a_cluster_depends_on_is_set_by_nobody(pool):
    member = pool.member()
    for name in ("wsrep_provider_options", "wsrep-cluster-address", "binlog_format", "innodb_autoinc_lock_mode", "bind_address"):
        assert "can't be set by a configuration" in refused(member, parameters={name: "x"})
    pool.members.remove(member)


def test_one_that_knows_of_nobody_forms_no_cluster_by_that(pool):
    member = pool.member()
    member.ok("prepare", **{**member.args(), "members": []})
    text = (pool.folder / member.id / "my.cnf").read_text()
    assert f'wsrep-cluster-address = "gcomm://{member.address}:{member.port + 10000}"' in text and "new-cluster" not in text
    member.ok("wipe")
    pool.members.remove(member)


def test_one_that_was_made_is_not_made_again(new):
    new.prepare()
    new.prepare()
    new.reborn()
    new.prepare()
    assert new.server.pid() is None and new.server.look().trouble.startswith("it does not run")
    for path in (new.pool.folder / new.id).iterdir():
        assert not path.stat().st_mode & 0o077 or path.name in ("bin", "position"), path


# --- forming and joining ----------------------------------------------------------------------------------------------------


def test_who_has_no_data_neither_forms_a_cluster_nor_joins_one(bare):
    assert kept(bare, "form", position=None).endswith("choose another to form the cluster")
    bare.memory["copied"] = True
    assert kept(bare, "join", formed=None) == "it has no data of the cluster that it could use"
    assert "copied" not in bare.memory, "the next copy is another one"
    assert bare.ok("halt") == {"uuid": NOBODY, "seqno": -1, "group": ""}


def test_who_has_data_of_no_cluster_joins_none_and_forms_none_that_was(founder):
    assert kept(founder, "join", formed=None) == "it has no data of the cluster that it could use"
    assert "nothing was started; look who is furthest once more" in kept(founder, "form", position={"uuid": UUID, "seqno": 7})


def test_a_disk_that_is_full_lets_nothing_start(founder, monkeypatch):
    stat = os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=0, f_frsize=stat(path).f_frsize))
    assert "make room there" in kept(founder, "form", position=None)


def test_a_port_that_was_taken_meanwhile_is_said_and_the_order_may_come_again(founder):
    with socket.socket() as taken:
        taken.bind((founder.address, founder.port))
        taken.listen()
        assert "can't listen where it has to: free its ports" in kept(founder, "form", position=None)
    assert founder.form()["seqno"] == 0
    formed = founder.ok("halt")
    assert formed["uuid"] != NOBODY and formed["seqno"] >= 0


@pytest.mark.parametrize("wrong", [{"uuid": "x", "seqno": 1}, {"uuid": UUID, "seqno": "1"}, {"uuid": UUID, "seqno": True}])
def test_a_position_that_is_none_is_refused(founder, wrong):
    assert 'a position is {"uuid": UUID, "seqno": NUMBER}' in kept(founder, "form", position=wrong)


def test_what_an_order_does_not_say_is_named(founder):
    assert "does not say 'cluster'" in founder.order("form", position=None).problem
    for members in ([], ["m1"], {}, [{"address": "127.0.1.9"}]):
        assert founder.order("announce", members=members).problem == "members are a list of addresses and ports"
    assert "this guest knows no order 'promote'" in founder.order("promote").problem
    assert founder.order("send", to="m9", address="127.0.1.9", port=3306).problem.startswith("its server does not run")
    assert founder.order("configure", parameters={}).problem == "its server does not run"


# --- how one is that runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ((True, 3, "Synced", UUID, True), ""),
        ((True, 3, "Donor/Desynced", UUID, True), ""),
        ((False, 1, "Initialized", UUID, False), "it runs, and is not in the primary component: "),
        ((True, 3, "Joiner", UUID, False), "it runs, and is Joiner: wait until it is synced"),
    ],
)
def test_one_that_answers_is_up_if_it_serves_and_says_of_what_it_is_a_member(bare, monkeypatch, found, says):
    monkeypatch.setattr(server, "view", lambda _session: View(*found))
    monkeypatch.setattr(bare.server._instance, "session", contextlib.nullcontext)
    seen = bare.server.look()
    assert seen.up == (not says) and seen.trouble.startswith(says)
    assert seen.view == {"primary": found[0], "size": found[1], "state": found[2], "uuid": UUID, "number": 0}
    monkeypatch.setattr(bare.server._instance, "session", partial(silent, 1040))
    assert bare.server.look() == seen and bare.server.has_answered, "it has too much to do to talk to us, and is there"
    monkeypatch.setattr(server, "BELIEVED", -1.0)
    late = bare.server.look()
    assert not late.up and not late.view and "does not say how it is" in late.trouble and bare.server.has_answered
    monkeypatch.setattr(bare.server._instance, "session", partial(silent, 2013))
    assert not bare.server.look().view and not bare.server.look().up and not bare.server.has_answered


def test_a_disk_that_does_not_answer_keeps_nobody_from_looking(bare, monkeypatch):
    """Else a member that is well would be ended, as if it were frozen."""
    goes_on = threading.Event()
    monkeypatch.setattr(server, "view", lambda _session: View(True, 3, "Synced", UUID, True))
    monkeypatch.setattr(bare.server._instance, "session", contextlib.nullcontext)
    assert bare.server.look().up
    monkeypatch.setattr(os, "statvfs", lambda _path: goes_on.wait(30) and SimpleNamespace(f_bavail=1 << 20, f_frsize=4096))
    until(lambda: bare.server.look() and not bare.server._room._asked.is_set(), "it is asked")
    began = time.monotonic()
    assert bare.server.look().up and bare.server.has_answered and time.monotonic() - began < 1.0
    monkeypatch.setattr(room, "LATE", 0.0)
    assert "does not answer" in bare.server.look().trouble and bare.server.has_answered
    monkeypatch.undo()
    goes_on.set()


def silent(number):
    raise SqlTrouble("no answer", number)


# --- what is known while nothing runs ----------------------------------------------------------------------------------------


def test_a_position_is_read_as_servers_write_it(tmp_path):
    assert position.saved(tmp_path) is None
    (tmp_path / "grastate.dat").write_text(f"# GALERA saved state\nversion: 2.1\nuuid:    {UUID}\nseqno:   17\nsafe_to_bootstrap: 1\n")
    assert position.saved(tmp_path) == Position(UUID, 17) == position.read(f"{UUID}:17\n")
    (tmp_path / "grastate.dat").write_text("")
    assert position.saved(tmp_path) == Position()
    with pytest.raises(Trouble, match="is no position of a cluster"):
        position.read("nonsense")


def test_the_state_transfer_moves_nothing_and_says_where_the_data_is(tmp_path):
    files = settings.MemberFiles(tmp_path / "m1", "m1")
    files.make()
    files.position.write_text(f"{UUID}:17\n")
    tool = files.tools / "wsrep_sst_baton"

    def says(*words, ends=0):
        return runner.run([str(tool), *words, "--datadir", "/nonexistent"], good=(ends,))

    assert says("--role", "joiner", "--address", "192.0.2.1:15306") == f"ready 192.0.2.1:15306/baton\n{UUID}:17\n"
    assert says("--role", "donor", "--gtid", f"{UUID}:20", "--bypass") == f"done {UUID}:20\n"
    assert says("--role", "donor", "--gtid", f"{UUID}:20", ends=61) == ""


def test_members_may_have_addresses_of_six():
    assert settings.cluster_address([{"address": "2001:db8::1", "port": 3306}, {"address": "192.0.2.2", "port": 3307}]) == (
        "gcomm://[2001:db8::1]:13306,192.0.2.2:13307"
    )


def test_what_an_arbiter_is_stands_in_its_log(tmp_path):
    path = tmp_path / "log.err"
    path.write_bytes(b"2026 INFO: Read config: \n2026 INFO: New COMPONENT: primary = yes, bootstrap = no, my_idx = 2, memb_num = 3\n")
    log = Log(path)
    assert (log.read().name, log.read().size) == ("", 3)
    with open(path, "ab") as file:
        file.write(f"\tgroup UUID = {UUID}\n2026 INFO: Shifting JOINED -> SYNCED (TO: 6)\n2026 INFO: Shift".encode())
    assert (log.read().name, log.read().uuid) == ("SYNCED", UUID)
    with open(path, "ab") as file:
        file.write(b"ing SYNCED -> OPEN (TO: 6)\n")
    assert log.read().name == "OPEN" and Log(path).read() == log.read()
    with open(path, "ab") as file:
        file.write(b"2026 INFO: Read config: \n")
    assert log.read().name == "", "another life"
    path.write_bytes(b"INFO: Shifting A -> SYNCED (TO: 6)\n")
    assert log.read().name == "SYNCED", "another file"


def test_a_guest_knows_of_which_datastore_an_instance_is():
    assert hands_of({}) is MariaDB, "as older guests have left it"
    assert hands_of({"datastore": "mariadb"}) is MariaDB
    assert hands_of({"datastore": "postgresql"}) is PostgreSQL
    assert hands_of({"datastore": "galera", "type": "data"}) is Galera
    assert hands_of({"datastore": "galera", "type": "arbiter"}) is Arbiter
    with pytest.raises(Trouble, match="knows no datastore 'other'"):
        hands_of({"datastore": "other"})
