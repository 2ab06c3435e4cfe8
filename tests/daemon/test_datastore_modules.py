# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of real MariaDB servers through its life by plays alone, on a pool of this machine."""

import json
import os
import subprocess
import sys

import pytest

from support.cluster import ROOT, until
from support.mariadb import needs_servers
from support.plays import COMMANDS

FIRST = 60  # of the addresses: other tests and pools use others
SCRIPT = ROOT / "demo" / "datastores.py"


def demo(command, state, *more):
    return subprocess.run([sys.executable, str(SCRIPT), command, "--state", str(state), *more], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    needs_servers()
    state = tmp_path_factory.mktemp("pool") / "state"
    done = demo("up", state, "--hosts", "4", "--first", str(FIRST))
    assert done.returncode == 0, done.stderr
    yield Pool(state)
    assert demo("down", state).returncode == 0


class Pool:
    def __init__(self, state):
        self.state, self._plays = state, 0
        said = dict(line.removeprefix("export ").split("=", 1) for line in (state / "openrc").read_text().split("\n") if "=" in line)
        address, _slash, project = said["OS_ENDPOINT"].partition("/v1.0/")
        self._environ = {"BATON_DATASTORES_URL": address, "BATON_PROJECT": project, "BATON_TOKEN": said["OS_TOKEN"]}

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
            env={**inherited, **self._environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
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

    def done(self, **options):
        """Have a task do what it has foretold, and nothing the second time; return its result."""
        task = {"name": "db", **options}
        before, result, again = self.play("datastore_instance", {**task, "check_mode": True}, task, task)()
        assert [before[name] for name in ("changed", "steps", "diff")] == [result[name] for name in ("changed", "steps", "diff")]
        assert result["changed"] and not again["changed"], again
        return result

    def logs(self):
        return "".join(f"\n{path}:\n{path.read_text()[-1500:]}" for path in sorted((self.state / "logs").glob("*.log")))

    def writable(self, result):
        """Return the names of those that take a write."""
        found = [each["name"] for each in result["instances"] if demo("primary", self.state, each["id"]).returncode == 0]
        refusing = [each["name"] for each in result["instances"] if demo("replica", self.state, each["id"]).returncode == 0]
        assert sorted([*found, *refusing]) == sorted(each["name"] for each in result["instances"])
        return found


def test_a_set_lives_by_plays_alone(pool):
    made = pool.done(flavor="tiny", volume=1, replicas=2, databases=[{"name": "shop"}], users=[
        {"name": "app", "password": "of the app alone", "databases": ["shop"]},
    ])  # fmt: skip
    assert made["steps"] == ["make instance db", "make db-1, db-2 of db"] and pool.writable(made) == ["db"]
    moved = pool.done(source="db-2")
    assert moved["source"] == "db-2" and pool.writable(moved) == ["db-2"]
    pool.db(module="datastore_configuration", values={"max_connections": 77})
    configured = pool.db(configuration="db", restart="required")
    assert {each["configuration"] for each in configured["instances"]} == {"db"} and configured["restart_required"] == []
    assert pool.writable(pool.db(source="db-2")) == ["db-2"]  # while it was restarted another may have become the source
    assert pool.db(replicas=3)["steps"] == ["make db-3 of db-2"]
    assert pool.db(replicas=1)["steps"] == ["take db-3 away", "take db-1 away"]
    assert pool.done(state="absent", whole_set=True)["steps"] == ["take db away", "take db-2 away"]
    told = pool.db(module="datastore_info")
    assert told["instances"] == [] and told["configurations"][0]["values"] == {"max_connections": 77}


def test_a_manager_that_dies_under_a_play_is_waited_for(pool):
    end = pool.play("datastore_instance", {"name": "kept", "flavor": "tiny", "replicas": 1})
    until(lambda: pool.db(module="datastore_info", name="kept")["instances"] != [], "it is begun")
    (pid,) = (int(line.split()[0]) for line in (pool.state / "pids").read_text().splitlines() if line.endswith(" baton-datastores"))
    os.kill(pid, 9)
    until(lambda: demo("restart", pool.state, "baton-datastores").returncode == 0, "the manager runs again")
    (result,) = end()
    assert [each["name"] for each in result["instances"]] == ["kept", "kept-1"] and pool.writable(result) == ["kept"]
    pool.play("datastore_instance", {"name": "kept", "state": "absent", "whole_set": True})()
