# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl, end to end: every verb against a real batond."""

import io
import json
import subprocess
import sys
import threading
import time

import pytest

from baton.client.api import Client, ClientError, connection_from


@pytest.fixture
def profile(cluster, request):
    """The name of an empty profile of the test's own."""
    name = request.node.name.replace("[", "-").replace("]", "")[:120]
    assert cluster("profiles", "create", name).status == 0
    return name


def refused(run, text):
    assert run.status == 1, run
    assert run.out == ""
    assert text in run.err
    assert run.err.startswith("batonctl: ") and run.err.count("\n") == 1


def shown(run):
    assert run.status == 0, run
    return json.loads(run.out)


# --- documents ------------------------------------------------------------------------------------------------------


def test_a_profile_from_birth_to_death(cluster):
    assert cluster("profiles", "create", '{"Name": "life", "Description": "of a profile"}').out == "Created profile life.\n"
    refused(cluster("profiles", "create", "life"), "exists already")
    assert ["life", "0", "of", "a", "profile"] in [line.split() for line in cluster("profiles", "list").out.splitlines()]
    assert shown(cluster("-o", "json", "profiles", "show", "life"))["Description"] == "of a profile"
    assert "Revision" in cluster("profiles", "show", "life").out
    assert cluster("profiles", "update", "life", '{"Description": "new", "Params": {"a": {"b": 1}}}').status == 0
    assert cluster("profiles", "update", "life", '{"Params": {"a": {"b": null, "c": 2}}}').status == 0
    assert shown(cluster("profiles", "params", "life", "-o", "json")) == {"a": {"c": 2}}
    patch = '[{"op": "test", "path": "/Params/a/c", "value": 2}, {"op": "add", "path": "/Params/z", "value": 1}]'
    assert cluster("profiles", "patch", "life", patch).status == 0
    refused(cluster("profiles", "patch", "life", patch.replace("2}", "3}")), "found 2")
    assert cluster("profiles", "destroy", "life").out == "Deleted profile life.\n"
    refused(cluster("profiles", "destroy", "life"), "there is no profile 'life'")


def test_an_update_with_a_reference_needs_what_it_changes_to_be_as_there(cluster, profile):
    cluster("profiles", "update", profile, '{"Params": {"a": 1, "b": 1}}')
    refused(cluster("profiles", "update", profile, '{"Params": {"a": 2}}', "-r", '{"Params": {"a": 7}}'), "found 1")
    assert cluster("profiles", "update", profile, '{"Params": {"a": 2}}', "-r", '{"Params": {"a": 1, "b": 9}}').status == 0


def test_a_document_may_come_from_stdin(cluster, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"Name": "piped", "Params": {"x": [1]}}'))
    assert cluster("profiles", "create", "-").status == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO("several words\n"))
    assert cluster("profiles", "set", "piped", "param", "x", "to", "-").status == 0
    assert cluster("profiles", "get", "piped", "param", "x").out == "several words\n"


def test_a_machine_is_found_by_its_name_too(cluster):
    uuid = shown(cluster("machines", "create", '{"Name": "m-by-name", "Address": "10.0.0.9"}', "-o", "json"))["Uuid"]
    assert cluster("machines", "set", "Name:m-by-name", "param", "x", "to", "5").status == 0
    assert cluster("machines", "get", uuid, "param", "x").out == "5\n"
    assert ["m-by-name", uuid, "10.0.0.9", "-"] in [line.split() for line in cluster("machines", "list").out.splitlines()]
    refused(cluster("machines", "show", "Name:nobody"), "no machine is named 'nobody'")
    assert cluster("machines", "create", "m-by-name").status == 0
    refused(cluster("machines", "show", "Name:m-by-name"), "2 machines are named")


def test_metadata_of_a_machine(cluster):
    uuid = shown(cluster("machines", "create", "m-meta", "-o", "json"))["Uuid"]
    assert cluster("machines", "meta", "set", uuid, "key", "icon", "to", "anchor").status == 0
    assert cluster("machines", "meta", "get", uuid, "icon").out == "anchor\n"
    refused(cluster("-r", "ship", "machines", "meta", "set", uuid, "key", "icon", "to", "x"), 'found "anchor"')
    assert cluster("-r", "anchor", "machines", "meta", "set", uuid, "key", "icon", "to", "ship").status == 0
    assert shown(cluster("machines", "meta", "get", uuid, "-o", "json")) == {"icon": "ship"}
    refused(cluster("machines", "meta", "get", uuid, "colour"), "has no metadata 'colour'")


