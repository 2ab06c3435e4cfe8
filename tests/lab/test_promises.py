# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised for faults that people, clocks and hypervisors cause, one by one.

storm.py deals most of them under load.
"""

import json
import signal
from contextlib import ExitStack

import pytest
from clients import Clients, prepare
from copies import Clone, copy_data, files_of, put_back, start_again
from holders import Holders
from netns import wait_for
from nodes import SPARE, VIP, Node, cluster_of, etcd_on

SHORT_LOG = ["--checkpoint-entries", "50", "--keep-entries", "50"]
PORT = 8092


class SkewedNode(Node):
    """Two hours lie between the wall clocks of the two hosts."""

    ahead = {"n1": -400.0, "n2": 6800.0}


class Pair:
    """n1, which is active, and n2, which is in sync. ``etcd``: their store, if any."""

    def __init__(self, stack, network, folder, kind=Node, manual=False):
        self._stack, self._network = stack, network
        options = SHORT_LOG
        if not manual:
            self.etcd, options = stack.enter_context(etcd_on(network, folder))
        nodes = stack.enter_context(cluster_of(network, folder, 2, options, kind=kind))
        self.n1, self.n2 = self.nodes = nodes
        self.token = prepare(self.n1)
        self.wait_for(self.whole)

    def host(self, name, address):
        return self._network.host(name, [f"{address}/24"])

    def clients(self, **workers):
        """Start clients on a host of their own; see clients.py."""
        host = self.host("client", "192.0.2.70")
        clients = Clients(host, self.n1, self.token, "clients", **workers)
        self._stack.callback(clients.end)
        return clients

    def watch_the_vip(self):
        """Watch who has the VIP from now on; see ``vip_stayed``."""
        self._seen = self._stack.enter_context(Holders([node.host for node in self.nodes], VIP))

    def vip_stayed(self):
        return all(present for _moment, _host, present in self._seen.events)

    def logs(self):
        logs = sorted(self.n1.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text()}" for log in logs)

    def wait_for(self, condition, seconds=20):
        return wait_for(condition, self.logs, seconds)

    def whole(self):
        return self.in_sync() == ["n1", "n2"] and self.n2.ok("/in-sync")

    def linked(self):
        """Whether n2 has heard of n1 since it was started."""
        return {node["id"] for node in self.n2.status().get("nodes", ()) if node["version"]} == {
            "n1",
            "n2",
        }

    def in_sync(self):
        return self.n1.status().get("in_sync")

    def epoch(self):
        return self.n1.status()["epoch"]["number"]

    def try_to_write(self, node, key):
        operations = [{"op": "add", "path": f"/Params/{key}", "value": 1}]
        return node.curl("PATCH", "/api/v3/profiles/set", operations, self.token)[0] in (200, 204)

    def write(self, node, *keys):
        """Write these params; all must be acknowledged."""
        for key in keys:
            assert self.try_to_write(node, key), f"{key} was not written\n{self.logs()}"

    def found(self, node):
        """Return the params that a node has."""
        status, text = node.curl("GET", "/api/v3/profiles/set?stale=ok", token=self.token)
        assert status == 200, f"{node.name}: {text}"
        return set(json.loads(text)["Params"])

    def copy_n2(self, target):
        """Copy its disk; what was written before is there, and known to be committed."""
        self.write(self.n1, "before", "the-copy")
        copy_data(self.n2, target)
        self.wait_for(self.whole)


@pytest.fixture
def pairs(network, tmp_path):
    with ExitStack() as stack:
        yield lambda **options: Pair(stack, network, tmp_path, **options)


@pytest.fixture
def pair(pairs):
    return pairs()


def ends(*nodes):
    """They are killed, before one can hear of the end of another."""
    for node in nodes:
        node.process.kill()
    for node in nodes:
        node.process.wait()


# --- a passive that is slow, or away --------------------------------------------------------------


def test_a_passive_behind_a_slow_line_leaves_and_the_vip_stays(pair):
    clients = pair.clients(add=2, look=1, bulk=40)
    pair.watch_the_vip()
    clients.wait_for_writes(20, "bulk")
    let_go = pair.n2.host.queueing(100, PORT)
    pair.wait_for(lambda: pair.in_sync() == ["n1"])
    clients.wait_for_writes(20)
    let_go()
    pair.wait_for(pair.whole)
    assert pair.vip_stayed() and pair.epoch() == 1, pair.logs()


def test_a_passive_that_is_restarted_while_etcd_is_out_acknowledges_again(pair):
    """Nobody can be taken out of the in-sync set now: without it the active would have to stop."""
    pair.etcd.send_signal(signal.SIGSTOP)
    try:
        pair.wait_for(lambda: not pair.n1.status()["dcs_reachable"])
        ends(pair.n2)
        pair.n2.start()
        pair.wait_for(lambda: pair.n2.ok("/in-sync") and pair.n1.ok("/active") and pair.n1.holds())
        pair.write(pair.n1, "during-the-outage")
        assert not pair.n1.status()["dcs_reachable"]
    finally:
        pair.etcd.send_signal(signal.SIGCONT)
    pair.wait_for(pair.whole)
    pair.wait_for(lambda: pair.found(pair.n2) == {"during-the-outage"})  # which it shows when the active has told it that it is committed
    assert pair.epoch() == 1


# --- two of one name, and two on one disk ---------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"), [("n1", "image"), ("n2", "image"), ("n2", "configuration")]
)
def test_a_clone_is_refused_and_both_hosts_are_named(pair, name, kind):
    node = {"n1": pair.n1, "n2": pair.n2}[name]
    clone = Clone(node, pair.host("spare", SPARE), kind)
    pair.wait_for(pair.whole)
    before = pair.epoch()
    pair.watch_the_vip()
    clone.start()
    two = f"two nodes call themselves {name}"
    urls = f"https://{node.address}:{PORT}", clone.url

    def named(by):
        error = by.status().get("error") or ""
        return two in error and all(url in error for url in urls)

    pair.wait_for(lambda: named(pair.n1) and clone.status().get("error"))
    assert two in pair.n1.log.read_text()
    pair.write(pair.n1, "beside-the-clone")
    assert not clone.ok("/active") and (pair.epoch(), pair.in_sync()) == (before, ["n1", "n2"])
    clone.end()
    pair.wait_for(lambda: pair.n1.status()["error"] is None)
    assert (pair.epoch(), pair.in_sync()) == (before, ["n1", "n2"]) and pair.vip_stayed()


@pytest.mark.parametrize("port", [PORT, PORT + 1])
def test_a_second_start_on_a_data_directory_is_refused_and_changes_nothing(pair, port):
    before = files_of(pair.n1.data), pair.epoch()
    pair.watch_the_vip()
    status, said = start_again(pair.n1, listen=f"0.0.0.0:{port}")
    assert status == 2 and "is in use by another batond" in said, said
    assert (files_of(pair.n1.data), pair.epoch()) == before
    pair.write(pair.n1, "afterwards")
    assert pair.vip_stayed() and pair.whole()


# --- disks ----------------------------------------------------------------------------------------


def test_a_disk_that_was_set_back_is_not_counted_until_it_has_all_again(pair, tmp_path):
    pair.copy_n2(tmp_path / "copy")
    keys = [f"key-{number}" for number in range(40)]
    pair.write(pair.n1, *keys)
    pair.etcd.send_signal(signal.SIGSTOP)  # so that it is in the in-sync set still when it is back
    try:
        ends(pair.n2)
        put_back(tmp_path / "copy", pair.n2.data)
        pair.n2.start()
        pair.wait_for(pair.linked)
        written = [key for key in "abcdefghij" if pair.try_to_write(pair.n1, f"unsafe-{key}")]
        assert not written and not pair.found(pair.n2) & set(keys), pair.logs()
    finally:
        pair.etcd.send_signal(signal.SIGCONT)
    pair.wait_for(lambda: pair.whole() and pair.n1.holds())
    assert set(keys) <= pair.found(pair.n2) == pair.found(pair.n1)


def test_a_disk_that_was_set_back_below_the_floor_never_serves(pair, tmp_path):
    pair.copy_n2(tmp_path / "copy")
    keys = [f"key-{number}" for number in range(40)]
    pair.write(pair.n1, *keys)
    for paused in (True, False):  # each change of the record raises its floor
        assert pair.n1.curl("POST", "/api/v3/system/pause", {"paused": paused})[0] == 200
    pair.wait_for(pair.whole)
    ends(pair.n2, pair.n1)
    put_back(tmp_path / "copy", pair.n2.data)
    pair.n2.start()
    pair.wait_for(lambda: "this disk was set back" in (pair.n2.status().get("error") or ""))
    answer = pair.n2.curl("POST", "/api/v3/system/active", {})
    assert answer[0] == 409 and not pair.n2.ok("/active") and not pair.n2.holds(), answer
    pair.n1.start()
    pair.wait_for(lambda: pair.n1.ok("/active") and pair.whole())
    assert set(keys) <= pair.found(pair.n1) == pair.found(pair.n2)


def test_after_a_force_the_tail_of_the_old_active_is_kept_however_short_the_log_is(pairs):
    pair = pairs(manual=True)
    ends(pair.n2)
    pair.wait_for(lambda: pair.in_sync() == ["n1"])
    alone = [f"only-n1-{number}" for number in range(10)]
    pair.write(pair.n1, *alone)
    ends(pair.n1)
    pair.n2.start()
    pair.wait_for(lambda: pair.n2.curl("POST", "/api/v3/system/active", {"force": True})[0] == 200)
    pair.wait_for(lambda: pair.n2.ok("/active"))
    pair.write(pair.n2, *(f"n2-{number}" for number in range(150)))
    pair.n1.start()
    pair.wait_for(lambda: "nothing was discarded" in (pair.n1.status().get("error") or ""))
    (tail,) = pair.wait_for(lambda: list(pair.n1.data.glob("tail-*.jsonl")))
    assert all(key in tail.read_text() for key in alone)
    # What it does not know to be committed is not seen, and in the file all the same.
    assert alone[0] in pair.found(pair.n1) and pair.n2.status()["in_sync"] == ["n2"]
    ends(pair.n1)
    pair.n1.command.append("--discard-foreign-data")
    pair.n1.start()
    pair.wait_for(lambda: pair.n1.ok("/in-sync") and pair.n1.ok("/passive"))
    assert pair.found(pair.n1) == pair.found(pair.n2) and not pair.found(pair.n1) & set(alone)
    assert tail.exists()


# --- wall clocks ----------------------------------------------------------------------------------


def test_what_is_kept_by_time_outlasts_a_failover_to_a_clock_that_is_hours_ahead(pairs):
    """A reply that is kept for its Idempotency-Key, a token, and the deadlines of clients."""
    pair = pairs(kind=SkewedNode)
    clients = pair.clients(add=2)
    clients.wait_for_writes()
    header, path = ["Idempotency-Key: key"], "/api/v3/profiles/list"

    def append(node):
        operations = [{"op": "add", "path": "/Params/list/-", "value": "once"}]
        status, text = node.curl("PATCH", path, operations, pair.token, headers=header)
        assert status == 200, text
        return json.loads(text)["Params"]["list"]

    profile = {"Name": "list", "Params": {"list": []}}
    assert pair.n1.curl("POST", "/api/v3/profiles", profile, pair.token)[0] == 201
    assert append(pair.n1) == ["once"]
    ends(pair.n1)
    pair.wait_for(lambda: pair.n2.ok("/active"))
    clients.wait_for_writes(20)  # the log's time goes on
    assert append(pair.n2) == ["once"]
