# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as clients see them, in both dialects at once: Trove's members, and the draft's ``slave``. Pure.

Statuses are Trove's words. Each is said of what stands in the documents now, not of what was last heard to be well.
"""

from __future__ import annotations

import re
import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ...engine.case import Case, Silences, Times
from ...model.channel import Server
from ...model.documents import PoolHost
from ...model.replica_set import Member, ReplicaSet, copy_limit
from ...plans.group import said_of
from .asking import PLANS, is_cluster
from .catalogue import links
from .settings_made import configuration_of, type_of

UNDER_WAY = {  # program → how its members show
    "create": "BUILD", "replicate": "BUILD", "delete": "SHUTDOWN", "restart": "REBOOT", "detach": "DETACH", "adopt": "DETACH",
    "grow": "BUILD", "replace": "BUILD", "shrink": "SHUTDOWN", "upgrade": "UPGRADE", "stop": "SHUTDOWN",
}  # fmt: skip
OF_ALL = {  # program → how all of the set show: who is the source is about to change
    "promote": "PROMOTE", "failover": "PROMOTE", "restore": "PROMOTE", "call back": "PROMOTE", "eject": "EJECT",
}  # fmt: skip
DESCRIPTIONS = {
    "create": "the first server is made",
    "replicate": "replicas are made",
    "promote": "a replica takes the source's place",
    "failover": "the source is lost, and a replica takes its place",
    "restore": "the source is made the source again",
    "call back": "the source was gone before it began, and all is put back",
    "rejoin": "a replica comes back",
    "eject": "the source is put out of the set",
    "restart": "servers are restarted",
    "delete": "servers are taken away",
    "configure": "servers are given other parameters",
    "detach": "a replica leaves its set with what it has",
    "adopt": "what was detached becomes an instance of its own",
    "grow": "members are added to the cluster",
    "shrink": "members leave the cluster",
    "replace": "a new member takes the place of another",
    "upgrade": "members are given another version, one after the other",
    "stop": "the cluster is stopped",
    "revive": "the cluster is formed again",
    "clear": "what a member that left has on its host is wiped",
}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class View(NamedTuple):
    """What is looked at: ``base`` is the address of the project, ``configurations`` are names by id; ``now``, ``times``: of a Case."""

    hosts: Mapping[str, PoolHost]
    configurations: Mapping[str, str]
    base: str
    now: float
    times: Times

    def instance(self, whole: ReplicaSet, member: Member) -> Dict[str, Any]:
        """Return all there is to say of an instance."""
        own, host = member.own, self.hosts.get(member.host)
        flavor = (own.get("flavor") or {}).get("id", "")
        server = self._server(whole, member)
        status = status_of(whole, member, server)
        address = str(own.get("address") or (host.address if host is not None else ""))
        found: Dict[str, Any] = {
            "id": member.id,
            "name": own.get("name", member.id),
            "tenant_id": whole.project,
            "status": status,
            "operating_status": operating_status(whole, member, server),
            "created": stamp(own.get("created", whole.made)),
            "updated": stamp(own.get("updated", own.get("created", whole.made))),
            "datastore": {"type": whole.datastore, "version": whole.version, "version_number": whole.version},
            "flavor": {"id": flavor, "links": links(f"{self.base}/flavors/{flavor}")},
            "region": own.get("region", ""),
            "hostname": member.host,
            "ip": [address] if address else [],
            "port": own.get("port"),
            "addresses": [{"address": address, "type": "private"}] if address else [],
            "access": {"is_public": False, "allowed_cidrs": []},
            "set": whole.id,
            "links": links(f"{self.base}/instances/{member.id}"),
        }
        if own.get("volume"):
            found["volume"] = {"size": own["volume"]}
        if own.get("configuration"):
            found["configuration"] = self.configuration(str(own["configuration"]))
        found.update(self._membership(whole, member) if is_cluster(whole) else self._relations(whole, member))
        if whole.source == member.id and whole.replicas:
            found["failover"] = self._failover(whole)
        fault = fault_of(whole, member, server, status)
        if fault:
            created = whole.history[-1]["at"] if whole.history else own.get("updated", whole.made)
            found["fault"] = {"message": with_names(whole, fault), "created": stamp(created), "details": ""}
        if not is_cluster(whole):
            found["copy_limit"] = copy_limit(whole)
        task = self.task(whole)
        if task is not None:
            found["task"] = task
        return found

    def task(self, whole: ReplicaSet) -> Optional[Dict[str, Any]]:
        """Return what is being done with a set, with the copies that are under way; None while nothing is."""
        task, copies = task_of(whole), self._copies(whole)
        return task if task is None or not copies else {**task, "copies": copies}

    def _copies(self, whole: ReplicaSet) -> List[Dict[str, Any]]:
        """Return how far copies are, to members that are to have one, as far as those who send say."""
        found: List[Dict[str, Any]] = []
        for key, copy in sorted((whole.task.data.get("copies") or {}).items()) if whole.task is not None else ():
            donor = whole.members.get(copy.get("donor", ""))
            sent, of = self._server(whole, donor).sent(key) if donor is not None and key in whole.members else (0, 0)
            if of:
                found.append({"to": key, "from": copy["donor"], "bytes": sent, "of": of})
        return found

    def _failover(self, whole: ReplicaSet) -> Dict[str, Any]:
        """Return whether another would take the source's place by itself if it were lost now, and why not."""
        why = PLANS[whole.datastore].unguarded(self._case(whole))
        return {"automatic": not why, "reason": with_names(whole, why) or None}

    def _case(self, whole: ReplicaSet) -> Case:
        channels = {name: self.hosts[name].channel for name in whole.hosts if name in self.hosts}
        return Case(whole, channels, self.now, 0.0, 0, self.times, Silences())

    def _server(self, whole: ReplicaSet, member: Member) -> Server:
        return said_of(self._case(whole), member)

    def configuration(self, key: str) -> Dict[str, Any]:
        return {"id": key, "name": self.configurations.get(key, ""), "links": links(f"{self.base}/configurations/{key}")}

    def _membership(self, whole: ReplicaSet, member: Member) -> Dict[str, Any]:
        """Return of which cluster a member is, and as what; none of them has a source."""
        made, view = configuration_of(whole, member), self._server(whole, member).view
        return {
            "cluster_id": whole.id,
            "shard_id": None,
            "type": type_of(member),
            "segment": member.own.get("segment", 0),
            "joined": member.joined,
            "state": view.get("state"),
            "own_configuration": {"id": made["id"], "name": made["name"], "links": links(f"{self.base}/configurations/{made['id']}")},
        }

    def _relations(self, whole: ReplicaSet, member: Member) -> Dict[str, Any]:
        """Return who follows whom. Before there is a source nobody does."""
        if whole.source == member.id:
            others = [self._reference(other) for key, other in sorted(whole.members.items()) if key != member.id]
            return {"replicas": others, "slave": {"list": [other["id"] for other in others]}} if others else {}
        if whole.source in whole.members:
            server = self._server(whole, member)
            slave = {
                "of": whole.source,
                "read_only": True,
                "follows": member.joined and member.follows == whole.term,
                "counts": member.id in whole.confirmed,
                "lag_bytes": server.lag_bytes,
                "lag_seconds": server.lag_seconds,
            }
            return {"replica_of": self._reference(whole.members[whole.source]), "slave": slave}
        return {}

    def _reference(self, member: Member) -> Dict[str, Any]:
        return {"id": member.id, "links": links(f"{self.base}/instances/{member.id}")}


