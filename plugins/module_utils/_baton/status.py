# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HA state of a cluster as one node sees it, in one dictionary (the API's /system/ha). Reads the node, changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from .core.node import Node

Status = Dict[str, Any]


def status_of(
    node: Node, now: float, vip: Optional[Dict[str, Any]], dcs_reachable: bool, certificates: Mapping[str, float], troubles: Sequence[str]
) -> Status:
    """Return the HA state. ``vip``: what the guard says of it. ``troubles``: what is wrong outside of the node, "" for nothing.

    ``certificates``: file → when it ends, in unix seconds.
    """
    record, leading, state = node.record, node.leading, node.state
    return {
        "node": node.config.node,
        "role": "active" if leading is not None else node.role,
        "serving": node.serving(now),
        "state": own_state(node, now),
        "error": "; ".join(filter(None, (*_errors(node, now), *troubles))) or None,
        "unable": node.able.unable or None,
        "ha_id": node.config.ha_id,
        "cluster_id": state.cluster_id or None,
        "version": node.config.version,
        "system": node.config.system,
        "epoch": {"number": record.epoch.number, "id": record.epoch.id},
        "active": record.active or None,
        "active_url": record.active_url or None,
        "in_sync": sorted(record.nodes()),
        "mode": record.mode,
        "min_in_sync": record.min_in_sync,
        "paused": record.paused,
        "dcs_reachable": dcs_reachable,
        "dcs_writable": node.dcs.writable,
        "dcs_trouble": node.dcs.trouble or None,
        "certificates": {Path(name).name: end for name, end in certificates.items()},
        "scheduled_switch": scheduled_switch(node),
        "seq": state.log.end.seq,
        "commit": state.commit,
        "lease_remaining": max(0.0, round(leading.lease - now, 3)) if leading is not None else None,
        "vip": vip,
        "duplicates": node.twins.known(now),
        "removed": [document.key for document in state.heads.list("removed")],
        "nodes": [_node_status(node, name, url, now) for name, url in sorted(node.members().items())],
    }


def scheduled_switch(node: Node) -> Optional[Dict[str, Any]]:
    """Return the switch that is planned, or None."""
    document = node.state.heads.committed("system", "switch")
    return document.value if document is not None else None


def _errors(node: Node, now: float) -> Sequence[str]:
    """Return what needs a person, "" where nothing does."""
    return (node.trouble, node.twins.error(now), _role_error(node, now), node.able.error(now), node.dcs.trouble, node.driving.error(now))


def _role_error(node: Node, now: float) -> str:
    if node.leading is not None:
        return node.leading.error(now)
    if node.role == "starting" and node.record.active == node.config.node and node.unheard():
        names = ", ".join(node.unheard())
        return f"waiting for {names}, since one of them may have been forced meanwhile; `batonctl ha active --force` goes on without"
    return node.following.refused


def own_state(node: Node, now: float) -> str:
    """Return the state of the node itself."""
    if node.leading is not None:
        return "Up"
    if node.trouble or node.following.refused:
        return "Refused"
    if now - node.following.heard > node.config.timing.grace:
        return "Connecting"
    return "In-Sync" if node.in_sync() else "Syncing"


def _node_status(node: Node, name: str, url: str, now: float) -> Status:
    record = node.record
    in_sync = name in record.nodes()
    hello = node.peers.get(name)
    unable = node.able.why_not(name)
    status: Status = {"id": name, "url": url, "in_sync": in_sync, "electable": node.able.electable(name)}
    status.update(able=not unable, unable=unable or None)
    if name == node.config.node:
        status.update(state=own_state(node, now), seq=node.state.log.end.seq, version=node.config.version)
    elif name == record.active:
        status.update(state="Up", seq=None, version=hello.version if hello else None)
    else:
        status.update(_follower_status(node, name, in_sync, now))
    return status


def _follower_status(node: Node, name: str, in_sync: bool, now: float) -> Status:
    leading = node.leading
    hello = node.peers.get(name)
    version = hello.version if hello else None
    follower = leading.followers.by_node.get(name) if leading is not None else None
    if leading is None:
        return {"state": "In-Sync" if in_sync else "Connecting", "seq": None, "version": version}
    if follower is None or now - follower.heard > node.config.timing.grace:
        return {"state": "Connecting", "seq": None, "version": version}
    answers = leading.followers.answers(follower, now)
    state = "Refused" if follower.refused else "In-Sync" if in_sync and answers else "Syncing"
    return {"state": state, "seq": max(follower.matched, 0), "version": version}
