# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Really once: real ansible-playbook runs of one play, of which exactly one host does the work and all know how it ended."""

import json

import pytest

from support.cluster import Cluster, until
from support.plays import Runs, environ_of, kill, said

HOSTS = "a1,a2,a3,a4,"
OTHERS = "b1,b2,b3,b4,"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("once"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def runs(cluster, tmp_path):
    with Runs(cluster, tmp_path) as runs:
        yield runs


def once(name, command=None, **options):
    """Return a task that runs a command once, and registers what came of it."""
    work = {} if command is None else {"module": "ansible.builtin.raw", "args": command}
    keywords = {key: options.pop(key) for key in ("when", "no_log", "ignore_errors", "failed_when", "vars") if key in options}
    return {"name": f"Once {name}", "baton.ha.once": {"name": name, "wait_timeout": 60, **work, **options}, "register": "once", **keywords}


def expect(*conditions):
    return {"ansible.builtin.assert": {"that": list(conditions), "quiet": True}}


def record(cluster, name):
    return cluster.call(cluster.n1, "GET", f"/profiles/once/params/{name}").json()


def queue(cluster, name):
    return cluster.call(cluster.n1, "GET", f"/locks/once/{name}").json()["Queue"]


@pytest.mark.parametrize("way", [{}, {"options": ["-f", 1]}, {"strategy": "ansible.builtin.free"}], ids=["linear", "one fork", "free"])
def test_of_all_hosts_under_two_controllers_one_does_it_and_all_get_its_result(cluster, runs, tmp_path, way):
    name = f"work/{len(way)}{way.get('strategy', '')[-4:]}"
    tasks = [
        once(name, f"echo {{{{ inventory_hostname }}}} | tee -a {tmp_path}/did"),
        expect("once.result.stdout_lines | length == 1", "once.state == 'done'", "once.changed == once.mine", "once.by is not none"),
        expect("(once.result.stdout_lines[0] == inventory_hostname) == once.mine"),
    ]
    plays = [runs.begin(tasks, inventory=hosts, **way) for hosts in (HOSTS, OTHERS)]
    for play in plays:
        said(play)
    did = (tmp_path / "did").read_text().split()
    assert len(did) == 1 and record(cluster, name)["By"].startswith(did[0] + ", run ")
    runs.run(tasks, **way)
    assert (tmp_path / "did").read_text().split() == did, "a later run knows that it is done"
    assert cluster.call(cluster.n1, "GET", "/locks").json() == []


def test_who_dies_at_it_is_replaced(cluster, runs, tmp_path):
    gate = runs.gate("work")["ansible.builtin.raw"]
    tasks = [once("dies", f"echo did >> {tmp_path}/did; {gate}; echo well"), expect("once.result.stdout_lines == ['well']")]
    first = runs.begin(tasks)
    runs.reached("work")
    second = runs.begin(tasks, inventory="b1,b2,")
    until(lambda: len(queue(cluster, "dies")) == 2, "the other run's hosts wait")
    kill(first)
    until(lambda: len((tmp_path / "did").read_text().split()) == 2, "one of them begins it again")
    runs.open("work")
    said(second)
    assert record(cluster, "dies")["State"] == "done" and len((tmp_path / "did").read_text().split()) == 2


def test_a_failure_is_everybody_s_failure_until_somebody_chooses_to_try_again(runs, tmp_path):
    fails = f"echo did >> {tmp_path}/did; [ -e {tmp_path}/well ] || {{ echo the disk is full >&2; exit 1; }}"
    output = runs.run([once("fails", fails)], inventory=HOSTS, check=2)
    assert output.count("tried 'fails' at ") >= 3 and "the disk is full" in output
    assert output.count("that stands until it is tried again (retry: true) or forgotten (state: absent)") >= 4
    assert "tried 'fails' at" in runs.run([once("fails", fails)], inventory=OTHERS, check=2), "it stands in later runs"
    assert len((tmp_path / "did").read_text().split()) == 1
    runs.run([once("fails", fails, retry=True)], inventory=OTHERS, check=2, options=["-f", 1])
    assert len((tmp_path / "did").read_text().split()) == 2, "tried again once, and not by each host"
    (tmp_path / "well").touch()
    runs.run([once("fails", fails, retry=True), expect("once.done")], inventory=HOSTS)
    assert len((tmp_path / "did").read_text().split()) == 3


def test_a_failure_while_one_waits_is_its_result(cluster, runs, tmp_path):
    gate = runs.gate("inside")["ansible.builtin.raw"]
    tasks = [once("meanwhile", f"echo did >> {tmp_path}/did; {gate}; exit 1", retry=True)]
    first = runs.begin(tasks)
    runs.reached("inside")
    second = runs.begin(tasks, inventory="b1,")
    until(lambda: queue(cluster, "meanwhile"), "the other run waits")
    runs.open("inside")
    said(first, 2)
    assert "web-1, run " in said(second, 2) and len((tmp_path / "did").read_text().split()) == 1


def test_what_is_no_log_is_not_kept_and_what_is_too_large_loses_its_text(cluster, runs):
    output = runs.run(
        [
            once("hidden", "echo a-secret", no_log=True),
            expect("(once.result is none) == (not once.mine)"),
            once("large", "seq 20000"),
            expect("once.result.rc == 0", "('stdout' in once.result) == once.mine or not once.mine"),
        ],
        inventory="a1,a2,",
    )
    assert record(cluster, "hidden")["State"] == "done" and record(cluster, "hidden")["Result"] is None
    assert "a-secret" not in json.dumps(cluster.call(cluster.n1, "GET", "/profiles/once").json()) + output
    assert "too large to be kept" in " ".join(output.split()) and record(cluster, "large")["Result"]["rc"] == 0


SEVERAL = [
    once("several", state="begun"),
    {
        "when": "once.mine",
        "block": [
            {"name": "Work", "ansible.builtin.raw": "{{ work }}"},
            {"baton.ha.once": {"name": "several", "state": "done", "result": {"by": "{{ inventory_hostname }}"}}, "register": "ended"},
            expect("ended.changed and ended.mine"),
        ],
        "rescue": [{"baton.ha.once": {"name": "several", "state": "failed", "why": "the work failed"}}],
    },
    once("several", state="awaited"),
]


def test_several_tasks_are_begun_by_one_and_awaited_by_the_others(cluster, runs, tmp_path):
    tasks = [*SEVERAL, expect("once.result.by is string", "not once.changed")]
    plays = [runs.begin(tasks, inventory=hosts, vars={"work": f"echo did >> {tmp_path}/did"}) for hosts in (HOSTS, OTHERS)]
    for play in plays:
        said(play)
    assert len((tmp_path / "did").read_text().split()) == 1
    forget = [{"baton.ha.once": {"name": "several", "state": "absent"}, "register": "gone", "run_once": True}, expect("gone.changed")]
    runs.run([*forget, *SEVERAL], vars={"work": "exit 1"}, check=2)
    assert record(cluster, "several")["Why"] == "the work failed"


def test_who_fails_at_several_tasks_without_a_word_is_not_waited_for(runs):
    tasks = [once("silent", state="begun"), {"ansible.builtin.fail": {}, "when": "once.mine"}, once("silent", state="awaited")]
    assert "has begun 'silent' and failed without a word: say state failed" in runs.run(tasks, inventory=HOSTS, check=2)


def test_who_has_lost_it_can_t_say_how_it_ended(cluster, runs):
    done = [{"baton.ha.once": {"name": "lost", "state": "done"}, "register": "late", "ignore_errors": True}, expect("late is failed")]
    play = runs.begin([once("lost", state="begun"), runs.gate("lose"), *done])
    runs.reached("lose")
    lease = cluster.call(cluster.n1, "GET", "/locks/once/lost").json()["Holders"][0]["Lease"]
    cluster.call(cluster.n1, "DELETE", f"/leases/{lease}")
    runs.open("lose")
    assert "has not begun 'lost', or has lost it: nobody does it" in said(play)
    assert cluster.call(cluster.n1, "GET", "/profiles/once/params/lost").status_code == 404


def test_check_mode_claims_nothing_and_tells_what_would_be_done(cluster, runs, tmp_path):
    command = {"module": "ansible.builtin.command", "args": {"cmd": f"touch {tmp_path}/did", "creates": f"{tmp_path}/did"}}
    task = {"baton.ha.once": {"name": "checked", **command}, "register": "once"}
    runs.run([task, expect("once.changed", "once.mine")], options=["--check"])
    assert not (tmp_path / "did").exists() and cluster.call(cluster.n1, "GET", "/profiles/once/params/checked").status_code == 404
    runs.run([task, expect("once.changed")])
    runs.run([task, expect("not once.changed", "not once.mine", "once.done")], options=["--check"])


def test_a_module_that_does_not_exist_is_told_before_anything_is_claimed(cluster, runs):
    for module, arguments, message in (
        ("no.such.module", {}, "there is no module 'no.such.module': is its collection installed?"),
        ("ansible.builtin.include_role", {"name": "x"}, "use state begun, then done"),
        ("ansible.builtin.copy", "src=x", "args of ansible.builtin.copy is a dictionary of its options"),
    ):
        assert message in runs.run([{"baton.ha.once": {"name": "wrong", "module": module, "args": arguments}}], check=2)
    assert cluster.call(cluster.n1, "GET", "/profiles/once/params/wrong").status_code == 404


def test_a_host_that_does_not_answer_leaves_it_to_the_next(cluster, runs, tmp_path):
    inventory = tmp_path / "hosts.json"
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    inventory.write_text(json.dumps({"all": {"hosts": {"gone": gone, "here": {"ansible_connection": "local"}}}}))
    runs.run([once("answers", "echo {{ inventory_hostname }}")], inventory=str(inventory), check=4, options=["-f", 1])
    assert record(cluster, "answers")["By"].startswith("here, ")


def test_module_defaults_and_an_action_plugin_of_the_module_are_used(runs, tmp_path):
    (tmp_path / "in.j2").write_text("{{ inventory_hostname }}")
    template = {"name": "plugin", "module": "ansible.builtin.template", "args": {"src": f"{tmp_path}/in.j2"}}
    runs.run([{"baton.ha.once": template}], module_defaults={"ansible.builtin.template": {"dest": f"{tmp_path}/out"}})
    assert (tmp_path / "out").read_text() == "web-1"


@pytest.mark.parametrize("profile", ["once", "team"])
def test_a_token_for_the_profile_is_enough(tmp_path, profile):
    with Cluster(tmp_path, 1, "local") as cluster, Runs(cluster, tmp_path) as runs:
        cluster.call(cluster.n1, "PUT", f"/profiles/{profile}", json={"Name": profile})
        token = cluster.call(cluster.n1, "POST", f"/profiles/{profile}/token").json()["Token"]
        (tmp_path / "token").write_text(token)
        environ = environ_of(cluster, tmp_path, BATON_TOKEN_FILE=str(tmp_path / "token"))
        several = [
            once("several", state="begun", profile=profile),
            once("several", state="done", profile=profile, when="once.mine"),
            once("several", state="awaited", profile=profile),
        ]
        tasks = [once("fresh/1", f"echo did | tee -a {tmp_path}/did", profile=profile), expect("once.result.stdout == 'did\\n'")]
        plays = [runs.begin([*tasks, *several], inventory=hosts, environ=environ) for hosts in (HOSTS, OTHERS)]
        for play in plays:
            said(play)
        assert (tmp_path / "did").read_text().split() == ["did"]
