# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example in the modules' documentation and in docs/ runs as it stands, on three hosts against a real node (those of docs/start
on hosts of their own: tests/tutorial).

Those that exclude others are run by two controllers at once, for hosts of the same names.
"""

import ast
import contextlib
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from test_modules import ROOT, ansible

from support.cluster import Cluster
from support.datastores_api import served
from support.pool import Memory
from support.watched import excludes, most_inside, watched

MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
PAGES = ["README.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "start")]
HOSTS = ["web-1", "web-2", "web-3"]
# Groups that are databases by the role for it, all of whose hosts are in one region of the pool in memory.
CARRIERS = {"orders_db": ("ap", ["h2", "h5", "h8", "h11", "h14", "h17"]), "shop_db": ("eu", ["h3", "h6", "h9", "h12", "h15", "h18"])}
PARAMS = {
    "web": {"web/generation": 1, "app/version": "2.1"},
    "blue": {"workers": 3},
    "green": {"workers": 2},
    "db": {"state": "ready"},
    "kube": {"cluster/leaders": ["a", "b", "c"]},
    "gluster": {"peers": HOSTS},
}


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path, 1, "local") as cluster:
        for name, params in PARAMS.items():
            cluster.call(cluster.n1, "PUT", f"/profiles/{name}", json={"Name": name, "Params": params})
        for host in (*HOSTS, "n1"):
            cluster.call(cluster.n1, "PUT", f"/machines/{host}", json={"Uuid": host, "Name": host})
        yield cluster


def examples_of(module):
    for node in ast.parse((ROOT / f"plugins/modules/{module}.py").read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "EXAMPLES":
            return yaml.safe_load(node.value.value)
    raise AssertionError(f"{module} has no EXAMPLES")


def play(cluster, folder, plays, *options, environ=None):
    """Run plays; every host is this machine. Those that exclude others are run by two controllers at once."""
    groups = {"web": dict.fromkeys(HOSTS), "gluster": dict.fromkeys(HOSTS), "baton": {"n1": None}}
    groups.update({name: dict.fromkeys(CARRIERS[name][1]) for name in CARRIERS.keys() & {item["hosts"] for item in plays}})
    (folder / "inventory.yml").write_text(json.dumps({"all": {"children": {name: {"hosts": hosts} for name, hosts in groups.items()}}}))
    book, diary = folder / "play.yml", folder / "diary"
    controllers, room = (2, {}) if excludes(plays) and "--check" not in options else (1, {})
    if controllers == 2:
        plays, room = watched([{**item, "hosts_of_one_run": groups[item["hosts"]]} for item in plays], diary)
    book.write_text(yaml.safe_dump([{k: v for k, v in item.items() if k != "hosts_of_one_run"} for item in plays], sort_keys=False))
    connection = {"BATON_URL": cluster.n1.url, "BATON_TOKEN_FILE": str(cluster.n1.data / "admin.token"), **(environ or {})}
    values = json.dumps({"ansible_python_interpreter": sys.executable})
    forks = 1 if any("strategy" in item for item in plays) else 20  # where hosts wait for their turn, any number of forks will do
    line = ["ansible-playbook", "-i", folder / "inventory.yml", "-f", forks, book, "-e", values, *options]
    with ThreadPoolExecutor() as pool:
        for done in pool.map(lambda _number: ansible(*line, environ=connection), range(controllers)):
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    if controllers == 2:
        _assert_exclusion(diary, room)


def _assert_exclusion(diary, room):
    lines = diary.read_text().splitlines()
    most, did = most_inside(lines)
    assert most.keys() | did.keys() and all(most[name] <= room[name] for name in most), lines
    assert set(did.values()) <= {1}, lines
    diary.unlink()


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module(cluster, tmp_path, module):
    examples = examples_of(module)
    if module == "wait_for":  # it waits for the leaders of kube; anybody else elects some
        cluster.call(cluster.n1, "PUT", "/profiles/kube/params/cluster/leaders", json=["a", "b", "c"])
    elif module == "leader_election":
        cluster.call(cluster.n1, "DELETE", "/profiles/kube")
    way = {"strategy": "ansible.builtin.host_pinned"} if module == "lock" else {}  # as its documentation says
    plays = [{"hosts": "web", "gather_facts": False, **way, "tasks": examples}]
    with databases(cluster) if module.startswith("datastore_") else contextlib.nullcontext({}) as environ:
        play(cluster, tmp_path, plays, environ=environ)
    if module == "compare_and_patch":
        assert cluster.call(cluster.n1, "GET", "/profiles/web/params/web/migrated-by").json() in HOSTS, "somebody has claimed the migration"


@contextlib.contextmanager
def databases(cluster):
    """Serve the API of datastores over a pool in memory; yield where it is."""
    offered = {"mariadb": ["10.11", "11.8"], "galera": ["10.11"], "postgresql": ["15", "17"], "redis": ["7.0"]}
    pool = Memory(hosts=18, regions=("eu", "us", "ap"), datastores=offered)
    pool.tokens[cluster.token] = {"kind": "admin"}
    with served(pool) as api:
        yield {"BATON_DATASTORES_URL": api.address, "BATON_PROJECT": "demo"}


def plays_of(page):
    """Yield the plays on a page: YAML blocks that are lists of plays."""
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
        found = yaml.safe_load(block)
        if isinstance(found, list) and all("hosts" in item for item in found):
            yield found


@pytest.mark.parametrize("page", [page for page in PAGES if list(plays_of(page))])
def test_the_plays_of_a_page(cluster, tmp_path, page):
    play_page(cluster, tmp_path, page)


def test_the_plays_that_coordinate_in_check_mode(cluster, tmp_path):
    play_page(cluster, tmp_path, "docs/guides/coordination.md", "--check")


def play_page(cluster, folder, page, *options):
    with databases(cluster) if "baton.ha.datastore_" in (ROOT / page).read_text() else contextlib.nullcontext() as environ:
        _play_page(cluster, folder, page, environ, *options)


def _play_page(cluster, folder, page, environ, *options):
    for plays in plays_of(page):
        for item in plays:
            item.setdefault("gather_facts", False)
            item.pop("module_defaults", None)  # the cluster is that of the test
        # What the role for drivers installs belongs on hosts of their own, where molecule installs it.
        installs = any(role.get("role") == "baton.ha.driver" for item in plays for role in item.get("roles", ()))
        _have_in_the_pool(cluster, plays)
        play(cluster, folder, plays, *(["--check"] if installs else options), environ=environ)


def _have_in_the_pool(cluster, plays):
    """Have hosts in the pool that the plays take for databases: what brings them there needs hosts of their own."""
    for name in CARRIERS.keys() & {item["hosts"] for item in plays}:
        region, hosts = CARRIERS[name]
        for host in hosts:
            meta = {"address": "192.0.2.1", "region": region, "flavors": {}}
            document = {"Name": host, "Meta": meta, "Params": {"heartbeat": {"service_status": "running"}}}
            cluster.call(cluster.n1, "POST", "/pool", json=document)
