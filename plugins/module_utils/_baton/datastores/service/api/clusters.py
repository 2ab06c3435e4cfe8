# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with clusters: each request is judged against the cluster as it stands, then a program of its plan is asked for.

Nothing here waits for a program: whoever asks sees its task. A refusal leaves all as it was.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ...engine.case import Case
from ...model.documents import PoolHost
from ...model.replica_set import Member, ReplicaSet
from . import accounts, cluster_views, made, placement
from . import cluster_rules as rules
from .asking import ASKED, PLANS, ask, called_cluster, is_cluster
from .backend import Backend
from .catalogue import CLUSTERED, Catalogue
from .configurations import Configurations, attached
from .errors import bad, not_found, not_offered
from .repeats import Repeat
from .settings_made import type_of
from .views import View, named
from .wanted_clusters import DATA, Action, NewCluster, NewMember

NOTHING: Dict[str, Any] = {"configuration": None, "parameters": {}}
SHOWN = ("grow", "shrink")  # actions that are answered by the cluster, as Trove does


class Clusters:
    def __init__(self, backend: Backend, clock: Callable[[], float]) -> None:
        self._backend, self._clock = backend, clock
        self._configurations = Configurations(backend, clock)

    # --- looking ----------------------------------------------------------------------------------------------------------

    def view(self, base: str) -> View:
        return View(self._backend.hosts(), named(self._backend.configurations()), base, self._clock(), self._backend.times)

    def list(self, project: str, base: str) -> List[Dict[str, Any]]:
        """Return all clusters of a project with their members, in the order of their ids."""
        view = self.view(base)
        return [cluster_views.cluster(view, whole) for whole in self._of(project)]

    def show(self, project: str, wanted: str, base: str) -> Dict[str, Any]:
        return cluster_views.cluster(self.view(base), self.find(project, wanted))

    def members(self, project: str, wanted: str, base: str) -> List[Dict[str, Any]]:
        """Return all members of a cluster, in the order of their ids."""
        view, whole = self.view(base), self.find(project, wanted)
        return [view.instance(whole, member) for _key, member in sorted(whole.members.items())]

    def member(self, project: str, wanted: str, member: str, base: str) -> Dict[str, Any]:
        whole = self.find(project, wanted)
        return self.view(base).instance(whole, rules.member_of(whole, member))

    def find(self, project: str, wanted: str) -> ReplicaSet:
        """Return a cluster by id, or by name where one alone has it; Problem 404."""
        of = self._of(project)
        same = [each for each in of if each.id == wanted] or [each for each in of if each.own.get("name") == wanted]
        if len(same) > 1:
            raise not_found(f"{len(same)} clusters are called {wanted[:60]!r}; name one by its id")
        if not same:
            raise not_found(f"there is no cluster {wanted[:60]!r} in project {project}; GET /clusters has what there is")
        return same[0]

    def _of(self, project: str) -> List[ReplicaSet]:
        found = [whole for whole in self._backend.sets() if whole.project == project and is_cluster(whole)]
        return sorted(found, key=lambda whole: whole.id)

    # --- making -----------------------------------------------------------------------------------------------------------

    def create(self, project: str, wanted: NewCluster, repeat: Optional[Repeat], base: str) -> Dict[str, Any]:
        """Make a cluster. A repeat returns what the first has made."""
        secrets = made.of_a_set()
        with self._backend.lock():
            now = self._clock()
            known = [each for each in self._of(project) if repeat is not None and repeat.was(each.own.get("idempotency"), now)]
            key = known[0].id if known else self._create(project, wanted, repeat, secrets)
        return self.show(project, key, base)

    def _create(self, project: str, wanted: NewCluster, repeat: Optional[Repeat], secrets: Dict[str, str]) -> str:
        hosts, sets, now = self._backend.hosts(), self._backend.sets(), self._clock()
        catalogue = Catalogue(hosts)
        datastore = _clustered(wanted.datastore, catalogue)
        databases, users = accounts.kept(datastore, wanted.databases, wanted.users)
        version = catalogue.version(datastore, wanted.version).name
        parameters = self._parameters(project, wanted.configuration, datastore, version)
        own: Dict[str, Any] = {"name": wanted.name, "created": now, "updated": now, "configuration": parameters["configuration"]}
        own.update({} if repeat is None else {"idempotency": repeat.kept(now)})
        whole = ReplicaSet(made.new_id(), datastore, version, project, secrets, now, own=own)
        entries = [_completed(each, catalogue) for each in wanted.members]
        places = placement.choose_each([_needs(whole, each, catalogue.flavors) for each in entries], hosts, sets)
        new = self._join(whole, entries, places, catalogue, parameters)
        for member in new:
            is_data = type_of(member) == DATA
            member.own.update(databases=databases if is_data else [], users=users if is_data else [])
        self._backend.create(whole, "create", ASKED, members=[member.id for member in new])
        return whole.id

    def _parameters(self, project: str, configuration: Optional[str], datastore: str, version: str) -> Dict[str, Any]:
        if not configuration:
            return dict(NOTHING)
        return attached(self._configurations.fitting(project, configuration, datastore, version))

    def _join(
        self, whole: ReplicaSet, entries: Sequence[NewMember], places: Sequence[placement.Place], catalogue: Catalogue,
        parameters: Mapping[str, Any],
    ) -> List[Member]:  # fmt: skip
        """Add members that are to be made, and return them."""
        new: List[Member] = []
        names = [entry.name for entry in entries]
        for entry, place in zip(entries, places):
            if entry.name is not None and any(member.own.get("name") == entry.name for member in whole.members.values()):
                raise bad(f"{called_cluster(whole)} has a member {entry.name!r} already; take another name")
            name = entry.name or f"{whole.own['name']}-{rules.new_number(whole, names)}"
            own = placement.own_of(place, name, catalogue.made_of(entry.flavor or ""), entry.volume, self._clock())
            own.update(
                NOTHING if entry.type != DATA else parameters, type=entry.type, segment=rules.segment_of(whole, place.host.region),
                server_id=made.server_id([member.own.get("server_id", 0) for member in whole.members.values()]), databases=[], users=[],
            )  # fmt: skip
            member = Member(made.new_id(), place.host.name, own=own)
            whole.members[member.id] = member
            new.append(member)
        return new

    # --- members come, and are replaced -----------------------------------------------------------------------------------

    def grow(self, project: str, wanted: str, entries: Sequence[NewMember]) -> None:
        """Add members. Of whom nobody says where it is to be comes where all are."""
        found = self.find(project, wanted)
        with self._backend.lock():
            hosts, sets = self._backend.hosts(), self._backend.sets()
            catalogue = Catalogue(hosts)

            def change(case: Case) -> None:
                whole = case.whole
                rules.may_grow(case, [each.type for each in entries])
                region = None if all(each.region is not None for each in entries) else rules.where_all_are(whole)
                completed = [_like(_first_with_data(whole), each, region, catalogue) for each in entries]
                self._add(case, completed, hosts, sets, catalogue, "grow", {})

            self._changed(found.id, change)

    def replace(self, project: str, wanted: str, old: str) -> None:
        """Have a new member, which is as the old one, take its place."""
        found = self.find(project, wanted)
        with self._backend.lock():
            hosts, sets = self._backend.hosts(), self._backend.sets()
            catalogue = Catalogue(hosts)

            def change(case: Case) -> None:
                member = rules.member_of(case.whole, old)
                rules.may_be_replaced(case, member)
                entry = NewMember(type_of(member), _flavor_of(member), member.own.get("volume"), member.own.get("region"))
                self._add(case, [_completed(entry, catalogue)], hosts, sets, catalogue, "replace", {"leaves": [member.id]})

            self._changed(found.id, change)

    def _add(
        self, case: Case, entries: Sequence[NewMember], hosts: Mapping[str, PoolHost], sets: Sequence[ReplicaSet], catalogue: Catalogue,
        program: str, data: Dict[str, Any],
    ) -> None:  # fmt: skip
        """Add members on hosts of their own, with the parameters that those with data have, and ask for a program that makes them."""
        whole = case.whole
        places = placement.choose_each([_needs(whole, each, catalogue.flavors) for each in entries], hosts, sets)
        like = _first_with_data(whole)
        parameters = {name: like.own.get(name) or value for name, value in NOTHING.items()}
        new = self._join(whole, entries, places, catalogue, parameters)
        ask(case, program, members=[member.id for member in new], **data)

    # --- having something done --------------------------------------------------------------------------------------------

    def act(self, project: str, wanted: str, action: Action, base: str) -> Optional[Dict[str, Any]]:
        """Carry out an action; return the cluster where Trove answers with it."""
        if action.name == "grow":
            self.grow(project, wanted, action.what)
        elif action.name == "replace_node":
            self.replace(project, wanted, action.what)
        else:
            self._judged(project, wanted, self._change_of(project, wanted, action))
        return self.show(project, wanted, base) if action.name in SHOWN else None

    def _change_of(self, project: str, wanted: str, action: Action) -> Callable[[Case], None]:
        what, found = action.what, self.find(project, wanted)
        if action.name == "upgrade":
            hosts = self._backend.hosts()
            version = Catalogue(hosts).version(found.datastore, what).name
            return lambda case: rules.upgrade(case, version, hosts)
        if action.name == "configuration_attach":
            news = self._parameters(project, what, found.datastore, found.version)
            return lambda case: rules.attach(case, news)
        known: Dict[str, Callable[[Case], None]] = {
            "shrink": lambda case: rules.shrink(case, what),
            "restart": lambda case: rules.restart(case, rules.joined(case.whole)),
            "configuration_detach": lambda case: rules.attach(case, dict(NOTHING)),
            "stop": rules.stop,
            "start": lambda case: rules.start(case, what),
            "reset_status": rules.reset,
        }
        return known[action.name]

    def shrink(self, project: str, wanted: str, members: Sequence[str]) -> None:
        self._judged(project, wanted, lambda case: rules.shrink(case, members))

    def delete(self, project: str, wanted: str) -> None:
        self._judged(project, wanted, rules.delete)

    def _judged(self, project: str, wanted: str, what: Callable[[Case], None]) -> None:
        self._changed(self.find(project, wanted).id, what)

    def _changed(self, key: str, what: Callable[[Case], None]) -> None:
        def change(case: Case) -> None:
            what(case)
            case.whole.own = {**case.whole.own, "updated": self._clock()}

        self._backend.change(key, change)


