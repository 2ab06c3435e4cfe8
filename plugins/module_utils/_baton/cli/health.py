# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a status means: who is active, who would take over, what is wrong, and the exit status of `ha status`. Pure.

Reads what /system/ha answers; members that an older daemon does not send are taken for unknown, never for wrong.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, List, Optional, Sequence

from .output import size

Status = Dict[str, Any]
HEALTHY, DEGRADED, NO_ACTIVE, NO_ANSWER = 0, 1, 3, 4
EXPIRY_DAYS = 21
NEVER = "with the store manual no node takes over by itself in any case"


def date_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")


def span(seconds: float) -> str:
    """Return a time as people say it."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"


def exit_status(status: Status, now: float) -> int:
    """Return 0 for a healthy cluster, 1 for one that needs a look, 3 where no node is active. ``now``: unix seconds."""
    if not _is_active(status):
        return NO_ACTIVE
    return DEGRADED if _indirect(status) or status.get("error") or warnings(status, now) else HEALTHY


def _indirect(status: Status) -> bool:
    """Whether this is how another node sees it, since the active did not answer us."""
    return status.get("role") != "active"


def _is_active(status: Status) -> bool:
    """Whether a node is active and, as far as who answered knows, serves."""
    if not status.get("cluster_id") or not status.get("active"):
        return False
    if not _indirect(status):
        return bool(status.get("serving"))
    return all(node.get("state") == "Up" for node in _nodes(status) if node["id"] == status["active"])


def _nodes(status: Status) -> List[Dict[str, Any]]:
    return [*(status.get("nodes") or [])]


# --- who is active --------------------------------------------------------------------------------------------------


def sentence(status: Status) -> str:
    """Say in a line who is active and who holds the VIP."""
    active, epoch, teller = status.get("active"), (status.get("epoch") or {}).get("number"), status.get("node")
    if not status.get("cluster_id"):
        return f"{teller} belongs to no cluster yet."
    seen = f", as {teller} sees it (the active does not answer)" if _indirect(status) else ""
    if not active:
        return f"No node is active (epoch {epoch}){seen}."
    if seen and not _is_active(status):
        return f"No node is active: {active} was in epoch {epoch}, and {_silence(status, active)}."
    text = f"{active} is active in epoch {epoch}"
    if not seen and not status.get("serving"):
        text += ", but does not serve at this moment"
    return f"{text}{_vip(status)}{seen}."


def _silence(status: Status, active: str) -> str:
    teller = status.get("node")
    if teller == active:
        return "does not serve again yet"
    last = next((node.get("last_contact") for node in _nodes(status) if node["id"] == active), None)
    return f"{teller} has heard nothing from it" + ("" if last is None else f" for {span(last)}")


def _vip(status: Status) -> str:
    parts = []
    for held, verb in ((True, "holds"), (False, "does not hold")):
        named = [f"{item.get('address')} on {item.get('interface')}" for item in _addresses(status) if item["held"] is held]
        if named:
            parts.append(f" and {verb} the VIP {' and '.join(named)}")
    return "".join(parts)


def _addresses(status: Status) -> List[Dict[str, Any]]:
    """Return each address of the VIP, with whether it is held: each by itself where that is said."""
    vip = status.get("vip") or {}
    return [{**item, "held": bool(item.get("held", vip.get("held")))} for item in vip.get("addresses") or [vip] if item]


# --- who would take over --------------------------------------------------------------------------------------------


def failover(status: Status) -> str:
    """Say in a line who takes over if the active fails, and where the cluster record is; "" where nobody can tell."""
    store, active = status.get("dcs"), status.get("active")
    if not store or not status.get("cluster_id") or not status.get("dcs_reachable"):
        return ""
    last, where = status.get("dcs_last_contact"), f"the store is {store}"
    if store == "etcd":
        where += ", which has not answered yet" if last is None else f", which answered {span(last)} ago"
    if store == "manual":
        return f"No node takes over by itself ({where}): {_by_hand(status)}."
    names = [node["id"] for node in _nodes(status) if node.get("electable") and node["id"] != active]
    if status.get("paused"):
        return f"While the pause lasts no node takes over by itself; {where}."
    if not names:
        return f"No node can take over by itself: none is in sync that may; {where}."
    who = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    when = f"If {active} fails, {who} takes over by itself" if _is_active(status) else f"{who} can take over by itself"
    return f"{when}; {where}."


def _by_hand(status: Status) -> str:
    """Say how the role is moved where nobody takes it."""
    if _is_active(status):
        return "`batonctl ha switch` moves the active role"
    active = status.get("active")
    if not active:
        return "`batonctl ha active` makes the passive at --endpoint active"
    return f"if {active} is gone for good, `batonctl ha active --force` makes the passive at --endpoint active"


def pause_outcome(status: Status) -> str:
    """Say what a pause that has just begun changes."""
    if status.get("dcs") == "manual":
        return f"Paused; {NEVER}."
    return "Paused: nobody becomes active by itself until `batonctl ha resume`."


def resume_outcome(status: Status) -> str:
    """Say what the end of a pause changes."""
    return f"Resumed. {failover(status)}".rstrip()


# --- what is wrong --------------------------------------------------------------------------------------------------


def warnings(status: Status, now: float) -> List[str]:
    """Return what keeps a cluster from being healthy, one sentence each, but for ``error`` and what ``sentence`` says."""
    found = []
    if status.get("paused"):
        by, at = status.get("paused_by"), status.get("paused_at")
        who = (f" since {date_of(at)}" if at else "") + (f" by {by}" if by else "")
        until = NEVER if status.get("dcs") == "manual" else "nobody becomes active by itself until `batonctl ha resume`"
        found.append(f"Paused{who}: {until}.")
    if not status.get("dcs_reachable", True):
        last = status.get("dcs_last_contact")
        which = "The store of the cluster record" + (f", {status['dcs']}," if status.get("dcs") else "")
        found.append(f"{which} does not answer{f' for {span(last)}' if last else ''}: until it does, nobody can take over.")
    found += [_trouble_of(node) for node in _nodes(status) if _behind(node)]
    if _is_active(status) and not _indirect(status):
        found += [f"The active does not hold the VIP {item.get('address')}." for item in _addresses(status) if not item["held"]]
    least, members = status.get("min_in_sync") or 1, status.get("in_sync") or []
    if len(members) < least:
        found.append(f"{len(members)} of {least} nodes that there are to be are in sync: in mode strict no write is taken.")
    for name, end in sorted((status.get("certificates") or {}).items()):
        if end <= now:
            found.append(f"The certificate {name} of {status.get('node')} has ended on {date_of(end)}: run the playbook baton.ha.renew.")
    return found


def notices(status: Status, now: float) -> List[str]:
    """Return what a person may want to know of a cluster that is healthy all the same."""
    found = []
    for name, end in sorted((status.get("certificates") or {}).items()):
        if 0 < end - now < EXPIRY_DAYS * 86400:
            found.append(f"The certificate {name} of {status.get('node')} ends on {date_of(end)}: run the playbook baton.ha.renew.")
    planned = status.get("scheduled_switch")
    if planned:
        found.append(f"A switch to {planned['To'] or 'the best passive'} is scheduled for {date_of(planned['At'])}.")
    return found


def _behind(node: Dict[str, Any]) -> bool:
    return not node.get("in_sync") or node.get("state") not in ("Up", "In-Sync")


def _trouble_of(node: Dict[str, Any]) -> str:
    state, last, in_sync = node.get("state"), node.get("last_contact"), node.get("in_sync")
    member = "is counted as in sync" if in_sync else "is not in sync"
    if state == "Unreachable":
        heard = "was not heard since the node that answers began to listen" if last is None else f"was last heard {span(last)} ago"
        return f"{node['id']} {heard} and {member}."
    lag = lag_of(node.get("lag"))
    return f"{node['id']} {member} ({state}{'' if lag in ('-', '0') else f', {lag} behind'})."


def lag_of(lag: Optional[Dict[str, Any]]) -> str:
    """Return a lag for a table: "0", "12 entries, 3.4 KiB, 0.8 s", "-" where it is not known."""
    if lag is None:
        return "-"
    if not lag["entries"]:
        return "0"
    entries = f"{lag['entries']} entr{'y' if lag['entries'] == 1 else 'ies'}"
    return f"{entries}, {size(lag['bytes'])}, {span(lag['seconds'])}"


def heard_of(node: Dict[str, Any], now: float) -> str:
    """Return when a node was heard last, for a table: a date where that is minutes ago."""
    last = node.get("last_contact")
    if last is None:
        return "-"
    return f"{span(last)} ago" if last < 120 else f"{span(last)} ago, {date_of(now - last)}"


def rows(status: Status, now: float) -> Sequence[Sequence[Any]]:
    """Return the nodes as rows: id, role, state, in sync, electable, lag, heard, URL."""
    active, title = status.get("active"), "active" if _is_active(status) else "was active"
    return [
        [
            node["id"], title if node["id"] == active else "passive", str(node.get("state") or "-"), node.get("in_sync"),
            node.get("electable"), lag_of(node.get("lag")), heard_of(node, now), node.get("url"),
        ]
        for node in _nodes(status)
    ]  # fmt: skip
