# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nodes reach each other: hosts with IPv4, with IPv6 alone, without a default route, and hosts that are away."""

import re

import pytest
from rooms import AWAY, facts, play, render, role

V4 = {"found": {"default_ipv4": {"address": "192.0.2.1", "interface": "eth0"}, "default_ipv6": {"address": "2001:db8::1"}}}
V6 = {"found": {"default_ipv6": {"address": "2001:db8::2", "interface": "eth6"}}}
NO_ROUTE = {"baton_address": "fd99::3", "baton_interface": "eth9"}
SETTINGS = "/etc/systemd/system/batond.service.d/20-ha.conf"


def settings(folder, host, name):
    return re.findall(f"^Environment={name}=(.*)$", (folder / host).read_text(), re.MULTILINE)


def rendered(folder, hosts, *before, check=0, **values):
    groups = {"baton": list(hosts), "baton_etcd": [host for host in hosts if host != "b"]}
    tasks = [{"ansible.builtin.raw": ":"}, facts(), *before, role("node", "addresses"), render("20-ha.conf.j2", folder)]
    return play(folder, hosts, tasks, groups, check, **values)


def test_each_host_has_the_address_of_its_default_route_or_the_one_that_is_given(tmp_path):
    rendered(tmp_path, {"a": V4, "b": V6, "c": NO_ROUTE}, baton_dcs="etcd")
    assert settings(tmp_path, "a", "BATON_PEER") == ["https://192.0.2.1:8092,https://[2001:db8::2]:8092,https://[fd99::3]:8092"]
    assert settings(tmp_path, "a", "BATON_DCS") == ["etcd:https://192.0.2.1:2379,https://[fd99::3]:2379"]
    own = [("a", "https://192.0.2.1:8092"), ("b", "https://[2001:db8::2]:8092"), ("c", "https://[fd99::3]:8092")]
    for host, url in own:
        assert settings(tmp_path, host, "BATON_ADVERTISE") == [url]


@pytest.mark.parametrize(("vip", "listens"), [("", "0.0.0.0"), ("192.0.2.10/24", "0.0.0.0"), ("2001:db8::10/64", "[::]")])
def test_a_node_listens_for_the_families_that_it_is_asked_by(tmp_path, vip, listens):
    rendered(tmp_path, {"a": V4, "b": V6}, baton_vip=vip)
    assert settings(tmp_path, "a", "BATON_LISTEN") == [f"{listens}:8092"]
    assert settings(tmp_path, "b", "BATON_LISTEN") == ["[::]:8092"]


VIPS = ["192.0.2.10/24", "2001:db8::10/64@eth9"]


@pytest.mark.parametrize("vip", [VIPS, ", ".join(VIPS)])
def test_a_vip_of_several_addresses_and_interfaces(tmp_path, vip):
    rendered(tmp_path, {"a": V4}, baton_vip=vip)
    assert settings(tmp_path, "a", "BATON_VIP") == [",".join(VIPS)] and settings(tmp_path, "a", "BATON_INTERFACE") == ["eth0"]
    assert settings(tmp_path, "a", "BATON_LISTEN") == ["[::]:8092"]
    preflight(tmp_path, {"a": V4}, check=0, baton_vip=vip)


@pytest.mark.parametrize(
    ("vip", "says"),
    [
        (["192.0.2.10/24", "192.0.2.11"], "write each address with its prefix length"),
        (["192.0.2.10/24", "192.0.2.1/24"], "has this node's own address"),
        (["192.0.2.10/24", "192.0.2.11/24@eth7"], "there is no interface eth7 here"),
    ],
)
def test_each_address_of_a_vip_is_looked_at(tmp_path, vip, says):
    assert says in preflight(tmp_path, {"a": V4}, baton_vip=vip)


def test_a_host_that_is_away_stays_a_peer_of_the_others(tmp_path):
    stood = "Environment=BATON_PEER=https://192.0.2.1:8092,https://192.0.2.9:8092\nEnvironment=BATON_DCS=etcd:https://192.0.2.9:2379\n"
    known = {"name": "What stood", "ansible.builtin.set_fact": {"baton_settings_before": {"content": "{{ text | b64encode }}"}}}
    rendered(tmp_path, {"a": V4, "b": {**V6, **AWAY}}, {**known, "vars": {"text": stood}}, check=4, baton_dcs="etcd")
    assert settings(tmp_path, "a", "BATON_PEER") == ["https://192.0.2.1:8092,https://192.0.2.9:8092"]
    assert settings(tmp_path, "a", "BATON_DCS") == ["etcd:https://192.0.2.9:2379,https://192.0.2.1:2379"]


def preflight(folder, hosts, check=2, **values):
    return play(folder, hosts, [facts(service_mgr="systemd", interfaces=["lo", "eth0", "eth9"]), role("node", "preflight")],
                {"baton": list(hosts)}, check, **values)  # fmt: skip


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ({}, "this host has no default route: set baton_address for it, such as 192.0.2.11 or 2001:db8::11"),
        ({"baton_address": "192.0.2.3/24"}, "baton_address is 192.0.2.3/24, which is no address: set baton_address for it"),
        ({"baton_address": "192.0.2.3"}, "this host has no default route: set baton_interface for it, to one of eth0, eth9, lo"),
        ({**NO_ROUTE, "baton_interface": "eth1"}, "there is no interface eth1 here: set baton_interface for it, to one of eth0, eth9, lo"),
    ],
)
def test_what_is_missing_is_said_with_the_variable_to_set(tmp_path, host, says):
    assert says in preflight(tmp_path, {"h": host}, baton_vip="192.0.2.10/24").replace("\\n", " ")


def test_a_host_without_a_default_route_is_enough_with_both_variables(tmp_path):
    preflight(tmp_path, {"h": NO_ROUTE}, check=0, baton_vip="192.0.2.10/24")


@pytest.mark.parametrize("name", [f"db-1.{'long.' * 12}example.com", "2001:db8::7", "-dash", "nächster"])
@pytest.mark.parametrize("entry", ["preflight", "certificate"])
def test_a_name_that_no_node_can_have_is_refused_before_anything_is_made(tmp_path, entry, name):
    tasks = [facts(service_mgr="systemd", fqdn="h"), role("node", entry)]
    said = play(tmp_path, {"h": NO_ROUTE}, tasks, {"baton": ["h"]}, 2, baton_node_id=name)
    assert f"{name} ({len(name)} characters) can't be the name of a node: set baton_node_id for this host" in said
    assert not (tmp_path / "pki").exists()


def test_an_ipv6_address_in_the_inventory_needs_nothing_but_a_node_id(tmp_path):
    hosts = {"2001:db8::7": {"baton_node_id": "n7", "baton_address": "2001:db8::7", "found": {"fqdn": "n7.example.com"}}}
    (tmp_path / "pki").mkdir()
    tasks = [facts(), role("node", "controller"), role("node", "certificate")]
    play(tmp_path, hosts, tasks, {"baton": list(hosts)}, baton_vip="2001:db8::10/64")
    names = play(tmp_path, hosts, [
        {"community.crypto.x509_certificate_info": {"path": f"{tmp_path}/pki/n7.pem"}, "register": "it"},
        {"ansible.builtin.debug": {"msg": "{{ it.subject.commonName }} {{ it.subject_alt_name | sort | join(' ') }}"}},
    ])  # fmt: skip
    assert "n7 DNS:localhost DNS:n7 DNS:n7.example.com IP:127.0.0.1 IP:2001:db8::10 IP:2001:db8::7 IP:::1" in names