# --- how it is --------------------------------------------------------------------------------------------------------------


def stamp(at: float) -> str:
    """Return a time as Trove writes it: of UTC, without a zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


def with_names(whole: ReplicaSet, text: str) -> str:
    """Return a text for people: who is meant stands there by name, besides the id."""

    def name(match: "re.Match[str]") -> str:
        member = whole.members.get(match.group())
        called = member.own.get("name") if member is not None else None
        return f"{called} ({match.group()})" if called else match.group()

    return _ID.sub(name, text)


def programs_of(whole: ReplicaSet) -> List[Dict[str, Any]]:
    """Return what is done with a set, and what has been asked for and is done next: program and data."""
    found: List[Dict[str, Any]] = []
    if whole.task is not None:
        found.append({"program": whole.task.program, "data": whole.task.data})
    if whole.asked is not None:
        found.append(whole.asked)
    return found


def task_of(whole: ReplicaSet) -> Optional[Dict[str, Any]]:
    """Return what is being done with the set of an instance, None while nothing is."""
    task = whole.task
    if task is not None:
        undone = f"; it is undone: {with_names(whole, task.fault)}" if task.undoing else ""
        steps = [step.name for step in PLANS[whole.datastore].programs[task.program].steps]
        return {
            "name": task.program.upper().replace(" ", "_"),
            "description": DESCRIPTIONS.get(task.program, task.program) + undone,
            "id": task.id,
            "step": steps[task.step],
            "steps": steps,
            "undoing": task.undoing,
            "since": stamp(task.since),
        }
    if whole.asked is not None:
        program = whole.asked["program"]
        return {"name": program.upper().replace(" ", "_"), "description": f"{DESCRIPTIONS.get(program, program)}, in a moment"}
    return None


def status_of(whole: ReplicaSet, member: Member, server: Server) -> str:
    """Return an instance's status: what is done with it, if anything is, then what is wrong with it."""
    for doing in programs_of(whole):
        program, data = doing["program"], doing["data"]
        if program in OF_ALL and member.joined:
            return OF_ALL[program]
        if program in UNDER_WAY and member.id in data.get("members", ()):
            return UNDER_WAY[program]
        if member.id in data.get("leaves", ()):
            return "SHUTDOWN"
    if member.status in ("ERROR", "BUILD"):
        return member.status
    if not server.up:
        return _down(server)
    if whole.needs and member.id == whole.source:
        return "BLOCKED"
    is_known = all(doing["program"] != "configure" or member.id not in doing["data"]["members"] for doing in programs_of(whole))
    return "RESTART_REQUIRED" if member.own.get("restart_required") and is_known else member.status


