# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What drpcli's words and its name change, verb by verb, against a real batond. The loops are in test_drpcli_loops.py."""

import json
import re
import sys
import threading

import pytest

from baton.client.api import Client, connection_from


@pytest.fixture
def drpcli(cluster, monkeypatch):
    """batonctl under that name."""
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/drpcli"])
    return cluster


@pytest.fixture
def profile(drpcli, request):
    """The name of an empty profile of the test's own."""
    name = re.sub("[^a-zA-Z0-9-]+", "-", request.node.name)[:120]
    assert drpcli("profiles", "create", name).status == 0
    return name


@pytest.fixture
def machine(drpcli, profile):
    """The UUID of a machine that has the profile."""
    return shown(drpcli("machines", "create", json.dumps({"Name": profile, "Profiles": ["no-such-profile", profile]})))["Uuid"]


def shown(run):
    assert run.status == 0, run
    return json.loads(run.out)


def refused(run, text):
    assert (run.status, run.out) == (1, ""), run
    assert text in run.err and run.err.count("\n") == 1


# --- params ---------------------------------------------------------------------------------------------------------


def test_only_drpcli_says_null_for_a_param_that_is_not_set(drpcli, profile, monkeypatch):
    assert drpcli("profiles", "get", profile, "param", "x").out == "null\n"
    refused(drpcli("profiles", "get", "no-such-profile", "param", "x"), "there is no profile")
    monkeypatch.setattr(sys, "argv", ["batonctl"])
    refused(drpcli("profiles", "get", profile, "param", "x", "-o", "json"), "is not set")


def test_null_as_a_reference_means_not_set_too(drpcli, profile, monkeypatch):
    assert drpcli("-r", "null", "profiles", "set", profile, "param", "x", "to", "[1]").status == 0
    refused(drpcli("-r", "null", "profiles", "set", profile, "param", "x", "to", "[2]"), "found [1]")
    assert drpcli("profiles", "set", profile, "param", "x", "to", "null").status == 0
    assert drpcli("-r", "null", "profiles", "set", profile, "param", "x", "to", "[3]").status == 0
    monkeypatch.setattr(sys, "argv", ["batonctl"])
    refused(drpcli("-r", "null", "profiles", "set", profile, "param", "y", "to", "1"), "nothing is set")


def test_what_get_prints_is_a_reference(drpcli, profile):
    for value in ("none", '"none"', '"5"', "5", '"true"', '{"a": [1, null]}', '"two words"', '""'):
        assert drpcli("profiles", "set", profile, "param", "x", "to", value).status == 0
        printed = drpcli("profiles", "get", profile, "param", "x").out.rstrip("\n")
        assert drpcli("-r", printed, "profiles", "set", profile, "param", "x", "to", "next").status == 0, value


def test_add_with_and_without_to(drpcli, profile):
    assert drpcli("profiles", "add", profile, "param", "a", "to", "1").out == "1\n"
    assert drpcli("profiles", "add", profile, "param", "b", '["c"]').status == 0
    assert drpcli("profiles", "add", profile, "param", "d", "to").status == 0
    assert drpcli("profiles", "add", profile, "param", "e", "-o", "json", "to", "to").status == 0
    refused(drpcli("profiles", "add", profile, "param", "a", "to", "2"), "is set already")
    assert shown(drpcli("profiles", "params", profile)) == {"a": 1, "b": ["c"], "d": "to", "e": "to"}


def test_aggregate_is_the_machines_then_its_profiles_then_the_default(drpcli, profile, machine):
    def aggregated(name):
        return drpcli("machines", "get", machine, "param", name, "--aggregate").out

    name = "aggregated/" + profile
    assert aggregated(name) == "null\n"
    assert drpcli("params", "create", json.dumps({"Name": name, "Schema": {"default": "of the schema"}})).status == 0
    assert aggregated(name) == '"of the schema"\n'
    assert drpcli("profiles", "set", profile, "param", name, "to", "of the profile").status == 0
    assert aggregated(name) == '"of the profile"\n'
    assert drpcli("machines", "get", machine, "param", name).out == '"of the schema"\n'
    assert drpcli("machines", "set", machine, "param", name, "to", "its own").status == 0
    assert aggregated(name) == '"its own"\n'
    refused(drpcli("machines", "get", "no-such-machine", "param", name, "--aggregate"), "there is no machine")


# --- metadata -------------------------------------------------------------------------------------------------------


