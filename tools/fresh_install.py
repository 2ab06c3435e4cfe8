# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install an archive of the collection where nothing of the checkout is, and use it: its
documentation, its own builder of batond, and a play that is run against the batond that came of it.
Part of `make release`.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import ansible_collections

import versions

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
LIMIT = 60  # seconds until a batond that was started has to answer
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: One of them leads
      baton.ha.leader_election:
        profile: fresh
        candidate: "{{ inventory_hostname }}"
      register: election
    - name: All change one param, one of them first
      baton.ha.compare_and_patch:
        name: fresh
        param: first
        expect_unset: true
        value: "{{ inventory_hostname }}"
      register: first
    - name: They agree on one
      ansible.builtin.assert:
        that:
          - all | selectattr('election.is_leader') | length == 1
          - all | selectattr('first.won') | length == 1
          - lookup('baton.ha.param', 'first', profile='fresh') in ansible_play_hosts
      vars:
        all: "{{ ansible_play_hosts | map('extract', hostvars) }}"
"""


def environment(folder, run):
    """Make a Python of its own; return its directory of programs."""
    if not (folder / "python/bin/ansible-playbook").exists():
        run(sys.executable, "-m", "venv", "--clear", folder / "python", where=folder)
    return folder / "python/bin"


def install(archive, folder, bin_, run, environ):
    """Install the archive and what its requirements.txt names; return where the collection is.

    Galaxy is not asked: the collections that it depends on are those of the tools' own Python, and
    are looked for as Galaxy's would be.
    """
    beside = Path(next(iter(ansible_collections.__path__))).parent
    run(
        bin_ / "python",
        "-m",
        "pip",
        "install",
        "-qq",
        "--disable-pip-version-check",
        f"ansible-core>={versions.lowest_core()}",  # the newest that this Python can have
        where=folder,
    )
    paths = {**environ, "ANSIBLE_COLLECTIONS_PATH": f"{folder / 'collections'}:{beside}"}
    run(
        bin_ / "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        "-p",
        folder / "collections",
        archive,
        where=folder,
        env=paths,
    )
    collection = folder / "collections/ansible_collections/baton/ha"
    run(
        bin_ / "python",
        "-m",
        "pip",
        "install",
        "-qq",
        "--disable-pip-version-check",
        "-r",
        collection / "requirements.txt",
        where=folder,
    )
    return collection


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(serves, daemon):
    end = time.monotonic() + LIMIT
    while not serves():
        if daemon.poll() is not None:
            raise RuntimeError("batond ended before it served")
        if time.monotonic() > end:
            raise RuntimeError(f"batond is there for {LIMIT} s, and does not serve yet")
        time.sleep(0.1)


def play(folder, bin_, run, environ):
    """Start the batond that was built, play, and end it."""
    port, data = free_port(), folder / "data"
    url = f"http://127.0.0.1:{port}"
    command = [
        bin_ / "python",
        folder / "batond.pyz",
        "--node-id",
        "n1",
        "--data-dir",
        data,
        "--listen",
        f"127.0.0.1:{port}",
    ]
    command += ["--dcs", f"local:{folder / 'dcs.db'}", "--insecure"]
    (folder / "play.yml").write_text("---" + PLAY)
    values = json.dumps({"ansible_python_interpreter": str(bin_ / "python")})
    environ = {**environ, "BATON_URL": url, "BATON_TOKEN_FILE": str(data / "admin.token")}
    with open(folder / "batond.log", "wb") as log:
        daemon = subprocess.Popen(
            list(map(str, command)), cwd=folder, stdout=log, stderr=log, env=environ
        )
    try:
        ctl = [str(bin_ / "python"), str(folder / "batonctl.pyz"), "ha", "status"]
        wait_until(lambda: subprocess.run(ctl, env=environ, check=False, **QUIET).returncode == 0, daemon)
        run(
            bin_ / "ansible-playbook",
            "-c",
            "local",
            "-i",
            "a,b,c",
            "-e",
            values,
            "play.yml",
            where=folder,
            env=environ,
        )
    finally:
        daemon.terminate()
        daemon.wait(LIMIT)


def check(archive, version, folder, run, say):
    """Install and use ``archive``. ``run`` runs a program and raises when it fails, ``say`` tells
    what is going on.
    """
    subprocess.run(
        ["rm", "-rf", folder / "collections", folder / "data", folder / "dcs.db"], check=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "BATON_", "RS_", "PYTHON"))
    }
    environ = {
        **own,
        "HOME": str(folder),
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_NOCOLOR": "1",
    }
    bin_ = environment(folder, run)
    collection = install(archive, folder, bin_, run, environ)
    for kind, name in (("module", "lock"), ("lookup", "param"), ("role", "node")):
        said = json.loads(
            run(
                bin_ / "ansible-doc",
                "--json",
                "-t",
                kind,
                f"baton.ha.{name}",
                where=folder,
                env=environ,
            )
        )
        if list(said) != [f"baton.ha.{name}"]:
            raise RuntimeError(f"ansible-doc knows no {kind} baton.ha.{name} in what was installed")
    builder = collection / "plugins/plugin_utils/build_zipapps.py"
    run(
        bin_ / "python",
        builder,
        collection / "plugins/module_utils/_baton",
        folder,
        where=folder,
        env=environ,
    )
    for program in ("batond", "batonctl"):
        said = run(
            bin_ / "python", folder / f"{program}.pyz", "--version", where=folder, env=environ
        )
        if said != f"{program} {version}":
            raise RuntimeError(
                f"{program} of what was installed says that it is {said}, not {version}"
            )
    play(folder, bin_, run, environ)
    say("documentation, batond and a play: all from what was installed")