# --- what new members are ---------------------------------------------------------------------------------------------------


def _clustered(wanted: Optional[str], catalogue: Catalogue) -> str:
    """Return a datastore of which there are clusters; Problem 400 for another one, 501 for one that nobody has a plan for."""
    first = next((name for name in CLUSTERED if name in catalogue.versions), CLUSTERED[0])
    found = catalogue.datastore(first if wanted is None else wanted)
    if found not in CLUSTERED:
        raise bad(f"clusters of {found} are not offered; there are {', '.join(CLUSTERED)}")
    if found not in PLANS:
        raise not_offered(f"clusters of {found} are not offered yet")
    return found


def _needs(whole: ReplicaSet, entry: NewMember, flavors: Mapping[str, Dict[str, Any]]) -> placement.Needs:
    apart = [member.host for member in whole.members.values()]
    room = placement.room_of(flavors[entry.flavor or ""], entry.volume)
    return placement.Needs(whole.datastore, whole.version, entry.flavor or "", entry.region, apart, room)


def _completed(entry: NewMember, catalogue: Catalogue) -> NewMember:
    """Return a member with the id of its flavor, and a volume if it has data."""
    flavor = catalogue.flavor(entry.flavor or "")
    volume = (entry.volume or catalogue.flavors[flavor].get("disk")) if entry.type == DATA else None
    return entry._replace(flavor=flavor, volume=volume)


def _like(other: Member, entry: NewMember, region: Optional[str], catalogue: Catalogue) -> NewMember:
    """Return a member that has what the other one has, where nobody says anything else; Problem 400 where it has not enough."""
    least = other.own.get("volume")
    if entry.type == DATA and entry.volume is not None and least and entry.volume < least:
        raise bad(f"volume.size of a new member is {least} at least, as the others have it: it gets all their data")
    volume = least if entry.volume is None else entry.volume
    at = region if entry.region is None else entry.region
    return _completed(entry._replace(flavor=entry.flavor or _flavor_of(other), volume=volume, region=at), catalogue)


def _flavor_of(member: Member) -> str:
    return str((member.own.get("flavor") or {}).get("id", ""))


def _first_with_data(whole: ReplicaSet) -> Member:
    """Return the one with data and the most room, which was there first."""
    having: List[Tuple[Any, ...]] = [
        (-(member.own.get("volume") or 0), member.own.get("created", 0.0), key) for key, member in whole.members.items()
        if member.joined and type_of(member) == DATA
    ]  # fmt: skip
    return whole.members[min(having)[-1]]
