# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of this machine with real servers, on which plays of the modules for databases are played."""

import contextlib
import json
import os
import shutil
import subprocess
import sys

from support.cluster import ROOT
from support.disk import quick_folder
from support.plays import COMMANDS

SCRIPT = ROOT / "demo" / "datastores.py"


def demo(command, state, *more):
    return subprocess.run([sys.executable, str(SCRIPT), command, "--state", str(state), *more], capture_output=True, text=True, check=False)


@contextlib.contextmanager
def pool_of(*options):
    """Begin a pool in a folder of its own, and end both. ``options``: of the script that does."""
    folder = quick_folder()
    state = folder / "state"
    done = demo("up", state, *options)
    assert done.returncode == 0, done.stderr
    try:
        yield Pool(state)
    finally:
        done = demo("down", state)
        shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0, done.stderr


class Pool:
    def __init__(self, state):
        self.state, self._plays = state, 0
        said = dict(line.removeprefix("export ").split("=", 1) for line in (state / "openrc").read_text().split("\n") if "=" in line)
        address, _slash, project = said["OS_ENDPOINT"].partition("/v1.0/")
        self.environ = {"BATON_DATASTORES_URL": address, "BATON_PROJECT": project, "BATON_TOKEN": said["OS_TOKEN"]}

    def play(self, module, *tasks):
        """Begin a play of some tasks of a module, each {option: value}, whose results go to a file; return what ends it and returns them.

        ``check_mode`` is of the task, not an option.
        """
        self._plays += 1
        book, result = self.state / f"play-{self._plays}.yml", self.state / f"result-{self._plays}.json"
        done = []
        for number, task in enumerate(tasks):
            options = {name: value for name, value in task.items() if name != "check_mode"}
            done.append({f"baton.ha.{module}": options, "register": f"it{number}", "check_mode": task.get("check_mode", False)})
        names = ", ".join(f"it{number}" for number in range(len(tasks)))
        done.append({"ansible.builtin.copy": {"content": f"{{{{ [{names}] | to_json }}}}", "dest": str(result)}})
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": done}]))
        values = json.dumps({"ansible_python_interpreter": sys.executable})
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_", "OS_"))}
        process = subprocess.Popen(
            [COMMANDS / "ansible-playbook", "-c", "local", "-i", "here,", book, "-e", values], cwd=ROOT, text=True,
            env={**inherited, **self.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

        def end():
            said, _nothing = process.communicate(timeout=300)
            assert process.returncode == 0, said[-4000:] + self.logs()
            return json.loads(result.read_text())

        return end

    def db(self, module="datastore_instance", **options):
        (result,) = self.play(module, {"name": "db", **options})()
        return result

    def done(self, module="datastore_instance", **options):
        """Have a task do what it has foretold, and nothing the second time; return its result."""
        task = {"name": "db", **options}
        before, result, again = self.play(module, {**task, "check_mode": True}, task, task)()
        assert [before[name] for name in ("changed", "steps", "diff")] == [result[name] for name in ("changed", "steps", "diff")]
        assert result["changed"] and not again["changed"], again
        return result

    def batonctl(self, *words):
        """Run a command of batonctl."""
        command = [sys.executable, ROOT / "build" / "batonctl.pyz", *words]
        return subprocess.run(command, env={**os.environ, **self.environ}, capture_output=True, text=True, check=False)

    def pid(self, name):
        """Return the process of a program of the pool, such as host-1, its guest."""
        (found,) = (int(line.split()[0]) for line in (self.state / "pids").read_text().splitlines() if line.endswith(f" {name}"))
        return found

    def logs(self):
        return "".join(f"\n{path}:\n{path.read_text()[-1500:]}" for path in sorted((self.state / "logs").glob("*.log")))

    def writable(self, result):
        """Return the names of those that take a write."""
        found = [each["name"] for each in result["instances"] if demo("primary", self.state, each["id"]).returncode == 0]
        refusing = [each["name"] for each in result["instances"] if demo("replica", self.state, each["id"]).returncode == 0]
        assert sorted([*found, *refusing]) == sorted(each["name"] for each in result["instances"])
        return found
