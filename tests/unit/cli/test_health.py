# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `batonctl ha status` makes of a status: sentences, and the exit status. A status goes in, words come out."""

import pytest

from baton.cli.health import exit_status, failover, heard_of, lag_of, pause_outcome, rows, sentence, warnings

NOW = 1_800_000_000.0


def node(name, state="In-Sync", in_sync=True, electable=True, lag=0, last_contact=0.1):
    behind = {"entries": lag, "bytes": 1000 * lag, "seconds": 0.5 * lag}
    return {
        "id": name, "url": f"https://{name}:8092", "in_sync": in_sync, "electable": electable, "state": state,
        "lag": behind, "last_contact": last_contact,
    }  # fmt: skip


def status(**more):
    """A healthy cluster of three, as its active n1 sees it, with an etcd."""
    nodes = [node("n1", "Up", lag=0, last_contact=None), node("n2"), node("n3")]
    return {
        "node": "n1", "role": "active", "serving": True, "error": None, "cluster_id": "c", "epoch": {"number": 3, "id": "e"},
        "active": "n1", "in_sync": ["n1", "n2", "n3"], "min_in_sync": 1, "paused": False, "dcs": "etcd", "dcs_reachable": True,
        "dcs_last_contact": 0.4, "certificates": {}, "scheduled_switch": None,
        "vip": {"address": "192.0.2.1/24", "interface": "eth0", "held": True}, "nodes": nodes, **more,
    }  # fmt: skip


def as_n2_sees_it(active_state, last_contact=1.4, **more):
    nodes = [node("n1", active_state, electable=active_state == "Up", last_contact=last_contact), node("n2")]
    return status(node="n2", role="passive", serving=False, vip={"address": "a", "interface": "i", "held": False}, nodes=nodes, **more)


def test_a_healthy_cluster():
    assert sentence(status()) == "n1 is active in epoch 3 and holds the VIP 192.0.2.1/24 on eth0."
    assert failover(status()) == "If n1 fails, n2 or n3 takes over by itself; the store is etcd, which answered 0.4 s ago."
    assert (exit_status(status(), NOW), warnings(status(), NOW)) == (0, [])


def test_a_node_alone_is_healthy_and_nobody_is_promised_to_take_over():
    alone = status(nodes=[node("n1", "Up")], in_sync=["n1"], vip=None)
    assert exit_status(alone, NOW) == 0
    assert failover(alone).startswith("No node can take over by itself: none is in sync that may")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"error": "the VIP interface eth0 is down"}, ""),
        ({"paused": True, "paused_by": "alice@ops1", "paused_at": 1_799_999_000}, "by alice@ops1: nobody becomes active by itself until"),
        ({"paused": True}, "Paused: nobody becomes active by itself until"),
        ({"dcs_reachable": False, "dcs_last_contact": 12.0}, "The store of the cluster record, etcd, does not answer for 12.0 s"),
        ({"vip": {"address": "192.0.2.1/24", "interface": "eth0", "held": False}}, "The active does not hold the VIP 192.0.2.1/24."),
        ({"min_in_sync": 4}, "3 of 4 nodes that there are to be are in sync"),
        ({"certificates": {"node.pem": NOW - 1}}, "The certificate node.pem of n1 has ended on"),
        (
            {"nodes": [node("n1", "Up"), node("n2", "Syncing", False, False, lag=3)]},
            "n2 is not in sync (Syncing, 3 entries, 2.9 KiB, 1.5 s behind)",
        ),
        (
            {"nodes": [node("n1", "Up"), node("n2", "Unreachable", False, False, last_contact=7200)]},
            "n2 was last heard 2 h ago and is not in sync",
        ),
        ({"nodes": [node("n1", "Up"), node("n2", "Unreachable", True, False, last_contact=1.5)]}, "and is counted as in sync"),
        ({"nodes": [node("n1", "Up"), node("n2", "Refused", False, False)]}, "n2 is not in sync (Refused)"),
    ],
)  # fmt: skip
def test_what_makes_it_degraded_is_said(changed, said):
    assert exit_status(status(**changed), NOW) == 1
    assert said in " ".join(warnings(status(**changed), NOW))


