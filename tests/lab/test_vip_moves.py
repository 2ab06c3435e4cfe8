# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role goes to where the VIP works: real daemons whose nodes see each other on one network, with the VIP on another."""

import json

import pytest
from netns import boottime, wait_for, wait_until
from nodes import SERVICE_VIP, cluster_of_two_networks, etcd_on, stop


class Cluster:
    """The nodes, their second interfaces, and a client on the VIP's network."""

    def __init__(self, network, nodes, cables, client):
        self.network, self.nodes, self.cables, self.client = network, nodes, cables, client

    def plug(self, node):
        """Give a node its second interface, which gets an index that none had before."""
        self.cables[node.name] = self.network.plug(node.host, "svc", f"198.51.100.{node.name[1:]}/24")

    def holder(self):
        found = [node for node in self.nodes if node.holds()]
        return found[0] if len(found) == 1 else None

    def answers(self):
        """Whether the client's network finds the VIP."""
        asked = self.client.popen("arping", "-q", "-c", "1", "-w", "1", "-I", "svc", SERVICE_VIP)
        asked.communicate()
        return asked.returncode == 0

    def log(self):
        return "\n".join(f"--- {node.name}\n{node.log.read_text()[-3000:]}" for node in self.nodes)


@pytest.fixture
def cluster(network, tmp_path, request):
    size, vip = getattr(request, "param", (3, f"{SERVICE_VIP}/24@svc"))
    client = network.host("client")
    network.plug(client, "svc", "198.51.100.70/24")
    with etcd_on(network, tmp_path) as (_process, dcs):
        with cluster_of_two_networks(network, tmp_path, size, [*dcs, "--timing", "fast"], vip) as (nodes, cables):
            yield Cluster(network, nodes, cables, client)


def status(node):
    return json.loads(node.curl("GET", "/api/v3/system/ha")[1])


def gone(_cluster, node):
    node.host.ip("link", "delete", "svc")


def off(_cluster, node):
    node.host.ip("link", "set", "svc", "down")


def cut(cluster, node):
    cluster.cables[node.name].carrier(False)


@pytest.mark.parametrize("fault, said", [(cut, "has no carrier"), (off, "is switched off"), (gone, "does not exist")])
def test_the_role_leaves_a_node_whose_interface_is_dead(cluster, fault, said):
    first = cluster.nodes[0]
    fault(cluster, first)
    wait_for(lambda: cluster.holder() not in (None, first), cluster.log, 15)
    wait_for(cluster.answers, cluster.log, 15)
    wait_for(lambda: said in status(first)["error"], cluster.log, 10)
    assert first.curl("GET", "/health")[0] == 503
    moved = cluster.holder()
    reason = json.loads(moved.curl("GET", "/api/v3/system/history")[1])[-1]["Reason"]
    assert "handed over by n1: the VIP's interface svc" in reason, "one that is deleted is switched off first"
    assert moved.ok("/active") and status(moved)["epoch"]["number"] == 2, "it moved once, and by a hand-over"


def test_an_election_passes_over_who_could_not_hold_the_vip(cluster):
    first, second, third = cluster.nodes
    cut(cluster, second)
    wait_for(lambda: "n2 can't hold the VIP" in str(status(first)["error"]), cluster.log, 10)
    stop(first.process)
    wait_for(lambda: cluster.holder() is third, cluster.log, 15)


def test_an_interface_that_is_made_anew_has_the_vip_again(cluster):
    """It has another index than the one that the guard knew."""
    first = cluster.nodes[0]
    gone(cluster, first)
    wait_for(lambda: cluster.holder() not in (None, first), cluster.log, 15)
    cluster.plug(first)
    moved = cluster.holder()
    wait_for(lambda: all(node["able"] for node in moved.status()["nodes"]), cluster.log, 15)
    wait_for(lambda: first.ok("/in-sync"), cluster.log, 15)
    assert moved.curl("POST", "/api/v3/system/switch", {"to": "n1"})[0] == 200
    wait_for(lambda: cluster.holder() is first and cluster.answers(), cluster.log, 15)


def test_an_interface_that_comes_late_is_waited_for_by_who_starts_batond_again(cluster):
    third = cluster.nodes[2]
    stop(third.process)
    gone(cluster, third)
    third.start()
    assert third.process.wait(20) != 0 and "svc" in third.log.read_text().splitlines()[-1]
    cluster.plug(third)
    third.start()
    wait_for(lambda: third.ok("/in-sync"), cluster.log, 20)
    wait_for(lambda: all(node["able"] for node in cluster.nodes[0].status()["nodes"]), cluster.log, 15)


def test_when_nobody_could_the_role_stays_and_comes_back_into_service_with_the_cable(cluster):
    first = cluster.nodes[0]
    for node in cluster.nodes[1:]:
        cut(cluster, node)
    wait_for(lambda: "no passive could hold the VIP now" in str(status(first)["error"]), cluster.log, 10)  # or it hands over
    cut(cluster, first)
    wait_for(lambda: "so the role stays" in str(status(first)["error"]), cluster.log, 10)
    wait_until(boottime() + 3)
    assert status(first)["epoch"]["number"] == 1 and status(first)["serving"]
    for node in cluster.nodes:
        cluster.cables[node.name].carrier(True)
    wait_for(lambda: cluster.answers() and not status(first)["error"], cluster.log, 15)


def test_a_passive_that_could_not_take_over_is_said_on_the_active(cluster):
    first, second, third = cluster.nodes
    cut(cluster, second)
    cut(cluster, third)
    wait_for(lambda: "no passive could hold the VIP now" in str(status(first)["error"]), cluster.log, 10)
    assert first.curl("GET", "/health")[0] == 503 and first.ok("/active")
    code, text = first.curl("POST", "/api/v3/system/switch", {"to": "n2"})
    assert code == 409 and "has no carrier" in text


@pytest.mark.parametrize("cluster", [(2, f"{SERVICE_VIP}/24@svc,192.0.2.100/24,2001:db8::100/64@svc")], indirect=True)
def test_several_addresses_move_together_when_one_interface_dies(cluster):
    first, second = cluster.nodes

    def all_on(node):
        found = node.host.addresses("svc") + node.host.addresses("eth0")
        return {f"{SERVICE_VIP}/32", "192.0.2.100/32", "2001:db8::100/128"} <= set(found)

    wait_for(lambda: all_on(first), cluster.log, 10)
    cut(cluster, first)
    wait_for(lambda: all_on(second), cluster.log, 15)
    left = first.host.addresses("svc") + first.host.addresses("eth0")
    assert not {f"{SERVICE_VIP}/32", "192.0.2.100/32", "2001:db8::100/128"} & set(left)
