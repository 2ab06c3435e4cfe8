# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels as documents: what is read is what was written, and only what changes is."""

from dataclasses import replace

import pytest

from baton.datastores.engine.case import Silences, Times
from baton.datastores.model.channel import Channel, End, Grant, Order, Report, Server
from baton.datastores.model.documents import CLAIMS, HEARTBEAT, changes, channel_of, host_of, set_document, set_of, to_json
from baton.datastores.model.replica_set import Member, ReplicaSet, Task
from baton.datastores.service.store import Found, Reign, Store
from baton.ground.patch import Patch, parse_patch

NAMES = ("grants", "orders", "reports", "claimed", "opened", "ends", "servers")
FULL = Channel(
    grants={"s": Grant(2, ("m2",), 5)}, claimed={"s": 2}, opened={"s": Grant(2, (), 4)}, ends={"t": End(1, "1-1-9")},
    orders={"s.1.0.do.prepare.m1": Order("prepare", "m1", "s", 2, 7, {"port": 3306})},
    reports={"s.1.0.do.prepare.m1": Report("", {"a": 1})},
    servers={"m1": Server(True, lag_bytes=65536, lag_seconds=3), "a/b~c": Server(False, "it is gone")},
)  # fmt: skip


def patched(params, operations):
    document = {"Params": params}
    patch = Patch(document, 1000)
    for operation in parse_patch(operations):
        patch.apply(operation)
    return patch.value["Params"]


def test_a_channel_is_read_as_it_was_written():
    params = patched({}, changes({}, FULL, NAMES))
    assert channel_of(params) == FULL
    assert changes(params, FULL, NAMES) == []


def test_what_is_not_there_any_more_is_taken_away_for_itself():
    params = patched({}, changes({}, FULL, NAMES))
    less = replace(FULL, orders={}, servers={"a/b~c": Server(True)})
    operations = changes(params, less, NAMES)
    told = ["/Params/orders/s.1.0.do.prepare.m1", "/Params/servers/a~1b~0c", "/Params/servers/m1"]
    assert sorted(item["path"] for item in operations) == told
    assert channel_of(patched(params, operations)) == less


def test_what_a_lease_holds_are_params_of_their_own():
    params = {HEARTBEAT: {"service_status": "running", "datastores": {"mariadb": ["10.11"]}}, f"{CLAIMS}s": 3}
    host = host_of({"Name": "h", "Meta": {"address": "10.0.0.1", "region": "eu"}, "Params": params})
    assert (host.channel.alive, host.channel.claims) == (True, {"s": 3})
    assert (host.address, host.region, host.flavors) == ("10.0.0.1", "eu", {})
    assert host.offers("mariadb", "10.11") and not host.offers("mariadb", "11.8") and not host.offers("galera", "10.11")
    assert not host_of({"Name": "h", "Meta": {}, "Params": {}}).channel.alive


def test_a_set_is_read_as_it_was_written():
    members = {"m1": Member("m1", "h1", own={"port": 3306})}
    whole = ReplicaSet("s", members=members, task=Task("s.1", "create"), secrets={"replication": "x"})
    assert set_of(set_document(whole)) == whole and set_document(whole)["Id"] == "s"


def test_parts_of_a_channel_are_json():
    assert to_json(Grant(1, ("a", "b"), 2)) == {"term": 1, "counted": ["a", "b"], "number": 2} and to_json(3) == 3


def test_a_manager_waits_as_long_as_the_lease_of_a_guest_that_is_gone_was():
    """The heartbeat goes with the lease; how long that was stays."""
    store = Store(lambda: None, lambda: Reign({}, 1), {}, Times(2.0))

    def lease(**params):
        host = {"Name": "h", "Meta": {}, "Params": params}
        return store.case(ReplicaSet("s"), {"h": Found("h", "1.1", host)}, 0.0, Silences()).times.lease

    assert (lease(), lease(lease=5.0), lease(lease=1.0)) == (2.0, 5.0, 1.0)


def test_what_a_newer_version_has_besides_is_left_out_and_an_entry_that_is_none_is_not_there():
    params = {
        "servers": {"m1": {"up": True, "trouble": "", "newer": 1}, "m2": {"up": "yes"}, "m3": None, "m4": {}},
        "orders": {"a": {"verb": "wipe", "instance": "m1", "priority": 5}, "b": {"verb": 3, "instance": "m1"}, "c": {"verb": "wipe"}},
        "reports": {"a": {"problem": "", "found": {}, "took": 1.5}, "b": {"found": []}}, "ends": {"s": {"term": True}}, "opened": [],
    }  # fmt: skip
    channel = channel_of(params)
    assert channel.servers == {"m1": Server(True)} and channel.orders == {"a": Order("wipe", "m1")}
    assert channel.reports == {"a": Report()} and channel.ends == channel.opened == {}
    host = host_of({"Name": "h", "Meta": {"flavors": 3, "datastores": ["mariadb"]}, "Params": params})
    assert host.flavors == host.datastores == {} and host.lease == 0.0


@pytest.mark.parametrize(
    "params", [{"grants": {"s": {}}}, {"grants": []}, {"grants": {"s": {"term": "x", "counted": [], "number": 1}}}, {f"{CLAIMS}s": None}]
)
def test_a_grant_or_claim_that_can_not_be_read_is_none_that_is_gone(params):
    with pytest.raises(ValueError, match="granted and claimed"):
        channel_of(params)


def test_a_guest_that_knows_no_lag_is_read_and_so_is_one_that_knows_more_than_we():
    read = channel_of({"servers": {"m1": {"up": True}, "m2": {"up": True, "lag_bytes": 5, "lag_hours": 7}}}).servers
    assert read == {"m1": Server(True), "m2": Server(True, lag_bytes=5)}
