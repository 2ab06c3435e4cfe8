# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Really once: the role baton.ha.leader in an existing play, however that play is run."""

import json
import sys
import threading

import pytest
from test_modules import ansible

from support.cluster import Cluster
from support.plays import Runs

HOSTS = [f"h{number}" for number in range(1, 7)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("role"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def run(cluster, tmp_path):
    """Run the play; return what the leaders wrote and what all saw."""
    said = tmp_path / "said"
    said.mkdir()

    def play(profile, *arguments, hosts=HOSTS, check=0, **variables):
        body = [
            {"name": "Elect", "ansible.builtin.import_role": {"name": "baton.ha.leader", "tasks_from": "elect"}},
            {
                "name": "Once",
                "ansible.builtin.shell": f"echo {{{{ inventory_hostname }}}} >> {said}/did",
                "when": "baton_is_leader",
                "changed_when": True,
            },
            {"name": "All know", "ansible.builtin.shell": f"echo {{{{ baton_leader }}}} >> {said}/know", "changed_when": False},
        ]
        book = tmp_path / f"{threading.get_ident()}.yml"
        keywords = {"strategy": variables.pop("strategy", "linear")}
        if "serial" in variables:
            keywords["serial"] = variables.pop("serial")
        unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
        listed = {host: unreachable if host == "gone" else None for host in hosts}
        inventory = tmp_path / f"{threading.get_ident()}.inventory.yml"
        inventory.write_text(json.dumps({"all": {"hosts": listed}}))
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, **keywords, "tasks": body}]))
        values = {"baton_leader_profile": profile, "ansible_python_interpreter": sys.executable, **variables}
        connection = {"BATON_URL": cluster.n1.url, "BATON_TOKEN_FILE": str(cluster.n1.data / "admin.token")}
        done = ansible("ansible-playbook", "-i", inventory, "-f", 10, book, "-e", json.dumps(values), *arguments, environ=connection)
        assert done.returncode == check, done.stdout[-3000:] + done.stderr[-1000:]
        return done.stdout + done.stderr

    def lines(name):
        return (said / name).read_text().split() if (said / name).exists() else []

    play.did, play.know = lambda: lines("did"), lambda: lines("know")
    return play


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_one_leads_and_all_know(run, strategy):
    run(strategy, strategy=strategy)
    assert len(run.did()) == 1 and run.know() == run.did() * 6


def test_serial_is_no_second_election(run):
    run("serial", serial=2)
    assert len(run.did()) == 1
    assert set(run.know()) == set(run.did()) and len(run.know()) == 6


def test_a_limit_that_leaves_the_first_host_out_skips_nothing(run):
    run("limit", "--limit", "h4,h5,h6")
    assert len(run.did()) == 1 and run.did()[0] in ("h4", "h5", "h6")
    run("limit")
    assert run.did() == run.did()[:1] * 2, "the same leader in a later run without a limit"


def test_a_host_that_does_not_answer_does_not_lead(run):
    run("unreachable", hosts=["gone", *HOSTS], check=4)
    assert len(run.did()) == 1 and "gone" not in run.did() + run.know()


def test_several_controllers_at_once(run):
    controllers = [threading.Thread(target=run, args=("many",), kwargs={"hosts": HOSTS[n : n + 2]}) for n in (0, 2, 4)]
    for controller in controllers:
        controller.start()
    for controller in controllers:
        controller.join()
    assert len(run.did()) == 1 and run.know() == run.did() * 6


def test_a_leader_that_is_gone_for_its_ttl_gives_way(cluster, run):
    run("ttl", "--limit", "h1", baton_leader_ttl="1s")
    assert run.did() == ["h1"]
    waited = cluster.call(cluster.n1, "GET", "/profiles/ttl/params/my/leader?wait=equals&value=%22none%22&timeout=30")
    assert waited.status_code == 200, waited.text
    run("ttl", "--limit", "h2,h3")
    assert len(run.did()) == 2 and run.did()[1] in ("h2", "h3")


def test_each_deployment_has_a_leader_of_its_own(run):
    for deployment in ("2.0", "2.1"):
        for _again in range(2):
            run("deploy", baton_leader_param=f"deployed/{deployment}", baton_leader_ttl="")
    assert len(run.did()) == 4 and run.did()[0] == run.did()[1] and run.did()[2] == run.did()[3]


def test_hosts_without_their_leader_are_told_once_that_nobody_does_its_work(run):
    run("absent", "--limit", "h1", baton_leader_ttl="")
    said = " ".join(run("absent", "--limit", "!h1", baton_leader_ttl="").split())
    told = "h1 leads since "
    assert said.count(told) == 1 and "is none of the hosts of this play: what only the leader does is done by nobody here" in said
    assert told not in run("absent", baton_leader_ttl="") and run.did() == ["h1", "h1"]


def test_a_wrong_vip_that_is_ignored_makes_nobody_lead(cluster, tmp_path):
    vip = {"import_role": {"name": "baton.ha.leader", "tasks_from": "vip"}, "vars": {"baton_leader_vip": "nonsense"}, "ignore_errors": True}
    with Runs(cluster, tmp_path) as runs:
        runs.run([vip, {"ansible.builtin.assert": {"that": "not baton_is_leader"}}])


def test_one_leader_where_a_list_of_them_stands_is_told_to_say_seats(cluster, tmp_path):
    elect = {"profile": "listed", "param": "leaders"}
    with Runs(cluster, tmp_path) as runs:
        output = runs.run([{"baton.ha.leader_election": {**elect, "seats": 2}}, {"baton.ha.leader_election": elect}])
    assert "param 'leaders' holds a list of leaders, as an election with seats leaves it: give seats here, too" in " ".join(output.split())
    assert "let " not in output and "none of the hosts of this play" not in output
