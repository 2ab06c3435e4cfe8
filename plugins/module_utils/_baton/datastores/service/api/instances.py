# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with instances: each request is judged against the set as it stands, then a program of its plan is asked for.

Nothing here waits for a program: whoever asks sees its task. A refusal leaves all as it was.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from ....ground.problem import Problem
from ...engine.case import Case
from ...engine.engine import cancel, request
from ...model.replica_set import MOST_REPLICAS, Member, ReplicaSet
from . import accounts, cluster_rules, made, placement
from .asking import ASKED, PLANS, ask, called, configure, is_cluster
from .backend import Backend
from .catalogue import CLUSTERED, Catalogue
from .configurations import Configurations, attached
from .errors import bad, forbidden, not_found, not_offered, unprocessable
from .repeats import Repeat
from .views import View, named
from .wanted import Change, NewInstance

FORCED = 600.0  # seconds after a reset in which a delete is by force: it does not wait for a host that is not heard
Found = Tuple[ReplicaSet, Member]


class Instances:
    def __init__(self, backend: Backend, clock: Callable[[], float]) -> None:
        self._backend, self._clock = backend, clock
        self._configurations = Configurations(backend, clock)

    # --- looking ----------------------------------------------------------------------------------------------------------

    def view(self, base: str) -> View:
        return View(self._backend.hosts(), named(self._backend.configurations()), base, self._clock(), self._backend.times)

    def show(self, project: str, wanted: str, base: str) -> Dict[str, Any]:
        return self.view(base).instance(*self.find(project, wanted))

    def list(self, project: str, base: str, clustered: bool) -> List[Dict[str, Any]]:
        """Return all instances of a project, in the order of their ids. ``clustered``: and members of clusters."""
        view = self.view(base)
        of = [(whole, member) for whole, member in self._of(project) if clustered or not is_cluster(whole)]
        found = [(member.id, view.instance(whole, member)) for whole, member in of]
        return [shown for _key, shown in sorted(found, key=lambda each: each[0])]

    def find(self, project: str, wanted: str) -> Found:
        """Return an instance by id, or by name where one alone has it; Problem 404."""
        of = self._of(project)
        for whole, member in of:
            if member.id == wanted:
                return whole, member
        called = [each for each in of if each[1].own.get("name") == wanted]
        if len(called) > 1:
            raise not_found(f"{len(called)} instances are called {wanted[:60]!r}; name one by its id")
        if not called:
            raise not_found(f"there is no instance {wanted[:60]!r} in project {project}; GET /instances has what there is")
        return called[0]

    def _of(self, project: str) -> List[Found]:
        return [
            (whole, member) for whole in self._backend.sets() if whole.project == project for member in whole.members.values()
        ]

    # --- making -----------------------------------------------------------------------------------------------------------

    def create(self, project: str, wanted: NewInstance, repeat: Optional[Repeat], base: str) -> Dict[str, Any]:
        """Make an instance, or replicas of one; return the last one made. A repeat returns what the first has made."""
        secrets = made.of_a_set() if wanted.of is None else {}
        with self._backend.lock():
            key = self._repeated(project, repeat)
            if key is None and wanted.of is None:
                key = self._create(project, wanted, repeat, secrets)
            elif key is None:
                key = self._replicate(project, wanted, repeat)
        return self.show(project, key, base)

    def _repeated(self, project: str, repeat: Optional[Repeat]) -> Optional[str]:
        if repeat is None:
            return None
        of, now = self._of(project), self._clock()
        return next((member.id for _whole, member in of if repeat.was(member.own.get("idempotency"), now)), None)

    def _create(self, project: str, wanted: NewInstance, repeat: Optional[Repeat], secrets: Dict[str, str]) -> str:
        hosts, sets = self._backend.hosts(), self._backend.sets()
        catalogue = Catalogue(hosts)
        datastore = catalogue.datastore(wanted.datastore)
        if datastore in CLUSTERED:
            raise bad(f"there are clusters of {datastore}, and no instances that stand alone: POST /clusters makes one")
        if datastore not in PLANS:
            there = ", ".join(name for name in PLANS if name not in CLUSTERED)
            raise not_offered(f"instances of {datastore} are not offered yet; there are {there}")
        databases, users = accounts.kept(datastore, wanted.databases, wanted.users)
        version = catalogue.version(datastore, wanted.version).name
        flavor = catalogue.flavor(wanted.flavor or "")
        parameters = self._parameters(project, wanted.configuration, datastore, version)
        volume = wanted.volume or catalogue.flavors[flavor].get("disk")
        needs = placement.Needs(
            datastore, version, flavor, wanted.region, room=placement.room_of(catalogue.flavors[flavor], volume)
        )  # fmt: skip
        (place,) = placement.choose(1, needs, hosts, sets)
        own = {
            **self._own(wanted.name, place, catalogue.made_of(flavor), volume, repeat),
            **parameters,
            "server_id": made.server_id(()),
            "databases": databases,
            "users": users,
        }
        member = Member(made.new_id(), place.host.name, own=own)
        whole = ReplicaSet(
            made.new_id(), datastore, project=project, version=version, secrets=secrets, made=self._clock(), members={member.id: member}
        )
        self._backend.create(whole, "create", ASKED, members=[member.id], candidate=member.id)
        return member.id

    def _replicate(self, project: str, wanted: NewInstance, repeat: Optional[Repeat]) -> str:
        found, source = self.find(project, wanted.of or "")
        if is_cluster(found):
            cluster_rules.not_of_a_member(found, source, "replicas")
        hosts, sets = self._backend.hosts(), self._backend.sets()
        catalogue = Catalogue(hosts)
        _same_datastore(found, wanted, catalogue)
        flavor = source.own["flavor"] if wanted.flavor is None else catalogue.made_of(catalogue.flavor(wanted.flavor))
        volume = source.own.get("volume") if wanted.volume is None else wanted.volume
        if wanted.volume is not None and source.own.get("volume") and wanted.volume < source.own["volume"]:
            raise bad(f"volume.size of a replica is {source.own['volume']} at least, as its source has it")
        configuration = wanted.configuration if wanted.configuration is not None else source.own.get("configuration")
        parameters = self._parameters(project, configuration, found.datastore, found.version)

        def change(case: Case) -> str:
            whole = case.whole
            _can_have_replicas(case, source.id, wanted.many)
            region = wanted.region or source.own.get("region") or None
            needs = placement.Needs(
                whole.datastore, whole.version, flavor["id"], region, [member.host for member in whole.members.values()],
                placement.room_of(flavor, volume),
            )  # fmt: skip
            new: List[str] = []
            for number, place in enumerate(placement.choose(wanted.many, needs, hosts, sets), 1):
                name = wanted.name if wanted.many == 1 else f"{wanted.name}-{number}"
                own = self._own(name, place, flavor, volume, repeat if number == wanted.many else None)
                taken = [member.own.get("server_id", 0) for member in whole.members.values()]
                own.update(parameters, server_id=made.server_id(taken), databases=[], users=[])
                member = Member(made.new_id(), place.host.name, own=own)
                whole.members[member.id] = member
                new.append(member.id)
            request(case, PLANS[whole.datastore], "replicate", ASKED, members=new)
            return new[-1]

        return self._backend.change(found.id, change)

    def _own(
        self, name: str, place: placement.Place, flavor: Dict[str, Any], volume: Any, repeat: Optional[Repeat]
    ) -> Dict[str, Any]:
        now = self._clock()
        own = placement.own_of(place, name, flavor, volume, now)
        return own if repeat is None else {**own, "idempotency": repeat.kept(now)}

    def _parameters(self, project: str, configuration: Optional[str], datastore: str, version: str) -> Dict[str, Any]:
        """Return what an instance has of a configuration."""
        if not configuration:
            return {"configuration": None, "parameters": {}}
        return attached(self._configurations.fitting(project, configuration, datastore, version))

    # --- changing ---------------------------------------------------------------------------------------------------------

    def change(self, project: str, wanted: str, asked: Change) -> None:
        """Rename, attach or take off a configuration, detach."""
        found, member = self.find(project, wanted)
        if is_cluster(found):
            cluster_rules.not_of_a_member(found, member, "change")
        news: Dict[str, Any] = {}
        if asked.configuration is not None:
            news.update(self._parameters(project, asked.configuration, found.datastore, found.version))

        def change(case: Case) -> None:
            here = _member(case, member.id)
            if asked.name is not None:
                here.own = {**here.own, "name": asked.name}
            if news:
                configure(case, [here], news)
            if asked.detach:
                _detach(case, here)
            here.own = {**here.own, "updated": self._clock()}

        self._backend.change(found.id, change)

    def act(self, project: str, wanted: str, action: str) -> None:
        """Carry out one of wanted.ACTIONS."""
        self._judged(project, wanted, ACTIONS[action], action)

    def delete(self, project: str, wanted: str) -> None:
        self._judged(project, wanted, _delete, "delete")

    def _judged(self, project: str, wanted: str, what: Callable[[Case, Member], None], name: str) -> None:
        found, member = self.find(project, wanted)
        if is_cluster(found) and name != "restart":
            cluster_rules.not_of_a_member(found, member, name)

        def change(case: Case) -> None:
            here = _member(case, member.id)
            what(case, here)
            here.own = {**here.own, "updated": self._clock()}

        self._backend.change(found.id, change)


