# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations: groups of parameters that instances of a project have."""
from __future__ import annotations

from collections import Counter
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ....ground.problem import Problem
from ...engine.case import Case
from ...model.replica_set import Member, ReplicaSet
from . import made, parameters, reading
from .asking import busy_with, called, configure
from .backend import Backend
from .catalogue import Catalogue, links
from .errors import bad, forbidden, not_found
from .repeats import Repeat
from .settings_made import configurations_of
from .views import stamp

MOST_OF_A_PROJECT = 200
MOST_DESCRIPTION = 1000


class Wanted(NamedTuple):
    """What a body asks for; None is what it does not say."""

    name: Optional[str]
    description: Optional[str]
    datastore: Optional[str]
    version: Optional[str]
    values: Optional[Dict[str, Any]]


def wanted(data: bytes) -> Wanted:
    """Read the body of a POST, PUT or PATCH."""
    raw = reading.body(data, "configuration")
    reading.only(raw, "configuration", ("name", "description", "values", "datastore"))
    datastore = reading.record(raw.get("datastore") or {}, "datastore")
    reading.only(datastore, "datastore", ("type", "version", "version_number"))
    version = datastore.get("version") if datastore.get("version") is not None else datastore.get("version_number")
    description = raw.get("description")
    return Wanted(
        reading.name(raw["name"], "name") if raw.get("name") is not None else None,
        None if description is None else reading.line(description, "description", MOST_DESCRIPTION, 0),
        None if datastore.get("type") is None else reading.word(datastore["type"], "datastore.type"),
        None if version is None else reading.word(version, "datastore.version"),
        reading.record(raw["values"], "values") if "values" in raw else None,
    )


def attached(configuration: Dict[str, Any]) -> Dict[str, Any]:
    """Return what an instance has of a configuration."""
    return {"configuration": configuration["id"], "parameters": dict(configuration["values"])}


class _Look(NamedTuple):
    """What configurations are shown with, read once for all of them. ``having``: how many instances have one, by id."""

    catalogue: Catalogue
    having: Mapping[str, int]
    base: str

    def shown(self, value: Dict[str, Any]) -> Dict[str, Any]:
        version = self.catalogue.versions.get(value["datastore"], [])
        return {
            "id": value["id"],
            "name": value["name"],
            "description": value["description"],
            "created": stamp(value["created"]),
            "updated": stamp(value["updated"]),
            "datastore_name": value["datastore"],
            "datastore_version_id": next((each.id for each in version if each.name == value["version"]), ""),
            "datastore_version_name": value["version"],
            "instance_count": self.having.get(value["id"], 0) if "made_for" not in value else 1,
            "read_only": "made_for" in value,
            "links": links(f"{self.base}/configurations/{value['id']}"),
        }


