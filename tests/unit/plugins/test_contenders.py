# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a task of a play is to the cluster, where the play says that is, and what it is told when an option is wrong."""

import json
import os
import re
import subprocess
import sys

import pytest
from test_modules import ansible

from support.cluster import ROOT, Cluster
from support.plays import COMMANDS

OWNER = r"(\S+), run ([0-9a-f]{8}) on (\S+)"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("contenders"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def play(cluster, tmp_path):
    """Run tasks on the hosts of an inventory; return what came of it. ``given``: members of the play."""

    def run(tasks, inventory="web-1,", environ=None, **given):
        book = tmp_path / "play.yml"
        values = {"ansible_python_interpreter": sys.executable}
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "vars": values, "tasks": tasks, **given}]))
        connection = {"BATON_URL": cluster.n1.url, "BATON_TOKEN_FILE": str(cluster.n1.data / "admin.token")}
        return ansible("ansible-playbook", "-i", inventory, book, environ=connection if environ is None else environ)

    return run


def holders(cluster, lock):
    return [entry["Owner"] for entry in cluster.call(cluster.n1, "GET", f"/locks/{lock}").json()["Holders"]]


def test_the_default_owner_is_one_machine_in_one_run(cluster, play):
    take = {"baton.ha.lock": {"name": "own/{{ inventory_hostname }}", "ttl": "1h"}}
    for _run in range(2):
        assert play([take, {"baton.ha.lock": {"name": "own/{{ inventory_hostname }}", "state": "released"}}]).returncode == 0
    assert holders(cluster, "own/web-1") == [], "what a run has taken it can give back, in another task"
    assert play([take]).returncode == 0
    machine, _run, controller = re.fullmatch(OWNER, holders(cluster, "own/web-1")[0]).groups()
    assert (machine, controller) == ("web-1", os.uname().nodename)
    other = play([{"baton.ha.lock": {"name": "own/web-1", "ttl": "1h", "wait_timeout": 0.1}}])
    assert other.returncode == 2 and re.search(rf"lock 'own/web-1' is held by {OWNER}, since \d\d:\d\d; we are next", other.stdout)
    released = play([{"baton.ha.lock": {"name": "own/web-1", "state": "released"}, "register": "got", "failed_when": "got is changed"}])
    assert released.returncode == 0, released.stdout


def test_an_owner_that_is_given_is_taken_as_it_is(cluster, play):
    assert play([{"baton.ha.lock": {"name": "given", "owner": "deploy", "ttl": "1h"}}]).returncode == 0
    assert holders(cluster, "given") == ["deploy"]


@pytest.mark.skipif(os.geteuid() != 0, reason="machines are stood in for by UTS namespaces")
def test_three_machines_called_localhost_have_one_leader_and_take_turns(cluster, tmp_path):
    book, said = tmp_path / "play.yml", tmp_path / "said"
    tasks = [
        {"baton.ha.leader_election": {"profile": "pull"}, "register": "election"},
        {"ansible.builtin.raw": f"echo leader={{{{ election.is_leader }}}} >> {said}"},
        {"baton.ha.lock": {"name": "pull/turn", "ttl": "60s", "wait_timeout": 60}},
        {"ansible.builtin.raw": f"echo in >> {said}; sleep 0.5; echo out >> {said}"},
        {"baton.ha.lock": {"name": "pull/turn", "state": "released"}},
    ]
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    environ = {**os.environ, "BATON_URL": cluster.n1.url, "BATON_TOKEN_FILE": str(cluster.n1.data / "admin.token")}
    environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    line = f"{COMMANDS}/ansible-playbook -i localhost, -c local {book}"
    machines = [
        subprocess.Popen(["unshare", "-u", "sh", "-c", f"hostname pull-{number}; exec {line}"], env=environ, cwd=ROOT, stdout=-3)
        for number in range(3)
    ]
    assert [machine.wait(120) for machine in machines] == [0, 0, 0]
    seen = said.read_text().split()
    assert sorted(word for word in seen if "=" in word) == ["leader=False", "leader=False", "leader=True"]
    assert [word for word in seen if "=" not in word] == ["in", "out"] * 3
    assert cluster.call(cluster.n1, "GET", "/profiles/pull/params/my/leader").json().startswith("pull-")


@pytest.mark.parametrize("level", ["play", "block", "task"])
def test_environment_says_where_the_cluster_is(cluster, play, level):
    said = {"BATON_URL": "{{ where }}", "BATON_TOKEN_FILE": str(cluster.n1.data / "admin.token"), "HOME": "/nonexistent"}
    task = {"baton.ha.node_info": {}, "vars": {"where": cluster.n1.url}, **({"environment": said} if level == "task" else {})}
    tasks = [{"block": [task], "environment": said}] if level == "block" else [task]
    done = play(tasks, environ={}, **({"environment": said} if level == "play" else {}))
    assert done.returncode == 0, done.stdout
    wrong = play(tasks, environ={"BATON_URL": "http://127.0.0.1:1"}, **({"environment": said} if level == "play" else {}))
    assert wrong.returncode == 0, "what the play says comes before the controller's environment"


