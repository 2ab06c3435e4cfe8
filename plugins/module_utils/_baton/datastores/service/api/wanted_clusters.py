# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests for clusters ask for, in both dialects: Trove's (``instances``, ``grow``) and the draft's (``size`` and ``nodes``). Pure.

All that can be judged without looking at the pool, and at the cluster, is judged here.
"""
from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional

from . import reading, wanted
from .errors import bad, not_offered
from .reading import shown

MOST_MEMBERS, LEAST_MEMBERS, LEAST_DATA, MOST_ARBITERS = 16, 3, 2, 2
DATA, ARBITER = "data", "arbiter"
MOST_NUMBER = len("-999")  # that a member has after its cluster's name
MEMBERS = (
    "name", "datastore", "configuration", "instances", "size", "nodes", "flavorRef", "volume", "databases", "users", "locality",
    "extended_properties", "region", "region_name", "copy_limit",
)  # fmt: skip
OF_A_MEMBER = (
    "name", "flavorRef", "volume", "region", "region_name", "type", "related_to", "nics", "availability_zone", "modules",
)  # fmt: skip
LEFT_OUT = {
    "nics": "a member listens at its host's address",
    "availability_zone": "hosts are chosen by region: give that",
    "modules": "there are no modules",
    "related_to": "no member belongs to another one",
}
ACTIONS = (
    "grow", "shrink", "upgrade", "restart", "configuration_attach", "configuration_detach", "replace_node", "stop", "start",
    "reset_status", "copy_limit",
)  # fmt: skip


class NewMember(NamedTuple):
    """None: as the cluster has it, and anywhere."""

    type: str = DATA
    flavor: Optional[str] = None
    volume: Optional[int] = None
    region: Optional[str] = None
    name: Optional[str] = None


class NewCluster(NamedTuple):
    name: str
    datastore: Optional[str]
    version: Optional[str]
    configuration: Optional[str]
    members: List[NewMember]
    databases: List[Dict[str, Any]]
    users: List[Dict[str, Any]]
    copy_limit: Optional[int] = None


# --- a new one ------------------------------------------------------------------------------------------------------------


def new_cluster(data: bytes) -> NewCluster:
    """Read the body of a POST."""
    raw = reading.body(data, "cluster")
    reading.only(raw, "cluster", MEMBERS)
    _refuse_what_is_left_out(raw)
    if "name" not in raw:
        raise bad("name is missing: say what the cluster is to be called")
    name = reading.name(raw["name"], "name")
    if len(name) > reading.MOST_NAME - MOST_NUMBER:
        raise bad(f"name has at most {reading.MOST_NAME - MOST_NUMBER} characters here, since each member gets a number after it")
    datastore, version = wanted.datastore_of(raw.get("datastore"))
    databases = wanted.databases_of(raw.get("databases"), "databases")
    return NewCluster(
        name, datastore, version, wanted.word_of(raw.get("configuration"), "configuration"), _new_members(raw), databases,
        wanted.users_of(raw.get("users"), [database["name"] for database in databases]), reading.copy_limit(raw.get("copy_limit")),
    )  # fmt: skip


def _refuse_what_is_left_out(raw: Dict[str, Any]) -> None:
    if raw.get("locality") not in (None, "anti-affinity"):
        raise bad("locality is anti-affinity: two members of a cluster never share a host")
    if raw.get("extended_properties"):
        raise bad("extended_properties is not for this service: its parameters are in a configuration; leave it out")


def _new_members(raw: Dict[str, Any]) -> List[NewMember]:
    """Return the members of a new cluster, each with its flavor and volume."""
    if raw.get("instances") is not None and raw.get("nodes") is not None:
        raise bad("instances and nodes are two ways to say the same; give one of them")
    what = "nodes" if raw.get("nodes") is not None else "instances"
    many = None if raw.get("size") is None else reading.number(raw["size"], "size", 1, MOST_MEMBERS)
    found = [] if raw.get(what) is None else members(raw[what], what)
    if not found and many is None:
        raise bad('nobody says of how many members: give instances, or size, such as {"size": 3}')
    found = _as_many(found, many, "size", what)
    flavor, volume, region = wanted.flavor_of(raw.get("flavorRef")), wanted.volume_of(raw.get("volume")), wanted.region_of(raw)
    completed = [
        each._replace(flavor=each.flavor or flavor, region=each.region or region)._replace(
            volume=None if each.type == ARBITER else each.volume or volume
        )
        for each in found
    ]
    check_counts([each.type for each in completed])
    return _with_flavors(completed)


def _with_flavors(found: List[NewMember]) -> List[NewMember]:
    """An arbiter of which nobody says what it needs has what the first one with data has."""
    of_data = next((each.flavor for each in found if each.type == DATA), None)
    found = [each._replace(flavor=of_data) if each.type == ARBITER and each.flavor is None else each for each in found]
    if any(each.flavor is None for each in found):
        raise bad("flavorRef is missing: say what the members need; GET /flavors has what there is")
    return found


def check_counts(types: List[str]) -> None:
    """Raise Problem 400 for members of which no cluster may be made."""
    arbiters = types.count(ARBITER)
    data = len(types) - arbiters
    if len(types) > MOST_MEMBERS:
        raise bad(f"a cluster has at most {MOST_MEMBERS} members, not {len(types)}")
    if len(types) < LEAST_MEMBERS:
        raise bad(f"a cluster has {LEAST_MEMBERS} members at least, not {len(types)}: of fewer none can be lost; arbiters count")
    if data < LEAST_DATA:
        raise bad(f"a cluster has {LEAST_DATA} members with data at least, not {data}: arbiters have none")
    if arbiters > MOST_ARBITERS:
        raise bad(f"a cluster has at most {MOST_ARBITERS} arbiters, not {arbiters}: they vote, and have no data")
    if arbiters >= data:
        raise bad(f"a cluster has fewer arbiters than members with data, not {arbiters} beside {data}")


# --- members ----------------------------------------------------------------------------------------------------------------


def members(raw: Any, what: str) -> List[NewMember]:
    """Read a list of members that are to be."""
    item = f"an item of {what}"
    found = [_member(reading.record(each, item), item) for each in reading.items(raw, what, MOST_MEMBERS)]
    names = [each.name for each in found if each.name is not None]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise bad(f"{what} has the name {twice[:60]!r} twice")
    return found


def _member(raw: Dict[str, Any], what: str) -> NewMember:
    reading.only(raw, what, OF_A_MEMBER)
    for member, why in LEFT_OUT.items():
        if raw.get(member):
            raise bad(f"{member} is not for this service: {why}; leave it out")
    kind = _type(raw.get("type"), what)
    size = wanted.volume_of(raw.get("volume"))
    name = None if raw.get("name") is None else reading.name(raw["name"], f"name of {what}")
    return NewMember(kind, wanted.flavor_of(raw.get("flavorRef")), None if kind == ARBITER else size, wanted.region_of(raw), name)


def _type(raw: Any, what: str) -> str:
    """Trove's command line sends a list of one, its library a string."""
    if isinstance(raw, list) and len(raw) == 1:
        raw = raw[0]
    if raw is None:
        return DATA
    if raw not in (DATA, ARBITER):
        raise bad(f"type of {what} is {DATA} or {ARBITER}, not {shown(raw)}")
    return str(raw)


