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
    task = importlib.import_module(f"baton.tasks.{module}")
    rules = {rule: getattr(task, name) for rule, name in RULES.items() if hasattr(task, name)}
    connection = {"url": [cluster.n1.url], "token": cluster.token, "timeout": 0.5}
    left_out = [name for name in connection if name in options and options[name] is None]
    given = {name: value for name, value in {**connection, **options}.items() if name not in left_out}
    checked = ArgumentSpecValidator(task.SPEC, **rules).validate(given)
    if checked.error_messages:
        return {"failed": True, "msg": "; ".join(checked.error_messages)}
    context = Context(checked.validated_parameters, check, "this-host", environ={}, text_for_numbers=text_for_numbers)
    return perform(task.run, context)