def operating_status(whole: ReplicaSet, member: Member, server: Server) -> str:
    """Return how the server itself is."""
    if not member.joined:
        return "NEW" if member.status != "ERROR" else "ERROR"
    if server.up:
        return "BLOCKED" if whole.needs and member.id == whole.source else "HEALTHY"
    return _down(server)


def _down(server: Server) -> str:
    """Return how a server is that does not serve. One that tells something of its cluster runs, and takes no writes."""
    if server.trouble == "its guest is not heard":
        return "ERROR"
    return "BLOCKED" if server.view else "SHUTDOWN"


def fault_of(whole: ReplicaSet, member: Member, server: Server, status: str) -> str:
    """Return what is wrong with an instance in one line, "" if nothing is."""
    if whole.needs and member.id == whole.source:
        return whole.needs
    if member.fault and status in ("ERROR", "ACTIVE", "SHUTDOWN", "RESTART_REQUIRED"):
        return member.fault
    is_meant = status == "SHUTDOWN" and bool(whole.own.get("stopped"))
    is_down = status in ("ERROR", "SHUTDOWN", "BLOCKED") and member.joined and not programs_of(whole)
    return server.trouble if is_down and not is_meant else ""


def named(configurations: List[Dict[str, Any]]) -> Dict[str, str]:
    """Return the names of configurations by id."""
    return {each["id"]: each.get("name", "") for each in configurations}
