# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of databases as a task sees it, what the task wants of it, and the steps from the one to the other. Pure."""
from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

from ..client.error import ClientError
from .datastore_steps import WELL, Step, unfold


@dataclass(frozen=True)
class Instance:
    """``configuration``: the id, "" for none. ``raw``: all that the API says; empty of one that would be made."""

    id: str
    name: str
    is_source: bool
    status: str = "ACTIVE"
    configuration: str = ""
    fault: str = ""
    copy_limit: Optional[int] = None  # of the whole set
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_well(self) -> bool:
        return self.status in WELL


@dataclass(frozen=True)
class Seen:
    """A set: its instances, the oldest first; what is done with it now (``task``), None while nothing is."""

    instances: Tuple[Instance, ...]
    task: Optional[Mapping[str, Any]] = None

    @property
    def parts(self) -> Tuple[Instance, ...]:
        return self.instances

    @property
    def unsettled(self) -> List[Instance]:
        """Return those that somebody has begun to make."""
        return [each for each in self.instances if self.task is not None and each.status == "BUILD"]

    @property
    def source(self) -> Optional[Instance]:
        return next((each for each in self.instances if each.is_source), None)

    @property
    def replicas(self) -> List[Instance]:
        return [each for each in self.instances if each is not self.source]

    @property
    def replicas_first(self) -> List[Instance]:
        source = self.source
        return [*self.replicas, *([source] if source is not None else [])]

    def find(self, key: str) -> Optional[Instance]:
        """Return an instance by id, else by name."""
        with_id = [each for each in self.instances if each.id == key]
        return next(iter(with_id or [each for each in self.instances if each.name == key]), None)

    def changed(self, key: str, **members: Any) -> "Seen":
        return replace(self, instances=tuple(replace(each, **members) if each.id == key else each for each in self.instances))


@dataclass(frozen=True)
class Wanted:
    """What a task wants; None is what it does not say. ``key``: the instance that it is about, by name or id.

    ``configuration``: an id, "" for none. ``restart``: never, required, always. ``restarting``: configurations, from and to, whose change
    takes effect with a restart. ``taken``: names that other instances of the project have.
    """

    key: str
    name: str
    is_present: bool = True
    replicas: Optional[int] = None
    configuration: Optional[str] = None
    source: Optional[str] = None
    restart: str = "never"
    whole_set: bool = False
    force: bool = False
    restarting: FrozenSet[Tuple[str, str]] = frozenset()
    taken: FrozenSet[str] = frozenset()
    copy_limit: Optional[int] = None


def seen(instances: List[Mapping[str, Any]]) -> Seen:
    """Return a set from what the API says of its instances."""
    known = tuple(
        Instance(
            str(each["id"]), str(each["name"]), "replica_of" not in each, str(each["status"]),
            str((each.get("configuration") or {}).get("id", "")), str((each.get("fault") or {}).get("message", "")),
            each.get("copy_limit"), each,
        )
        for each in sorted(instances, key=lambda each: (str(each["created"]), str(each["name"]), str(each["id"])))
    )  # fmt: skip
    return Seen(known, next((each["task"] for each in instances if each.get("task")), None))


def of_a_set(instances: List[Dict[str, Any]], name: str, key: Optional[str]) -> List[Mapping[str, Any]]:
    """Return the instances of the set that has the instance of that id, or else of that name; nothing if there is none."""
    named = [each for each in instances if (each["id"] == key if key else each["name"] == name)]
    sets = {each["set"] for each in named}
    if len(sets) > 1:
        raise ClientError("conflict", f"{len(sets)} sets have an instance that is called {name}: say which one is meant with id")
    return [each for each in instances if each["set"] in sets]


def remains(instances: List[Dict[str, Any]], name: str) -> List[str]:
    """Return the names that replicas of an instance would have, though it is gone."""
    return sorted(each["name"] for each in instances if re.fullmatch(rf"{re.escape(name)}-[0-9]+", each["name"]))


# --- planning -------------------------------------------------------------------------------------------------------------


def plan(wanted: Wanted, now: Seen, restarted: FrozenSet[str] = frozenset()) -> Tuple[List[Step], Seen]:
    """Return what is to be done, and how the set is then. ``restarted``: instances that the task has restarted already.

    Verbs of steps: create, rename, limit, configure, restart, replicate, promote, remove; each is of an instance.
    """
    return unfold(now, lambda seen, done: _next(wanted, seen, done), lambda step, seen: _after(step, wanted, seen), restarted)


def _next(wanted: Wanted, now: Seen, restarted: FrozenSet[str]) -> Optional[Step]:
    if not wanted.is_present:
        return _removal(wanted, now)
    named = now.find(wanted.key)
    if named is None:
        return Step("create", "", f"make instance {wanted.name}", (wanted.name,))
    if named.name != wanted.name:
        return Step("rename", named.id, f"rename {named.name} to {wanted.name}", (wanted.name,))
    if wanted.copy_limit is not None and named.copy_limit != wanted.copy_limit:
        return Step("limit", named.id, f"limit copies of {named.name} to {limited(wanted.copy_limit)}", value=str(wanted.copy_limit))
    return (
        _configuration(wanted, now) or _restart(wanted, now, restarted) or _replication(wanted, now) or _promotion(wanted, now)
        or _shrinking(wanted, now, named)
    )  # fmt: skip


