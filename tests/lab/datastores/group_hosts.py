# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Galera cluster for the lab: three members with data on hosts of two regions, an arbiter, and a spare host, on a pool as sets have."""

from __future__ import annotations

import json

from netns import wait_for
from pool_hosts import ACCOUNT, FLAVORS, Lab

MEMBERS = [{"region": "near"}, {"region": "near"}, {"region": "far"}, {"region": "far", "type": "arbiter"}]
REGIONS = {"h1": "near", "h2": "near", "h3": "far", "h4": "far", "h5": "far"}


class GroupLab(Lab):
    many = 5

    def _make(self):
        for host in self.hosts:
            meta = {"address": host.address, "region": REGIONS[host.name], "flavors": FLAVORS}
            self.post(f"/pool/{host.name}", [{"op": "replace", "path": "/Meta", "value": meta}], "PATCH")
        user = {"name": "lab", "password": ACCOUNT["password"], "databases": [{"name": "lab"}]}
        instances = [{"flavorRef": "1", "volume": {"size": 1}, **each} for each in MEMBERS]
        wanted = {"name": "one", "datastore": {"type": "galera"}, "instances": instances, "databases": [{"name": "lab"}], "users": [user]}
        self.key = self.asked("POST", "/clusters", {"cluster": wanted})["cluster"]["id"]
        wait_for(self._is_made, lambda: f"{self.why_not_whole()}\n{self.logs()}", 300)
        first = self.data()[0]
        for statement in (self.engine.TABLE, "CREATE TABLE seen (id BIGINT PRIMARY KEY)"):
            self.root(first, statement)

    # --- how it is ---

    def _is_made(self):
        whole = self.read("sets", self.key)["Set"]
        assert whole is None or whole["task"] or all(each["status"] != "ERROR" for each in whole["members"].values()), self.why_not_whole()
        return not self.why_not_whole()

    def members(self, kind):
        """Return ids of members of a kind, by host."""
        members = self.whole["members"]
        found = [name for name, member in members.items() if member["own"]["type"] == kind]
        return sorted(found, key=lambda name: members[name]["host"])

    def data(self):
        return self.members("data")

    def view(self, name):
        """Return what a member says of its group."""
        host = self.whole["members"][name]["host"]
        return (self.read("pool", host)["Params"].get("servers") or {}).get(name, {}).get("view") or {}

    def host_of(self, kind, random):
        return self.where(random.choice(self.members(kind)))

    def why_not_whole(self):
        """Return what is not as it should be; "" if nothing is."""
        whole = self.read("sets", self.key)["Set"]
        if whole is None:
            return "nobody answers"
        if whole["task"] or whole["asked"] or whole["needs"] or whole["paused"]:
            return f"{whole['task'] or whole['asked'] or whole['needs'] or 'it is paused'}"
        if len(whole["members"]) != len(MEMBERS):
            return f"{len(whole['members'])} members"
        for name, member in whole["members"].items():
            said = self.read("pool", member["host"])["Params"].get("servers", {}).get(name, {})
            is_data, view = member["own"]["type"] == "data", said.get("view") or {}
            well = said.get("up") and member["joined"] and member["follows"] == whole["term"] and member["status"] == "ACTIVE"
            if not well or is_data and view.get("size") != len(MEMBERS):
                return f"{name} of {member['host']}: {json.dumps(member)}, {said}"
        if any(node.process.poll() is not None or not node.ok("/in-sync") for node in self.nodes):
            return "not both nodes are in sync"
        return ""

    def servers(self):
        """Return address and port of each member that has data."""
        members = [self.whole["members"][name] for name in self.data()]
        return [(member["own"]["address"], int(member["own"]["port"])) for member in members]

    def checksums(self):
        """Return what each member says of the table's content."""
        return {name: self.root(name, "CHECKSUM TABLE told")[0][1] for name in self.data()}
