# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real ansible-playbook runs against a real node: several at once, stopped where a test wants them, or killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from support.cluster import ROOT, until

COMMANDS = Path(os.environ.get("TEST_ANSIBLE_BIN", ROOT / ".venv/bin"))  # of the ansible-core under test; see `make cores`


def environ_of(cluster, folder, **more):
    """Return the environment of a controller that works for ``cluster``; what it keeps for itself is in ``folder``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_", "XDG_"))}
    own = {"BATON_URL": cluster.n1.url, "BATON_TOKEN_FILE": str(cluster.n1.data / "admin.token"), "TMPDIR": str(folder)}
    return {**inherited, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **own, **more}


class Runs:
    """Runs of ansible-playbook in one folder. Use as a context manager: what is left at the end is killed, gates are opened."""

    def __init__(self, cluster, folder, program=str(COMMANDS / "ansible-playbook")):
        self.cluster, self.folder, self.program = cluster, Path(folder), program
        self._processes, self._gates = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        for process in self._processes:
            if process.poll() is None:
                process.kill()
        for gate in list(self._gates):
            self.open(gate)
        for process in self._processes:
            process.communicate(timeout=60)  # tasks of one that was killed may have its output until their gates open

    def begin(self, tasks, inventory="web-1,", options=(), environ=None, **play):
        """Start a play; return its process. ``play``: its other members, such as strategy."""
        book = self.folder / f"play-{len(self._processes)}.yml"
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks, **play}]))
        values = json.dumps({"ansible_python_interpreter": sys.executable})
        process = subprocess.Popen(
            [self.program, "-c", "local", "-f", "20", "-i", inventory, str(book), "-e", values, *map(str, options)],
            cwd=ROOT, env=environ or environ_of(self.cluster, self.folder), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._processes.append(process)
        return process

    def run(self, *arguments, check=0, **more):
        """Run a play to its end; return what it said."""
        return said(self.begin(*arguments, **more), check)

    # --- a task that lasts until the test opens its gate ---

    def gate(self, name):
        """Return a task that waits."""
        path = self.folder / f"{name}.gate"
        os.mkfifo(path)
        self._gates.append(name)
        return {"name": name, "ansible.builtin.raw": f"touch {self.folder}/{name}.here; cat {path}", "changed_when": False}

    def reached(self, name):
        until((self.folder / f"{name}.here").exists, f"the play has come to {name}")

    def open(self, name):
        """Let whoever waits at a gate, or comes to it, through."""
        path = self.folder / f"{name}.gate"
        if name in self._gates:
            self._gates.remove(name)
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
            path.with_suffix(".open").touch()
            os.rename(path.with_suffix(".open"), path)  # for who comes later; who reads the pipe has had its end


def said(process, check=0):
    out, errors = process.communicate(timeout=120)
    assert process.returncode == check, out[-4000:] + errors[-2000:]
    return out + errors


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