def _configuration(wanted: Wanted, now: Seen) -> Optional[Step]:
    for each in now.replicas_first:
        if wanted.configuration is not None and each.configuration != wanted.configuration:
            what = "change the configuration of" if wanted.configuration else "take its configuration off"
            return Step("configure", each.id, f"{what} {each.name}", value=wanted.configuration)
    return None


def _restart(wanted: Wanted, now: Seen, restarted: FrozenSet[str]) -> Optional[Step]:
    for each in now.replicas_first:
        is_due = wanted.restart == "always" or wanted.restart == "required" and each.status == "RESTART_REQUIRED"
        if is_due and each.id not in restarted:
            return Step("restart", each.id, f"restart {each.name}")
    return None


def _replication(wanted: Wanted, now: Seen) -> Optional[Step]:
    missing = 0 if wanted.replicas is None else wanted.replicas - len(now.replicas)
    source = now.source
    if missing <= 0 or source is None:
        return None
    taken = {*wanted.taken, *(each.name for each in now.instances)}
    free = [number for number in range(1, 1000) if f"{wanted.name}-{number}" not in taken]
    # The API numbers the replicas that it makes at once from 1 on. Where one of these is taken, they are made one by one.
    many = missing if free[:missing] == [*range(1, missing + 1)] else 1
    names = tuple(f"{wanted.name}-{number}" for number in free[:many])
    return Step("replicate", source.id, f"make {', '.join(names)} of {source.name}", names)


def _promotion(wanted: Wanted, now: Seen) -> Optional[Step]:
    if wanted.source is None:
        return None
    chosen = now.find(wanted.source)
    if chosen is None:
        has = ", ".join(each.name for each in now.instances)
        raise ClientError("usage", f"source {wanted.source} is not in the set of {wanted.name}, which has {has}")
    return None if chosen.is_source else Step("promote", chosen.id, f"make {chosen.name} the source")


def _shrinking(wanted: Wanted, now: Seen, named: Instance) -> Optional[Step]:
    """The instance that gives the set its name goes last of all, else those that are not well, and then the youngest, go first."""
    if wanted.replicas is None or len(now.replicas) <= wanted.replicas:
        return None
    if now.source is not named and wanted.replicas == 0:
        why = f"with replicas 0 only the source stays, and {named.name} is a replica"
        raise ClientError("usage", f"{why}: say source {named.name}, so that it is promoted before")
    order = [each for each in reversed(now.replicas) if each is not named]
    return _remove(sorted(order, key=lambda each: each.is_well)[0])


def _removal(wanted: Wanted, now: Seen) -> Optional[Step]:
    named = now.find(wanted.key)
    if named is None and not (wanted.whole_set and now.instances):
        return None
    if wanted.whole_set:
        others = [each for each in now.replicas if each is not named]
        return _remove(next(iter([*others, *now.replicas_first])))
    if named is not None and named.is_source and now.replicas:
        names = ", ".join(each.name for each in now.replicas)
        raise ClientError("usage", f"{named.name} is the source of {names}: say whole_set to take all away, or make another one the source")
    return None if named is None else _remove(named)


def _remove(each: Instance) -> Step:
    return Step("remove", each.id, f"take {each.name} away")


def limited(limit: int) -> str:
    return f"{limit} bytes a second" if limit else "nothing"


# --- what a step leaves ---------------------------------------------------------------------------------------------------


def _after(step: Step, wanted: Wanted, now: Seen) -> Seen:
    if step.verb in ("create", "replicate"):
        source = now.source
        new = wanted.configuration or "" if source is None else source.configuration
        limit = wanted.copy_limit if source is None else source.copy_limit
        made = tuple(Instance(f"new {name}", name, source is None, configuration=new, copy_limit=limit) for name in step.names)
        return replace(now, instances=now.instances + made)
    if step.verb == "remove":
        return replace(now, instances=tuple(each for each in now.instances if each.id != step.of))
    if step.verb == "promote":
        return replace(now, instances=tuple(replace(each, is_source=each.id == step.of) for each in now.instances))
    if step.verb == "rename":
        return now.changed(step.of, name=step.names[0])
    if step.verb == "limit":
        return replace(now, instances=tuple(replace(each, copy_limit=wanted.copy_limit) for each in now.instances))
    if step.verb == "restart":
        return now.changed(step.of, status="ACTIVE")
    old = next(each for each in now.instances if each.id == step.of)
    waits = old.status == "RESTART_REQUIRED" or (old.configuration, step.value) in wanted.restarting
    return now.changed(step.of, configuration=step.value, status="RESTART_REQUIRED" if waits else old.status)
