# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays with files of the roles, on hosts whose facts a test makes up. Nothing is installed: files are rendered into a folder."""

import json
import os
import subprocess
import sys

from support.cluster import ROOT
from support.plays import COMMANDS

ROLES = ROOT / "roles"
AWAY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o BatchMode=yes"}


def facts(**found):
    """Return a task that gives each host its facts, from the variable ``found`` of the inventory, beside those given here."""
    names = ("default_ipv4", "default_ipv6", "interfaces", "service_mgr", "fqdn", "systemd")
    values = {name: f"{{{{ (found | default({{}})).{name} | default({json.dumps(found.get(name, {}))}) }}}}" for name in names}
    return {"name": "Facts", "ansible.builtin.set_fact": {**values, "cacheable": True}}


def role(name, tasks_from, **variables):
    """Return a task that runs one file of a role."""
    return {"name": tasks_from, "ansible.builtin.import_role": {"name": f"baton.ha.{name}", "tasks_from": tasks_from}, "vars": variables}


def render(template, folder, name="node"):
    """Return a task that renders a template of a role into ``folder``, a file a host."""
    source = ROLES / name / "templates" / template
    return {"name": template, "ansible.builtin.template": {"src": str(source), "dest": f"{folder}/{{{{ inventory_hostname }}}}"}}


def play(folder, hosts, tasks, groups=None, check=0, environ=None, serial=0, **values):
    """Run tasks on ``hosts`` ({name: variables}); return what ansible-playbook said."""
    inventory, book = folder / "inventory.json", folder / "play.yml"
    listed = {"all": {"hosts": hosts}, **{group: {"hosts": dict.fromkeys(names)} for group, names in (groups or {}).items()}}
    inventory.write_text(json.dumps(listed))
    turns = {"serial": serial} if serial else {}
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks, **turns}]))
    return run(folder, inventory, book, check, environ, **values)


def run(folder, inventory, book, check=0, environ=None, **values):
    """Run a playbook; return what it said."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_"))}
    settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000", **(environ or {})}
    values = {"baton_pki_dir": str(folder / "pki"), "ansible_python_interpreter": sys.executable, **values}
    command = [COMMANDS / "ansible-playbook", "-c", "local", "-i", inventory, book, "-e", json.dumps(values)]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**inherited, **settings}, cwd=ROOT, timeout=300, check=False
    )
    assert done.returncode == check, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout + done.stderr
