# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters that Baton makes for each server, none of which a person may set. Pure.

Those of a member of a cluster are shown as a configuration of its own, which nobody made and nobody can detach.
"""
from __future__ import annotations

from typing import Any, Dict, List, Sequence

from ...model.replica_set import Member, ReplicaSet
from ...plans.group import name_of
from .asking import called_cluster, is_cluster
from .catalogue import derived
from .placement import ports_of
from .wanted import OF_KEYS
from .wanted_clusters import ARBITER, DATA


def type_of(member: Member) -> str:
    """Return whether a member of a cluster has the data, or its vote alone."""
    return str(member.own.get("type") or DATA)


def settings_of(whole: ReplicaSet, member: Member) -> Dict[str, Any]:
    """Return parameters by name."""
    own = member.own
    if whole.datastore == "postgresql":
        return {"port": own.get("port"), "listen_addresses": own.get("address"), "cluster_name": member.id}
    if whole.datastore in OF_KEYS:
        return {"port": own.get("port"), "tls-port": ports_of(whole.datastore, own.get("port", 0))[1], "bind": own.get("address")}
    if not is_cluster(whole):
        found = {"server_id": own.get("server_id"), "port": own.get("port"), "bind_address": own.get("address")}
        return {**found, "report_host": own.get("address")}
    address, group = str(own.get("address", "")), ports_of(whole.datastore, own.get("port", 0))[1]
    joined = {
        "wsrep_cluster_name": name_of(whole), "wsrep_node_name": member.id,
        "wsrep_node_address": f"[{address}]:{group}" if ":" in address else f"{address}:{group}",
        "wsrep_provider_options": f"gmcast.segment={own.get('segment', 0)}",
    }  # fmt: skip
    if type_of(member) == ARBITER:
        return joined
    return {"server_id": own.get("server_id"), "port": own.get("port"), "bind_address": own.get("address"), **joined}


def configuration_id(member: Member) -> str:
    """Return the id of the configuration that Baton makes for a member of a cluster."""
    return derived("configuration", member.id)


def configuration_of(whole: ReplicaSet, member: Member) -> Dict[str, Any]:
    """Return that configuration. ``made_for``: whose it is; other configurations have none."""
    name, made = member.own.get("name", ""), member.own.get("created", whole.made)
    return {
        "id": configuration_id(member), "project": whole.project, "name": f"{name} (made by Baton)",
        "description": f"what Baton sets for {name} of {called_cluster(whole)}; it goes with it", "datastore": whole.datastore,
        "version": whole.version, "values": settings_of(whole, member), "created": made, "updated": made, "made_for": member.id,
    }  # fmt: skip


def configurations_of(sets: Sequence[ReplicaSet], project: str) -> List[Dict[str, Any]]:
    """Return those of all clusters of a project."""
    return [
        configuration_of(whole, member) for whole in sets if whole.project == project and is_cluster(whole)
        for member in whole.members.values()
    ]  # fmt: skip