def test_meta_add_and_remove(drpcli, machine):
    assert drpcli("machines", "meta", "add", machine, "key", "icon", "val", "anchor").out == '"anchor"\n'
    assert drpcli("machines", "meta", "add", machine, "key", "a/b~c", "to", "1").status == 0
    refused(drpcli("machines", "meta", "add", machine, "key", "icon", "val", "ship"), 'is set already: found "anchor"; nothing was changed')
    refused(drpcli("-r", "ship", "machines", "meta", "remove", machine, "key", "icon"), 'found "anchor"')
    assert drpcli("-r", "anchor", "machines", "meta", "remove", machine, "key", "icon").status == 0
    assert drpcli("machines", "meta", "remove", machine, "key", "nothing").status == 1
    assert shown(drpcli("machines", "meta", "get", machine)) == {"a/b~c": 1}
    assert drpcli("machines", "meta", "add", "Name:nobody", "key", "icon", "val", "ship").status == 1


def test_racing_meta_adds_of_different_keys_all_succeed(drpcli, machine):
    ready, statuses = threading.Barrier(6), []

    def add(number):
        ready.wait(30)
        statuses.append(drpcli("machines", "meta", "add", machine, "key", f"k{number}", "val", "1").status)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [0] * 6
    assert shown(drpcli("machines", "meta", "get", machine)) == {f"k{number}": 1 for number in range(6)}


# --- waiting for a field --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [("Stage", "done"), ("Stage", '"done"'), ("Runnable", "true"), ("Tries", "3"), ("Zip", "08010"), ("Zip5", "5"),
     ("Nothing", ""), ("Nothing", "null"), ("Workflow", ""), ("Tasks", '["a", "b"]'), ("Meta", '{"icon": "x"}')],
)  # fmt: skip
def test_a_field_that_has_the_value_already(drpcli, machine, field, value):
    fields = {"Stage": "done", "Runnable": True, "Tries": 3, "Zip": "08010", "Zip5": "5", "Workflow": "", "Tasks": ["a", "b"]}
    assert drpcli("machines", "update", machine, json.dumps({**fields, "Meta": {"icon": "x"}})).status == 0
    assert drpcli("machines", "wait", machine, field, value, "0.2").out == "complete\n"


@pytest.mark.parametrize(("field", "value"), [("Runnable", "1"), ("Tries", "true"), ("Stage", "Done"), ("Nothing", "x")])
def test_a_field_that_never_has_it(drpcli, machine, field, value):
    assert drpcli("machines", "update", machine, '{"Runnable": true, "Tries": 1, "Stage": "done"}').status == 0
    run = drpcli("machines", "wait", machine, field, value, "--wait-timeout", "0.1")
    assert (run.status, run.out) == (1, "timeout\n")
    assert f"waited 0.1 s in vain for {field} to be " in run.err and run.err.count("\n") == 1


def test_a_wait_for_a_field_sees_past_other_changes(drpcli, machine, node):
    """Each change wakes it; only the last one ends it."""
    with Client(connection_from({"url": node[0], "token_file": str(node[1])}, {})) as client:

        def change():
            for number in range(5):
                client.merge("machines", machine, {"Stage": f"stage-{number}"})

        thread = threading.Thread(target=change)
        thread.start()
        assert drpcli("machines", "wait", "Name:" + client.get("machines", machine).body["Name"], "Stage", "stage-4").out == "complete\n"
        thread.join(30)


def test_a_machine_that_is_deleted_ends_the_wait(drpcli, machine, node):
    with Client(connection_from({"url": node[0], "token_file": str(node[1])}, {})) as client:
        thread = threading.Thread(target=client.delete, args=("machines", machine))
        thread.start()
        refused(drpcli("machines", "wait", machine, "Stage", "never", "60"), "there is no machine")
        thread.join(30)


def test_a_day_is_the_default_of_a_field_and_our_own_form_keeps_its_own(drpcli, profile):
    assert drpcli("profiles", "wait", profile, "Name", profile).out == "complete\n"
    assert drpcli("profiles", "wait", profile, "param", "x", "absent").status == 0
    assert drpcli("profiles", "set", profile, "param", "x", "to", "1").status == 0
    assert drpcli("profiles", "wait", profile, "param", "x", "equals", "1").out == "1\n"


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_a_users_token(drpcli, monkeypatch):
    made = shown(drpcli("users", "token", "alice", "ttl", "3y"))
    listed = {token["Id"]: token for token in shown(drpcli("tokens", "list"))}
    assert made["Scope"] == {"kind": "admin"} and listed[made["Id"]]["Description"] == "user alice"
    assert made["Expires"] - listed[made["Id"]]["Created"] == 3 * 365 * 86400
    hour = shown(drpcli("users", "token", "bob"))
    assert hour["Expires"] - {t["Id"]: t for t in shown(drpcli("tokens", "list"))}[hour["Id"]]["Created"] == 3600
    assert drpcli("users", "token", "bob", "ttl", "soon").status == 2
    monkeypatch.setenv("BATON_TOKEN", made["Token"])
    assert drpcli("profiles", "list").status == 0