# --- judging: a set as it stands, and what is asked for ----------------------------------------------------------------------


def _member(case: Case, key: str) -> Member:
    found = case.whole.members.get(key)
    if found is None:
        raise not_found(f"there is no instance {key} any more")
    return found


def _same_datastore(whole: ReplicaSet, wanted: NewInstance, catalogue: Catalogue) -> None:
    if wanted.datastore is None and wanted.version is None:
        return
    if wanted.datastore is not None and catalogue.datastore(wanted.datastore) != whole.datastore:
        raise bad(f"datastore of a replica is its source's, {whole.datastore}; leave it out")
    if wanted.version is not None and catalogue.version(whole.datastore, wanted.version).name != whole.version:
        raise bad(f"version of a replica is its source's, {whole.version}; leave it out")


def _can_have_replicas(case: Case, key: str, more: int) -> None:
    whole, source = case.whole, _member(case, key)
    if whole.source != key:
        if whole.source not in whole.members:
            raise unprocessable(f"{called(source)} is not ready: wait until it is ACTIVE")
        raise forbidden(f"{called(source)} is a replica itself: make replicas of its source, {called(whole.members[whole.source])}")
    if not source.joined:
        raise unprocessable(f"{called(source)} is not ready: wait until it is ACTIVE")
    if len(whole.members) - 1 + more > MOST_REPLICAS:
        raise Problem(413, "too_many", f"a source has at most {MOST_REPLICAS} replicas, and {called(source)} has {len(whole.members) - 1}")


