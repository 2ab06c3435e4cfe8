# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HA state of a cluster as one node sees it, in one dictionary (the API's /system/ha). Reads the node, changes nothing.

Times are in seconds: ``last_contact`` and ``dcs_last_contact`` for how long nothing was heard.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence

from ..core.model.limits import nearly_full
from ..core.model.timing import NEVER
from ..core.node import Node
from ..core.replication.followers import Follower

Status = Dict[str, Any]
UNREACHABLE = "Unreachable"


class Store(NamedTuple):
    """The store of the cluster record: ``local``, ``manual`` or ``etcd``; ``last_contact``: seconds since it answered, or None."""

    kind: str
    reachable: bool
    last_contact: Optional[float]


def status_of(
    node: Node, now: float, vip: Optional[Status], store: Store, certificates: Mapping[str, float], troubles: Sequence[str]
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
        "unable": node.standing.unable or None,
        "disk_full": node.standing.full or None,
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
        "paused_by": record.paused_by or None,
        "paused_at": record.paused_at or None,
        "dcs": store.kind,
        "dcs_reachable": store.reachable,
        "dcs_writable": node.standing.dcs.writable,
        "dcs_trouble": node.standing.dcs.trouble or None,
        "dcs_last_contact": None if store.last_contact is None else round(store.last_contact, 3),
        "certificates": {Path(name).name: end for name, end in certificates.items()},
        "scheduled_switch": scheduled_switch(node),
        "seq": state.log.end.seq,
        "commit": state.commit,
        "kept": {name: {"used": used, "limit": getattr(node.config.limits, name)} for name, used in state.kept().items()},
        "lease_remaining": max(0.0, round(leading.lease - now, 3)) if leading is not None else None,
        "vip": vip,
        "duplicates": node.standing.twins.known(now),
        "removed": [document.key for document in state.heads.list("removed")],
        "nodes": [_node_status(node, name, url, now) for name, url in sorted(node.standing.members().items())],
    }


def scheduled_switch(node: Node) -> Optional[Dict[str, Any]]:
    """Return the switch that is planned, or None."""
    document = node.state.heads.committed("system", "switch")
    return document.value if document is not None else None


def _errors(node: Node, now: float) -> Sequence[str]:
    """Return what needs a person, "" where nothing does."""
    here = node.standing
    roles = (here.twins.error(now), _role_error(node, now), node.able.error(now))
    stores = (here.dcs.trouble, node.cut_off.error(now))
    full = nearly_full(node.state.kept(), node.config.limits)
    return (node.trouble, *roles, *stores, node.driving.error(now), full)


def _role_error(node: Node, now: float) -> str:
    if node.leading is not None:
        return node.leading.error(now)
    if node.role == "starting" and node.record.active == node.config.node and node.view.unheard():
        names = ", ".join(node.view.unheard())
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
    mine, hello = name == node.config.node, node.standing.peers.get(name)
    in_sync, state = name in node.record.nodes(), own_state(node, now) if mine else _peer_state(node, name, now)
    unable, cut_off = node.able.why_not(name), node.cut_off.why_not(name, now)
    version = node.config.version if mine else hello.version if hello else None
    follower = _follower(node, name)
    seq = node.state.log.end.seq if mine else max(follower.matched, 0) if follower is not None else None
    return {
        "id": name,
        "url": url,
        "in_sync": in_sync,
        "electable": node.able.electable(name) and state != UNREACHABLE and not cut_off,
        "able": not unable,
        "unable": unable or None,
        "disk_full": node.able.full(name) or None,
        "cut_off": cut_off or None,
        "state": state,
        "seq": seq,
        "version": version,
        "lag": _lag(node, follower, now) if follower is not None else None,
        "last_contact": None if mine else _last_contact(node, name, now),
    }


def _follower(node: Node, name: str) -> Optional[Follower]:
    return node.leading.followers.by_node.get(name) if node.leading is not None else None


def _peer_state(node: Node, name: str, now: float) -> str:
    """Return the state of another node, as far as it is known here: a passive listens to nobody but the active."""
    leading, timing, linked = node.leading, node.config.timing, name in node.standing.linked
    silent = now - node.links.contact.get(name, NEVER)
    if leading is None and name == node.record.active:
        return "Up" if linked and silent <= timing.silence else UNREACHABLE
    if leading is None:
        known = "In-Sync" if name in node.record.nodes() else "Connecting"
        return known if linked else UNREACHABLE
    if silent > (timing.grace if linked else timing.silence):
        return UNREACHABLE
    follower = _follower(node, name)
    if name in node.links.refused or (follower is not None and follower.refused):
        return "Refused"
    if follower is None:
        return "Connecting"
    return "In-Sync" if name in node.record.nodes() and leading.followers.answers(follower, now) else "Syncing"


def _last_contact(node: Node, name: str, now: float) -> Optional[float]:
    """Return for how many seconds nothing was heard of another node; None where that is not known."""
    quiet = node.leading is None and name != node.record.active and name in node.standing.linked
    if quiet or name not in node.links.contact:
        return None
    return round(max(0.0, now - node.links.contact[name]), 3)


def _lag(node: Node, follower: Follower, now: float) -> Optional[Status]:
    """Return what a node lacks of the active's log: entries, bytes, and the age in seconds of the oldest of them.

    Of what the log has forgotten bytes and seconds are not known: they are then those of what it still has.
    """
    log, matched = node.state.log, follower.matched
    if matched < 0:
        return None
    oldest = log.get(max(matched, log.start.seq) + 1)
    seconds = 0.0 if oldest is None else max(0.0, node.state.clock.read(now) - oldest.at) / 1000
    return {"entries": max(0, log.end.seq - matched), "bytes": log.size(matched, log.end.seq), "seconds": round(seconds, 3)}
