# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a set: a source and its replicas, or the members of a cluster, and what is being done with them. Pure.

An instance that stands alone is a set of one. The manager alone writes these documents.
"""
from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Dict, List, Optional

MOST_REPLICAS = 14
MOST_HISTORY = 50  # entries that are kept
COPY_LIMIT, LEAST_COPY_LIMIT = 100_000_000, 65_536  # bytes a second of a copy where nobody says, and the fewest that anybody may say


@dataclass
class Member:
    """One server on one pool host.

    ``follows``: the term whose source it follows, or in which it joined its cluster last. ``joined``: it has the set's data, so that it
    stays when what is being done fails. ``again_at``: when what failed with it is tried again, unasked. ``own``: what people and its guest
    know it by, such as name, address, port, server_id, flavor, volume, region, created.
    """

    id: str
    host: str
    status: str = "BUILD"  # in Trove's words
    follows: int = 0
    joined: bool = False
    fault: str = ""
    again_at: float = 0.0
    own: Dict[str, Any] = field(default_factory=dict)


@dataclass
class Task:
    """A program that is being carried out. ``since``: when its step began; ``data``: what its steps have found out.

    ``undoing``: it goes back, because of ``fault``; ``gave_way``: to what could not wait; ``silent``: since when somebody who is waited for
    is not heard, 0 while all are; ``wanted``: its data as people asked for it, so that it begins anew after what it gave way to.
    """

    id: str
    program: str
    began: float = 0.0
    asked: bool = False
    step: int = 0
    since: float = 0.0
    undoing: bool = False
    gave_way: bool = False
    silent: float = 0.0
    fault: str = ""
    data: Dict[str, Any] = field(default_factory=dict)
    wanted: Dict[str, Any] = field(default_factory=dict)


@dataclass
class ReplicaSet:
    """``term`` grows each time that a member is granted to be the source, which is ``source`` then; nobody is before the first.
    Nobody ever is in a cluster, whose term grows each time that it is formed: ``formed`` says of this term {"uuid", "seqno", "by": a
    member}. ``own``: what people know a cluster by, such as name, created, updated, configuration, and ``stopped`` if they stopped it;
    ``gone``: by id {"host", …}, who left it while its host was not heard, and is wiped when it is; of both kinds ``copy_limit``.
    ``confirmed``: replicas of which the furthest has all that was acknowledged; none: only the source is sure to have it. ``counted``:
    those, and all of which an acknowledgement may have been enough since. ``secrets``: what its servers share, the password of replication,
    certificate and key; ``made``: when.
    """

    id: str
    datastore: str = "mariadb"
    version: str = ""
    project: str = ""
    secrets: Dict[str, str] = field(default_factory=dict)
    made: float = 0.0
    term: int = 0
    since: float = 0.0  # of this term
    source: str = ""
    members: Dict[str, Member] = field(default_factory=dict)
    confirmed: List[str] = field(default_factory=list)
    counted: List[str] = field(default_factory=list)
    before: Optional[Dict[str, Any]] = None  # source, confirmed and counted of the term before, should this one never be claimed
    task: Optional[Task] = None
    asked: Optional[Dict[str, Any]] = None  # what comes next: program, why, data
    tasks: int = 0  # so many have begun: ids of tasks, and so of orders, never come again
    grants: int = 0  # so many were given
    failovers: List[float] = field(default_factory=list)  # when the latest began
    not_before: float = 0.0  # when something is begun again that nobody asked for
    paused: bool = False  # nothing is begun that nobody asked for
    needs: str = ""  # what keeps the set from being what it should be, and what a person can do
    history: List[Dict[str, Any]] = field(default_factory=list)
    formed: Dict[str, Any] = field(default_factory=dict)
    own: Dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Dict[str, Any]) -> "ReplicaSet":
        """Read a document that to_json made. Nothing of it is shared with the set."""
        found = cls(**value)
        found.members = {key: Member(**member) for key, member in value["members"].items()}
        for member in found.members.values():
            member.own = dict(member.own)
        found.task = Task(**value["task"]) if value["task"] else None
        if found.task is not None:
            found.task.data = dict(found.task.data)
        for name in LISTS:
            setattr(found, name, list(getattr(found, name)))
        found.formed, found.own = dict(found.formed), dict(found.own)
        return found

    def to_json(self) -> Dict[str, Any]:
        """Return the document. Nothing of it is shared with the set but what nobody changes."""
        lists = {name: list(getattr(self, name)) for name in LISTS}
        members = {key: {**vars(member), "own": dict(member.own)} for key, member in self.members.items()}
        task = {**vars(self.task), "data": dict(self.task.data)} if self.task else None
        own = {"formed": dict(self.formed), "own": dict(self.own)}
        return {**vars(self), **lists, **own, "members": members, "task": task}

    @property
    def hosts(self) -> List[str]:
        """Whose channels it is about: those of its members, and of whoever is to be wiped still."""
        return sorted({*(member.host for member in self.members.values()), *(each["host"] for each in self.own.get("gone", {}).values())})

    @property
    def replicas(self) -> List[Member]:
        """All that have the data and are not the source."""
        return [member for key, member in sorted(self.members.items()) if member.joined and key != self.source]

    def note(self, at: float, what: str, why: str = "") -> None:
        """Keep for people what was done, and why."""
        self.history = [*self.history, {"at": at, "what": what, "why": why}][-MOST_HISTORY:]


LISTS = tuple(each.name for each in fields(ReplicaSet) if each.default_factory is list)


def copy_limit(whole: ReplicaSet) -> int:
    """Return how many bytes a second a copy of the set's data may take, 0 for as many as it gets."""
    return int(whole.own.get("copy_limit", COPY_LIMIT))
