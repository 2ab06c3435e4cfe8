# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the version of format 0 to this one: its data directory, and both versions in one cluster under load."""

import os
import tarfile
import tempfile
import threading
import zipfile

import pytest

from baton.adapters.disk.data_format import FORMAT, number_in
from baton.client.api import Client
from baton.client.connection import Connection
from baton.ground.version import VERSION
from support.cluster import ROOT, Cluster, Node, free_port, until

FIXTURE = ROOT / "tests/fixtures/format-0"


def old_program():
    """Return the old version's program, saying that it is of our version: it takes nobody in whose first number differs, and it is
    of the time before the first release."""
    path = ROOT / "build/format-0/batond.pyz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as new, zipfile.ZipFile(FIXTURE / "batond.pyz") as kept:
        new.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(new, "w") as made:
            for name in kept.namelist():
                made.writestr(name, f'VERSION = "{VERSION}"\n' if name == "baton/version.py" else kept.read(name))
    os.replace(new.name, path)
    return str(path)


OLD, NEW = old_program(), str(ROOT / "build/batond.pyz")


def run_as(node, program):
    node.command[1] = program
    return node


@pytest.fixture
def kept(tmp_path):
    """The node that the old version left behind, not started."""
    with tarfile.open(FIXTURE / "node.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    node = Node(tmp_path, "n1", f"local:{tmp_path}/dcs.db", free_port(), ())
    yield node
    node.stop()


def database_of(node):
    return node.data / (node.data / "CURRENT").read_text().strip() / "baton.db"


def test_its_data_directory_has_all_that_was_acknowledged(kept):
    token = (kept.data / "admin.token").read_text().strip()
    incarnation = (kept.data / "CURRENT").read_text()
    kept.start().until("/active")

    def get(path):
        return kept.call("GET", path, token)

    params = get("/profiles/web").json()["Params"]
    assert [params[f"k/{number}"] for number in range(75)] == list(range(75))
    assert params["version"] == "1.0" and params["list"] == [1, 2, 3, "once"]
    assert get("/machines/m-1").json()["Name"] == "host one" and get("/params/step").json()["Schema"]["default"] == 1
    assert get("/files/boot/hello").content == b"hello from format 0\n"
    assert [holder["Token"] for holder in get("/locks/door").json()["Holders"]] == [4294967297]
    assert [reign["Epoch"] for reign in get("/system/history").json()] == [1, 2, 3]
    body = [{"op": "add", "path": "/Params/list/-", "value": "once"}]
    again = {"Idempotency-Key": "kept-key", "Content-Type": "application/json-patch+json"}
    answer = kept.call("PATCH", "/profiles/web", token, json=body, headers=again)
    assert answer.json()["Params"]["list"] == [1, 2, 3, "once"], "a repeat over an upgrade is a repeat"
    kept.kill()
    assert number_in(database_of(kept)) == FORMAT and (kept.data / "CURRENT").read_text() == incarnation


def test_the_old_version_ends_on_newer_data_and_says_so(kept):
    kept.start().until("/active").kill()
    old = run_as(kept, OLD).start()
    assert old.process.wait(20) == 2
    assert "newer batond (format 2)" in old.log.read_text().splitlines()[-1]
    token = (kept.data / "admin.token").read_text().strip()
    run_as(kept, NEW).start().until("/active")
    assert kept.call("GET", "/profiles/web", token).json()["Params"]["k/74"] == 74


class Load(threading.Thread):
    """A client that adds to a list, one after the other, and takes no failure."""

    def __init__(self, urls, token):
        super().__init__(daemon=True)
        self.client = Client(Connection(tuple(urls), token, None, 60.0))
        self.done, self.failed, self.ending = [], [], threading.Event()

    def run(self):
        number = 0
        while not self.ending.is_set() and not self.failed:
            number += 1
            try:
                self.client.request("PATCH", "/profiles/p", [{"op": "add", "path": "/Params/list/-", "value": number}], want=False)
                self.done.append(number)
            except Exception as error:  # whatever it is, the client was failed
                self.failed.append(error)

    def until(self, count):
        target = len(self.done) + count
        until(lambda: len(self.done) >= target or self.failed, f"{count} more writes")
        assert not self.failed


def version_of(node):
    return "old" if node.command[1] == OLD else "new"


def test_a_rolling_upgrade_under_load_loses_and_fails_nothing(tmp_path):
    cluster = Cluster(tmp_path, 3, "local")
    for node in cluster.nodes.values():
        run_as(node, OLD)
    with cluster:
        cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "p", "Params": {"list": []}})
        cluster.call(cluster.n1, "PUT", "/files/f", data=b"x" * 100_000)
        load = Load([node.url for node in cluster.nodes.values()], cluster.token)
        load.start()
        load.until(20)
        for node in (cluster.n3, cluster.n2, cluster.n1):  # the passives first: the new one follows the old one, then the other way round
            node.stop()
            run_as(node, NEW).start().until("/in-sync")
            load.until(20)
            active = until(cluster.active, "somebody is active")
            others = [other.name for other in cluster.nodes.values() if other is not active]
            for to in others:  # each version leads each
                switched = active.call("POST", "/system/switch", cluster.token, json={"to": to})
                assert switched.ok, switched.text
                load.until(10)
                active = until(cluster.active, "somebody is active")
        load.ending.set()
        load.join(60)
        assert not load.failed
        active = cluster.active()
        assert cluster.call(active, "GET", "/profiles/p").json()["Params"]["list"] == load.done
        assert cluster.call(active, "GET", "/files/f").content == b"x" * 100_000
        assert sorted(active.status()["in_sync"]) == ["n1", "n2", "n3"] and active.status()["error"] is None


