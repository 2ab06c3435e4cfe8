# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is below a project, and what answers it: one line an operation, at the end of this file."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ...engine.explain import explain
from ...model.replica_set import ReplicaSet
from . import configurations, parameters, wanted, wanted_clusters
from .asking import PLANS
from .backend import Backend
from .catalogue import Catalogue, Version, capabilities
from .clusters import Clusters
from .configurations import Configurations
from .errors import not_offered
from .instances import Instances
from .pages import page
from .repeats import repeat_of
from .routes import operation
from .settings_made import settings_of
from .views import stamp, with_names


class Call(NamedTuple):
    """A request. ``names``: of its path; ``base``: the project's address; ``key``: its Idempotency-Key; ``path``: its operation's."""

    project: str
    names: Mapping[str, str]
    body: bytes
    query: Mapping[str, str]
    base: str
    key: Optional[str]
    path: Sequence[str] = ()


class Resources:
    def __init__(self, backend: Backend, clock: Callable[[], float]) -> None:
        self._backend = backend
        self.instances = Instances(backend, clock)
        self.clusters = Clusters(backend, clock)
        self.configurations = Configurations(backend, clock)

    # --- instances --------------------------------------------------------------------------------------------------------

    def list_instances(self, call: Call) -> Any:
        return _listed("instances", self.instances.list(call.project, call.base, _clustered(call)), call, "instances")

    def list_in_detail(self, call: Call) -> Any:
        return _listed("instances", self.instances.list(call.project, call.base, _clustered(call)), call, "instances/detail")

    def show_instance(self, call: Call) -> Any:
        return {"instance": self.instances.show(call.project, call.names["id"], call.base)}

    def create_instance(self, call: Call) -> Any:
        repeat = repeat_of(call.key, call.body)
        return {"instance": self.instances.create(call.project, wanted.new_instance(call.body), repeat, call.base)}

    def change_instance(self, call: Call) -> None:
        self.instances.change(call.project, call.names["id"], wanted.change(call.body))

    def act(self, call: Call) -> None:
        self.instances.act(call.project, call.names["id"], wanted.action(call.body))

    def delete_instance(self, call: Call) -> None:
        self.instances.delete(call.project, call.names["id"])

    def history_of(self, call: Call) -> Any:
        """What was done with the set of an instance, and why, the latest last."""
        return _history(self.instances.find(call.project, call.names["id"])[0])

    def explain(self, call: Call) -> Any:
        """What is being done with the set of an instance, what that waits for, and what undoing it would do."""
        return self._explained(self.instances.find(call.project, call.names["id"])[0])

    def _explained(self, whole: ReplicaSet) -> Any:
        found = self._backend.change(whole.id, lambda case: explain(case, PLANS[case.whole.datastore]))
        shown = {key: with_names(whole, value) if isinstance(value, str) else value for key, value in found.items()}
        return {"explain": {**shown, **({"since": stamp(found["since"])} if "since" in found else {})}}

    def parameters_of(self, call: Call) -> Any:
        """What an instance has of parameters: those that were set, and those that Baton made for it."""
        whole, member = self.instances.find(call.project, call.names["id"])
        return {"instance": {"configuration": {**settings_of(whole, member), **(member.own.get("parameters") or {})}}}

    # --- clusters ---------------------------------------------------------------------------------------------------------

    def list_clusters(self, call: Call) -> Any:
        return _listed("clusters", self.clusters.list(call.project, call.base), call, "clusters")

    def show_cluster(self, call: Call) -> Any:
        return {"cluster": self.clusters.show(call.project, call.names["id"], call.base)}

    def create_cluster(self, call: Call) -> Any:
        repeat = repeat_of(call.key, call.body)
        return {"cluster": self.clusters.create(call.project, wanted_clusters.new_cluster(call.body), repeat, call.base)}

    def act_on_cluster(self, call: Call) -> Any:
        shown = self.clusters.act(call.project, call.names["id"], wanted_clusters.action(call.body), call.base)
        return None if shown is None else {"cluster": shown}

    def delete_cluster(self, call: Call) -> None:
        self.clusters.delete(call.project, call.names["id"])

    def list_members(self, call: Call) -> Any:
        """Trove says instances, the draft nodes."""
        found = self.clusters.members(call.project, call.names["id"], call.base)
        return _listed(call.path[-1], found, call, f"clusters/{call.names['id']}/{call.path[-1]}")

    def show_member(self, call: Call) -> Any:
        return {call.path[-2][:-1]: self.clusters.member(call.project, call.names["id"], call.names["member"], call.base)}

    def add_members(self, call: Call) -> None:
        self.clusters.grow(call.project, call.names["id"], wanted_clusters.more_members(call.body))

    def remove_member(self, call: Call) -> None:
        self.clusters.shrink(call.project, call.names["id"], [call.names["member"]])

    def history_of_cluster(self, call: Call) -> Any:
        return _history(self.clusters.find(call.project, call.names["id"]))

    def explain_cluster(self, call: Call) -> Any:
        return self._explained(self.clusters.find(call.project, call.names["id"]))

    # --- the catalogue ----------------------------------------------------------------------------------------------------

    def _catalogue(self) -> Catalogue:
        return Catalogue(self._backend.hosts())

    def list_datastores(self, call: Call) -> Any:
        catalogue = self._catalogue()
        return {"datastores": [catalogue.show_datastore(name, call.base) for name in catalogue.versions]}

    def show_datastore(self, call: Call) -> Any:
        catalogue = self._catalogue()
        return {"datastore": catalogue.show_datastore(catalogue.datastore(call.names["datastore"]), call.base)}

    def list_versions(self, call: Call) -> Any:
        catalogue = self._catalogue()
        known = catalogue.versions[catalogue.datastore(call.names["datastore"])]
        return {"versions": [catalogue.show_version(version, call.base) for version in known]}

    def show_version(self, call: Call) -> Any:
        catalogue = self._catalogue()
        return {"version": catalogue.show_version(self._version(call, catalogue), call.base)}

    def _version(self, call: Call, catalogue: Catalogue) -> Version:
        if "datastore" not in call.names:
            return catalogue.version_by_id(call.names["version"])
        return catalogue.version(catalogue.datastore(call.names["datastore"]), call.names["version"])

    def list_parameters(self, call: Call) -> Any:
        return {"configuration-parameters": parameters.listed(self._version(call, self._catalogue()))}

    def show_parameter(self, call: Call) -> Any:
        return parameters.one(self._version(call, self._catalogue()), call.names["parameter"])

    def list_flavors(self, call: Call) -> Any:
        catalogue = self._catalogue()
        if "version" in call.names:
            self._version(call, catalogue)
        return {"flavors": [catalogue.show_flavor(key, call.base) for key in catalogue.flavors]}

    def show_flavor(self, call: Call) -> Any:
        catalogue = self._catalogue()
        return {"flavor": catalogue.show_flavor(catalogue.flavor(call.names["flavor"]), call.base)}

    def list_capabilities(self, call: Call) -> Any:
        catalogue = self._catalogue()
        if "version" in call.names:
            return {"capabilities": capabilities(self._version(call, catalogue))}
        if "datastore" in call.names:
            return {"capabilities": capabilities(catalogue.versions[catalogue.datastore(call.names["datastore"])][-1])}
        return {"capabilities": capabilities(catalogue.versions[catalogue.datastore(None)][-1])}

    # --- configurations ---------------------------------------------------------------------------------------------------

    def list_configurations(self, call: Call) -> Any:
        return _listed("configurations", self.configurations.list(call.project, call.base), call, "configurations")

    def show_configuration(self, call: Call) -> Any:
        return {"configuration": self.configurations.show(self.configurations.find(call.project, call.names["id"]), call.base)}

    def create_configuration(self, call: Call) -> Any:
        repeat = repeat_of(call.key, call.body)
        return {"configuration": self.configurations.create(call.project, configurations.wanted(call.body), repeat, call.base)}

    def merge_configuration(self, call: Call) -> None:
        self.configurations.edit(call.project, call.names["id"], configurations.wanted(call.body), replace=False)

    def replace_configuration(self, call: Call) -> None:
        self.configurations.edit(call.project, call.names["id"], configurations.wanted(call.body), replace=True)

    def delete_configuration(self, call: Call) -> None:
        self.configurations.delete(call.project, call.names["id"])

    def instances_of(self, call: Call) -> Any:
        found = self.configurations.instances(call.project, call.names["id"])
        return _listed("instances", found, call, f"configurations/{call.names['id']}/instances")

    # --- what is not there ------------------------------------------------------------------------------------------------

    def not_inside(self, _call: Call) -> Any:
        raise not_offered("what is inside a server is not offered here: connect to it, as a user that was made with the instance")


