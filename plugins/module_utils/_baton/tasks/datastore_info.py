# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what there is of databases: instances and what is done with them, and what instances can be made of."""
from __future__ import annotations

from typing import Any, Dict, List

from .common import Context, Result, datastores_spec
from .datastore_catalogue import version_of
from .datastore_instance import shown
from .datastore_set import of_a_set, seen

USUAL = ("instances", "datastores", "flavors", "configurations")
SPEC = datastores_spec(
    gather={"type": "list", "elements": "str", "choices": [*USUAL, "parameters", "history"], "default": [*USUAL]},
    name={"type": "str"},
    id={"type": "str"},
    datastore={"type": "str"},
    version={"type": "str"},
)
Values = List[Dict[str, Any]]


def run(context: Context) -> Result:
    gather = {name: function for name, function in GATHER.items() if name in context.params["gather"]}
    return {"changed": False, **{name: gather[name](context) if name in gather else [] for name in GATHER}}


def _chosen(context: Context) -> Values:
    """Return all instances, or those of the set that has the one that is named."""
    every, params = context.datastores.instances(), context.params
    return [dict(each) for each in of_a_set(every, params["name"], params["id"])] if params["name"] or params["id"] else every


def _instances(context: Context) -> Values:
    """Return instances, set by set, each with its source first."""
    chosen = _chosen(context)
    sets = sorted({each["set"] for each in chosen}, key=lambda key: min(each["name"] for each in chosen if each["set"] == key))
    found: Values = []
    for key in sets:
        of_set = seen([each for each in chosen if each["set"] == key]).instances
        found.extend(shown(each, _name_of(each.raw)) for each in sorted(of_set, key=lambda each: not each.is_source))
    return found


def _name_of(raw: Any) -> Any:
    return (raw.get("configuration") or {}).get("name")


def _datastores(context: Context) -> Values:
    found = []
    for each in context.datastores.datastores():
        names = {version["id"]: version["name"] for version in each["versions"]}
        found.append({"name": each["name"], "versions": [*names.values()], "default_version": names[each["default_version"]]})
    return found


def _flavors(context: Context) -> Values:
    members = ("name", "ram", "vcpus", "disk")
    return [{"id": each["str_id"], **{name: each[name] for name in members}} for each in context.datastores.flavors()]


def _configurations(context: Context) -> Values:
    every, found = context.datastores.instances(), []
    for listed in context.datastores.configurations():
        each = context.datastores.configuration(listed["id"])
        having = [instance["name"] for instance in every if (instance.get("configuration") or {}).get("id") == each["id"]]
        found.append(
            {
                "id": each["id"],
                "name": each["name"],
                "description": each["description"],
                "datastore": each["datastore_name"],
                "version": each["datastore_version_name"],
                "values": each["values"],
                "attached_to": sorted(having),
            }
        )
    return sorted(found, key=lambda each: (str(each["name"]), str(each["id"])))


def _parameters(context: Context) -> Values:
    datastore, version = version_of(context.datastores, context.params["datastore"], context.params["version"])
    members = ("name", "type", "min", "max", "enum", "restart_required", "read_only")
    return [{name: each.get(name) for name in members} for each in context.datastores.parameters(datastore, version)]


def _history(context: Context) -> Values:
    chosen = _chosen(context)
    found: Values = []
    for key in sorted({each["set"] for each in chosen}):
        first = next(each for each in chosen if each["set"] == key)
        told = context.datastores.history(first["id"])
        found.extend({"set": key, **{name: each[name] for name in ("at", "what", "why")}} for each in told)
    return found


GATHER = {
    "instances": _instances,
    "datastores": _datastores,
    "flavors": _flavors,
    "configurations": _configurations,
    "parameters": _parameters,
    "history": _history,
}