class Configurations:
    def __init__(self, backend: Backend, clock: Callable[[], float]) -> None:
        self._backend, self._clock = backend, clock

    # --- looking ----------------------------------------------------------------------------------------------------------

    def of(self, project: str) -> List[Dict[str, Any]]:
        """Return those that people have made."""
        found = [each for each in self._backend.configurations() if each["project"] == project]
        return sorted(found, key=lambda each: str(each["id"]))

    def find(self, project: str, name: str) -> Dict[str, Any]:
        """Return a configuration by id, or by name where one alone has it; Problem 404. One that Baton made is found, too."""
        same = _called(self.of(project), name) or _called(configurations_of(self._backend.sets(), project), name)
        if len(same) > 1:
            raise not_found(f"{len(same)} configurations are called {name[:60]!r}; name one by its id")
        if not same:
            raise not_found(f"there is no configuration {name[:60]!r} in project {project}; GET /configurations has what there is")
        return same[0]

    def fitting(self, project: str, name: str, datastore: str, version: str) -> Dict[str, Any]:
        """Return a configuration for an instance of a version; Problem 400 for one of another."""
        found = self._of_people(project, name)
        if (found["datastore"], found["version"]) != (datastore, version):
            other = f"{found['datastore']} {found['version']}"
            raise bad(f"configuration {found['name']} is for {other}, not for {datastore} {version}; make one for that")
        return found

    def _of_people(self, project: str, name: str) -> Dict[str, Any]:
        """Return a configuration that people have made; Problem 403 for one that Baton did."""
        found = self.find(project, name)
        if "made_for" in found:
            raise forbidden(
                f"configuration {found['name']} is what Baton sets for instance {found['made_for']}: it is read-only, stays with it, and "
                "is for no other; make one of your own, and attach that to the cluster"
            )
        return found

    def instances(self, project: str, name: str) -> List[Dict[str, Any]]:
        """Return the instances that have a configuration."""
        found = [member for _whole, member in self._having(self.find(project, name))]
        return sorted(({"id": each.id, "name": each.own.get("name", "")} for each in found), key=lambda each: str(each["id"]))

    def _having(self, configuration: Dict[str, Any]) -> List[Tuple[ReplicaSet, Member]]:
        return [
            (whole, member) for whole in self._backend.sets() if whole.project == configuration["project"]
            for member in whole.members.values()
            if configuration["id"] == member.own.get("configuration") or configuration.get("made_for") == member.id
        ]  # fmt: skip

    def list(self, project: str, base: str) -> List[Dict[str, Any]]:
        """Return all configurations of a project as clients see them, without their values, in the order of their ids."""
        sets = self._backend.sets()
        look = self._look(base, sets)
        of = [*self.of(project), *configurations_of(sets, project)]
        return [look.shown(each) for each in sorted(of, key=lambda each: str(each["id"]))]

    def show(self, value: Dict[str, Any], base: str) -> Dict[str, Any]:
        return {**self._look(base, self._backend.sets()).shown(value), "values": value["values"]}

    def _look(self, base: str, sets: Sequence[ReplicaSet]) -> "_Look":
        members = [member for whole in sets for member in whole.members.values()]
        having = Counter(str(member.own["configuration"]) for member in members if member.own.get("configuration"))
        return _Look(Catalogue(self._backend.hosts()), having, base)

    # --- changing ---------------------------------------------------------------------------------------------------------

    def create(self, project: str, asked: Wanted, repeat: Optional[Repeat], base: str) -> Dict[str, Any]:
        """Make a configuration. A repeat returns what the first has made."""
        with self._backend.lock():
            now = self._clock()
            known = [each for each in self.of(project) if repeat is not None and repeat.was(each.get("idempotency"), now)]
            return self.show(known[0] if known else self._create(project, asked, repeat), base)

    def _create(self, project: str, asked: Wanted, repeat: Optional[Repeat]) -> Dict[str, Any]:
        if asked.name is None:
            raise bad("name is missing: say what the configuration is to be called")
        if asked.values is None:
            raise bad("values is missing: an object of parameters and their values")
        catalogue = Catalogue(self._backend.hosts())
        datastore = catalogue.datastore(asked.datastore)
        version = catalogue.version(datastore, asked.version)
        now = self._clock()
        value = {
            "id": made.new_id(), "project": project, "name": asked.name, "description": asked.description or "",
            "datastore": datastore, "version": version.name, "values": parameters.checked(datastore, asked.values),
            "created": now, "updated": now, "idempotency": None if repeat is None else repeat.kept(now),
        }  # fmt: skip
        if len(self.of(project)) >= MOST_OF_A_PROJECT:
            raise Problem(413, "too_many", f"project {project} has {MOST_OF_A_PROJECT} configurations, which is the most; delete some")
        self._backend.put_configuration(value, True)
        return value

    def edit(self, project: str, name: str, asked: Wanted, replace: bool) -> None:
        """Change a configuration, and the instances that have it. ``replace``: the values are all that it is to have."""
        old = self._of_people(project, name)
        for given, has in ((asked.datastore, old["datastore"]), (asked.version, old["version"])):
            if given not in (None, has):
                raise bad(f"a configuration stays for {old['datastore']} {old['version']}; make another one")
        if replace and asked.values is None:
            raise bad("values is missing: PUT replaces all values; PATCH changes those that it has")
        if asked == Wanted(None, None, asked.datastore, asked.version, None):
            raise bad("configuration says nothing to change: give name, description or values")
        values = parameters.checked(old["datastore"], asked.values or {})
        new = {
            **old,
            "name": asked.name or old["name"],
            "description": old["description"] if asked.description is None else asked.description,
            "values": values if replace else {**old["values"], **values},
            "updated": self._clock(),
        }
        having = self._having(old) if new["values"] != old["values"] else []
        sets = sorted({whole.id for whole, _member in having})
        for key in sets:
            self._backend.change(key, _refuse_if_busy)
        self._backend.put_configuration(new, False)
        for key in sets:
            self._backend.change(key, lambda case: _apply(case, new))

    def delete(self, project: str, name: str) -> None:
        value = self._of_people(project, name)
        having = self._having(value)
        if having:
            raise bad(f"configuration {value['name']} is attached to {called(having[0][1])}; detach it there first")
        self._backend.delete_configuration(value["id"])


def _called(of: List[Dict[str, Any]], name: str) -> List[Dict[str, Any]]:
    return [each for each in of if each["id"] == name] or [each for each in of if each["name"] == name]


def _refuse_if_busy(case: Case) -> None:
    doing = busy_with(case)
    if doing:
        raise Problem(422, "busy", f"set {case.whole.id} is busy with {doing}; try again when that has ended")


def _apply(case: Case, new: Dict[str, Any]) -> None:
    """Give the instances of a set that have it the new values. Who is not ready, or of a set that is busy or stopped, has them with its
    next restart.
    """
    having = [member for _key, member in sorted(case.whole.members.items()) if member.own.get("configuration") == new["id"]]
    is_free = not busy_with(case) and not case.whole.own.get("stopped")
    ready = [member for member in having if member.joined and is_free]
    for member in having:
        if member not in ready:
            member.own = {**member.own, **attached(new), "restart_required": True}
    if ready:
        configure(case, ready, attached(new))
