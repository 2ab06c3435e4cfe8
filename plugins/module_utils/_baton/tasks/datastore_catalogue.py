# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names of datastores, versions, flavors and configurations stand for, as tasks ask before they begin anything."""
from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Tuple

from ..client.datastores import Datastores
from ..client.error import ClientError

DEFAULT = "mariadb"


def flavor_of(client: Datastores, wanted: str) -> str:
    """Return the id of a flavor, which is asked for by id or name."""
    there = client.flavors()
    for member in ("str_id", "name"):
        for flavor in there:
            if flavor[member] == wanted:
                return str(flavor["str_id"])
    has = ", ".join(f"{flavor['str_id']} ({flavor['name']})" for flavor in there) or "none: no host of the pool has one"
    raise ClientError("not_found", f"there is no flavor {wanted!r}; there are {has}")


def version_of(client: Datastores, datastore: Optional[str], version: Optional[str]) -> Tuple[str, str]:
    """Return the names of a datastore and a version of it, which are asked for by name or id; those that are taken where none is."""
    there = client.datastores()
    names = [str(each["name"]) for each in there]
    wanted = datastore or (DEFAULT if DEFAULT in names or not names else names[0])
    found = next((each for each in there if wanted in (each["name"], each["id"])), None)
    if found is None:
        has = ", ".join(names) or "none: no host of the pool offers one"
        raise ClientError("not_found", f"there is no datastore {wanted!r}; there are {has}")
    key = version or found["default_version"]
    for each in found["versions"]:
        if key in (each["name"], each["id"]):
            return str(found["name"]), str(each["name"])
    versions = ", ".join(each["name"] for each in found["versions"])
    raise ClientError("not_found", f"{found['name']} has no version {version!r}; it has {versions}")


def configuration_of(there: List[Dict[str, Any]], wanted: str) -> Dict[str, Any]:
    """Return a configuration by id, or by name where one alone has it. What Baton sets for a member of a cluster is none to choose."""
    there = [each for each in there if not each.get("read_only")]
    same = [each for each in there if each["id"] == wanted] or [each for each in there if each["name"] == wanted]
    if len(same) > 1:
        raise ClientError("conflict", f"{len(same)} configurations are called {wanted!r}; name one by its id")
    if not same:
        has = ", ".join(str(each["name"]) for each in there) or "none"
        raise ClientError("not_found", f"there is no configuration {wanted!r}; there are {has}")
    return same[0]


class Names:
    """Configurations by id and name, asked for once, and only if somebody wants to know."""

    def __init__(self, client: Datastores) -> None:
        self._client = client
        self._all: Optional[List[Dict[str, Any]]] = None

    def one(self, key: str) -> Dict[str, Any]:
        return configuration_of(self._known(), key)

    def id(self, key: str) -> str:
        return str(self.one(key)["id"])

    def name(self, key: str) -> Optional[str]:
        """Return the name of a configuration by id; None for none."""
        return next((str(each["name"]) for each in self._known() if each["id"] == key), key) if key else None

    def _known(self) -> List[Dict[str, Any]]:
        if self._all is None:
            self._all = self._client.configurations()
        return self._all


def restarts(parameters: Iterable[Mapping[str, Any]], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether what differs between values takes effect with a restart only."""
    needs = {each["name"] for each in parameters if each["restart_required"]}
    return any(old.get(name) != new.get(name) and name in needs for name in {*old, *new})


def waits_for_a_restart(client: Datastores, had: Iterable[str], wanted: str) -> FrozenSet[Tuple[str, str]]:
    """Return those changes of configurations that an instance takes up with a restart, each as ids from and to ("" for none)."""
    known = {key: client.configuration(key) for key in {*had, wanted} if key}
    if not known:
        return frozenset()
    one = next(iter(known.values()))
    parameters = client.parameters(one["datastore_name"], one["datastore_version_name"])
    values = {key: known[key]["values"] if key else {} for key in {*had, wanted}}
    return frozenset((key, wanted) for key in had if restarts(parameters, values[key], values[wanted]))


def typed(values: Mapping[str, Any], parameters: Iterable[Mapping[str, Any]], datastore: str, from_text: bool) -> Dict[str, Any]:
    """Return values of parameters; ClientError for a parameter that there is not, or that is not for people to set.

    ``from_text``: a number, or a boolean, that a template gave may have come as its text.
    """
    known = {each["name"]: each for each in parameters}
    found: Dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise ClientError("usage", f"{datastore} has no parameter {name!r} that can be set; baton.ha.datastore_info has what there is")
        if known[name]["read_only"]:
            raise ClientError("usage", f"{name} is read-only: Baton sets it for each instance; leave it out")
        found[name] = _of_text(value, known[name]["type"]) if from_text and isinstance(value, str) else value
    return found


def _of_text(text: str, kind: str) -> Any:
    """Return what a text stands for; itself where it is no value of that kind, which the API says."""
    try:
        if kind == "boolean":
            return {"true": True, "false": False}.get(text.lower(), text)
        return int(text) if kind == "integer" else float(text) if kind == "float" else text
    except ValueError:
        return text