def _detach(case: Case, member: Member) -> None:
    if not member.joined or case.whole.source in ("", member.id):
        raise bad(f"{called(member)} is no replica, so that it can't be detached")
    ask(case, "detach", members=[member.id], set=made.new_id(), secrets=made.of_a_set())


def _promote(case: Case, member: Member) -> None:
    whole = case.whole
    if whole.source in ("", member.id) or not member.joined:
        raise bad(f"{called(member)} is no replica, so that it can't be promoted")
    server = case.server(member)
    if member.follows != whole.term or not server.up:
        why = server.trouble or "it does not follow its source"
        raise unprocessable(f"{called(member)} can't be promoted now: {why}; choose another, or wait until it follows")
    ask(case, "promote", candidate=member.id)


def _eject(case: Case, member: Member) -> None:
    whole = case.whole
    if whole.source != member.id:
        raise bad(f"{called(member)} is no source, so that it can't be ejected")
    if len(whole.members) < 2:
        raise bad(f"{called(member)} has no replicas that could take its place")
    if case.reigns(member) and case.server(member).up:
        raise bad(f"{called(member)} is heard and serves, so that it can't be ejected; promote one of its replicas")
    ask(case, "eject")


def _restart(case: Case, member: Member) -> None:
    if is_cluster(case.whole):
        cluster_rules.restart(case, [member])
        return
    if not member.joined:
        raise unprocessable(f"{called(member)} is not ready: there is nothing to restart")
    ask(case, "restart", members=[member.id])


def _reset(case: Case, member: Member) -> None:
    """Cancel what somebody has asked for. What has not begun leaves its new members as they are: not made.

    A delete soon after it is by force: Trove's clients have no other word for that.
    """
    waiting = case.whole.asked
    member.own = {**member.own, "reset": case.now}
    cancel(case, PLANS[case.whole.datastore], "it was cancelled")
    for key in waiting["data"].get("members", ()) if waiting else ():
        new = case.whole.members.get(key)
        if new is not None and not new.joined and new.status == "BUILD":
            new.status, new.fault = "ERROR", "it was cancelled before it began; delete it"


def _delete(case: Case, member: Member) -> None:
    others = [other for other in case.whole.members.values() if other is not member]
    if others and case.whole.source == member.id:
        names = ", ".join(sorted(called(other) for other in others)[:3])
        raise forbidden(f"{called(member)} is the source of {names}: promote one of them, or delete them, first")
    is_forced = case.now - member.own.get("reset", -FORCED) < FORCED
    ask(case, "delete", members=[member.id], **({"force": True} if is_forced else {}))


ACTIONS: Dict[str, Callable[[Case, Member], None]] = {
    "promote_to_replica_source": _promote,
    "eject_replica_source": _eject,
    "restart": _restart,
    "reset_status": _reset,
    "detach": _detach,
}
