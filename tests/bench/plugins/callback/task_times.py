# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes how long each task took over all hosts, a line of JSON each, to the file that BATON_BENCH_TIMES names."""

from __future__ import annotations

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: notification
short_description: How long tasks take
description: For make bench-plays.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "task_times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._task = None
        self._last = 0.0

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._close()
        self._task, self._began = task.get_name(), time.monotonic()

    def v2_runner_on_ok(self, result):
        self._last = time.monotonic()

    def v2_playbook_on_stats(self, stats):
        self._close()

    def _close(self):
        if self._task is not None and "(not shown)" not in self._task:
            with open(os.environ["BATON_BENCH_TIMES"], "a", encoding="utf-8") as file:
                file.write(json.dumps({"task": self._task, "seconds": self._last - self._began}) + "\n")
