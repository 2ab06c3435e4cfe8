# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real nodes: joining, files, switches, crashes, forces, and what is refused. Slow disks and cuts are the simulator's and lab's."""

import threading
import time

import pytest
import requests

from support.cluster import Cluster, until


@pytest.fixture
def three(tmp_path):
    with Cluster(tmp_path) as cluster:
        cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "p"})
        yield cluster


def stale(cluster, node, path="/profiles/p"):
    answer = cluster.call(node, "GET", path + "?stale=ok")
    return answer.json() if answer.status_code == 200 else None


def test_passives_have_what_was_acknowledged(three):
    for number in range(50):
        assert three.call(three.n1, "PUT", f"/profiles/p/params/k/{number}", json=number).status_code == 200
    for node in (three.n2, three.n3):
        until(lambda node=node: len((stale(three, node) or {"Params": {}})["Params"]) == 50, f"{node.name} has all")
    assert three.n2.said("Stream switch to realtime streaming")
    # a strong request is sent on to the active
    moved = three.call(three.n2, "GET", "/profiles/p", allow_redirects=False)
    assert moved.status_code == 307 and moved.headers["Location"] == f"{three.n1.url}/api/v3/profiles/p"


def test_a_node_joins_with_a_snapshot(three, tmp_path):
    """The active's log is longer than what it keeps, so a new node copies documents first."""
    body = [{"op": "add", "path": f"/Params/x{n}", "value": n} for n in range(1000)]
    three.call(three.n1, "PATCH", "/profiles/p", json=body)
    fourth = three.add("n4").start().until("/in-sync")
    assert stale(three, fourth)["Params"]["x999"] == 999
    assert sorted(three.n1.status()["in_sync"]) == ["n1", "n2", "n3", "n4"]


def test_files_reach_every_node_before_their_name(three):
    content = bytes(range(256)) * 20_000
    made = three.call(three.n1, "PUT", "/files/boot/image", data=content)
    assert made.status_code == 201
    digest = made.json()["Sha256"]
    for node in (three.n1, three.n2, three.n3):
        assert (node.data / "files" / digest[:2] / digest).read_bytes() == content
    fourth = three.add("n4").start().until("/in-sync")
    assert (fourth.data / "files" / digest[:2] / digest).exists()


def test_planned_switch_loses_nothing(three):
    acknowledged, stop = [], threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            key = {"Idempotency-Key": f"write-{number}"}
            while True:  # a client asks again with the same key until it has an answer
                for node in three.nodes.values():
                    try:
                        answer = three.call(node, "PUT", f"/profiles/p/params/w/{number}", json=number, headers=key)
                    except requests.RequestException:
                        continue
                    if answer.status_code == 200:
                        break
                else:
                    continue
                break
            acknowledged.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for target in ("n2", "n3", "n1"):
            until(lambda: len(acknowledged) % 7 == 3, "some writes")
            answer = three.active().call("POST", "/system/switch", json={"to": target})
            assert answer.status_code == 200 and answer.json()["active"] == target, answer.text
            three.nodes[target].until("/active")
    finally:
        stop.set()
        writer.join()
    params = three.call(three.n1, "GET", "/profiles/p").json()["Params"]
    assert [n for n in acknowledged if params.get(f"w/{n}") != n] == []
    assert three.n1.status()["epoch"]["number"] == 4


def test_a_dead_passive_leaves_and_comes_back(three):
    three.n3.kill()
    assert three.call(three.n1, "PUT", "/profiles/p/params/a", json=1).status_code == 200
    until(lambda: sorted(three.n1.status()["in_sync"]) == ["n1", "n2"], "n3 leaves")
    three.n3.start().until("/in-sync")
    until(lambda: (stale(three, three.n3) or {}).get("Params") == {"a": 1}, "n3 caught up")


def test_a_restarted_active_begins_a_new_epoch(three):
    """Rule M2; and with `manual` it asks everybody first, since one of them may have been forced."""
    assert three.call(three.n1, "PUT", "/profiles/p/params/a", json=1).status_code == 200
    three.n1.kill()
    three.n3.kill()
    three.n1.start()
    until(lambda: three.n1.probe("/health") is False and "n3" in (three.n1.status()["error"] or ""), "n1 waits for n3")
    assert not three.n1.probe("/active")
    three.n3.start()
    three.n1.until("/active")
    assert three.n1.status()["epoch"]["number"] == 2
    assert three.call(three.n1, "GET", "/profiles/p/params/a").json() == 1


def test_promotion_is_refused_while_another_is_active(three):
    answer = three.n2.call("POST", "/system/active", json={})
    assert answer.status_code == 409 and "switch --to n2" in answer.json()["detail"]
    assert three.n1.probe("/active")


def test_force_says_what_may_be_lost_and_the_old_active_steps_down(three):
    three.n1.process.send_signal(19)  # SIGSTOP: it can't know
    answer = three.n2.call("POST", "/system/active", json={"force": True})
    assert answer.status_code == 200 and "n1 acknowledged after entry" in answer.json()["may_be_lost"]
    three.n2.until("/active")
    assert three.call(three.n2, "PUT", "/profiles/p/params/after", json="force").status_code == 200
    three.n1.process.send_signal(18)
    until(lambda: three.n1.status()["role"] == "passive", "n1 steps down")
    three.n1.until("/in-sync")
    assert stale(three, three.n1)["Params"] == {"after": "force"}