# --- params ---------------------------------------------------------------------------------------------------------


def test_compare_and_patch_takes_a_bare_string_and_json_alike(cluster, profile):
    cluster("profiles", "set", profile, "param", "my/leader", "to", "none")
    refused(cluster("-r", "n7", "profiles", "set", profile, "param", "my/leader", "to", "n1"), 'found "none"')
    assert cluster("-r", "none", "profiles", "set", profile, "param", "my/leader", "to", "n1").status == 0
    assert cluster("-r", '"n1"', "profiles", "set", profile, "param", "my/leader", "to", "n2").status == 0
    assert cluster("profiles", "get", profile, "param", "my/leader").out == "n2\n"
    assert cluster("profiles", "get", profile, "param", "my/leader", "-o", "json").out == '"n2"\n'


def test_compare_and_patch_sees_the_default_of_the_schema(cluster, profile):
    assert cluster("params", "create", '{"Name": "seat/of", "Schema": {"type": "string", "default": "none"}}').status == 0
    assert ["seat/of", "string", '"none"'] in [line.split() for line in cluster("params", "list").out.splitlines()]
    assert cluster("-r", "none", "profiles", "set", profile, "param", "seat/of", "to", "n1").status == 0
    refused(cluster("-r", "none", "profiles", "set", profile, "param", "seat/of", "to", "n2"), 'found "n1"')


def test_an_empty_reference_is_compared_and_not_ignored(cluster, profile):
    cluster("profiles", "set", profile, "param", "x", "to", "1")
    refused(cluster("-r", "", "profiles", "set", profile, "param", "x", "to", "2"), "found 1")


def test_add_looks_at_its_own_param_only(cluster, profile):
    assert cluster("profiles", "add", profile, "param", "a", "1").status == 0
    assert cluster("profiles", "add", profile, "param", "b", '{"c": [true]}').status == 0
    refused(cluster("profiles", "add", profile, "param", "a", "2"), "is set already")
    assert shown(cluster("profiles", "params", profile, "-o", "json")) == {"a": 1, "b": {"c": [True]}}


def test_remove(cluster, profile):
    cluster("profiles", "set", profile, "param", "a", "to", "1")
    refused(cluster("-r", "true", "profiles", "remove", profile, "param", "a"), "found 1")
    assert cluster("-r", "1", "profiles", "remove", profile, "param", "a").status == 0
    refused(cluster("profiles", "remove", profile, "param", "a"), "is not set")
    refused(cluster("-r", "1", "profiles", "remove", profile, "param", "a"), "nothing is set")


def racing(count, work):
    """Run ``work(number)`` in threads at once; return what it returned, in order."""
    results, ready = [None] * count, threading.Barrier(count)

    def run(number):
        ready.wait(30)
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.parametrize("how", ["swap", "add"])
def test_of_16_racers_one_wins(cluster, profile, node, how):
    url, token_file = node
    connection = connection_from({"url": url, "token_file": str(token_file)}, {})
    cluster("profiles", "set", profile, "param", "swap", "to", "none")

    def race(number):
        with Client(connection) as client:
            try:
                if how == "swap":
                    client.swap_param("profiles", profile, "swap", "none", number)
                else:
                    client.add_param("profiles", profile, "add", number)
            except ClientError as error:
                return error.kind
            return number

    results = racing(16, race)
    winners = [result for result in results if isinstance(result, int)]
    assert len(winners) == 1
    assert results.count("conflict") == 15
    assert cluster("profiles", "get", profile, "param", how).out == f"{winners[0]}\n"


def test_racing_merges_lose_nothing(cluster, profile, node):
    connection = connection_from({"url": node[0], "token_file": str(node[1])}, {})

    def merge(number):
        with Client(connection) as client:
            return client.merge("profiles", profile, {"Params": {"all": {f"k{number}": number}}}).status

    assert racing(8, merge) == [200] * 8
    assert shown(cluster("profiles", "get", profile, "param", "all")) == {f"k{number}": number for number in range(8)}


def test_waiting_ends_when_the_value_comes(cluster, profile, node):
    connection = connection_from({"url": node[0], "token_file": str(node[1])}, {})
    with Client(connection) as client:

        def wait(number):
            if number:
                return client.set_param("profiles", profile, "done", "yes").status
            with Client(connection) as waiter:
                return waiter.wait("profiles", profile, "done", "equals", "yes", timeout=60).body

        assert racing(2, wait) == ["yes", 204]


