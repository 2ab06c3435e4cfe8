# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: E402 (ansible-test wants the imports below the documentation)

from __future__ import annotations

DOCUMENTATION = r"""
name: machines
short_description: The machines of a Baton cluster as hosts
version_added: 1.0.0
description:
  - Each machine is a host, named by its C(Name), or by its C(Uuid) if it has no name, shares it with another machine, or has one that no
    host can have.
  - "A host has the variables C(baton_uuid), C(baton_meta), C(baton_params) (those that are set, without the defaults of schemas) and
    C(baton_profiles), and C(ansible_host) if the machine has an C(Address)."
  - "Groups: C(profile_NAME) for each profile; C(role_X) from C(role) in C(Meta) and in C(Params), a string or a list of them;
    C(meta_icon_X) and C(meta_color_X). What a group's name can't have becomes an underscore."
  - The groups C(baton_active), C(baton_passive) and C(baton_in_sync) have the machines that are named as nodes of the cluster are. They
    always exist, and are asked for anew even if the machines come from the cache.
  - The source is a YAML file whose name ends in C(baton.yml) or C(baton.yaml).
extends_documentation_fragment:
  - baton.ha.plugin_connection
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Says that the file is for this plugin.
    type: str
    required: true
    choices: [baton.ha.machines]
notes:
  - Of the variables for the connection only extra variables (C(-e)) are known here. The options of the connection may be templates.
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
# baton.yml; the token is in BATON_TOKEN or BATON_TOKEN_FILE
plugin: baton.ha.machines
url: https://192.0.2.10:8092
ca: ~/.baton/ca.pem

---
# groups and variables of your own, and a cache
plugin: baton.ha.machines
url: [https://192.0.2.1:8092, https://192.0.2.2:8092]
token_file: ~/.baton/admin.token
compose:
  rack: baton_params.rack | default("unknown")
groups:
  large: baton_params.memory | default(0) > 64
keyed_groups:
  - prefix: rack
    key: baton_params.rack
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.ansible/cache
"""

from collections import Counter

from ansible_collections.baton.ha.plugins.plugin_utils.connection import OPTIONS, client_of
from ansible_collections.baton.ha.plugins.plugin_utils.inventory import ADDRESS, HOST_NAME, BatonInventory, matches, safe


class InventoryModule(BatonInventory):
    """One request for the machines (or the cache), one for the state of the cluster."""

    NAME = "baton.ha.machines"
    TEMPLATES = OPTIONS

    def ask(self, config):
        with client_of(self, config) as client:
            return self.cached(lambda: client.list("machines")), client.cluster_status()

    def populate(self, machines, status):
        nodes = nodes_by_group(status)
        for group in nodes:
            self.inventory.add_group(group)
        names = Counter(map(host_name, machines))
        for name, count in names.items():
            if count > 1:
                self.display.warning(f"{count} machines are named {name!r}: each is a host named by its Uuid")
        for machine in machines:
            name = host_name(machine)
            of_nodes = (group for group, members in nodes.items() if machine.get("Name") in members)
            self.add(name if names[name] == 1 else machine["Uuid"], variables_of(machine), [*groups_of(machine), *of_nodes])


def host_name(machine):
    return machine["Name"] if matches(HOST_NAME, machine.get("Name")) else machine["Uuid"]


def variables_of(machine):
    """Return a machine's variables; only ``Uuid`` and ``Params`` are sure to be there and of their type."""
    variables = {
        "baton_uuid": machine["Uuid"],
        "baton_meta": machine.get("Meta") or {},
        "baton_params": machine["Params"],
        "baton_profiles": machine.get("Profiles") or [],
    }
    if matches(ADDRESS, machine.get("Address")):
        variables["ansible_host"] = machine["Address"]
    return variables


def groups_of(machine):
    """Return the names of the groups that a machine's document puts it in."""
    meta = machine.get("Meta") if isinstance(machine.get("Meta"), dict) else {}
    found = [
        ("profile", machine.get("Profiles")),
        ("role", meta.get("role")),
        ("role", machine["Params"].get("role")),
        ("meta_icon", meta.get("icon")),
        ("meta_color", meta.get("color")),
    ]
    names = []
    for prefix, value in found:
        values = value if isinstance(value, list) else [value]
        names += [safe(f"{prefix}_{one}") for one in values if isinstance(one, str) and one]
    return names


def nodes_by_group(status):
    """Return the groups of the cluster's nodes, each with the names of its nodes."""
    active = {status["active"]} if status.get("active") else set()
    return {
        "baton_active": active,
        "baton_passive": {node["id"] for node in status.get("nodes") or []} - active,
        "baton_in_sync": set(status.get("in_sync") or []),
    }
