# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real one-node cluster, run from the zipapp as a user would, and batonctl as a function."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baton.cli.main import main
from support.programs import compile_modules

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """The directory with batond.pyz and batonctl.pyz."""
    folder = tmp_path_factory.mktemp("programs")
    source = ROOT / "plugins" / "module_utils" / "_baton"
    subprocess.run([sys.executable, str(ROOT / "plugins" / "plugin_utils" / "build_zipapps.py"), str(source), str(folder)], check=True)
    for name in ("batond", "batonctl"):
        compile_modules(folder / f"{name}.pyz")
    return folder


@pytest.fixture(scope="session")
def node(programs, tmp_path_factory):
    """URL and admin token of a serving node."""
    data = tmp_path_factory.mktemp("node")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, str(programs / "batond.pyz"), "--node-id", "n1", "--data-dir", str(data), "--listen", listen]
    with open(data / "log", "wb") as log:
        process = subprocess.Popen([*command, "--dcs", f"local:{data}/dcs.db", "--insecure"], stderr=log, stdout=log)
    try:
        wait_for(lambda: _serves(f"http://{listen}"), process, data / "log")
        wait_for((data / "admin.token").exists, process, data / "log")
        yield f"http://{listen}", data / "admin.token"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(condition, process, log):
    end = time.monotonic() + 30
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"batond did not come up: {log.read_text()}")
        time.sleep(0.02)


def _serves(url):
    import requests

    try:
        return requests.get(f"{url}/active", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


class Run:
    """What one command did."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"exit {self.status}\n{self.out}{self.err}"


@pytest.fixture
def batonctl(capsys, monkeypatch):
    """Run batonctl in this process, without the caller's environment."""
    for name in [name for name in os.environ if name.startswith(("BATON_", "RS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["batonctl"])

    def run(*arguments):
        status = main(list(arguments))
        captured = capsys.readouterr()
        return Run(status, captured.out, captured.err)

    return run


@pytest.fixture
def cluster(batonctl, node, monkeypatch):
    """batonctl, configured for the real node."""
    url, token = node
    monkeypatch.setenv("BATON_URL", url)
    monkeypatch.setenv("BATON_TOKEN_FILE", str(token))
    return batonctl