def _listed(member: str, items: List[Dict[str, Any]], call: Call, path: str) -> Dict[str, Any]:
    found = page(items, call.query, f"{call.base}/{path}")
    return {member: found.items, "links": found.links} if found.links else {member: found.items}


def _clustered(call: Call) -> bool:
    """Members of clusters are listed where somebody asks for them, as Trove does it."""
    return call.query.get("include_clustered", "").lower() == "true"


def _history(whole: ReplicaSet) -> Dict[str, Any]:
    return {"history": [{**each, "at": stamp(each["at"]), "why": with_names(whole, each["why"])} for each in whole.history]}


_R = Resources
_VERSION, _BY_ID = "/datastores/:datastore/versions/:version", "/datastores/versions/:version"
OPERATIONS = (
    operation("GET", "/instances", _R.list_instances),
    operation("POST", "/instances", _R.create_instance),
    operation("GET", "/instances/detail", _R.list_in_detail),
    operation("GET", "/instances/:id", _R.show_instance),
    operation("PUT", "/instances/:id", _R.change_instance, 202),
    operation("PATCH", "/instances/:id", _R.change_instance, 202),
    operation("DELETE", "/instances/:id", _R.delete_instance, 202),
    operation("POST", "/instances/:id/action", _R.act, 202),
    operation("GET", "/instances/:id/configuration", _R.parameters_of),
    operation("GET", "/instances/:id/history", _R.history_of),
    operation("GET", "/instances/:id/explain", _R.explain),
    *(
        operation(method, f"/instances/:id/{inside}", _R.not_inside)
        for inside in ("databases", "users", "root", "backups", "log", "modules") for method in ("GET", "POST")
    ),
    operation("GET", "/datastores", _R.list_datastores),
    operation("GET", "/datastores/:datastore", _R.show_datastore),
    operation("GET", f"{_BY_ID}/parameters", _R.list_parameters),
    operation("GET", f"{_BY_ID}/parameters/:parameter", _R.show_parameter),
    operation("GET", "/datastores/:datastore/versions", _R.list_versions),
    operation("GET", _VERSION, _R.show_version),
    operation("GET", f"{_VERSION}/parameters", _R.list_parameters),
    operation("GET", f"{_VERSION}/parameters/:parameter", _R.show_parameter),
    operation("GET", f"{_VERSION}/flavors", _R.list_flavors),
    operation("GET", f"{_VERSION}/capabilities", _R.list_capabilities),
    operation("GET", "/datastores/:datastore/capabilities", _R.list_capabilities),
    operation("GET", "/datastore_versions/:version/capabilities", _R.list_capabilities),
    operation("GET", "/capabilities", _R.list_capabilities),
    operation("GET", "/flavors", _R.list_flavors),
    operation("GET", "/flavors/:flavor", _R.show_flavor),
    operation("GET", "/configurations", _R.list_configurations),
    operation("POST", "/configurations", _R.create_configuration),
    operation("GET", "/configurations/:id", _R.show_configuration),
    operation("PATCH", "/configurations/:id", _R.merge_configuration),
    operation("PUT", "/configurations/:id", _R.replace_configuration, 202),
    operation("DELETE", "/configurations/:id", _R.delete_configuration, 202),
    operation("GET", "/configurations/:id/instances", _R.instances_of),
    operation("GET", "/clusters", _R.list_clusters),
    operation("POST", "/clusters", _R.create_cluster),
    operation("GET", "/clusters/:id", _R.show_cluster),
    operation("POST", "/clusters/:id", _R.act_on_cluster, 202),
    operation("POST", "/clusters/:id/action", _R.act_on_cluster, 202),
    operation("DELETE", "/clusters/:id", _R.delete_cluster, 202),
    operation("GET", "/clusters/:id/history", _R.history_of_cluster),
    operation("GET", "/clusters/:id/explain", _R.explain_cluster),
    *(operation("GET", f"/clusters/:id/{what}", _R.list_members) for what in ("instances", "nodes")),
    *(operation("GET", f"/clusters/:id/{what}/:member", _R.show_member) for what in ("instances", "nodes")),
    operation("POST", "/clusters/:id/nodes", _R.add_members, 202),
    operation("DELETE", "/clusters/:id/nodes/:member", _R.remove_member, 202),
)  # fmt: skip
