# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters as clients see them, in both dialects at once: Trove's ``instances``, and the draft's ``size`` and ``nodes``. Pure.

Members stand there in full, so that nobody has to ask for each of them.
"""
from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ...model.replica_set import Member, ReplicaSet, copy_limit
from .catalogue import links
from .settings_made import type_of
from .views import View, programs_of, stamp, with_names
from .wanted_clusters import ARBITER, DATA

TASKS = {  # program → Trove's name for it, or one like it
    "create": ("BUILDING", "Building the initial cluster."),
    "grow": ("GROWING_CLUSTER", "Increasing the size of the cluster."),
    "shrink": ("SHRINKING_CLUSTER", "Decreasing the size of the cluster."),
    "replace": ("REPLACING_NODE", "Replacing a member of the cluster."),
    "restart": ("RESTARTING_CLUSTER", "Restarting the cluster."),
    "upgrade": ("UPGRADING_CLUSTER", "Upgrading the cluster to new version."),
    "configure": ("UPDATING_CLUSTER", "Updating the cluster's parameters."),
    "delete": ("DELETING", "Deleting the cluster."),
    "stop": ("STOPPING_CLUSTER", "Stopping the cluster."),
    "revive": ("STARTING_CLUSTER", "Forming the cluster again."),
    "rejoin": ("REJOINING_CLUSTER", "A member comes back."),
    "clear": ("CLEARING_NODE", "What a member that left has on its host is wiped."),
}
NONE = {"id": None, "name": "NONE", "description": "No tasks for the cluster."}


def cluster(view: View, whole: ReplicaSet) -> Dict[str, Any]:
    """Return all there is to say of a cluster."""
    own = whole.own
    members = sorted(whole.members.values(), key=_age)
    shown = [view.instance(whole, member) for member in members]
    status = status_of(whole, members, shown)
    found: Dict[str, Any] = {
        "id": whole.id,
        "name": own.get("name", ""),
        "tenant_id": whole.project,
        "status": status,
        "task": _task(view, whole),
        "copy_limit": copy_limit(whole),
        "created": stamp(own.get("created", whole.made)),
        "updated": stamp(own.get("updated", whole.made)),
        "datastore": {"type": whole.datastore, "version": whole.version, "version_number": whole.version},
        "locality": "anti-affinity",
        "links": links(f"{view.base}/clusters/{whole.id}"),
        "size": len(members),
        "serving": sum(1 for each in shown if each["operating_status"] == "HEALTHY"),
        "regions": sorted({each["region"] for each in shown}),
        "instances": shown,
        "nodes": [_node(each) for each in shown],
        "ip": [address for each in shown if each["type"] == DATA for address in each["ip"]],
        **_what_all_have(shown),
    }
    left = _to_be_wiped(view, whole)
    if left:
        found["to_be_wiped"] = left
    if own.get("configuration"):
        found["configuration"] = view.configuration(str(own["configuration"]))
    fault = _fault_of(whole, status)
    if fault:
        at = whole.history[-1]["at"] if whole.history else whole.made
        found["fault"] = {"message": with_names(whole, fault), "created": stamp(at), "details": ""}
    return found


def _to_be_wiped(view: View, whole: ReplicaSet) -> List[Dict[str, Any]]:
    """Return who left while its host was not heard, so that what it has there was not wiped yet; not where the host has left the pool."""
    gone = whole.own.get("gone", {})
    return [
        {
            "id": key, "name": entry["own"].get("name", ""), "hostname": entry["host"], "since": stamp(entry["since"]),
            "reason": entry["fault"] or "its host was not heard when it left; it is wiped when the host is heard",
        }
        for key, entry in sorted(gone.items(), key=lambda each: (each[1]["since"], each[0])) if entry["host"] in view.hosts
    ]  # fmt: skip


def _age(member: Member) -> Tuple[float, int, str]:
    """Whoever was there first stands first, by the number in its name."""
    name = str(member.own.get("name", ""))
    return member.own.get("created", 0.0), len(name), name


def _node(shown: Dict[str, Any]) -> Dict[str, Any]:
    """Return a member as the draft has it in a cluster: its type is said of arbiters."""
    kind = {"type": ARBITER} if shown["type"] == ARBITER else {}
    return {"id": shown["id"], "name": shown["name"], "status": shown["status"], "region": shown["region"], **kind}


def _what_all_have(shown: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Return flavor and volume of members with data, where they are the same."""
    of_data = [each for each in shown if each["type"] == DATA]
    found = {name: [each.get(name) for each in of_data] for name in ("flavor", "volume")}
    return {name: each[0] for name, each in found.items() if each and each[0] and all(one == each[0] for one in each)}


def _task(view: View, whole: ReplicaSet) -> Dict[str, Any]:
    """Return what is being done: there is always a task, as Trove's clients expect."""
    found = view.task(whole)
    if found is None:
        return dict(NONE)
    program = programs_of(whole)[0]["program"]
    name, description = TASKS.get(program, (found["name"], found["description"]))
    undone = found["description"].partition("; it is undone")
    began = next((each["why"] for each in reversed(whole.history) if each["what"] == f"{program} begins"), "")
    return {"id": None, **found, "name": name, "description": description + "".join(undone[1:]), "why": with_names(whole, began)}


def status_of(whole: ReplicaSet, members: List[Member], shown: List[Dict[str, Any]]) -> str:
    """Return a cluster's status in the words of instances: what is done with it, then whether it serves."""
    doing = [each["program"] for each in programs_of(whole)]
    if "create" in doing:
        return "BUILD"
    if "delete" in doing or "stop" in doing:
        return "SHUTDOWN"
    if "revive" in doing:
        return "REBOOT"
    having = [each for member, each in zip(members, shown) if member.joined and type_of(member) == DATA]
    if any(each["operating_status"] == "HEALTHY" for each in having):
        return "ACTIVE"
    if whole.own.get("stopped"):
        return "SHUTDOWN"
    return "BLOCKED" if any(each["operating_status"] == "BLOCKED" for each in having) else "ERROR"


def _fault_of(whole: ReplicaSet, status: str) -> Optional[str]:
    if whole.needs:
        return whole.needs
    if status == "ERROR" and not any(member.joined for member in whole.members.values()):
        return next((member.fault for _key, member in sorted(whole.members.items()) if member.fault), None)
    return None
