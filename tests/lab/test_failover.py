# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Automatic failover of real daemons: killed, frozen and cut off; another takes over, the old one comes back as a passive."""

import json
import signal

import pytest
from netns import wait_for
from nodes import VIP, cluster_of, etcd_on


@pytest.fixture
def cluster(network, tmp_path):
    with etcd_on(network, tmp_path) as (_process, options):
        with cluster_of(network, tmp_path, options=options) as nodes:
            yield nodes


def active_of(nodes):
    """Return who serves, once exactly one does and has the VIP."""
    found = [node for node in nodes if node.process.poll() is None and node.ok("/active")]
    return found[0] if len(found) == 1 and found[0].holds() else None


def history(node):
    return json.loads(node.curl("GET", "/api/v3/system/history")[1])


def logs(nodes):
    """Return what to print when a wait was in vain: the logs as they are then."""
    return lambda: "\n".join(f"--- {node.name}\n{node.log.read_text()}" for node in nodes)


def test_a_killed_active_is_followed_at_once_because_its_guard_says_so(cluster):
    first, *others = cluster
    first.process.kill()
    first.process.wait()
    taken = wait_for(lambda: active_of(others), logs(cluster), 20)
    assert "told 2 of 2 nodes that epoch 1 of n1 is over" in first.log.read_text()
    assert history(taken)[-1]["Reason"] == "n1 ended"
    assert not first.holds()
    first.start()
    wait_for(lambda: first.ok("/in-sync"), logs(cluster), 20)
    assert first.ok("/passive")


def test_a_frozen_active_is_followed_after_its_grace_and_finds_its_place_when_it_thaws(cluster):
    first, *others = cluster
    first.process.send_signal(signal.SIGSTOP)
    taken = wait_for(lambda: active_of(others), logs(cluster), 20)
    assert history(taken)[-1]["Reason"].startswith("n1 was silent for")
    assert not first.holds()
    first.process.send_signal(signal.SIGCONT)
    wait_for(lambda: first.ok("/passive") and first.ok("/in-sync"), logs(cluster), 20)
    assert taken.holds() and not first.holds()


def test_an_active_that_is_cut_off_stops_before_another_begins(cluster):
    first, *others = cluster
    first.host.carrier(False)
    taken = wait_for(lambda: active_of(others), logs(cluster), 20)
    assert not first.holds(), logs(cluster)()
    first.host.carrier(True)
    wait_for(lambda: first.ok("/in-sync") and first.ok("/passive"), logs(cluster), 20)
    assert taken.holds()


def test_an_active_that_is_told_to_stop_hands_over_first(cluster):
    first, *others = cluster
    first.process.terminate()
    first.process.wait(10)
    taken = wait_for(lambda: active_of(others), logs(cluster), 20)
    assert history(taken)[-1]["Reason"] == "handed over by n1: batond was stopped"
    assert others[0].curl("GET", "/active", to=VIP)[0] == 200


def test_nobody_takes_over_during_a_pause(cluster):
    first, *others = cluster
    assert first.curl("POST", "/api/v3/system/pause", {"paused": True})[0] == 200
    first.process.kill()
    first.process.wait()
    wait_for(lambda: all("has released the active role" in node.log.read_text() for node in others), logs(cluster), 20)
    assert not any(node.ok("/active") for node in others)
    first.start()
    wait_for(lambda: active_of(cluster) is first, logs(cluster), 20)
