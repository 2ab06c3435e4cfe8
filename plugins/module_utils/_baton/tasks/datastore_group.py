# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of databases as a task sees it, what the task wants of it, and the steps from the one to the other. Pure.

Members come before others go, so that a cluster never has fewer than it has now and than it is to have.
"""
from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from ..client.error import ClientError
from .datastore_set import limited
from .datastore_steps import WELL, Step, unfold

DATA, ARBITER = "data", "arbiter"
LEAST, MOST, LEAST_DATA, MOST_ARBITERS = 3, 16, 2, 2  # members that the API lets a cluster have
LEAVING = ("REPLACING_NODE", "SHRINKING_CLUSTER")  # tasks during which members that leave are SHUTDOWN
Place = Tuple[str, str]  # type, and region, which is "" where nobody says it


@dataclass(frozen=True)
class Member:
    """``is_up``: it serves; ``is_lost``: nobody hears its host, or it could not be made; ``is_leaving``: it is being taken away.

    ``raw``: as Instance has it.
    """

    id: str
    name: str
    type: str = DATA
    region: str = ""
    status: str = "ACTIVE"
    fault: str = ""
    is_up: bool = True
    is_lost: bool = False
    is_leaving: bool = False
    joined: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_well(self) -> bool:
        return self.status in WELL

    @property
    def is_made(self) -> bool:
        """It has been a member before: another one can take its place. Who never was can only leave."""
        return not self.is_lost or self.joined


@dataclass(frozen=True)
class Group:
    """A cluster: its members, the oldest first; ``id`` is "" while there is none. ``configuration``: the id, "" for none."""

    id: str = ""
    name: str = ""
    members: Tuple[Member, ...] = ()
    version: str = ""
    configuration: str = ""
    fault: str = ""
    task: Optional[Mapping[str, Any]] = None
    copy_limit: Optional[int] = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def parts(self) -> Tuple[Member, ...]:
        return self.members

    @property
    def unsettled(self) -> List[Member]:
        """Return those that come, or go."""
        return [each for each in self.members if self.task is not None and (each.status == "BUILD" or each.is_leaving)]

    @property
    def regions(self) -> List[str]:
        return sorted({each.region for each in self.members})

    @property
    def waiting(self) -> List[str]:
        """Return the names of those that have parameters which take effect with a restart."""
        return [each.name for each in self.members if each.status == "RESTART_REQUIRED"]

    @property
    def was_never_formed(self) -> bool:
        """It could not be made: nobody has ever joined it."""
        return bool(self.fault) and self.task is None and not any(each.joined for each in self.members)

    def find(self, key: str) -> Optional[Member]:
        """Return a member by id, else by name."""
        with_id = [each for each in self.members if each.id == key]
        return next(iter(with_id or [each for each in self.members if each.name == key]), None)


@dataclass(frozen=True)
class Wanted:
    """What a task wants; None is what it does not say. ``members``: how many of a type in a region, and none elsewhere.

    ``replace``: ids of those whose place another one takes; ``above``: numbers up to which no new one is named, lest it is taken for one
    that is to be replaced. ``restarting``: as datastore_set has it. ``offered``: the version of one that is made.
    """

    name: str
    is_present: bool = True
    size: Optional[int] = None
    arbiters: Optional[int] = None
    members: Optional[Mapping[Place, int]] = None
    configuration: Optional[str] = None
    version: Optional[str] = None
    rolling: bool = False
    restart: str = "never"
    replace: FrozenSet[str] = frozenset()
    above: int = 0
    restarting: FrozenSet[Tuple[str, str]] = frozenset()
    offered: str = ""
    copy_limit: Optional[int] = None


def group(raw: Mapping[str, Any]) -> Group:
    """Return a cluster from what the API says of it."""
    name = str(raw["name"])
    in_order = sorted(raw["instances"], key=lambda each: (str(each["created"]), number_of(str(each["name"]), name), str(each["id"])))
    task = raw["task"] if raw["task"]["name"] != "NONE" else None
    is_any_leaving = task is not None and task["name"] in LEAVING and not task.get("undoing")
    members = tuple(
        Member(
            str(each["id"]), str(each["name"]), str(each["type"]), str(each["region"]), str(each["status"]), _message(each),
            is_up=each["operating_status"] == "HEALTHY", is_lost=each["operating_status"] == "ERROR",
            is_leaving=is_any_leaving and each["status"] == "SHUTDOWN", joined=bool(each["joined"]), raw=each,
        )
        for each in in_order
    )  # fmt: skip
    configuration = str((raw.get("configuration") or {}).get("id", ""))
    version, limit = str(raw["datastore"]["version"]), raw.get("copy_limit")
    return Group(str(raw["id"]), name, members, version, configuration, _message(raw), task, limit, raw)


def _message(raw: Mapping[str, Any]) -> str:
    return str((raw.get("fault") or {}).get("message", ""))


def one_of(clusters: Sequence[Mapping[str, Any]], name: str, key: Optional[str]) -> Group:
    """Return the cluster of that id, or else of that name; an empty one if there is none."""
    named = [each for each in clusters if (each["id"] == key if key else each["name"] == name)]
    if len(named) > 1:
        raise ClientError("conflict", f"{len(named)} clusters are called {name}: say which one is meant with id")
    return group(named[0]) if named else Group()


# --- what can't be ----------------------------------------------------------------------------------------------------------


def judge(wanted: Wanted, now: Group) -> None:
    """Raise ClientError for members that no cluster may have, and for what would take more than a cluster can spare."""
    is_said = any(each is not None for each in (wanted.size, wanted.arbiters, wanted.members))
    if not wanted.is_present or not is_said:
        return
    then = Counter(each.type for each in now.members)
    then.update({kind: -then[kind] + many for kind, many in _types(wanted).items()})
    data, arbiters = then[DATA], then[ARBITER]
    has = f"{wanted.name} would have {data} members with data and {arbiters} arbiters"
    if data + arbiters < LEAST:
        raise ClientError("usage", f"{has}; {LEAST} in all is the least, since of fewer none can be lost: ask for more")
    if data < LEAST_DATA:
        raise ClientError("usage", f"{has}; {LEAST_DATA} with data is the least: ask for more")
    if arbiters > MOST_ARBITERS or arbiters >= data:
        raise ClientError("usage", f"{has}; {MOST_ARBITERS} arbiters are the most, and fewer than members with data: ask for fewer")
    if data + arbiters > MOST:
        raise ClientError("usage", f"{has}; {MOST} in all is the most: ask for fewer")


def _types(wanted: Wanted) -> Dict[str, int]:
    """Return how many of each type there shall be, as far as the task says it."""
    if wanted.members is not None:
        found = Counter({DATA: 0, ARBITER: 0})
        for (kind, _region), many in wanted.members.items():
            found[kind] += many
        return dict(found)
    return {kind: many for kind, many in ((DATA, wanted.size), (ARBITER, wanted.arbiters)) if many is not None}


# --- planning ---------------------------------------------------------------------------------------------------------------


def plan(wanted: Wanted, now: Group, restarted: FrozenSet[str] = frozenset()) -> Tuple[List[Step], Group]:
    """Return what is to be done, and how the cluster is then. ``restarted``: has its id, if the task has restarted it already.

    Verbs of steps: create, limit, replace, upgrade, configure, restart, grow, shrink, remove; each is of the cluster. Who is
    leaving is gone.
    """
    staying = replace(now, members=tuple(each for each in now.members if not each.is_leaving))
    return unfold(staying, lambda seen, done: _next(wanted, seen, done), lambda step, seen: _after(step, wanted, seen), restarted)


def _next(wanted: Wanted, now: Group, restarted: FrozenSet[str]) -> Optional[Step]:
    if not wanted.is_present:
        return Step("remove", now.id, f"take {now.name} away") if now.id else None
    if not now.id:
        return _making("create", f"make cluster {wanted.name}:", wanted, now)
    if wanted.copy_limit is not None and now.copy_limit != wanted.copy_limit:
        return Step("limit", now.id, f"limit copies of {now.name} to {limited(wanted.copy_limit)}", value=str(wanted.copy_limit))
    return (
        _replacement(wanted, now) or _upgrade(wanted, now) or _configuration(wanted, now) or _restart(wanted, now, restarted)
        or _making("grow", "add", wanted, now) or _shrinking(wanted, now)
    )  # fmt: skip


def _replacement(wanted: Wanted, now: Group) -> Optional[Step]:
    for each in now.members:
        if each.id in wanted.replace and not each.is_made:
            return _leaving(now, [each])
        if each.id in wanted.replace:
            return Step("replace", now.id, f"replace {each.name}", old=(each.id,))
    return None


def _upgrade(wanted: Wanted, now: Group) -> Optional[Step]:
    if wanted.version is None or wanted.version == now.version or not wanted.rolling:
        return None
    return Step("upgrade", now.id, f"upgrade {now.name} to {wanted.version}, one member after the other", value=wanted.version)


def _configuration(wanted: Wanted, now: Group) -> Optional[Step]:
    if wanted.configuration is None or wanted.configuration == now.configuration:
        return None
    what = "change the configuration of" if wanted.configuration else "take its configuration off"
    return Step("configure", now.id, f"{what} {now.name}", value=wanted.configuration)


def _restart(wanted: Wanted, now: Group, restarted: FrozenSet[str]) -> Optional[Step]:
    is_due = wanted.restart == "always" or wanted.restart == "required" and bool(now.waiting)
    return Step("restart", now.id, f"restart {now.name}, one member after the other") if is_due and now.id not in restarted else None


def _making(verb: str, what: str, wanted: Wanted, now: Group) -> Optional[Step]:
    places = _missing(wanted, now)
    if not places:
        return None
    names = _names(wanted, now, len(places))
    said = ", ".join(f"{name} ({', '.join(part for part in place if part)})" for name, place in zip(names, places))
    return Step(verb, now.id, f"{what} {said}", names, new=places)


def _missing(wanted: Wanted, now: Group) -> Tuple[Place, ...]:
    """Return type and region of each member that is to come, those with data first."""
    if wanted.members is not None:
        have = Counter((each.type, each.region) for each in now.members)
        places = [place for place, many in wanted.members.items() for _one in range(many - have[place])]
        return tuple(sorted(places, key=lambda place: place[0] == ARBITER))
    types = Counter(each.type for each in now.members)
    kinds = [kind for kind, many in _types(wanted).items() for _one in range(many - types[kind])]
    if kinds and len(now.regions) > 1:
        where = ", ".join(now.regions)
        raise ClientError("usage", f"members of {now.name} are in {where}: say with members how many there shall be in each region")
    return tuple((kind, next(iter(now.regions), "")) for kind in kinds)


def _names(wanted: Wanted, now: Group, many: int) -> Tuple[str, ...]:
    """Return names for new members. Who asks for the same as another gets the same, so that no more are made than were asked for."""
    taken = [number_of(each.name, wanted.name) for each in now.members]
    first = 1 + max([wanted.above, *taken])
    return tuple(f"{wanted.name}-{number}" for number in range(first, first + many))


def number_of(name: str, cluster: str) -> int:
    """Return the number that a member has behind the name of its cluster; 0 for one that is called otherwise."""
    found = re.fullmatch(rf"{re.escape(cluster)}-([0-9]{{1,6}})", name)
    return int(found.group(1)) if found is not None else 0


def _shrinking(wanted: Wanted, now: Group) -> Optional[Step]:
    """Of those of a type, and of a region where that is said, who is not well goes first, then the youngest."""

    def key(each: Member) -> Place:
        return each.type, each.region if wanted.members is not None else ""

    kinds = {(kind, ""): many for kind, many in _types(wanted).items()} if wanted.members is None else wanted.members
    leaving: List[Member] = []
    for place in sorted({key(each) for each in now.members}):
        of = [each for each in reversed(now.members) if key(each) == place]
        staying = kinds.get(place, 0 if wanted.members is not None else len(of))
        leaving += sorted(of, key=lambda each: each.is_well)[: max(0, len(of) - staying)]
    return _leaving(now, leaving) if leaving else None


def _leaving(now: Group, leaving: List[Member]) -> Step:
    staying = [each for each in now.members if each.is_made and each not in leaving]
    up = [each for each in staying if each.is_up]
    if now.task is None and any(each.is_made for each in leaving) and 2 * len(up) <= len(staying):
        down = ", ".join(f"{each.name} is {each.status}{f': {each.fault}' if each.fault else ''}" for each in staying if not each.is_up)
        lead = f"{', '.join(each.name for each in leaving)} can't leave, since of those that stay {len(up)} of {len(staying)} serve"
        raise ClientError("conflict", f"{lead} ({down}): mend these first, or name them in replace")
    return Step("shrink", now.id, f"take {', '.join(each.name for each in leaving)} away", old=tuple(each.id for each in leaving))


# --- what a step leaves -----------------------------------------------------------------------------------------------------


def _after(step: Step, wanted: Wanted, now: Group) -> Group:
    if step.verb == "remove":
        return Group()
    if step.verb in ("create", "grow"):
        made = tuple(Member(f"new {name}", name, kind, region) for name, (kind, region) in zip(step.names, step.new))
        if step.verb == "grow":
            return replace(now, members=now.members + made)
        return Group("new", wanted.name, made, wanted.offered, wanted.configuration or "", copy_limit=wanted.copy_limit)
    if step.verb == "limit":
        return replace(now, copy_limit=wanted.copy_limit)
    if step.verb in ("shrink", "replace"):
        going = [each for each in now.members if each.id in step.old]
        made = tuple(Member(f"in place of {each.name}", "", each.type, each.region) for each in going if step.verb == "replace")
        return replace(now, members=tuple(each for each in now.members if each not in going) + made)
    if step.verb == "configure":
        is_waiting = (now.configuration, step.value) in wanted.restarting
        members = [replace(each, status="RESTART_REQUIRED") if is_waiting and each.type == DATA else each for each in now.members]
        return replace(now, configuration=step.value, members=tuple(members))
    members = [replace(each, status="ACTIVE") if each.status == "RESTART_REQUIRED" else each for each in now.members]
    return replace(now, members=tuple(members), version=step.value or now.version)
