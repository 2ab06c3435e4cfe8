# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""compare_and_patch with what is not set, with numbers that came as text, and with machines by name: real runs, and check mode."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from baton.tasks.common import text_for_numbers
from support.cluster import Cluster
from support.tasks import run


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("compare"), 1, "local") as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def documents(cluster):
    cluster.call(cluster.n1, "PUT", "/profiles/p", json={"Name": "p", "Params": {"one": 1, "null": None}})
    cluster.call(cluster.n1, "PUT", "/params/preset", json={"Name": "preset", "Schema": {"default": "none"}})
    cluster.call(cluster.n1, "PUT", "/machines/m1", json={"Uuid": "m1", "Name": "web-1"})


def stands(cluster, param, kind="profiles/p"):
    """Return what is set, as a list of none or one."""
    answer = cluster.call(cluster.n1, "GET", f"/{kind}/params/{param}?default=no")
    return [answer.json()] if answer.status_code == 200 else []


def both(cluster, **options):
    """Run in check mode, then really; return the second result, of which the first must have told the truth."""
    foreseen = run(cluster, "compare_and_patch", check=True, **options)
    done = run(cluster, "compare_and_patch", **options)
    assert not done.get("failed"), done
    for member in ("changed", "won", "found", "value", "diff"):
        assert foreseen[member] == done[member], (member, foreseen, done)
    return done


# --- what is not set ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"expect_unset": True, "value": None}, {"patch": [{"op": "add", "path": "", "value": None}]}]
)
@pytest.mark.parametrize("batch", [False, True])
def test_null_is_a_change_of_what_is_not_set(cluster, options, batch):
    item = {"name": "p", "param": "x", **options}
    done = both(cluster, **({"batch": [item]} if batch else item))
    assert done["changed"] and stands(cluster, "x") == [None]
    if not batch:
        assert done["diff"] == {"before": {}, "after": {"value": None}}


def test_who_expects_null_does_not_find_it_where_nothing_is_set(cluster):
    for param, won in (("never", False), ("null", True)):
        swap = {"name": "p", "param": param, "expect": None, "value": 1}
        for options in ({"batch": [swap]}, swap):
            assert both(cluster, **options)["won"] == won
            cluster.call(cluster.n1, "PUT", "/profiles/p", json={"Params": {"null": None}})


def test_a_profile_in_check_mode_says_that_null_is_set(cluster):
    for check in (True, False):
        result = run(cluster, "profile", check, name="p", params={"never": None})
        assert result["changed"] and result["diff"] == {"before": {}, "after": {"Params": {"never": None}}}
    assert not run(cluster, "profile", name="p", params={"never": None})["changed"]


def test_a_param_that_is_unset_by_a_patch_is_seen_to_be(cluster):
    done = both(cluster, name="p", param="one", patch=[{"op": "remove", "path": ""}])
    assert done["changed"] and done["value"] is None and done["diff"]["after"] == {} and stands(cluster, "one") == []


def test_whoever_is_first_claims_what_is_not_set(cluster):
    def claim(number):
        return run(cluster, "compare_and_patch", name="p", param="slot", expect_unset=True, value=f"c{number}", timeout=30)

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(claim, range(16)))
    (winner,) = [result for result in results if result["won"]]
    assert winner["changed"] and winner["found"] is None and winner["diff"]["before"] == {} and winner["revision"]
    assert {result["value"] for result in results} == {winner["value"]}, "who lost is told what stands"
    again = both(cluster, name="p", param="slot", expect_unset=True, value=winner["value"])
    assert again["won"] and not again["changed"], "who has claimed it already has it"
    lost = both(cluster, name="p", param="slot", expect_unset=True, value="late")
    assert not lost["won"] and lost["value"] == winner["value"]


def test_the_default_of_a_schema_does_not_count_as_set(cluster):
    assert both(cluster, name="p", param="preset", expect_unset=True, value="me")["changed"]
    assert stands(cluster, "preset") == ["me"]


def test_a_claim_is_tied_to_a_lease_and_made_only_under_one(cluster):
    run(cluster, "lease", id="life", ttl="1h")
    claim = {"name": "p", "param": "slot", "expect_unset": True, "value": 1}
    assert run(cluster, "compare_and_patch", lease="life", **claim)["won"]
    run(cluster, "lease", id="life", state="absent")
    assert stands(cluster, "slot") == []
    fenced = run(cluster, "compare_and_patch", only_under={"lease": "life", "token": 1}, **claim)
    assert fenced["failed"] and stands(cluster, "slot") == []


