# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: E402 (ansible-test wants the imports below the documentation)

from __future__ import annotations

DOCUMENTATION = r"""
name: param
short_description: Read params of a profile or a machine
version_added: 1.0.0
description:
  - Returns the values of params as they stand now, of any JSON type. A param that is not set has the default of its schema, if any.
  - The lookup runs each time the expression is evaluated. Register the value, or set it as a fact, where all hosts are to see the same.
extends_documentation_fragment:
  - baton.ha.plugin_connection
options:
  _terms:
    description: Names of params.
    type: list
    elements: str
    required: true
  profile:
    description: Name of the profile. Either this or O(machine) is needed.
    type: str
  machine:
    description: Uuid of the machine, or C(Name:) and its name.
    type: str
  default:
    description:
      - What to return for a param that is not set and has no default in a schema. Without it the lookup fails.
      - A profile or machine that does not exist is an error all the same.
    type: raw
seealso:
  - module: baton.ha.profile_info
author:
  - The Baton authors (@baton-ha)
"""

EXAMPLES = r"""
- name: The version that all agreed on
  ansible.builtin.debug:
    msg: "{{ lookup('baton.ha.param', 'app/version', profile='web') }}"

- name: Two params of this host's machine, with a value for what is not set
  ansible.builtin.debug:
    msg: "{{ query('baton.ha.param', 'rack', 'slot', machine='Name:' ~ inventory_hostname, default='unknown') }}"

- name: A cluster and a token of this play's own
  ansible.builtin.debug:
    msg: "{{ lookup('baton.ha.param', 'app/version', profile='web') }}"
  vars:
    baton_url: https://192.0.2.10:8092
    baton_token_file: ~/.baton/web.token
    baton_ca: ~/.baton/ca.pem
"""

RETURN = r"""
_raw:
  description: The values, in the order of the names.
  type: list
  elements: raw
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError
from ansible_collections.baton.ha.plugins.plugin_utils.connection import VARIABLES, client_of


class LookupModule(LookupBase):
    """Options become one client; each term is one request."""

    def run(self, terms, variables=None, **kwargs):
        known = variables or {}
        # ansible-core before 2.19 hands variables over as they are written
        self.set_options(var_options={name: self._templar.template(known[name]) for name in VARIABLES if name in known}, direct=kwargs)
        unknown = sorted(set(kwargs) - set(self.get_options()))
        if unknown:
            there = ", ".join(name for name in sorted(self.get_options()) if not name.startswith("_"))
            raise AnsibleLookupError(f"Unsupported options for (baton.ha.param) lookup: {', '.join(unknown)}. There are: {there}")
        try:
            with client_of(self, kwargs) as client:
                kind, key = self._owner(client)
                return [self._value(client, kind, key, term, kwargs) for term in terms]
        except ClientError as error:
            raise AnsibleLookupError(error.message) from None

    def _owner(self, client):
        """Return the kind and the key of the document that has the params."""
        profile, machine = self.get_option("profile"), self.get_option("machine")
        if bool(profile) == bool(machine):
            raise ClientError("usage", "either profile or machine is needed")
        if profile:
            return "profiles", profile
        return "machines", client.key_of("machines", machine)

    def _value(self, client, kind, key, term, given):
        if not isinstance(term, str):
            raise ClientError("usage", f"the name of a param is a string, not {term!r}")
        try:
            return client.get_param(kind, key, term).body
        except ClientError as error:
            if error.code == "not_set" and "default" in given:
                return self.get_option("default")
            raise