def test_give_up_and_take(three):
    """The classic pair: SIGUSR2 on the active, SIGUSR1 on a passive."""
    three.n1.process.send_signal(12)
    until(lambda: three.n1.status()["role"] == "passive" and three.active() is None, "n1 gives up")
    until(lambda: three.n2.status()["active"] is None, "n2 knows")
    three.n2.process.send_signal(10)
    three.n2.until("/active")
    assert three.call(three.n2, "GET", "/profiles/p").status_code == 200


def test_second_cluster_is_refused(three):
    answer = three.n2.call("POST", "/system/create", json={"cluster_id": "another"})
    assert answer.status_code == 409 and "already belongs to cluster test" in answer.json()["detail"]


def test_a_wiped_disk_joins_again_and_makes_no_second_cluster(three):
    three.n2.stop()
    for path in sorted(three.n2.data.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    three.n2.start().until("/in-sync")
    assert three.n2.status()["cluster_id"] == "test"
    assert stale(three, three.n2)["Name"] == "p"


def test_foreign_data_is_refused_unless_told(three, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with Cluster(other, 1, cluster_id="other") as lonely:
        lonely.call(lonely.n1, "POST", "/profiles", json={"Name": "precious"})
    stranger = three.add("n4")
    (other / "n1").rename(stranger.data)
    stranger.start()
    until(lambda: "has data of cluster test" in (stranger.status()["error"] or ""), "n4 says why")
    assert "n4" not in three.n1.status()["in_sync"]
    assert stale(three, stranger, "/profiles/precious") is None  # not with our token: its data is untouched
    stranger.stop()
    stranger.start("--discard-foreign-data").until("/in-sync")
    assert stale(three, stranger)["Name"] == "p"


def test_another_ha_id_is_refused(three):
    stranger = three.add("n4", options=["--ha-id", "elsewhere"]).start()
    until(lambda: "HA id" in (stranger.status()["error"] or ""), "n4 says why")
    assert "set the same --ha-id" in stranger.status()["error"]
    assert "n4" not in [node["id"] for node in three.n1.status()["nodes"]]


def test_wrong_ha_token_is_refused(three, tmp_path):
    stranger = three.add("n4")
    token = tmp_path / "wrong.token"
    token.write_text("not-the-secret-of-the-nodes\n")
    stranger.start("--ha-token-file", str(token))
    until(lambda: three.n1.said("refused a link from n4"), "n1 refuses")
    assert "n4" not in [node["id"] for node in three.n1.status()["nodes"]]


def test_local_store_shares_the_record(tmp_path):
    with Cluster(tmp_path, 3, "local") as cluster:
        cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "p"})
        cluster.n1.kill()
        cluster.n1.start().until("/active")  # no need to ask anybody: the store knows
        assert cluster.n1.status()["epoch"]["number"] == 2
        until(lambda: len(cluster.n1.status()["in_sync"]) == 3, "all in sync")
        cluster.n1.kill()
        taken = until(cluster.active, "a passive takes over by itself")
        assert cluster.call(taken, "GET", "/profiles/p").status_code == 200
        assert [reign["Node"] for reign in cluster.call(taken, "GET", "/system/history").json()] == ["n1", "n1", taken.name]


def test_a_scheduled_switch_a_pause_and_nodes_that_never_lead(tmp_path):
    with Cluster(tmp_path, 2, "local") as cluster:
        cluster.add("n3", options=["--no-failover"]).start().until("/in-sync")
        first, second, third = cluster.n1, cluster.n2, cluster.n3
        assert cluster.call(first, "POST", "/system/switch", json={"to": "n3"}).json()["type"] == "urn:baton:no_failover"
        at = time.time() + 1
        answer = cluster.call(first, "POST", "/system/switch", json={"to": "n2", "reason": "window", "at": at})
        assert answer.status_code == 202 and first.status()["scheduled_switch"] == {"To": "n2", "Reason": "window", "At": at}
        second.until("/active")
        assert cluster.call(second, "GET", "/system/history").json()[-1]["Reason"] == "handed over by n1: window"
        assert second.status()["scheduled_switch"] is None
        assert cluster.call(second, "POST", "/system/pause", json={}).json() == {"paused": True}
        second.kill()
        until(lambda: first.status()["state"] == "Connecting" and first.status()["paused"], "n1 notices the silence and the pause")
        assert not first.probe("/active") and not third.probe("/active")
        second.start().until("/active")
        assert cluster.call(second, "POST", "/system/pause", json={"paused": False}).json() == {"paused": False}
        until(lambda: second.status()["in_sync"] == ["n1", "n2", "n3"], "all in sync")
        second.kill()
        first.until("/active")
        assert not third.probe("/active")


def test_told_to_stop_the_active_hands_over_first(tmp_path):
    with Cluster(tmp_path, 2, "local") as cluster:
        cluster.n1.stop()
        cluster.n2.until("/active")
        assert cluster.call(cluster.n2, "GET", "/system/history").json()[-1]["Reason"] == "handed over by n1: batond was stopped"