def test_a_token_in_environment_is_not_shown(cluster, play):
    secret = "s3cret-of-an-environment"
    said = {"BATON_URL": cluster.n1.url, "BATON_TOKEN": secret}
    done = play([{"baton.ha.profile_info": {}}], environ={}, environment=said)
    assert done.returncode == 2 and "unknown, expired or revoked" in done.stdout and secret not in done.stdout + done.stderr


def test_an_option_that_does_not_exist_is_named_first(play):
    done = play([{"baton.ha.lease": {"name": "x", "ttl": "5s"}}])
    first, then = r"msg\W+Unsupported parameters for \(baton.ha.lease\) module: name\.", "missing required arguments: id"
    assert done.returncode == 2 and re.search(f"{first} .*{then}", done.stdout)


def test_a_fencing_token_as_token_is_told_where_it_belongs(play):
    done = play([{"baton.ha.compare_and_patch": {"name": "web", "patch": [], "token": "{{ 4294967297 }}"}}])
    assert done.returncode == 2 and "that is a fencing token" in done.stdout and "only_under.token" in done.stdout


@pytest.mark.parametrize("size", [{"members": ["localhost"]}, {"count": 1}])
def test_a_barrier_knows_localhost_by_the_name_that_its_members_have(play, size):
    done = play([{"baton.ha.barrier": {"name": "come/{{ 0 }}", **size}}], inventory="localhost,")
    assert done.returncode == 0, done.stdout


def test_a_seat_is_won_in_one_run_and_kept_in_the_next(play):
    elect = {"baton.ha.leader_election": {"profile": "seat"}, "register": "e"}
    first = {"ansible.builtin.assert": {"that": ["e.is_leader and e.won and e.changed"], "quiet": True}}
    again = {"ansible.builtin.assert": {"that": ["e.is_leader and e.won and not e.changed"], "quiet": True}}
    later = {"ansible.builtin.assert": {"that": ["e.is_leader and not e.won and e.since is none"], "quiet": True}}
    assert play([elect, first, elect, again]).returncode == 0
    assert play([elect, later]).returncode == 0


def test_with_run_once_nobody_is_told_to_lead_who_was_not_elected(cluster, play):
    elect = {"baton.ha.leader_election": {"profile": "alone"}, "run_once": True}
    done = play([elect], inventory="a,b,c,")
    assert done.returncode == 2 and "leave run_once out, so that every host stands" in done.stdout
    assert cluster.call(cluster.n1, "GET", "/profiles/alone").status_code == 404, "and nothing was changed"
    assert play([elect], inventory="a,").returncode == 0, "one host may say so"
    assert play([elect], inventory="a,b,", strategy="ansible.builtin.free").returncode == 0, "free runs it on each host"


def test_who_sits_beyond_the_seats_that_there_are_now_does_not_lead(cluster, play):
    cluster.call(cluster.n1, "PUT", "/profiles/fewer", json={"Name": "fewer", "Params": {"cluster/leaders": ["a", "b"]}})
    elect = {"baton.ha.leader_election": {"profile": "fewer", "seats": 1}, "register": "e"}
    check = {"ansible.builtin.assert": {"that": ["e.is_leader == (inventory_hostname == 'a')", "e.won == e.is_leader"], "quiet": True}}
    assert play([elect, check], inventory="a,b,").returncode == 0


@pytest.mark.parametrize(
    ("leader", "candidate", "warned"),
    [
        ("x", None, True),
        ("b", None, False),
        ({"Name": "x"}, {"Name": "{{ inventory_hostname }}"}, True),
        ({"Name": "b"}, {"Name": "{{ inventory_hostname }}"}, False),
        ("deploy-1", "deploy-2", False),
    ],
)
def test_a_leader_that_is_elsewhere_is_told_as_far_as_anybody_can_know(cluster, play, leader, candidate, warned):
    cluster.call(cluster.n1, "PUT", "/profiles/where", json={"Name": "where", "Params": {"my/leader": leader}})
    stands = {} if candidate is None else {"candidate": candidate}
    done = play([{"baton.ha.leader_election": {"profile": "where", **stands}}], inventory="a,b,")
    assert done.returncode == 0 and ("is done by nobody here" in " ".join((done.stdout + done.stderr).split())) == warned


def test_a_break_of_an_earlier_run_is_not_told_to_the_next(play):
    size = {"name": "gate", "count": 3, "wait_timeout": 60}
    broken = {"baton.ha.barrier": {**size, "state": "broken", "why": "the first run failed"}, "when": "inventory_hostname == 'a'"}
    come = {"baton.ha.barrier": size}
    assert "broken by a: the first run failed" in play([broken, {**come, "when": "inventory_hostname == 'b'"}], inventory="a,b,").stdout
    assert play([come], inventory="c,d,e,").returncode == 0, "they have not heard of it, and belong to the next run"