@pytest.mark.parametrize(("source", "joiner"), [(OLD, NEW), (NEW, OLD)])
def test_a_node_joins_one_of_the_other_version_by_a_snapshot(tmp_path, source, joiner):
    cluster = Cluster(tmp_path, 1, "local", ["--checkpoint-entries", "20", "--keep-entries", "20"])
    run_as(cluster.n1, source)
    with cluster:
        cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "p"})
        for number in range(60):
            assert cluster.call(cluster.n1, "PUT", f"/profiles/p/params/k/{number}", json=number).ok
        second = run_as(cluster.add("n2"), joiner).start().until("/in-sync")
        assert second.said("snapshot")
        assert cluster.call(second, "GET", "/profiles/p?stale=ok").json()["Params"]["k/59"] == 59


@pytest.fixture
def mixed(tmp_path):
    """n1 of this version, which is active, and n2 of the old one."""
    cluster = Cluster(tmp_path, 2, "local")
    run_as(cluster.n2, OLD)
    with cluster:
        cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "p"})
        yield cluster


def switch(cluster, to):
    assert cluster.call(cluster.active(), "POST", "/system/switch", json={"to": to.name}).ok
    to.until("/active")


def test_the_old_version_ends_what_this_one_tied(mixed):
    assert mixed.call(mixed.n1, "POST", "/leases", json={"Id": "b", "Ttl": 60}).ok
    for param in ("small", "other"):
        assert mixed.call(mixed.n1, "PUT", f"/profiles/p/params/{param}", json=1, headers={"Baton-Lease": "b"}).ok
    assert mixed.call(mixed.n1, "POST", "/profiles/p/elect", json={"Param": "boss", "Candidate": "x", "Lease": "b"}).ok
    assert mixed.call(mixed.n1, "POST", "/locks/p/acquire", json={"Owner": "x", "Lease": "b"}).ok
    switch(mixed, mixed.n2)
    assert mixed.call(mixed.n2, "DELETE", "/leases/b").status_code == 204
    assert mixed.call(mixed.n2, "GET", "/profiles/p/params").json() == {"boss": "none"}
    assert mixed.call(mixed.n2, "GET", "/locks/p").json()["Holders"] == []
    switch(mixed, mixed.n1)
    assert mixed.call(mixed.n1, "POST", "/leases", json={"Id": "b", "Ttl": 60}).ok
    assert mixed.call(mixed.n1, "PUT", "/profiles/p/params/small", json=2, headers={"Baton-Lease": "b"}).ok
    assert mixed.call(mixed.n1, "DELETE", "/leases/b").status_code == 204
    assert mixed.call(mixed.n1, "GET", "/profiles/p/params").json() == {"boss": "none"}


def test_who_was_elected_by_the_old_version_is_told_so_when_it_asks_again(mixed):
    switch(mixed, mixed.n2)
    asked = {"json": {"Param": "boss", "Candidate": "x"}, "headers": {"Idempotency-Key": "once"}}
    first = mixed.call(mixed.n2, "POST", "/profiles/p/elect", **asked).json()
    broken = {"json": {"Owner": "x", "Count": 2}, "headers": {"Idempotency-Key": "broken"}}
    assert mixed.call(mixed.n2, "POST", "/barriers/p/break", **broken).json()["Changed"]
    switch(mixed, mixed.n1)
    again = mixed.call(mixed.n1, "POST", "/profiles/p/elect", **asked).json()
    assert again == {**first, "Run": None} and first["Elected"]
    assert mixed.call(mixed.n1, "POST", "/barriers/p/break", **broken).json()["Changed"]


def test_a_repeat_is_a_repeat_whichever_version_took_the_first_one(mixed):
    for number, taken, asked_again in ((1, mixed.n1, mixed.n2), (2, mixed.n2, mixed.n1)):
        if mixed.active() is not taken:
            switch(mixed, taken)
        key = {"Idempotency-Key": f"key-{number}"}
        add = [{"op": "add", "path": "/Params/list", "value": [number]}]
        assert mixed.call(taken, "PATCH", "/profiles/p", json=add, headers=key).ok
        assert mixed.call(taken, "PUT", f"/files/f{number}", data=b"x", headers={"Idempotency-Key": f"file-{number}"}).ok
        switch(mixed, asked_again)
        for method, path, body in (("PATCH", "/profiles/p", {"json": add}), ("PUT", f"/files/f{number}", {"data": b"x"})):
            again = {"Idempotency-Key": f"key-{number}" if method == "PATCH" else f"file-{number}"}
            assert mixed.call(asked_again, method, path, headers=again, **body).headers["Idempotency-Replayed"] == "true"


def test_who_paused_is_forgotten_but_never_wrong_after_a_reign_of_the_old_version(mixed):
    assert mixed.call(mixed.n1, "POST", "/system/pause", json={"by": "alice"}).ok
    assert mixed.n1.status()["paused_by"].startswith("alice, with token")
    switch(mixed, mixed.n2)
    for paused in (False, True):
        assert mixed.call(mixed.n2, "POST", "/system/pause", json={"paused": paused}).ok
    switch(mixed, mixed.n1)
    status = mixed.n1.status()
    assert (status["paused"], status["paused_by"], status["paused_at"]) == (True, None, None)
