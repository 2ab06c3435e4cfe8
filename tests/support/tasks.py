# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's task, run in the test's own process as its action plugin does."""

import importlib

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from baton.tasks.common import Context, perform

RULES = {
    "mutually_exclusive": "MUTUALLY_EXCLUSIVE",
    "required_one_of": "REQUIRED_ONE_OF",
    "required_together": "REQUIRED_TOGETHER",
    "required_if": "REQUIRED_IF",
}


def run(cluster, module, check=False, text_for_numbers=False, **options):
    """Return the result. ``text_for_numbers``: as under ansible-core before 2.19."""
    connection = {"url": [cluster.n1.url], "token": cluster.token, "timeout": 0.5}
    left_out = [name for name in connection if name in options and options[name] is None]
    given = {name: value for name, value in {**connection, **options}.items() if name not in left_out}
    return run_with(module, given, check, text_for_numbers)


def run_on_datastores(api, module, check=False, say=lambda _text: None, text_for_numbers=False, **options):
    """Return the result of a task that asks the API of datastores; ``api``: what support.datastores_api serves."""
    given = {"datastores_url": [api.address], "project": "demo", "token": "demo-token", "timeout": 5.0, **options}
    return run_with(module, given, check, text_for_numbers, say)


def run_with(module, given, check, text_for_numbers=False, say=lambda _text: None):
    task = importlib.import_module(f"baton.tasks.{module}")
    rules = {rule: getattr(task, name) for rule, name in RULES.items() if hasattr(task, name)}
    checked = ArgumentSpecValidator(task.SPEC, **rules).validate(given)
    if checked.error_messages:
        return {"failed": True, "msg": "; ".join(checked.error_messages)}
    context = Context(checked.validated_parameters, check, "this-host", say=say, environ={}, text_for_numbers=text_for_numbers)
    return perform(task.run, context)
