# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host joins a real pool by the module datastore_host, its guest is started with the token, carries a server, and leaves again."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from support.cluster import ROOT, until
from support.disk import quick_folder
from support.mariadb import needs_servers
from support.tasks import run_with

FIRST = 120  # of the addresses: other tests and pools use others
SCRIPT = ROOT / "demo" / "datastores.py"
FLAVORS = {"1": {"name": "tiny", "ram": 256, "vcpus": 1, "disk": 2}}


def demo(command, state, *more):
    return subprocess.run([sys.executable, str(SCRIPT), command, "--state", str(state), *more], capture_output=True, text=True, check=False)


class Pool:
    def __init__(self, state):
        ports = json.loads((state / "ports.json").read_text())
        self.state, self.url = state, f"http://127.0.0.1:{ports['baton']}"
        said = dict(line.removeprefix("export ").split("=", 1) for line in (state / "openrc").read_text().split("\n") if "=" in line)
        self.datastores_url, _slash, self.project = said["OS_ENDPOINT"].partition("/v1.0/")
        self._cluster = {"url": [self.url], "token_file": str(state / "batond" / "admin.token")}
        self._api = {"datastores_url": [self.datastores_url], "project": self.project, "token": said["OS_TOKEN"]}

    def ask(self, module, check=False, **options):
        """Return the result of a task."""
        where = self._cluster if module.startswith("datastore_host") else self._api
        return run_with(module, {**where, **options}, check)

    def do(self, module, **options):
        result = self.ask(module, **options)
        assert not result.get("failed"), f"{result['msg']}{self.logs()}"
        return result

    def host(self, name):
        (found,) = self.do("datastore_host_info", name=name)["hosts"]
        return found

    def guest(self, name, token_file):
        """Start a guest, as `demo/datastores.py` does; that ends it, too."""
        folder = self.state / "hosts" / name
        folder.mkdir()
        user = ["--server-user", "root"] if os.geteuid() == 0 else []
        given = ["--name", name, "--state", folder, "--url", self.url, "--token-file", token_file, "--lease", "2.0", *user]
        with open(self.state / "logs" / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "build/baton-guest.pyz"), *map(str, given)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        with open(self.state / "pids", "a") as file:
            file.write(f"{process.pid} {name}\n")
        return process

    def logs(self):
        return "".join(f"\n{path}:\n{path.read_text()[-1500:]}" for path in sorted((self.state / "logs").glob("*.log")))


@pytest.fixture(scope="module")
def pool():
    needs_servers()
    folder = quick_folder()
    state = folder / "state"
    done = demo("up", state, "--hosts", "1", "--first", str(FIRST))
    assert done.returncode == 0, done.stderr
    yield Pool(state)
    done = demo("down", state)
    shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0, done.stderr


def test_a_host_joins_carries_something_and_leaves(pool, tmp_path):
    token = tmp_path / "token"
    new = {"name": "new", "address": f"127.0.1.{FIRST + 1}", "region": "new", "flavors": FLAVORS, "path": str(token)}
    made = pool.do("datastore_host", **new)
    assert made["changed"] and not made["host"]["heard"] and not pool.do("datastore_host", **new)["changed"]
    guest = pool.guest("new", token)
    until(lambda: pool.host("new")["heard"], "the guest is heard")
    assert "mariadb" in pool.host("new")["datastores"]
    assert not pool.do("datastore_host", **new)["changed"]  # what the guest says of itself is nobody's change

    shop = pool.do("datastore_instance", name="shop", flavor="tiny", region="new")["instances"][0]
    assert shop["host"] == "new"
    until(lambda: pool.host("new")["servers"] == {shop["id"]: {"up": True, "trouble": "", "set": shop["set"]}}, "its server is seen")
    for check in (True, False):
        refused = pool.ask("datastore_host", check, name="new", path=str(token), state="absent")
        assert refused["failed"] and f"new carries shop ({shop['id']}); delete these instances first" == refused["msg"]
    assert token.exists() and pool.host("new")["heard"]

    pool.do("datastore_host", name="new", maintenance=True)
    full = pool.ask("datastore_instance", name="other", flavor="tiny", region="new")
    assert full["failed"] and "new is in maintenance" in full["msg"]
    pool.do("datastore_instance", name="shop", state="absent", whole_set=True)
    assert pool.do("datastore_host", name="new", path=str(token), state="absent")["changed"]
    assert [each["name"] for each in pool.do("datastore_host_info")["hosts"]] == ["host-1"] and not token.exists()
    assert not pool.do("datastore_host", name="new", path=str(token), state="absent")["changed"]
    until(lambda: "revoked" in (pool.state / "logs" / "new.log").read_text(), "its guest says that its token is not valid any more")
    guest.terminate()
    guest.wait(20)


def test_instances_are_hosts_of_the_inventory(pool, tmp_path):
    pool.do("datastore_instance", name="listed", flavor="tiny")
    source = {"plugin": "baton.ha.datastores", "datastores_url": pool.datastores_url, "project": pool.project}
    (tmp_path / "token").write_text(pool._api["token"])
    (tmp_path / "baton.yml").write_text(json.dumps({**source, "token_file": str(tmp_path / "token")}))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_", "ANSIBLE_"))}
    done = subprocess.run(
        [str(ROOT / ".venv/bin/ansible-inventory"), "-i", str(tmp_path / "baton.yml"), "--list"], capture_output=True, text=True,
        cwd=ROOT, check=False, timeout=60, env={**environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["datastore_role_source"]["hosts"] == ["listed"] == found["datastore_set_listed"]["hosts"]
    assert found["_meta"]["hostvars"]["listed"]["ansible_host"] == {"__ansible_unsafe": f"127.0.1.{FIRST}"}
    pool.do("datastore_instance", name="listed", state="absent", whole_set=True)