def test_without_an_active_it_is_worse_than_degraded():
    assert exit_status(status(active=None), NOW) == 3 and sentence(status(active=None)).startswith("No node is active (epoch 3)")
    assert exit_status(status(cluster_id=None), NOW) == 3
    assert exit_status(status(serving=False), NOW) == 3 and "does not serve at this moment" in sentence(status(serving=False))


def test_an_active_that_its_passive_does_not_hear_is_none():
    gone = as_n2_sees_it("Unreachable")
    assert exit_status(gone, NOW) == 3
    assert sentence(gone) == "No node is active: n1 was in epoch 3, and n2 has heard nothing from it for 1.4 s."
    assert failover(gone).startswith("n2 can take over by itself")
    assert [row[:3] for row in rows(gone, NOW)] == [["n1", "was active", "Unreachable"], ["n2", "passive", "In-Sync"]]


def test_an_active_that_only_we_do_not_reach_is_one():
    assert exit_status(as_n2_sees_it("Up", 0.1), NOW) == 1
    assert sentence(as_n2_sees_it("Up", 0.1)).endswith(", as n2 sees it (the active does not answer).")


@pytest.mark.parametrize("active", ["Up", "Unreachable"])
def test_with_the_store_manual_nobody_is_promised_to_take_over(active):
    said = failover(as_n2_sees_it(active, dcs="manual"))
    assert said.startswith("No node takes over by itself (the store is manual)") and ("--force" in said) == (active == "Unreachable")
    assert pause_outcome(status(dcs="manual")) == "Paused; with the store manual no node takes over by itself in any case."
    assert "until `batonctl ha resume`" not in " ".join(warnings(status(dcs="manual", paused=True), NOW))


def test_nobody_is_promised_where_none_may_or_can():
    never = status(nodes=[node("n1", "Up"), node("n2", electable=False)])
    assert failover(never).startswith("No node can take over by itself")
    assert failover(status(paused=True)).startswith("While the pause lasts no node takes over by itself")
    assert failover(status(dcs_reachable=False)) == "" and "nobody can take over" in warnings(status(dcs_reachable=False), NOW)[0]


def test_an_older_daemon_says_less_and_is_not_blamed_for_it():
    old = status()
    for name in ("dcs", "dcs_last_contact", "paused_by", "paused_at"):
        old.pop(name, None)
    for item in old["nodes"]:
        del item["lag"], item["last_contact"]
    assert (exit_status(old, NOW), failover(old)) == (0, "")
    assert [row[5:7] for row in rows(old, NOW)] == [["-", "-"]] * 3


def test_several_addresses_are_all_told():
    two = {"address": "a", "interface": "e0", "held": True}, {"address": "b", "interface": "e1", "held": False}
    seen = status(vip={**two[0], "addresses": [*two]})
    assert sentence(seen) == "n1 is active in epoch 3 and holds the VIP a on e0 and does not hold the VIP b on e1."
    assert exit_status(seen, NOW) == 1
    both = {"held": True, "addresses": [{"address": name, "interface": "e0"} for name in "ab"]}
    assert sentence(status(vip=both)) == "n1 is active in epoch 3 and holds the VIP a on e0 and b on e0."
    assert exit_status(status(vip=both), NOW) == 0 and exit_status(status(vip={**both, "held": False}), NOW) == 1


def test_lag_and_last_contact_in_a_table():
    assert [lag_of(item) for item in (None, {"entries": 0, "bytes": 0, "seconds": 0.0})] == ["-", "0"]
    assert lag_of({"entries": 1, "bytes": 90, "seconds": 200.0}) == "1 entry, 90 B, 3 min"
    assert heard_of({"last_contact": 0.25}, NOW) == "0.2 s ago" and heard_of({"last_contact": None}, NOW) == "-"
    assert heard_of({"last_contact": 86400 * 3}, NOW).startswith("3 d ago, 20")
