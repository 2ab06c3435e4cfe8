# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is not taken in: a node that was removed, or one that is not of this cluster, version or kind of machine. Pure."""

from __future__ import annotations

from ..model.config import NodeConfig
from ..model.messages import PROTOCOL, Hello
from ..state.state import State

REMOVED = "{0} was removed from this cluster: stop its batond, or take it in again with `batonctl ha readmit {0}`"


def removed(state: State, node: str) -> bool:
    """Whether a person removed a node from the cluster: it stays removed, whatever disk it comes with."""
    return state.heads.speculative("removed", node) is not None


def incompatible(config: NodeConfig, cluster_id: str, hello: Hello) -> str:
    """Return why the two nodes can't replicate, and what to do about it, or ""."""
    if hello.ha_id != config.ha_id:
        return f"HA id {hello.ha_id!r} of {hello.node} is not {config.ha_id!r}: set the same --ha-id on all nodes of a cluster"
    if hello.protocol != PROTOCOL:
        return f"version {hello.version} of {hello.node} does not replicate with {config.version}: upgrade the older one"
    if hello.system != config.system:
        return f"{hello.node} runs on {hello.system}, this node on {config.system}: all nodes need one system and architecture"
    if cluster_id and hello.cluster_id and hello.cluster_id != cluster_id:
        return (
            f"{hello.node} has data of cluster {hello.cluster_id}, this node of {cluster_id}: give it an empty data directory, or "
            "--discard-foreign-data"
        )
    return ""