def _as_many(found: List[NewMember], many: Optional[int], name: str, what: str) -> List[NewMember]:
    """Return so many members; without a list each is as the cluster is."""
    if many is not None and found and len(found) != many:
        raise bad(f"{name} is {many}, and {what} has {len(found)} items; leave {name} out, or make both the same")
    return found or [NewMember()] * (many or 0)


def more_members(data: bytes) -> List[NewMember]:
    """Read the body of a POST to …/nodes."""
    raw = reading.body(data, "nodes")
    reading.only(raw, "nodes", ("num", "allocations"))
    many = None if raw.get("num") is None else reading.number(raw["num"], "num", 1, MOST_MEMBERS)
    found = [] if raw.get("allocations") is None else members(raw["allocations"], "allocations")
    if many is None and not found:
        raise bad('nobody says how many nodes: give num, or allocations, such as {"nodes": {"num": 1}}')
    return _as_many(found, many, "num", "allocations")


# --- actions ----------------------------------------------------------------------------------------------------------------


class Action(NamedTuple):
    """What a POST to a cluster asks for. ``what``: what it says besides its name: ids, members, a version, a configuration."""

    name: str
    what: Any = None


def action(data: bytes) -> Action:
    """Read the body of a POST to a cluster, or to its …/action."""
    raw = reading.anything(data)
    if len(raw) != 1:
        raise bad(f"the body is an object with one member, the action: {', '.join(ACTIONS)}")
    given = next(iter(raw))
    name = "reset_status" if given == "reset-status" else given  # Trove's clients send both
    if name == "add_shard":
        raise not_offered("add_shard is for clusters of shards, and there are none: each member has all data; grow adds members")
    if name not in ACTIONS:
        raise bad(f"there is no action {given[:60]!r}; there are {', '.join(ACTIONS)}")
    reader = _READERS.get(name)
    if reader is not None:
        return Action(name, reader(raw[given]))
    if raw[given] not in ({}, None):
        raise bad(f'{given} takes nothing: send {{"{given}": {{}}}}')
    return Action(name)


def _grow(raw: Any) -> List[NewMember]:
    found = members(raw, "grow")
    if not found:
        raise bad("grow is a list of the members that are to be added, and it is empty")
    return found


def _ids(raw: Any, what: str) -> List[str]:
    found: List[str] = []
    for each in reading.items(raw, what, MOST_MEMBERS):
        record = reading.record(each, f"an item of {what}")
        reading.only(record, f"an item of {what}", ("id",))
        found.append(reading.word(record.get("id"), f"id of an item of {what}"))
    return found


def _shrink(raw: Any) -> List[str]:
    found = _ids(raw, "shrink")
    if not found:
        raise bad("shrink is a list of the members that are to leave, and it is empty")
    return found


def _one(action_name: str, member: str) -> Any:
    """Return what reads an action that names one thing."""

    def read(raw: Any) -> str:
        record = reading.record(raw, action_name)
        reading.only(record, action_name, (member,))
        return reading.word(record.get(member), f"{action_name}.{member}")

    return read


def _start(raw: Any) -> List[str]:
    """Return those of which a person says that they never run again."""
    record = reading.record({} if raw is None else raw, "start")
    reading.only(record, "start", ("without", "force"))
    given = reading.items(record.get("without") or [], "start.without", MOST_MEMBERS)
    without = [reading.word(each, "an item of start.without") for each in given]
    is_sure = reading.flag(record.get("force", False), "start.force")
    if without and not is_sure:
        raise bad('start.without names members that never run again, with what they alone have; say so with "force": true')
    if is_sure and not without:
        raise bad("start.force goes with without: a list of the members that never run again")
    return without


def _copy_limit(raw: Any) -> int:
    found = reading.copy_limit(raw)
    if found is None:
        raise bad('copy_limit says how many bytes a second a copy may take, such as {"copy_limit": 50000000}')
    return found


_READERS = {
    "grow": _grow,
    "shrink": _shrink,
    "upgrade": _one("upgrade", "datastore_version"),
    "configuration_attach": _one("configuration_attach", "configuration_id"),
    "replace_node": _one("replace_node", "id"),
    "start": _start,
    "copy_limit": _copy_limit,
}
