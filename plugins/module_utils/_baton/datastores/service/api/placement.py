# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of the pool new instances come to, and which ports they get. Pure.

Never two of one set on one host, nor more on one than it says that it has room for; the emptiest host first, and where none is left it
says of each why. Members of a cluster for which nobody names a region come to one region, all of them: each of their commits waits for
the others.
"""
from __future__ import annotations

from typing import Any, Collection, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ...model.documents import PoolHost
from ...model.replica_set import Member, ReplicaSet
from .errors import bad, unprocessable

FIRST_PORT, PORTS, COPIES = 3306, 500, 10000  # copies are taken at a port so much above
LOWEST_PORT, HIGHEST_PORT = 1024, 65535 - COPIES - PORTS  # that a host may say that its servers begin at
LAST_PORT = 65535
APART = {  # so far above its port a server has ports
    "galera": (0, COPIES, 11000, 12000),  # the group, increments, and copies
    "valkey": (0, 10000, 11000),  # TLS, and copies
    "redis": (0, 10000, 11000),
}
FEW = (0, COPIES)  # of all others
ROOM = {"ram": "MiB", "volume": "GiB"}  # what a host may say that it has in all, for what its instances are made of
MOST_SAID = 12  # hosts of which it is said why they are not chosen


class Place(NamedTuple):
    host: PoolHost
    port: int


class Carried(NamedTuple):
    """What a host has already. ``ports``: all that it takes there."""

    member: Member
    ports: Tuple[int, ...]


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


def ports_of(datastore: str, port: int) -> Tuple[int, ...]:
    """Return all ports that a server takes of its host."""
    return tuple(port + apart for apart in APART.get(datastore, FEW))


def own_of(place: Place, name: str, flavor: Dict[str, Any], volume: Any, now: float) -> Dict[str, Any]:
    """Return what an instance is known by that comes to a place."""
    return {
        "name": name, "address": place.host.address, "port": place.port, "region": place.host.region, "flavor": flavor,
        "volume": volume, "created": now, "updated": now,
    }  # fmt: skip


def choose(many: int, needs: Needs, hosts: Mapping[str, PoolHost], sets: Iterable[ReplicaSet]) -> List[Place]:
    """Return a place for each of ``many``; Problem 400 for a region that nobody is in, 422 when there are not so many."""
    _known_region(needs.region, hosts)
    carried = _by_host(sets)
    able, against = _able(needs, hosts, carried)
    if len(able) < many:
        raise unprocessable(_none_left(many, len(able), needs, against))
    return [_place(host, needs, carried) for host in able[:many]]


def choose_each(wanted: Sequence[Needs], hosts: Mapping[str, PoolHost], sets: Iterable[ReplicaSet]) -> List[Place]:
    """Return a place for each of these, all on hosts of their own; Problem as ``choose``.

    Whoever could be on several hosts makes room for one who could not.
    """
    for needs in wanted:
        _known_region(needs.region, hosts)
    carried = _by_host(sets)
    where = _one_region(wanted, hosts, carried)
    wanted = [needs if needs.region is not None else needs._replace(region=where) for needs in wanted]
    able = _names(wanted, hosts, carried)
    taken = _matched(able)
    for number, needs in enumerate(wanted):
        if number not in taken.values():
            alike = [each for each in wanted if each == needs]
            found = sum(1 for index in taken.values() if wanted[index] == needs)
            raise unprocessable(_none_left(len(alike), found, needs, _able(needs, hosts, carried)[1]))
    host_of = {index: name for name, index in taken.items()}
    return [_place(hosts[host_of[number]], needs, carried) for number, needs in enumerate(wanted)]


def _known_region(region: Optional[str], hosts: Mapping[str, PoolHost]) -> None:
    regions = sorted({host.region for host in hosts.values()})
    if region is not None and region not in regions:
        raise bad(f"there is no region {region[:60]!r}; there are {', '.join(regions) or 'none: the pool has no host yet'}")


def _able(needs: Needs, hosts: Mapping[str, PoolHost], carried: Mapping[str, List[Carried]]) -> Tuple[List[PoolHost], Dict[str, str]]:
    """Return the hosts that may be chosen, the emptiest first, and why the others are not."""
    against: Dict[str, str] = {}
    able: List[PoolHost] = []
    for name, host in sorted(hosts.items()):
        if needs.region is None or host.region == needs.region:
            why = _against(host, needs, carried.get(name, []))
            against.update({name: why} if why else {})
            able.extend([] if why else [host])
    return sorted(able, key=lambda host: (_load(carried.get(host.name, [])), host.name)), against


def _names(wanted: Sequence[Needs], hosts: Mapping[str, PoolHost], carried: Mapping[str, List[Carried]]) -> List[List[str]]:
    """Return for each the names of the hosts that may be chosen; a large pool is looked at once for all that need the same."""
    found: List[List[str]] = []
    for needs in wanted:
        same = wanted.index(needs)
        found.append(found[same] if same < len(found) else [host.name for host in _able(needs, hosts, carried)[0]])
    return found


def _place(host: PoolHost, needs: Needs, carried: Mapping[str, List[Carried]]) -> Place:
    return Place(host, free_port(host, needs.datastore, carried.get(host.name, [])) or 0)


def _one_region(wanted: Sequence[Needs], hosts: Mapping[str, PoolHost], carried: Mapping[str, List[Carried]]) -> Optional[str]:
    """Return the region for all for which none is named: one that has room for them beside the others, with the most hosts that could
    carry them; None where no region has.
    """
    unsaid = [needs for needs in wanted if needs.region is None]
    best: Optional[str] = None
    most = 0
    for region in sorted({host.region for host in hosts.values()}) if unsaid else ():
        here = [needs if needs.region is not None else needs._replace(region=region) for needs in wanted]
        able = _names(here, hosts, carried)
        many = len({name for needs, names in zip(wanted, able) for name in names if needs.region is None})
        if many > most and len(_matched(able)) == len(wanted):
            best, most = region, many
    if unsaid and best is None and len({host.region for host in hosts.values()}) > 1:
        _able_hosts, against = _able(unsaid[0], hosts, carried)
        reasons = _reasons(against)
        raise unprocessable(
            f"no region has {_hosts(len(unsaid))} for members that are to be in one region{': ' + reasons if reasons else ''}; "
            "say of each member in which region it is to be"
        )
    return best


def _matched(able: Sequence[Sequence[str]]) -> Dict[str, int]:
    """Return whom a host is for, by its name, so that as many as can be have one."""
    taken: Dict[str, int] = {}

    def find(number: int, seen: Set[str]) -> bool:
        for name in sorted(able[number], key=lambda name: name in taken):  # of those that are free the emptiest
            if name not in seen:
                seen.add(name)
                if name not in taken or find(taken[name], seen):
                    taken[name] = number
                    return True
        return False

    for number in range(len(able)):
        find(number, set())
    return taken


def _by_host(sets: Iterable[ReplicaSet]) -> Dict[str, List[Carried]]:
    found: Dict[str, List[Carried]] = {}
    for whole in sets:
        left = [Member(key, entry["host"], own=entry["own"]) for key, entry in whole.own.get("gone", {}).items()]  # what is to be wiped
        for member in (*whole.members.values(), *left):
            found.setdefault(member.host, []).append(Carried(member, ports_of(whole.datastore, member.own.get("port", 0))))
    return found


def _against(host: PoolHost, needs: Needs, carried: Collection[Carried]) -> str:
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
    if free_port(host, needs.datastore, carried) is None:
        highest = LAST_PORT - ports_of(needs.datastore, 0)[-1]
        begins = _first_port(host)
        return "has no port left" if begins <= highest else f"says port {begins}, and {highest} is the highest of {needs.datastore}"
    return _full(host, needs, carried)


def _full(host: PoolHost, needs: Needs, carried: Collection[Carried]) -> str:
    taken = [room_of(each.member.own.get("flavor") or {}, each.member.own.get("volume")) for each in carried]
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


def free_port(host: PoolHost, datastore: str, carried: Collection[Carried]) -> Optional[int]:
    """Return the lowest port with which a server meets none of a host's, from where people say that they begin there.

    Those that came before they said it may be anywhere.
    """
    first = _first_port(host)
    taken: Set[int] = {port for each in carried for port in each.ports}
    for port in range(first, first + PORTS):
        needed = ports_of(datastore, port)
        if needed[-1] <= LAST_PORT and not taken.intersection(needed):
            return port
    return None


def _first_port(host: PoolHost) -> int:
    said = host.meta.get("port")
    return said if isinstance(said, int) and LOWEST_PORT <= said <= HIGHEST_PORT else FIRST_PORT


def _load(carried: Collection[Carried]) -> "tuple[float, int]":
    """How full a host is: by the memory of what it carries, then by how many these are."""
    return sum(room_of(each.member.own.get("flavor") or {}, 0)["ram"] for each in carried), len(carried)


def _none_left(many: int, found: int, needs: Needs, against: Mapping[str, str]) -> str:
    verb = "is" if many == 1 else "are"
    where = f" in region {needs.region}" if needs.region is not None else ""
    said = _reasons(against) or ("the others of the set have all that there are" if found else "the pool has no host yet")
    return f"{_hosts(many)} {verb} needed{where}, and {found or 'none'} can be had: {said}"


def _hosts(many: int) -> str:
    return "a host" if many == 1 else f"{many} hosts"


def _reasons(against: Mapping[str, str]) -> str:
    reasons = [f"{name} {why}" for name, why in against.items()]
    return "; ".join(reasons[:MOST_SAID]) + (f"; and {len(reasons) - MOST_SAID} more" if len(reasons) > MOST_SAID else "")
