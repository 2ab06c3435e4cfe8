# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of both inventories: the source file and its options, the cache, and hosts with their variables and groups."""

from __future__ import annotations

import re

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError

# Whoever may name something must not run code here: a name is neither a pattern nor a template, and an address no option of ssh.
HOST_NAME = re.compile(r"\w[\w.-]*")
ADDRESS = re.compile(r"[\w:\[][\w.:%\[\]-]*")


class BatonInventory(BaseInventoryPlugin, Constructable, Cacheable):
    """``TEMPLATES``: options that may be templates; ``ask(config)`` returns what ``populate`` makes hosts of, and may raise ClientError."""

    TEMPLATES: tuple = ()

    def ask(self, config):
        raise NotImplementedError

    def populate(self, *found):
        raise NotImplementedError

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("baton.yml", "baton.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        unknown = sorted(set(config) - set(self.get_options()))
        if unknown:
            there = ", ".join(sorted(self.get_options()))
            raise AnsibleParserError(f"Unsupported options for ({self.NAME}) inventory: {', '.join(unknown)}. There are: {there}")
        for name in self.TEMPLATES:
            if name in config:
                self.set_option(name, self.templar.template(config[name]))
        self.load_cache_plugin()
        self._key, self._refreshes = self.get_cache_key(path), not cache
        try:
            found = self.ask(config)
        except ClientError as error:
            raise AnsibleParserError(error.message) from None
        self.populate(*found)

    def cached(self, ask):
        """Return what ``ask`` does, or the cache has; it is asked anyway when the inventory is to be refreshed."""
        if not self.get_option("cache"):
            return ask()
        if not self._refreshes:
            try:
                return self._cache[self._key]
            except KeyError:
                pass  # not there, or expired
        found = ask()
        self._cache[self._key] = found
        return found

    def add(self, host, variables, groups):
        """Add a host; what the options construct of its variables comes last."""
        self.inventory.add_host(host)
        for name, value in variables.items():
            self.inventory.set_variable(host, name, wrap_var(value))
        for group in groups:
            self.inventory.add_child(self.inventory.add_group(group), host)
        strict = self.get_option("strict")
        known = self.inventory.get_host(host).get_vars()
        self._set_composite_vars(self.get_option("compose"), known, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), known, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), known, host, strict=strict)


def matches(pattern, value):
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def safe(name):
    """Return a name as a group's."""
    return to_safe_group_name(name, force=True, silent=True)
