# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: E402 (ansible-test wants the imports below the documentation)

from __future__ import annotations

DOCUMENTATION = r"""
name: datastores
short_description: Instances of databases, and members of clusters, as hosts
version_added: 1.1.0
description:
  - Each instance of a project, and each member of its clusters, is a host, named by its name, or by its id if it shares its name with
    another one, or has one that no host can have, or one that is taken, C(localhost) or that of a host or group which other sources of
    the inventory have.
  - "A host has the variable C(baton_instance), a dictionary with what RV(baton.ha.datastore_info#module:instances) has of one, such as
    C(id), C(name), C(set), C(role), C(status), C(host) (of the pool), C(address), C(port), C(datastore), C(version) and C(region).
    C(ansible_host) is the address at which it listens, which is one of the host that it is on."
  - "Of a member the dictionary has what RV(baton.ha.datastore_info#module:clusters) has of one in C(members), and C(role), which is its
    C(type)."
  - "Groups: C(datastore_role_source), C(datastore_role_replica), C(datastore_role_data) and C(datastore_role_arbiter), which always
    exist; C(datastore_X) for what it is a server of, such as C(datastore_mariadb); C(datastore_region_X); C(datastore_set_X) for its
    set, where X is the name of the oldest instance that the set has; and C(datastore_cluster_X) for its cluster. X is the id of the set
    or the cluster where another one has such a name. What a group's name can't have becomes an underscore."
  - The source is a YAML file whose name ends in C(baton.yml) or C(baton.yaml). It asks the API of datastores.
extends_documentation_fragment:
  - baton.ha.plugin_connection
  - baton.ha.plugin_datastores
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Says that the file is for this plugin.
    type: str
    required: true
    choices: [baton.ha.datastores]
notes:
  - Of the variables for the connection only extra variables (C(-e)) are known here. The options of the connection may be templates.
  - With a cache, roles are what they were when it was filled. To be sure of who is the source, do without.
  - Have it come after the other sources of the inventory. Whoever comes later and has a host of an instance's name is one host with it.
seealso:
  - module: baton.ha.datastore_info
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
# databases.baton.yml; the token is in BATON_TOKEN or BATON_TOKEN_FILE
plugin: baton.ha.datastores
datastores_url: https://192.0.2.10:8779
project: demo
ca: ~/.baton/ca.pem

---
# groups and variables of your own: whoever is not well, and the address for clients
plugin: baton.ha.datastores
datastores_url: https://192.0.2.10:8779
project: demo
token_file: ~/.baton/demo.token
compose:
  database_address: baton_instance.address ~ ":" ~ baton_instance.port
groups:
  unwell: baton_instance.status not in ["ACTIVE", "RESTART_REQUIRED"]
keyed_groups:
  - prefix: pool_host
    key: baton_instance.host
"""

from collections import Counter, defaultdict

from ansible import constants
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.datastore_cluster import shown_member
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.datastore_group import group as group_of
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.datastore_instance import shown
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.datastore_set import seen
from ansible_collections.baton.ha.plugins.plugin_utils.connection import OF_DATASTORES, datastores_of
from ansible_collections.baton.ha.plugins.plugin_utils.inventory import ADDRESS, HOST_NAME, BatonInventory, matches, safe

ROLES = tuple(f"datastore_role_{role}" for role in ("source", "replica", "data", "arbiter"))


class InventoryModule(BatonInventory):
    """One request each for the instances and for the clusters, or the cache."""

    NAME = "baton.ha.datastores"
    TEMPLATES = OF_DATASTORES

    def ask(self, config):
        with datastores_of(self, config) as client:
            return (self.cached(lambda: {"instances": client.instances(), "clusters": client.clusters()}),)

    def populate(self, found):
        for group in ROLES:
            self.inventory.add_group(group)
        # Whoever may name an instance must not take over a machine: the instance's variables would be that host's.
        taken = {*constants.LOCALHOST, *self.inventory.hosts, *self.inventory.groups}
        known = [*instances_of(found["instances"]), *members_of(found["clusters"])]
        names = Counter(instance["name"] for instance, _group in known)
        for name, count in names.items():
            if count > 1:
                self.display.warning(f"{count} instances are named {name!r}: each is a host named by its id")
            if name in taken:
                self.display.warning(f"an instance has the name {name!r}, which is taken in the inventory: it is a host named by its id")
        for instance, group in known:
            name = instance["name"]
            is_named = names[name] == 1 and name not in taken and matches(HOST_NAME, name)
            self.add(name if is_named else instance["id"], variables_of(instance), [group, *groups_of(instance)])


def instances_of(instances):
    """Return instances, each with the name of its set's group."""
    found = defaultdict(list)
    for each in instances:
        found[each["set"]].append(each)
    sets = {key: seen(of_set).instances for key, of_set in found.items()}
    groups = named("set", {key: of_set[0].name for key, of_set in sets.items()})
    return [(shown(each, configuration_of(each.raw)), groups[key]) for key, of_set in sets.items() for each in of_set]


def members_of(clusters):
    """Return members of clusters, each with the name of its cluster's group."""
    groups = named("cluster", {each["id"]: each["name"] for each in clusters})
    found = []
    for raw in clusters:
        cluster = group_of(raw)
        for each in cluster.members:
            member = shown_member(each, cluster, configuration_of(raw))
            found.append(({**member, "role": member["type"]}, groups[cluster.id]))
    return found


def configuration_of(raw):
    return (raw.get("configuration") or {}).get("name")


def named(kind, names):
    """Return names of groups by id, which are made of ids where a name is not the only one like it."""
    groups = {key: safe(f"datastore_{kind}_{name}") for key, name in names.items()}
    many = Counter(groups.values())
    return {key: group if many[group] == 1 else safe(f"datastore_{kind}_{key}") for key, group in groups.items()}


def variables_of(instance):
    """Return the variables of an instance; it has no address before it is placed."""
    variables = {"baton_instance": instance}
    if matches(ADDRESS, instance["address"]):
        variables["ansible_host"] = instance["address"]
    return variables


def groups_of(instance):
    """Return the names of the groups that an instance is in for itself."""
    found = [("datastore_role", instance["role"]), ("datastore", instance["datastore"]), ("datastore_region", instance["region"])]
    return [safe(f"{prefix}_{value}") for prefix, value in found if value]
