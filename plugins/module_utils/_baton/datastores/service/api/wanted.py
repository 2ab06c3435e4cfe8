# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests for instances ask for, in both dialects: Trove's as it shipped, and the draft's (``slave``, ``detach``). Pure.

All that can be judged without looking at the pool is judged here, before anything is done.
"""
from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Optional

from ...model.replica_set import MOST_REPLICAS
from . import reading
from .errors import bad, not_offered

MOST_VOLUME = 65_536  # GiB
MOST_DATABASES, MOST_USERS = 64, 64
OF_KEYS = ("valkey", "redis")  # whose databases have no names: those of a user are patterns of keys
MOST_USER_NAME, MOST_DATABASE_NAME, MOST_PASSWORD = 80, 64, 128
_DATABASE = re.compile(r"[^/\\.`'\"\s]+\Z")
_USER = re.compile(r"[^/\\`'\"@\s]+\Z")
_HOST = re.compile(r"[0-9A-Za-z.:%_/-]{1,60}\Z", re.ASCII)
_WORD = re.compile(r"[0-9A-Za-z_.-]{1,64}\Z", re.ASCII)

MEMBERS = (
    "name", "flavorRef", "volume", "databases", "users", "datastore", "configuration", "replica_of", "replica_count", "slave", "region",
    "region_name", "locality", "access", "nics", "availability_zone", "modules", "restorePoint",
    "copy_limit",
)  # fmt: skip
LEFT_OUT = {  # what Trove has and we have not: an empty value asks for nothing
    "nics": "an instance listens at its host's address",
    "availability_zone": "hosts are chosen by region: give that",
    "modules": "there are no modules",
    "restorePoint": "there are no backups to restore",
}
ACTIONS = ("promote_to_replica_source", "eject_replica_source", "restart", "reset_status", "detach")


class NewInstance(NamedTuple):
    """What a POST asks for. ``of``: the id or name of the source that replicas are to follow, None for an instance of its own."""

    name: str
    flavor: Optional[str]
    volume: Optional[int]
    databases: List[Dict[str, Any]]
    users: List[Dict[str, Any]]
    datastore: Optional[str]
    version: Optional[str]
    configuration: Optional[str]
    region: Optional[str]
    of: Optional[str] = None
    many: int = 1
    copy_limit: Optional[int] = None


class Change(NamedTuple):
    """What a PUT or PATCH asks for. ``configuration``: "" takes it off, None leaves it as it is."""

    name: Optional[str] = None
    configuration: Optional[str] = None
    detach: bool = False
    copy_limit: Optional[int] = None


# --- a new one ------------------------------------------------------------------------------------------------------------


def new_instance(data: bytes) -> NewInstance:
    """Read the body of a POST."""
    raw = reading.body(data, "instance")
    reading.only(raw, "instance", MEMBERS)
    _refuse_what_is_left_out(raw)
    if "name" not in raw:
        raise bad("name is missing: say what the instance is to be called")
    datastore, version = datastore_of(raw.get("datastore"))
    users, databases = raw.get("users"), databases_of(raw.get("databases"), "databases")
    wanted = NewInstance(
        reading.name(raw["name"], "name"),
        flavor_of(raw.get("flavorRef")),
        volume_of(raw.get("volume")),
        databases,
        users_of(users, None if datastore in OF_KEYS else [database["name"] for database in databases]),
        datastore,
        version,
        word_of(raw.get("configuration"), "configuration"),
        region_of(raw),
        _source(raw),
        reading.number(raw.get("replica_count", 1), "replica_count", 1, MOST_REPLICAS),
        reading.copy_limit(raw.get("copy_limit")),
    )
    return _checked(wanted, raw)


def _checked(wanted: NewInstance, raw: Dict[str, Any]) -> NewInstance:
    if wanted.of is None:
        if raw.get("replica_count") not in (None, 1):
            raise bad("replica_count goes with replica_of: make the source first, then its replicas")
        if wanted.flavor is None:
            raise bad("flavorRef is missing: say what the instance needs; GET /flavors has what there is")
        return wanted
    for member in ("databases", "users"):
        if raw.get(member):
            raise bad(f"{member} can't be given for a replica: it has those of its source")
    if wanted.copy_limit is not None:
        raise bad("copy_limit can't be given for a replica: it is of the whole set; change that of its source")
    most = reading.MOST_NAME - len(f"-{wanted.many}") if wanted.many > 1 else reading.MOST_NAME
    if len(wanted.name) > most:
        raise bad(f"name has at most {most} characters here, since each of {wanted.many} replicas gets a number after it")
    return wanted


def _refuse_what_is_left_out(raw: Dict[str, Any]) -> None:
    for member, why in LEFT_OUT.items():
        if raw.get(member):
            raise bad(f"{member} is not for this service: {why}; leave it out")
    access = reading.record(raw.get("access") or {}, "access")
    reading.only(access, "access", ("is_public", "allowed_cidrs"))
    if access.get("is_public") not in (None, False) or access.get("allowed_cidrs"):
        raise bad("access is not for this service: who reaches an instance is up to the network of its host; leave it out")
    if raw.get("locality") not in (None, "anti-affinity"):
        raise bad("locality is anti-affinity: two of one set never share a host")


def word_of(raw: Any, what: str) -> Optional[str]:
    return None if raw is None else reading.word(raw, what)


def flavor_of(raw: Any) -> Optional[str]:
    """Return the id of a flavor; clients may send its address, which ends in it."""
    found = word_of(raw, "flavorRef")
    return None if found is None else found.rstrip("/").rpartition("/")[2]


def volume_of(raw: Any) -> Optional[int]:
    if raw is None:
        return None
    volume = reading.record(raw, "volume")
    reading.only(volume, "volume", ("size", "type"))
    if volume.get("type"):
        raise bad("volume.type is not for this service: an instance has its host's disk; leave it out")
    if "size" not in volume:
        raise bad("volume.size is missing: how many GiB")
    return reading.number(volume["size"], "volume.size", 1, MOST_VOLUME)


def datastore_of(raw: Any) -> "tuple[Optional[str], Optional[str]]":
    if raw is None:
        return None, None
    found = reading.record(raw, "datastore")
    reading.only(found, "datastore", ("type", "version", "version_number"))
    version = found.get("version") if found.get("version") is not None else found.get("version_number")
    return word_of(found.get("type"), "datastore.type"), word_of(version, "datastore.version")


def region_of(raw: Dict[str, Any]) -> Optional[str]:
    """Trove reads region_name, the draft and the clients of clusters say region."""
    regions = {reading.line(raw[member], member) for member in ("region", "region_name") if raw.get(member) is not None}
    if len(regions) > 1:
        raise bad("region and region_name differ; give one of them")
    return regions.pop() if regions else None


def _source(raw: Dict[str, Any]) -> Optional[str]:
    of, slave = word_of(raw.get("replica_of"), "replica_of"), raw.get("slave")
    if slave is None:
        return of
    found = reading.record(slave, "slave")
    reading.only(found, "slave", ("of", "read_only"))
    if "of" not in found:
        raise bad("slave.of is missing: the id of the source")
    if not reading.flag(found.get("read_only", True), "slave.read_only"):
        raise bad("slave.read_only is true: a replica takes no writes, or it would have what its source has not; detach it first")
    named = reading.word(found["of"], "slave.of")
    if of is not None and of != named:
        raise bad("replica_of and slave.of differ; give one of them")
    return named


def databases_of(raw: Any, what: str) -> List[Dict[str, Any]]:
    found: Dict[str, Dict[str, Any]] = {}
    for each in reading.items([] if raw is None else raw, what, MOST_DATABASES):
        database = reading.record(each, f"an item of {what}")
        reading.only(database, f"an item of {what}", ("name", "character_set", "collate"))
        name = reading.line(database.get("name"), f"the name of one of {what}", MOST_DATABASE_NAME)
        if not _DATABASE.match(name):
            raise bad(f"{name!r} can't be the name of a database: it has a character of / \\ . ` ' \" or a space")
        if name in found:
            raise bad(f"{what} has {name!r} twice")
        for member in ("character_set", "collate"):
            if database.get(member) is not None and not _WORD.match(reading.line(database[member], member, 64)):
                raise bad(f"{member} is a word such as utf8mb4, not {reading.shown(database[member])}")
        found[name] = {"name": name, **{key: database[key] for key in ("character_set", "collate") if database.get(key)}}
    return list(found.values())


def users_of(raw: Any, databases: Optional[List[str]]) -> List[Dict[str, Any]]:
    """Return users, with their passwords: accounts.py makes of these what may be kept. ``databases``: that there are; None: whatever."""
    found: Dict[str, Dict[str, Any]] = {}
    for each in reading.items([] if raw is None else raw, "users", MOST_USERS):
        user = _user(reading.record(each, "an item of users"), databases)
        key = f"{user['name']}@{user.get('host', '%')}"
        if key in found:
            raise bad(f"users has {key!r} twice")
        found[key] = user
    return list(found.values())


def _user(user: Dict[str, Any], databases: Optional[List[str]]) -> Dict[str, Any]:
    reading.only(user, "an item of users", ("name", "password", "databases", "host"))
    name = reading.line(user.get("name"), "the name of a user", MOST_USER_NAME)
    if not _USER.match(name):
        raise bad(f"{name!r} can't be the name of a user: it has a character of / \\ @ ` ' \" or a space")
    password = user.get("password")
    if not isinstance(password, str) or not 1 <= len(password) <= MOST_PASSWORD or not password.isprintable():
        raise bad(f"the password of user {name!r} is a string of 1 to {MOST_PASSWORD} printable characters")
    host = user.get("host")
    if host is not None and (not isinstance(host, str) or not _HOST.match(host)):
        raise bad(f"host of user {name!r} is an address such as 192.0.2.10, or % for any")
    of = [database["name"] for database in databases_of(user.get("databases"), f"databases of user {name!r}")]
    strange = sorted(set(of) - set(databases)) if databases is not None else []
    if strange:
        raise bad(f"user {name!r} is to use database {strange[0]!r}, which is not among databases; add it there")
    return {"name": name, "password": password, "databases": [{"name": each} for each in of], **({"host": host} if host else {})}


# --- changes --------------------------------------------------------------------------------------------------------------


def change(data: bytes) -> Change:
    """Read the body of a PUT or PATCH. Only null detaches, and an empty one is an error: Trove took all of that for a wish."""
    raw = reading.body(data, "instance")
    reading.only(
        raw, "instance", ("name", "configuration", "replica_of", "slave_of", "datastore_version", "access", "copy_limit")
    )
    if "datastore_version" in raw:
        raise not_offered("an instance keeps its version: make a new one of the version that you want, and move the data")
    _refuse_what_is_left_out({"access": raw.get("access")})
    detach = [member for member in ("replica_of", "slave_of") if member in raw]
    for member in detach:
        if raw[member] is not None:
            raise bad(f"{member} is null, which detaches the replica; a source is chosen when a replica is made")
    wanted = Change(
        reading.name(raw["name"], "name") if "name" in raw else None,
        (word_of(raw["configuration"], "configuration") or "") if "configuration" in raw else None,
        bool(detach),
        reading.copy_limit(raw.get("copy_limit")),
    )
    if wanted == Change():
        raise bad("instance says nothing to change: give name, configuration, copy_limit, or replica_of (null detaches)")
    if wanted.detach and wanted.configuration is not None:
        raise bad("replica_of and configuration can't be changed at once: send two requests")
    return wanted


def action(data: bytes) -> str:
    """Read the body of a POST to …/action."""
    raw = reading.anything(data)
    if len(raw) != 1:
        raise bad(f"the body is an object with one member, the action: {', '.join(ACTIONS)}")
    name = next(iter(raw))
    if name not in ACTIONS:
        raise bad(f"there is no action {name[:60]!r}; there are {', '.join(ACTIONS)}")
    if raw[name] not in ({}, None):
        raise bad(f'{name} takes nothing: send {{"{name}": {{}}}}')
    return name