def test_a_batch_claims_all_or_nothing_and_says_what_was_in_the_way(cluster):
    def claims(*params):
        return [{"name": "p", "param": param, "expect_unset": True, "value": "me"} for param in params]

    lost = both(cluster, batch=claims("free", "one"))
    assert (lost["won"], lost["found"], lost["lost"]) == (False, 1, 1) and stands(cluster, "free") == []
    swap = {"name": "p", "param": "free", "expect": "me", "value": "you"}
    won = both(cluster, batch=[*claims("free", "other"), swap])
    assert won["found"] == [None, None, "me"] and stands(cluster, "free") == ["you"]
    assert not both(cluster, batch=claims("other"))["won"], "in a batch what stands there already is compared, too"


# --- numbers that came as text ------------------------------------------------------------------------------------------

TEXTS = [
    (3, "3", "4", 4),
    (3, "3", "four", "four"),
    (3, "3", 4, 4),
    (2.5, "2.5", "-1e2", -100.0),
    (True, "true", "false", False),
    (3, 3, "4", 4),  # a bare variable keeps its type there, an expression does not
]


@pytest.mark.parametrize(("there", "expect", "value", "left"), TEXTS)
@pytest.mark.parametrize("batch", [False, True])
def test_text_is_a_number_where_a_number_stands_under_an_old_core_only(cluster, there, expect, value, left, batch):
    cluster.call(cluster.n1, "PUT", "/profiles/p/params/n", json=there)
    item = {"name": "p", "param": "n", "expect": expect, "value": value}
    options = {"batch": [item]} if batch else item
    new = run(cluster, "compare_and_patch", check=True, **options)
    assert new["won"] == (expect is there), "a newer core keeps types: the text is meant"
    assert not new["won"] or new["value"] == ([value] if batch else value)
    for check in (True, False):
        old = run(cluster, "compare_and_patch", check, text_for_numbers=True, **options)
        assert old["won"] and old["changed"]
        assert (old["found"], old["value"]) == (([there], [left]) if batch else (there, left))
        assert stands(cluster, "n") == [there if check else left]


def test_a_number_that_stands_there_already_is_known_by_its_text(cluster):
    for options in ({"expect": "7"}, {"expect_unset": True}):
        for check in (True, False):
            swap = {"name": "p", "param": "one", "value": "1", **options}
            old = run(cluster, "compare_and_patch", check, text_for_numbers=True, **swap)
            assert (old["won"], old["changed"], old["value"]) == (True, False, 1)


OTHER = [(3, "4"), (3, " 3"), (3, "0x3"), (1, "true"), (True, "1"), ("3", 3), (None, "null"), ([3], "[3]")]


@pytest.mark.parametrize(("there", "expect"), OTHER)
def test_other_text_is_text(cluster, there, expect):
    cluster.call(cluster.n1, "PUT", "/profiles/p/params/n", data=json.dumps(there))
    for check in (True, False):
        swap = {"name": "p", "param": "n", "expect": expect, "value": "5"}
        result = run(cluster, "compare_and_patch", check, text_for_numbers=True, **swap)
        assert not result["won"] and stands(cluster, "n") == [there]


def test_text_that_stands_there_stays_text(cluster):
    cluster.call(cluster.n1, "PUT", "/profiles/p/params/n", json="3")
    swap = {"name": "p", "param": "n", "expect": "3", "value": "4"}
    assert run(cluster, "compare_and_patch", text_for_numbers=True, **swap)["value"] == "4"


VERSIONS = {"2.17.14": True, "2.18.1rc1": True, "2.19.0": False, "3.0": False, "0.0": False, "": False}


@pytest.mark.parametrize(("version", "text"), VERSIONS.items())
def test_which_core_makes_text_of_numbers(version, text):
    assert text_for_numbers(version) == text


# --- machines -----------------------------------------------------------------------------------------------------------


def test_a_machine_by_its_name(cluster):
    options = {"kind": "machines", "name": "Name:web-1"}
    assert both(cluster, **options, param="slot", expect_unset=True, value=1)["won"]
    assert both(cluster, **options, patch=[{"op": "add", "path": "/Meta/icon", "value": "x"}])["changed"]
    assert both(cluster, batch=[{**options, "param": "slot", "expect": 1, "value": 2}])["won"]
    assert stands(cluster, "slot", "machines/m1") == [2]
    lost = run(cluster, "compare_and_patch", **options, param="slot", expect=1, value=2)
    assert lost["won"], "it stands there already"
    lost = run(cluster, "compare_and_patch", **options, param="slot", expect=1, value=3)
    assert "of machine 'Name:web-1' is not 1 but 2" in lost["msg"]
