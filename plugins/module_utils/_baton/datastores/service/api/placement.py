# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of the pool new instances come to, and which ports they get. Pure.

Never two of one set on one host, nor more on one than it says that it has room for; the emptiest host first, and where none is left it
says of each why.
"""
from __future__ import annotations

from typing import Any, Collection, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set

from ...model.documents import PoolHost
from ...model.replica_set import Member, ReplicaSet
from .errors import bad, unprocessable

FIRST_PORT, PORTS, COPIES = 3306, 500, 10000  # copies are taken at a port so much above
LOWEST_PORT, HIGHEST_PORT = 1024, 65535 - COPIES - PORTS  # that a host may say that its servers begin at
ROOM = {"ram": "MiB", "volume": "GiB"}  # what a host may say that it has in all, for what its instances are made of
MOST_SAID = 12  # hosts of which it is said why they are not chosen


class Place(NamedTuple):
    host: PoolHost
    port: int


class Needs(NamedTuple):
    """What an instance is to find. ``apart``: hosts that have one of its set; ``region``: None for any; ``room``: how much of ROOM."""

    datastore: str
    version: str
    flavor: str
    region: Optional[str] = None
    apart: Collection[str] = ()
    room: Mapping[str, float] = {}


def room_of(flavor: Mapping[str, Any], volume: Any) -> Dict[str, float]:
    """Return how much of ROOM an instance takes; 0 of what nobody has said in numbers."""
    return {"ram": _number(flavor.get("ram")) or 0, "volume": _number(volume) or 0}


def _number(said: Any) -> Optional[float]:
    return said if isinstance(said, (int, float)) and not isinstance(said, bool) else None


def choose(many: int, needs: Needs, hosts: Mapping[str, PoolHost], sets: Iterable[ReplicaSet]) -> List[Place]:
    """Return a place for each of ``many``; Problem 400 for a region that nobody is in, 422 when there are not so many."""
    regions = sorted({host.region for host in hosts.values()})
    if needs.region is not None and needs.region not in regions:
        raise bad(f"there is no region {needs.region[:60]!r}; there are {', '.join(regions) or 'none: the pool has no host yet'}")
    carried = _by_host(sets)
    against: Dict[str, str] = {}
    able: List[PoolHost] = []
    for name, host in sorted(hosts.items()):
        if needs.region is None or host.region == needs.region:
            why = _against(host, needs, carried.get(name, []))
            against.update({name: why} if why else {})
            able.extend([] if why else [host])
    if len(able) < many:
        raise unprocessable(_none_left(many, len(able), needs, against))
    able.sort(key=lambda host: (_load(carried.get(host.name, [])), host.name))
    return [Place(host, free_port(host, carried.get(host.name, [])) or 0) for host in able[:many]]


def _by_host(sets: Iterable[ReplicaSet]) -> Dict[str, List[Member]]:
    found: Dict[str, List[Member]] = {}
    for whole in sets:
        for member in whole.members.values():
            found.setdefault(member.host, []).append(member)
    return found


def _against(host: PoolHost, needs: Needs, carried: Collection[Member]) -> str:
    """Return in some words why a host is not chosen, "" if it may be."""
    if host.name in needs.apart:
        return "has one of the set"
    if not host.channel.alive:
        return "its guest is not heard"
    if host.meta.get("maintenance"):
        return "is in maintenance"
    if not host.offers(needs.datastore, needs.version):
        return f"does not offer {needs.datastore} {needs.version}"
    if needs.flavor not in host.flavors:
        return f"can't carry flavor {needs.flavor}"
    return _full(host, needs, carried) if free_port(host, carried) is not None else "has no port left"


def _full(host: PoolHost, needs: Needs, carried: Collection[Member]) -> str:
    taken = [room_of(member.own.get("flavor") or {}, member.own.get("volume")) for member in carried]
    for name, unit in ROOM.items():
        most = _number(host.meta.get(name))
        if most is None:
            if host.meta.get(name) is not None:
                return f"says {name} {host.meta[name]!r}, which is no number of {unit}"
            continue
        if most == 0:  # nobody counts
            continue
        left = most - sum(each[name] for each in taken)
        if needs.room.get(name, 0) > left:
            return f"has {max(0, left)} of its {most} {unit} of {name} left, and {needs.room[name]} are needed"
    return ""


def free_port(host: PoolHost, carried: Collection[Member]) -> Optional[int]:
    """Return the lowest port that none of a host's instances has, from where people say that they begin there.

    Those that came before they said it may be anywhere, with their copies.
    """
    said = host.meta.get("port")
    first = said if isinstance(said, int) and LOWEST_PORT <= said <= HIGHEST_PORT else FIRST_PORT
    taken: Set[int] = {member.own.get("port", 0) + apart for member in carried for apart in (-COPIES, 0, COPIES)}
    return next((port for port in range(first, first + PORTS) if port not in taken), None)


def _load(carried: Collection[Member]) -> "tuple[float, int]":
    """How full a host is: by the memory of what it carries, then by how many these are."""
    return sum(room_of(member.own.get("flavor") or {}, 0)["ram"] for member in carried), len(carried)


def _none_left(many: int, found: int, needs: Needs, against: Mapping[str, str]) -> str:
    reasons = [f"{name} {why}" for name, why in against.items()]
    said = "; ".join(reasons[:MOST_SAID]) + (f"; and {len(reasons) - MOST_SAID} more" if len(reasons) > MOST_SAID else "")
    wanted = "a host is" if many == 1 else f"{many} hosts are"
    where = f" in region {needs.region}" if needs.region is not None else ""
    return f"{wanted} needed{where}, and {found or 'none'} can be had: {said or 'the pool has no host yet'}"
