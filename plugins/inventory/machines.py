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

import re
from collections import Counter

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError
from ansible_collections.baton.ha.plugins.plugin_utils.connection import OPTIONS, client_of

# Whoever may write a machine must not run code here: a name is neither a pattern nor a template, and an address no option of ssh.
HOST_NAME = re.compile(r"\w[\w.-]*")
ADDRESS = re.compile(r"[\w:\[][\w.:%\[\]-]*")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """One request for the machines (or the cache), one for the state of the cluster."""

    NAME = "baton.ha.machines"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("baton.yml", "baton.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        unknown = sorted(set(config) - set(self.get_options()))
        if unknown:
            there = ", ".join(sorted(self.get_options()))
            raise AnsibleParserError(f"Unsupported options for (baton.ha.machines) inventory: {', '.join(unknown)}. There are: {there}")
        for name in OPTIONS:
            if name in config:
                self.set_option(name, self.templar.template(config[name]))
        self.load_cache_plugin()
        try:
            with client_of(self, config) as client:
                machines = self._machines(client, self.get_cache_key(path), cache)
                status = client.cluster_status()
        except ClientError as error:
            raise AnsibleParserError(error.message) from None
        self._populate(machines, status)

    def _machines(self, client, key, cache):
        """Return the machines' documents. ``cache`` is false when the inventory is to be refreshed."""
        if not self.get_option("cache"):
            return client.list("machines")
        if cache:
            try:
                return self._cache[key]
            except KeyError:
                pass  # not there, or expired
        machines = client.list("machines")
        self._cache[key] = machines
        return machines

    def _populate(self, machines, status):
        nodes = nodes_by_group(status)
        for group in nodes:
            self.inventory.add_group(group)
        names = Counter(map(host_name, machines))
        for name, count in names.items():
            if count > 1:
                self.display.warning(f"{count} machines are named {name!r}: each is a host named by its Uuid")
        for machine in machines:
            name = host_name(machine)
            host = name if names[name] == 1 else machine["Uuid"]
            self.inventory.add_host(host)
            for name, value in variables_of(machine).items():
                self.inventory.set_variable(host, name, wrap_var(value))
            groups = [*groups_of(machine), *(group for group, members in nodes.items() if machine.get("Name") in members)]
            for group in groups:
                self.inventory.add_child(self.inventory.add_group(group), host)
            self._construct(host)

    def _construct(self, host):
        strict = self.get_option("strict")
        variables = self.inventory.get_host(host).get_vars()
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


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


def matches(pattern, value):
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def safe(name):
    return to_safe_group_name(name, force=True, silent=True)
