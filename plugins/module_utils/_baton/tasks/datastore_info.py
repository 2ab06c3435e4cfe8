# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what there is of databases: instances and clusters, what is done with them, and what they can be made of."""
from __future__ import annotations

from typing import Any, Dict, List

from .common import Context, Result, datastores_spec
from .datastore_catalogue import version_of
from .datastore_cluster import shown as shown_cluster
from .datastore_group import group
from .datastore_instance import shown
from .datastore_set import of_a_set, seen

USUAL = ("instances", "clusters", "datastores", "flavors", "configurations")
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


def _chosen_clusters(context: Context) -> Values:
    """Return all clusters by name, or those that are named, or have a member that is."""
    every, params = context.datastores.clusters(), context.params
    what = "id" if params["id"] else "name"
    if params[what]:
        every = [each for each in every if params[what] in (each[what], *(member[what] for member in each["instances"]))]
    return sorted(every, key=lambda each: (str(each["name"]), str(each["id"])))


def _clusters(context: Context) -> Values:
    return [shown_cluster(group(each), _name_of(each)) for each in _chosen_clusters(context)]


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
    """Return those that people have made: what Baton sets for a member of a cluster is listed by the API, too."""
    every, found = [*context.datastores.instances(), *context.datastores.clusters()], []
    for listed in context.datastores.configurations():
        if listed.get("read_only"):
            continue
        each = context.datastores.configuration(listed["id"])
        having = [one["name"] for one in every if (one.get("configuration") or {}).get("id") == each["id"]]
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
    chosen, client = _chosen(context), context.datastores
    told = {}
    for key in {each["set"] for each in chosen}:
        told[key] = client.history(next(each["id"] for each in chosen if each["set"] == key))
    told.update({each["id"]: client.history_of_cluster(each["id"]) for each in _chosen_clusters(context)})
    return [{"set": key, **{name: each[name] for name in ("at", "what", "why")}} for key, of in sorted(told.items()) for each in of]


GATHER = {
    "instances": _instances,
    "clusters": _clusters,
    "datastores": _datastores,
    "flavors": _flavors,
    "configurations": _configurations,
    "parameters": _parameters,
    "history": _history,
}
