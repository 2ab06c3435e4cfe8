# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of clusters for a pool in memory: who runs in which group, and what each sees of that."""

from dataclasses import replace

from baton.datastores.model.channel import Server

UUID = "0f5e3a2c-eaae-11f1-8714-87b944eed51f"
ENDED = Server(False, "its process has ended")


class Groups:
    def __init__(self):
        self.runs, self.arbiters, self.has_data, self.formed = {}, set(), set(), []  # runs: by instance, group and host

    def found(self, order):
        """Return what a guest says of an order of a cluster, None of any other."""
        key, verb = order.instance, order.verb
        if verb == "join" and key not in self.has_data and key not in self.arbiters:
            return {"apart": "it has no data"}
        if verb in ("form", "halt"):
            return {} if key in self.arbiters else {"uuid": UUID, "seqno": 7 if verb == "halt" else 0}
        return {} if "cluster" in order.args else None

    def obey(self, order, host, found, servers):
        """A guest does what it was told."""
        key, verb = order.instance, order.verb
        if verb == "prepare":
            (self.arbiters if order.args["type"] == "arbiter" else set()).add(key)
            (self.has_data if order.args["found"] else set()).add(key)
        if verb == "receive":
            self.has_data.add(key)
        if verb == "form":
            self.formed.append(key)
        if verb in ("halt", "wipe"):
            self.runs.pop(key, None)
        elif verb in ("form", "join", "restart") and not found.get("apart"):
            self.runs[key] = order.args["cluster"], host
        if verb == "wipe":
            servers.pop(key, None)
        elif key not in self.runs:
            servers[key] = ENDED

    def ends(self, key):
        """A server ends by itself."""
        self.runs.pop(key, None)

    def see(self, channels):
        """Return channels in which each server says who is there."""
        there = {key: (group, host) for key, (group, host) in self.runs.items() if channels[host].alive}
        news = {}
        for key, (group, host) in there.items():
            size = sum(1 for other, _host in there.values() if other == group)
            view = {} if key in self.arbiters else {"primary": True, "size": size, "state": "Synced", "uuid": UUID}
            news.setdefault(host, {})[key] = Server(True, view=view)
        for key, server in [(key, channel.servers) for channel in channels.values() for key in channel.servers]:
            if key not in self.runs and server[key].view:
                news.setdefault(next(host for host, channel in channels.items() if key in channel.servers), {})[key] = ENDED
        return {host: replace(channels[host], servers={**channels[host].servers, **servers}) for host, servers in news.items()}
