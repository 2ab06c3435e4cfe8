# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.executor import module_common
from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError
from ansible_collections.baton.ha.plugins.module_utils._baton.tasks import once as task
from ansible_collections.baton.ha.plugins.plugin_utils.action import BatonAction, machine_of, this_run
from ansible_collections.baton.ha.plugins.plugin_utils.waiting import warn_of_turns

NOT_ONE = ("import_playbook", "import_role", "import_tasks", "include_role", "include_tasks", "meta", "add_host", "group_by")
FREE_FORM = ("command", "shell", "raw", "script")


class ActionModule(BatonAction):
    """Decides who does it, and runs the module that does it on that host."""

    SPEC = task.SPEC
    RULES = {"mutually_exclusive": task.MUTUALLY_EXCLUSIVE, "required_one_of": task.REQUIRED_ONE_OF}
    _requires_connection = True  # the module's

    def run(self, tmp=None, task_vars=None):
        self._vars = task_vars or {}
        return super().run(tmp, task_vars)

    def perform(self, context):
        hidden, name = bool(self._task.no_log), context.params["module"]
        if context.params["state"] == "awaited" and not context.check and self._strategy() == "free":
            hosts = len(self._vars.get("ansible_play_batch", ()))
            warn_of_turns(context.play, f"the end of {context.params['name']!r}", "free", hosts, 1)
        work = self._work(name, context.params["args"]) if name else None
        return task.run(context, work, hidden, self._failed())

    def _failed(self):
        """Return the owners of this run whose hosts have failed."""
        alive = set(self._vars.get("ansible_play_hosts", ()))
        return [this_run().owner(machine_of(host)) for host in self._vars.get("ansible_play_hosts_all", ()) if host not in alive]

    # --- another module ---

    def _work(self, name, given):
        """Return what runs a module on this host, its action plugin included, as a task of its own would."""
        short = name.rpartition(".")[2]
        if short in NOT_ONE:
            raise ClientError("usage", f"{name} is not a module that runs on a host: for several tasks use state begun, then done")
        if isinstance(given, str):
            if short not in FREE_FORM:
                raise ClientError("usage", f"args of {name} is a dictionary of its options")
            given = {"_raw_params": given}
        if not isinstance(given or {}, dict):
            raise ClientError("usage", f"args of {name} is a dictionary of its options")
        if short in FREE_FORM and "cmd" in (given or {}):  # as Ansible itself reads it in a task
            given = {"_raw_params": given["cmd"], **{option: value for option, value in given.items() if option != "cmd"}}
        handler, resolved = self._handler(name)
        other = self._task.copy()
        other.action, other.args = name, self._with_defaults(resolved, dict(given or {}))

        def work():
            action = self._shared_loader_obj.action_loader.get(
                handler,
                task=other,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
                collection_list=None if handler == "ansible.legacy.normal" else self._task.collections,
            )
            return action.run(task_vars=self._vars)

        return work

    def _handler(self, name):
        """Return the action plugin that runs a module, and the module's full name. Raises ClientError where there is neither."""
        collections = self._task.collections
        found = self._shared_loader_obj.module_loader.find_plugin_with_context(name, collection_list=collections)
        if found.resolved and found.action_plugin:
            return found.action_plugin, found.resolved_fqcn
        if self._shared_loader_obj.action_loader.has_plugin(name, collection_list=collections):
            return name, found.resolved_fqcn if found.resolved else name
        if not found.resolved:
            raise ClientError("usage", f"there is no module {name!r}: is its collection installed?")
        return "ansible.legacy.normal", found.resolved_fqcn

    def _with_defaults(self, resolved, args):
        """Return a module's arguments with those of module_defaults, which Ansible applies to the task's own module only."""
        if hasattr(module_common, "_apply_action_arg_defaults"):  # ansible-core 2.19
            return module_common._apply_action_arg_defaults(resolved, self._task, args, self._templar)
        groups = self._task._parent._play._action_groups
        return module_common.get_action_args_with_defaults(resolved, args, self._task.module_defaults, self._templar, action_groups=groups)