def test_wait_verbs(cluster, profile):
    cluster("profiles", "set", profile, "param", "x", "to", "1")
    assert cluster("profiles", "wait", profile, "param", "x").out == "1\n"
    assert cluster("profiles", "wait", profile, "param", "x", "differs", "2").out == "1\n"
    assert cluster("profiles", "wait", profile, "param", "y", "absent").out == f"y is not set on {profile}.\n"
    began = time.monotonic()
    refused(cluster("profiles", "wait", profile, "param", "x", "equals", "2", "--wait-timeout", "0.3"), "found 1")
    refused(cluster("profiles", "wait", profile, "param", "x", "changed", "--wait-timeout", "0.3"), "found 1")
    assert time.monotonic() - began < 30


# --- files, tokens, ha ----------------------------------------------------------------------------------------------


def test_a_file_there_and_back(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = bytes(range(256)) * 20000
    (tmp_path / "big").write_bytes(content)
    (tmp_path / "empty").write_bytes(b"")
    assert cluster("files", "upload", "big", "as", "iso/ä b").out.startswith("Stored iso/ä b (4.9 MiB, SHA-256 ")
    assert cluster("files", "upload", "big", "as", "iso/ä b").out.startswith("Already stored")
    assert cluster("files", "upload", "empty").status == 0
    assert [file["Path"] for file in shown(cluster("files", "list", "iso/", "-o", "json"))] == ["iso/ä b"]
    assert cluster("files", "download", "iso/ä b", "to", "copy").status == 0
    assert (tmp_path / "copy").read_bytes() == content
    (tmp_path / "empty").unlink()
    assert cluster("files", "download", "empty").status == 0
    assert (tmp_path / "empty").read_bytes() == b""
    assert cluster("files", "destroy", "iso/ä b").status == 0
    refused(cluster("files", "download", "iso/ä b", "to", "copy"), "there is no file")
    assert cluster("files", "upload", "nothing-here").status == 2
    assert cluster("files", "download", "empty", "to", "/nonexistent/x").status == 2


def test_a_profile_token_opens_its_profile_and_nothing_else(cluster, profile, monkeypatch):
    token = cluster("profiles", "token", profile, "--ttl", "2h").out.strip()
    monkeypatch.setenv("BATON_TOKEN", token)
    assert cluster("profiles", "set", profile, "param", "x", "to", "1").status == 0
    refused(cluster("profiles", "list"), "does not allow")
    monkeypatch.delenv("BATON_TOKEN")
    ids = [made["Id"] for made in shown(cluster("tokens", "list", "-o", "json")) if made["Scope"].get("name") == profile]
    assert cluster("tokens", "revoke", ids[0]).status == 0
    monkeypatch.setenv("BATON_TOKEN", token)
    refused(cluster("profiles", "show", profile), "unknown, expired or revoked")


def test_tokens_are_listed_without_their_secrets(cluster):
    made = shown(cluster("tokens", "create", "--description", "for the test", "--ttl", "1h", "-o", "json"))
    listed = cluster("tokens", "list").out
    assert made["Id"] in listed and "for the test" in listed and "admin" in listed
    assert made["Token"] not in listed


@pytest.mark.parametrize(
    ("words", "name", "reads"),
    [
        (["--viewer"], "viewer", True),
        (["--project", "acme"], "project acme", False),
        (["--project", "acme", "--viewer"], "viewer of project acme", False),
    ],
    ids=["viewer", "project", "both"],
)
def test_tokens_of_viewers_and_projects(cluster, profile, monkeypatch, words, name, reads):
    made = shown(cluster("tokens", "create", *words, "--ttl", "1h", "-o", "json"))
    assert [line for line in cluster("tokens", "list").out.splitlines() if made["Id"] in line and name in line]
    monkeypatch.setenv("BATON_TOKEN", made["Token"])
    assert (cluster("profiles", "show", profile).status == 0) == reads
    refused(cluster("profiles", "set", profile, "param", "x", "to", "1"), "does not allow")


def test_a_token_is_not_for_a_profile_and_a_project(cluster, profile):
    run = cluster("tokens", "create", "--profile", profile, "--viewer")
    assert (run.status, run.out) == (2, "") and "not for both" in run.err


def test_locks(cluster):
    assert cluster("locks", "list").out == "Nobody holds a lock.\n"
    token = int(cluster("locks", "acquire", "deploy/web", "--owner", "a", "--ttl", "1m").out)
    assert int(cluster("locks", "acquire", "deploy/web", "--owner", "a", "--ttl", "1m").out) == token
    assert int(cluster("locks", "acquire", "deploy/web", "--owner", "a", "--ttl", "2m").out) == token, "another TTL is no release"
    refused(cluster("locks", "acquire", "deploy/web", "--owner", "b"), "lock 'deploy/web' is held by a")
    refused(cluster("locks", "acquire", "deploy/web", "--owner", "b", "--wait", "0.1"), "(waited 0.1 s)")
    assert [line.split() for line in cluster("locks", "list").out.splitlines()][1] == ["deploy/web", "1", "a", "-"]
    assert cluster("locks", "show", "deploy/web").out.splitlines()[1].split()[:3] == ["a", "holds", str(token)]
    refused(cluster("locks", "release", "deploy/web", "--owner", "b"), "nothing was changed")
    assert cluster("locks", "release", "deploy/web", "--owner", "a").out == "a released deploy/web.\n"
    assert shown(cluster("locks", "acquire", "x", "--ttl", "0", "-o", "json"))["Lease"] is None
    assert cluster("locks", "break", "x").out == "Took x from everybody.\n"
    assert cluster("locks", "show", "x").out == "Nobody holds x.\n"
    assert cluster("locks", "acquire", "x", "--ttl", "soon").status == 2


def test_ha_status(cluster, node):
    lines = cluster("ha", "status").out.splitlines()
    assert lines[0].startswith("n1 is active in epoch ")
    assert lines[1] == "No node can take over by itself: none is in sync that may; the store is local."
    assert [line.split() for line in lines[3:]] == [
        ["NODE", "ROLE", "STATE", "IN", "SYNC", "ELECTABLE", "LAG", "HEARD", "URL"],
        ["n1", "active", "Up", "yes", "yes", "-", "-", node[0]],
    ]
    assert shown(cluster("ha", "status", "-o", "json"))["active"] == "n1"
    assert [peer["id"] for peer in shown(cluster("ha", "peers", "-o", "json"))] == ["n1"]


def test_ha_orders_that_are_refused(cluster):
    refused(cluster("ha", "switch"), "no passive is in sync")
    refused(cluster("ha", "passive"), "no passive is in sync")
    refused(cluster("ha", "remove", "n9"), "n9")
    refused(cluster("ha", "create", "--cluster-id", "x"), "")
    assert cluster("ha", "active").out.startswith("n1 is active in epoch")


def test_ha_history_pause_and_schedule(cluster):
    (reign,) = shown(cluster("ha", "history", "-o", "json"))[-1:]
    assert reign["Node"] == "n1" and cluster("ha", "history").out.splitlines()[0].split() == ["EPOCH", "ACTIVE", "SINCE", "WHY"]
    assert cluster("ha", "pause").out.startswith("Paused: nobody becomes active")
    paused = cluster("ha", "status")
    assert paused.status == 1 and "Paused since 20" in paused.out and "nobody becomes active by itself until" in paused.out
    assert cluster("ha", "resume").status == 0
    assert cluster("ha", "switch", "--at", "+1h").out.startswith("The active role moves to the best passive on 2")
    assert "A switch to the best passive is scheduled for 2" in cluster("ha", "status").out
    assert cluster("ha", "switch", "--cancel").status == 0
    refused(cluster("ha", "switch", "--cancel"), "no switch is scheduled")
    refused(cluster("ha", "switch", "--at", "2001-01-01T00:00"), "has passed")
    assert cluster("ha", "switch", "--at", "soon").status == 2


# --- as programs ----------------------------------------------------------------------------------------------------


def test_the_zipapp_runs_and_answers_in_json_under_the_name_drpcli(programs, node, tmp_path):
    environ = {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "RS_ENDPOINT": node[0], "RS_TOKEN": node[1].read_text().strip()}
    (tmp_path / "drpcli").symlink_to(programs / "batonctl.pyz")
    table = subprocess.run([programs / "batonctl.pyz", "ha", "status"], env=environ, capture_output=True, text=True, check=False)
    assert table.stdout.startswith("n1 is active"), table.stderr
    as_json = subprocess.run([tmp_path / "drpcli", "profiles", "list"], env=environ, capture_output=True, text=True, check=False)
    assert isinstance(json.loads(as_json.stdout), list)
    error = subprocess.run([tmp_path / "drpcli", "profiles", "show", "nope"], env=environ, capture_output=True, text=True, check=False)
    assert (error.returncode, error.stdout, error.stderr) == (1, "", "drpcli: there is no profile 'nope'\n")


def test_a_reader_that_leaves_early_is_no_error(programs, node):
    environ = {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "BATON_URL": node[0], "BATON_TOKEN_FILE": str(node[1])}
    command = f"{programs / 'batonctl.pyz'} -o json profiles list | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
