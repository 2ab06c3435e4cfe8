# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock lives as long as its run: real ansible-playbook processes that end, fail and are killed while they hold one."""

import os
import signal
from pathlib import Path

import pytest

from support.cluster import Cluster, until
from support.plays import Runs, environ_of, kill, said

SOON = 10.0  # seconds; a lease that nobody ends lasts for twenty


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("run-lease"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def runs(cluster, tmp_path):
    with Runs(cluster, tmp_path) as runs:
        yield runs
    until(lambda: not leases(cluster), "every run has ended its lease")


def take(name, **options):
    return {"name": f"Take {name}", "baton.ha.lock": {"name": name, "wait_timeout": 60, **options}, "register": "turn"}


def holders(cluster, lock):
    return [entry["Owner"].partition(",")[0] for entry in cluster.call(cluster.n1, "GET", f"/locks/{lock}").json()["Holders"]]


def leases(cluster):
    return [lease["Id"] for lease in cluster.call(cluster.n1, "GET", "/leases").json()]


def keepers(lease):
    """Return the processes that keep a lease alive."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdigit() else []
        except OSError:
            continue
        if words[-2:-1] == [lease.encode()] and words[-3].endswith(b"keep_run.py"):
            found.append(int(folder.name))
    return found


def test_two_runs_of_one_play_on_one_host_take_turns(runs, tmp_path):
    work = {"ansible.builtin.raw": f"echo in >> {tmp_path}/said; sleep 0.3; echo out >> {tmp_path}/said"}
    plays = [runs.begin([take("turns"), work, {"baton.ha.lock": {"name": "turns", "state": "released"}}]) for _run in range(2)]
    for play in plays:
        said(play)
    assert (tmp_path / "said").read_text().split() == ["in", "out"] * 2


def test_a_run_that_ends_leaves_nothing_behind(cluster, runs, tmp_path):
    for tasks, status in (([take("ends")], 0), ([take("ends"), {"ansible.builtin.fail": {}}], 2)):
        runs.run(tasks, check=status)
        until(lambda: not holders(cluster, "ends"), "the lock is free", SOON)
    until(lambda: not list(tmp_path.glob("baton-*/*")), "the keeper has removed its files")


def test_a_controller_that_is_killed_frees_its_lock_within_seconds(cluster, runs):
    first = runs.begin([take("killed"), runs.gate("inside")])
    runs.reached("inside")
    second = runs.begin([take("killed"), runs.gate("second")], inventory="web-2,")
    until(lambda: cluster.call(cluster.n1, "GET", "/locks/killed").json()["Queue"], "the other run waits in line")
    kill(first)
    until(lambda: holders(cluster, "killed") == ["web-2"], "the next one is let in", SOON)
    runs.reached("second")
    runs.open("second")
    said(second)


def test_the_keeper_shows_no_token_and_holds_nothing_of_the_run(cluster, runs, tmp_path):
    environ = environ_of(cluster, tmp_path, BATON_TOKEN=cluster.token)
    play = runs.begin([take("secret"), runs.gate("shown")], environ=environ)
    runs.reached("shown")
    (keeper,) = keepers(leases(cluster)[0])
    token, folder = cluster.token.encode(), Path(f"/proc/{keeper}")
    assert token not in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
    until(lambda: {os.readlink(folder / f"fd/{number}") for number in range(3)} == {"/dev/null"}, "our pipes are let go")
    assert os.getsid(keeper) == keeper and os.readlink(folder / "cwd") == "/"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and token in path.read_bytes()]
    runs.open("shown")
    said(play)


def test_many_hosts_have_one_keeper(cluster, runs):
    hosts = ",".join(f"web-{number}" for number in range(8))
    play = runs.begin([take("many/{{ inventory_hostname }}"), {**runs.gate("all"), "run_once": True}], inventory=hosts)
    runs.reached("all")
    assert len(leases(cluster)) == 1 and len(keepers(leases(cluster)[0])) == 1
    runs.open("all")
    said(play)


def test_a_keeper_that_is_killed_is_replaced_by_the_next_task_and_nothing_is_lost(cluster, runs):
    play = runs.begin([take("first"), runs.gate("before"), take("second"), runs.gate("after")])
    runs.reached("before")
    lease, token = leases(cluster)[0], cluster.call(cluster.n1, "GET", "/locks/first").json()["Holders"][0]["Token"]
    (keeper,) = keepers(lease)
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not keepers(lease), "it is gone")
    runs.open("before")
    runs.reached("after")
    assert len(keepers(lease)) == 1 and leases(cluster) == [lease]
    assert cluster.call(cluster.n1, "GET", "/locks/first").json()["Holders"][0]["Token"] == token
    runs.open("after")
    said(play)


def test_a_lease_that_somebody_ends_stays_ended_and_the_fence_says_so(cluster, runs):
    write = {
        "baton.ha.compare_and_patch": {
            "name": "fenced",
            "patch": [{"op": "add", "path": "/Params/late", "value": True}],
            "only_under": {"lease": "{{ turn.lease }}", "token": "{{ turn.token }}"},
        },
        "register": "wrote",
        "failed_when": "wrote is not failed or 'stop what you do under it' not in wrote.msg",
    }
    again = [take("fenced"), {"ansible.builtin.assert": {"that": "turn is changed"}}]
    play = runs.begin([{"baton.ha.profile": {"name": "fenced"}}, take("fenced"), runs.gate("lost"), write, runs.gate("again"), *again])
    runs.reached("lost")
    lease = leases(cluster)[0]
    assert cluster.call(cluster.n1, "DELETE", f"/leases/{lease}").status_code == 204
    until(lambda: not keepers(lease), "its keeper has noticed")
    assert leases(cluster) == [], "and has not made it anew"
    runs.open("lost")
    runs.reached("again")
    runs.open("again")
    said(play)


def test_a_token_of_another_scope_has_a_lease_of_its_own(cluster, runs, tmp_path):
    made = cluster.call(cluster.n1, "POST", "/profiles/scoped/token")
    if made.status_code == 404:
        cluster.call(cluster.n1, "PUT", "/profiles/scoped", json={"Name": "scoped"})
        made = cluster.call(cluster.n1, "POST", "/profiles/scoped/token")
    (tmp_path / "scoped").write_text(made.json()["Token"])
    scoped = take("scoped/x", token_file=str(tmp_path / "scoped"))
    play = runs.begin([take("any"), scoped, runs.gate("both")])
    runs.reached("both")
    assert holders(cluster, "any") == holders(cluster, "scoped/x") == ["web-1"]
    assert len(leases(cluster)) == 2 and all(len(keepers(lease)) == 1 for lease in leases(cluster))
    runs.open("both")
    said(play)


def test_a_directory_that_others_may_enter_is_refused_in_one_line(cluster, runs, tmp_path):
    folder = tmp_path / f"baton-{os.geteuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    output = runs.run([take("unsafe")], check=2)
    assert "is not a directory that only you may enter: remove it, or set TMPDIR" in output and holders(cluster, "unsafe") == []
    folder.chmod(0o700)


def test_a_lock_with_a_time_of_its_own_outlives_its_run(cluster, runs):
    runs.run([take("timed", ttl="1h")])
    assert holders(cluster, "timed") == ["web-1"]
    for lease in leases(cluster):
        cluster.call(cluster.n1, "DELETE", f"/leases/{lease}")


def test_a_lock_that_was_lost_meanwhile_is_told_when_it_is_released_or_taken_again(cluster, runs, tmp_path):
    release = {"baton.ha.lock": {"name": "one", "state": "released"}}
    tasks = [take("one"), take("two"), take("three"), runs.gate("lost"), release, release, take("two")]
    never = [{"baton.ha.lock": {"name": name, "state": "released"}} for name in ("three", "never")]
    play = runs.begin([*tasks, runs.gate("three"), *never])
    runs.reached("lost")
    lease = leases(cluster)[0]
    assert cluster.call(cluster.n1, "DELETE", f"/leases/{lease}").status_code == 204
    cluster.call(cluster.n1, "POST", "/locks/one/acquire", json={"Owner": "another"})
    runs.open("lost")
    runs.reached("three")
    runs.open("three")
    words = " ".join(said(play).split())
    assert words.count("has lost lock 'one' meanwhile") == 1 and "another has it now" in words
    assert words.count("has lost lock 'two' meanwhile") == 1 and "it was taken anew" in words
    assert words.count("has lost lock 'three' meanwhile") == 1 and "nobody has it now" in words
    assert "'never'" not in words
    cluster.call(cluster.n1, "DELETE", "/locks/one")
    until(lambda: not list((tmp_path / f"baton-{os.geteuid()}").iterdir()), "the run has left nothing behind")


def test_who_releases_what_it_has_is_told_nothing_and_a_killed_keeper_s_files_go_with_the_next_run(cluster, runs, tmp_path):
    tasks = [take("kept"), take("kept"), {"baton.ha.lock": {"name": "kept", "state": "released"}}]
    play = runs.begin([*tasks, runs.gate("end")])
    runs.reached("end")
    lease = leases(cluster)[0]
    for keeper in keepers(lease):
        os.kill(keeper, signal.SIGKILL)
    until(lambda: not keepers(lease), "it is gone")
    runs.open("end")
    assert "has lost" not in said(play)
    cluster.call(cluster.n1, "DELETE", f"/leases/{lease}")
    folder = tmp_path / f"baton-{os.geteuid()}"
    assert list(folder.iterdir()), "nobody has tidied up"
    runs.run([take("kept")])
    until(lambda: not list(folder.iterdir()), "now somebody has")


def test_a_release_that_releases_nothing_says_why_if_it_is_a_mistake(cluster, runs):
    def release(name, **options):
        return {"baton.ha.lock": {"name": name, "state": "released", **options}}

    for name in ("theirs", "asked"):
        cluster.call(cluster.n1, "POST", f"/locks/{name}/acquire", json={"Owner": "another"})
    in_vain = {**take("asked", wait=False), "ignore_errors": True}
    each = [{"baton.ha.lock": {"name": "many", "each": ["a", "b"]}}, release("many"), release("many", each=["a", "b"])]
    usual = [in_vain, release("asked"), take("mine"), release("mine"), release("mine")]
    words = " ".join(runs.run([release("theirs"), *each, *usual]).split())
    assert "lock 'theirs' is held by another, and web-1, run " in words and "has not asked for it: nothing was released" in words
    assert words.count("nothing was released") == 2 and "lock 'many' was taken for each of several things: nothing was released" in words
    assert "has lost lock" not in words
    for name in ("theirs", "asked"):
        cluster.call(cluster.n1, "DELETE", f"/locks/{name}")


def test_a_lock_that_is_taken_again_without_its_time_leaves_no_lease_behind(cluster, runs):
    moved = {"ansible.builtin.assert": {"that": ["turn is changed", "turn.lease is match('run-')"]}}
    play = runs.begin([take("moved", ttl="1h"), take("moved"), moved, runs.gate("moved"), take("moved")])
    runs.reached("moved")
    assert [lease.partition("-")[0] for lease in leases(cluster)] == ["run"]
    runs.open("moved")
    said(play)
