# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pool has to offer: datastores, versions, flavors, capabilities, as its hosts say. Pure.

Ids are derived of names, so that every manager says the same, and look as Trove's clients know ids.
"""
from __future__ import annotations

import re
import uuid
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ...model.documents import PoolHost
from .errors import not_found

_SPACE = uuid.UUID("7c7b6c2e-54a4-4a8e-9f0e-6ddc4c0f1b5a")  # of ids that are derived
DEFAULT = "mariadb"
CLUSTERED = ("galera",)  # datastores of which there are clusters, and no instances that stand alone


def derived(*names: str) -> str:
    return str(uuid.uuid5(_SPACE, "/".join(names)))


class Version(NamedTuple):
    datastore: str
    name: str

    @property
    def id(self) -> str:
        return derived(self.datastore, self.name)


def numbers(version: str) -> Tuple[int, ...]:
    """Return a version for comparing: 11.8 is newer than 10.11, and 10.11 than 10.6."""
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", version))


class Catalogue:
    """``hosts``: the pool. What a host in maintenance offers is there still, for what is there already."""

    def __init__(self, hosts: Mapping[str, PoolHost]) -> None:
        found: Dict[str, Dict[str, None]] = {}
        self.flavors: Dict[str, Dict[str, Any]] = {}
        for _name, host in sorted(hosts.items()):
            for datastore, versions in host.datastores.items():
                found.setdefault(datastore, {}).update(dict.fromkeys(versions))
            for key, flavor in host.flavors.items():
                self.flavors.setdefault(str(key), dict(flavor))
        self.versions = {
            datastore: [Version(datastore, name) for name in sorted(names, key=lambda name: (numbers(name), name))]
            for datastore, names in sorted(found.items())
        }

    # --- finding ----------------------------------------------------------------------------------------------------------

    def datastore(self, wanted: Optional[str]) -> str:
        """Return the name of a datastore, which is asked for by name or id; the default where none is."""
        if wanted is None:
            wanted = DEFAULT if DEFAULT in self.versions or not self.versions else next(iter(self.versions))
        for name in self.versions:
            if wanted in (name, derived(name)):
                return name
        there = ", ".join(self.versions) or "none: no host of the pool offers one"
        raise not_found(f"there is no datastore {wanted[:60]!r}; there are {there}")

    def version(self, datastore: str, wanted: Optional[str]) -> Version:
        """Return a version of a datastore, by name or id; the newest where none is asked for."""
        known = self.versions[datastore]
        if wanted is None:
            return known[-1]
        for version in known:
            if wanted in (version.name, version.id):
                return version
        raise not_found(f"{datastore} has no version {wanted[:60]!r}; it has {', '.join(version.name for version in known)}")

    def version_by_id(self, wanted: str) -> Version:
        """Return a version of any datastore."""
        for versions in self.versions.values():
            for version in versions:
                if wanted == version.id:
                    return version
        raise not_found(f"there is no version {wanted[:60]!r} of any datastore; GET /datastores has what there is")

    def flavor(self, wanted: str) -> str:
        """Return the id of a flavor, which is asked for by id or name."""
        if wanted in self.flavors:
            return wanted
        named = [key for key, flavor in self.flavors.items() if flavor.get("name") == wanted]
        if len(named) == 1:
            return named[0]
        there = ", ".join(self.flavors) or "none: no host of the pool has one"
        raise not_found(f"there is no flavor {wanted[:60]!r}; there are {there}")

    def made_of(self, flavor: str) -> Dict[str, Any]:
        """Return what an instance keeps of its flavor: whoever makes the server fits its sizes to it."""
        return {"id": flavor, **self.flavors[flavor]}

    # --- showing ----------------------------------------------------------------------------------------------------------

    def show_datastore(self, name: str, base: str) -> Dict[str, Any]:
        key = derived(name)
        return {
            "id": key,
            "name": name,
            "default_version": self.versions[name][-1].id,
            "versions": [self.show_version(version, base) for version in self.versions[name]],
            "links": links(f"{base}/datastores/{key}"),
        }

    def show_version(self, version: Version, base: str) -> Dict[str, Any]:
        return {
            "id": version.id,
            "name": version.name,
            "version": version.name,
            "datastore": derived(version.datastore),
            "active": 1,
            "links": links(f"{base}/datastores/{derived(version.datastore)}/versions/{version.id}"),
        }

    def show_flavor(self, key: str, base: str) -> Dict[str, Any]:
        flavor = self.flavors[key]
        return {
            "id": int(key) if key.isascii() and key.isdigit() and str(int(key)) == key else key,
            "str_id": key,
            "name": flavor.get("name") or key,
            "ram": flavor.get("ram"),
            "vcpus": flavor.get("vcpus"),
            "disk": flavor.get("disk"),
            "ephemeral": 0,
            "links": links(f"{base}/flavors/{key}"),
        }


# --- capabilities -----------------------------------------------------------------------------------------------------------

CAPABILITIES = (  # name, what it is for; whether instances that stand alone have it, and whether clusters have
    ("volume_support", "the size of an instance's data is given", True, True),
    ("clusters", "members are made that all take writes; members and arbiters join, leave, and are replaced", False, True),
    ("cluster_configurations", "parameters of all members of a cluster are set by a configuration", False, True),
    ("root_user", "the server's root user can be enabled", False, False),
    ("databases", "databases are made with the instance, or with the cluster", True, True),
    ("users", "users are made with the instance, or with the cluster", True, True),
    ("replication", "an instance can have replicas, which take its place", True, False),
    ("configurations", "parameters of an instance are set by configurations", True, False),
    ("backups", "backups can be made and restored", False, False),
    ("resize", "volume and flavor can be changed", False, False),
    ("security_groups", "who reaches the instance can be set", False, False),
    # Those that the draft of clusters names: all of one member
    ("backup-create", "a backup of it is made", False, False),
    ("backup-list-instance", "its backups are listed", False, False),
    ("configuration-attach", "it is given a configuration", True, False),
    ("configuration-detach", "its configuration is taken off", True, False),
    ("configuration-instances", "it is listed by the configuration that it has", True, False),
    *((f"resize-{what}", f"its {what} is changed", False, False) for what in ("flavor", "volume")),
    *((f"database-{what}", f"a database of it: {what}", False, False) for what in ("create", "list", "delete")),
    *((f"root-{what}", f"its server's root user: {what}", False, False) for what in ("enable", "show", "disable")),
    *((f"secgroup-{what}", f"who reaches it: {what}", False, False) for what in ("list", "show", "add-rule", "delete-rule")),
    *((f"user-{what}", f"a user of it: {what}", False, False) for what in ("create", "list", "show", "delete")),
    *((f"user-{what}-access", f"which databases a user of it has: {what}", False, False) for what in ("grant", "revoke", "show")),
)


def capabilities(version: Version) -> List[Dict[str, Any]]:
    """Return what a version can do. ``enabled_cluster``: with clusters of it."""
    clustered = version.datastore in CLUSTERED
    return [
        {
            "id": derived("capability", name),
            "name": name,
            "description": description,
            "enabled": enabled and not clustered,
            "enabled_cluster": enabled_cluster and clustered,
        }
        for name, description, enabled, enabled_cluster in CAPABILITIES
    ]


def links(href: str) -> List[Dict[str, str]]:
    return [{"href": href, "rel": "self"}]
