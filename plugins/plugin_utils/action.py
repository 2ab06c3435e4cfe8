# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of all action plugins: the task's options are checked as a module's are, then its code runs on the controller."""

from __future__ import annotations

import multiprocessing
import os
import shlex
import ssl

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display
from ansible_collections.baton.ha.plugins.module_utils._baton.client.contender import machine_name, run_of, this_machine
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks.common import Context, perform, text_for_numbers
from ansible_collections.baton.ha.plugins.module_utils._options import problems
from ansible_collections.baton.ha.plugins.plugin_utils.far import FarSession
from ansible_collections.baton.ha.plugins.plugin_utils.far_keeper import start as start_keeper

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # a process's first one costs milliseconds: made here, before workers are forked
TEXT_FOR_NUMBERS = text_for_numbers(ansible_version) and not constants.config.get_config_value("DEFAULT_JINJA2_NATIVE")
OURS = ("BATON_", "RS_ENDPOINT", "RS_TOKEN")  # of `environment:`; the rest, such as HOME, is meant for the host
SECRETS = ("BATON_TOKEN", "RS_TOKEN")


class BatonAction(ActionBase):
    """``SPEC``: the argument spec of the module of the same name; ``perform(context)`` returns its result."""

    SPEC: dict = {}
    RULES: dict = {}
    TRANSFERS_FILES = False
    _requires_connection = False

    def perform(self, context):
        raise NotImplementedError

    def _progress(self, host):
        """Return what shows a line while a task waits; Ansible itself says nothing until it ends."""
        return lambda text: Display().display(f"waiting: [{host}]: {text}")

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        checked = ArgumentSpecValidator(self.SPEC, **self.RULES).validate(self._task.args)
        if checked.error_messages:
            name = getattr(self._task, "resolved_action", None) or self._task.action
            return {**result, "failed": True, "msg": problems(checked.errors.errors, name)}
        environ = {**os.environ, **self._environment()}
        context = Context(
            checked.validated_parameters,
            self._task.check_mode,
            self._machine(task_vars),
            self._task.diff,
            self._progress(task_vars.get("inventory_hostname", "")),
            environ=environ,
            text_for_numbers=TEXT_FOR_NUMBERS,
            play=this_run(),
            temporary=constants.DEFAULT_LOCAL_TMP,
        )
        if checked.validated_parameters.get("run_on") == "host":
            context.session = FarSession(self._execute_there, self._python_there(task_vars))
            context.keeper = lambda order: start_keeper(order, FarSession(self._execute_there, self._python_there(task_vars)))
        answer = perform(self.perform, context)
        hidden = {v for k, v in checked.validated_parameters.items() if self.SPEC.get(k, {}).get("no_log") and v}
        return {**result, **remove_values(answer, hidden | {environ[name] for name in SECRETS if environ.get(name)})}

    def _execute_there(self, command, text):
        """Run a command on the host as its login, with ``text`` as its input; a connection that takes none gets a file of its own."""
        if self._connection.has_pipelining:
            return self._low_level_execute_command(command, sudoable=False, in_data=text.encode())
        folder = self._make_tmp_path()
        try:
            path = self._transfer_data(self._connection._shell.join_path(folder, "order"), text)
            return self._low_level_execute_command(f"{command} < {shlex.quote(path)}", sudoable=False)
        finally:
            self._remove_tmp_path(folder, force=True)

    def _python_there(self, task_vars):
        """Return the host's Python, as far as it is known before a module has run there."""
        given = str(self._templar.template(task_vars.get("ansible_python_interpreter") or ""))
        found = str((task_vars.get("ansible_facts") or {}).get("discovered_interpreter_python") or "")
        return next((path for path in (given, found) if path.startswith("/")), "python3")

    def _strategy(self):
        """Return the name of the play's strategy, as far as a task can know it."""
        play = getattr(getattr(self._task, "_parent", None), "_play", None)
        return str(getattr(play, "strategy", "")).rpartition(".")[2]

    def _runs_once(self):
        """Return whether the task runs on one host, and its result becomes that of all; strategy free runs it on each."""
        return bool(self._task.run_once) and self._strategy() not in ("free", "host_pinned")

    def _environment(self):
        """Return what the keyword `environment` of task, block and play says of the cluster."""
        found = {}
        self._compute_environment_string(found)
        return {str(name): str(value) for name, value in found.items() if str(name).startswith(OURS)}

    def _machine(self, task_vars):
        """Return a name for the task's host that no other machine has."""
        name = task_vars.get("inventory_hostname", "")
        # Of a delegated task the connection is to another host than the one that the name is of.
        way = task_vars.get("ansible_connection") if self._task.delegate_to else self._connection.transport
        address = self._templar.template(task_vars.get("ansible_host") or "")
        return machine_name(name, str(way or "local").rpartition(".")[2] == "local", str(address), this_machine())


def machine_of(host):
    """Return the name of another host of the inventory, as far as this task knows it."""
    return machine_name(host, True, "", this_machine())


def this_run():
    """Return the run that this process is, or works for: tasks run in processes that are forked from it."""
    parent = multiprocessing.parent_process()
    return run_of(os.getpid() if parent is None else parent.pid)
