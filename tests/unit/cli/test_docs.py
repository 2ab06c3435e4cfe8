# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console examples of the pages on batonctl, the API and failover, run one after the other against three real nodes.

What they print is compared but for numbers, times and addresses. Those that wait, or run until they are stopped, run beside the next.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.cluster import ROOT, Cluster, until

BESIDE = ("leases keep", "events", "barriers arrive")  # what does not end by itself, or not before others come
LOOSE = ("ha status", "ha switch", "ha history", "events")  # which nodes there are, and what has happened, differs


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path, 3, dcs="local") as cluster:
        yield cluster


@pytest.fixture
def shell(cluster, programs, tmp_path):
    """Run a line of bash as on the page; return the process."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(programs / "batonctl.pyz", folder / "batonctl")
    (tmp_path / "debian.iso").write_bytes(bytes(650 << 10))
    (tmp_path / "admin.token").write_text(cluster.token)
    urls = ",".join(node.url for node in cluster.nodes.values())
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {"PATH": path, "HOME": str(tmp_path), "BATON_URL": urls, "BATON_TOKEN": cluster.token, "PYTHONUNBUFFERED": "1"}

    def run(text):
        text = text.replace("/srv/", f"{tmp_path}/").replace("db2", "n2")
        return subprocess.Popen(
            ["bash", "-c", text], cwd=tmp_path, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    return run


def blocks(page):
    return re.findall(r"```console\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)


def commands(block):
    """Yield (command, what the page says that it prints)."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _newline, output = part.partition("\n")
        yield command.partition("   #")[0].strip(), output


def shape(text):
    """Return what is printed without numbers, and with single spaces: ages, tokens, sizes and hashes differ each time."""
    text = re.sub(r"/tmp/\S*/|/srv/", "", text)
    return re.sub(r"\s+", " ", re.sub(r"\b[0-9a-f]{12}\b|[0-9][0-9.:]*Z?( [KM]iB)?", "N", text)).strip()


@pytest.mark.parametrize("page", ["reference/batonctl.md", "guides/failover.md"])
def test_what_batonctl_prints(cluster, shell, page):
    before, running = None, []
    cluster.call(cluster.active(), "POST", "/profiles", json={"Name": "seen"})
    try:
        for command, expected in [item for block in blocks(page) for item in commands(block)]:
            if command.startswith("ansible-playbook"):
                continue  # playbooks are run by molecule
            if command == "echo $?":
                assert before == int(expected)
                continue
            process = shell(command)
            if any(command.startswith(f"batonctl {verb}") for verb in BESIDE):
                running.append(process)
                others(cluster, command)
                assert process.stdout.readline(), command
                continue
            output, _none = process.communicate(timeout=60)
            before = process.returncode
            assert before in (0, 1) and (before == 0 or "nothing was changed" in output), f"{command}\n{output}"
            if expected and not any(command.startswith(f"batonctl {verb}") for verb in LOOSE):
                assert shape(output) == shape(expected), command
    finally:
        for process in running:
            process.kill()
            process.communicate()


def others(cluster, command):
    """Do what those do whom an example waits for."""
    if "barriers arrive" in command:
        name = command.split()[3]
        until(lambda: cluster.call(cluster.active(), "GET", f"/barriers/{name}").status_code == 200, "the example has come")
        for owner in ("web-2", "web-3"):
            answer = cluster.call(cluster.active(), "POST", f"/barriers/{name}/arrive", json={"Owner": owner, "Count": 3})
            assert answer.status_code == 200, answer.text
    elif "events" in command:
        for number in range(200):  # what was written before the stream began is not in it
            cluster.call(cluster.active(), "PUT", "/profiles/seen/params/n", json=number)


def test_what_curl_is_told(cluster, shell):
    url = cluster.active().url
    for block in blocks("reference/api.md"):
        lines = re.sub(r"\\\n", "", block).splitlines()
        for line in lines:
            if line.startswith("export"):
                continue
            line = line.replace("curl …", 'curl -H "$A"').replace("curl", "curl -sS --fail-with-body", 1).replace('"Wait": 60', '"Wait": 0')
            process = shell(f"B={url}/api/v3; A='Authorization: Bearer {cluster.token}'; {line.replace('--cacert ca.pem', '')}")
            output, _none = process.communicate(timeout=60)
            assert process.returncode == 0, f"{line}\n{output}"
