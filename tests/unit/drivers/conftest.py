# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes of drivers, run from the zipapp as on a host."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fake_batond import FakeBatond, Notifications, Process

from support.programs import compile_modules

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zipapp")
    plugins = ROOT / "plugins"
    build = [sys.executable, str(plugins / "plugin_utils" / "build_zipapps.py"), str(plugins / "module_utils" / "_baton"), str(folder)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    compile_modules(folder / "batond.pyz")
    return folder / "batond.pyz"


@pytest.fixture
def batond(tmp_path):
    fake = FakeBatond(tmp_path / "run")
    yield fake
    fake.end()


@pytest.fixture
def systemd(tmp_path):
    notifications = Notifications(tmp_path / "notify")
    yield notifications
    notifications.close()


@pytest.fixture
def launch(zipapp, tmp_path):
    """A function that starts a driver's process: a dict is a FILE for the built-in drivers, a text is a Python program."""
    started = []

    def start(what, environment, name="it", command=None):
        environment = {**os.environ, "PYTHONPATH": str(zipapp), "PYTHONUNBUFFERED": "1", **environment}
        if isinstance(what, dict):
            file = tmp_path / f"{name}.json"
            file.write_text(json.dumps(what))
            command = [sys.executable, str(zipapp), "driver", str(file)]
        elif what is not None:
            program = tmp_path / f"{name}.py"
            program.write_text(what)
            command = [sys.executable, str(program)]
        started.append(Process(command, tmp_path, environment))
        return started[-1]

    yield start
    for process in started:
        process.end()
    ours = f"BATON_RUN_DIR={tmp_path}/run".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):  # what their services have left
        try:
            if ours in path.read_bytes().split(b"\0"):
                os.kill(int(path.parent.name), signal.SIGKILL)
        except (OSError, ProcessLookupError):
            pass


@pytest.fixture
def begin(batond, launch):
    """A function that starts a driver and carries out the order to stop with which each connection begins: (process, connection)."""

    def start(what, name="it", **environment):
        process = launch(what, {**batond.environment, **environment}, name)
        connection = batond.connected()
        assert connection.stop()["ok"]
        return process, connection

    return start
