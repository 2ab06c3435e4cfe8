# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task wait_for against a real node: machines by their name."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.cluster import Cluster
from support.tasks import run


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("wait-for"), 1, "local") as cluster:
        yield cluster


def machine(cluster, uuid, name, **params):
    cluster.call(cluster.n1, "PUT", f"/machines/{uuid}", json={"Uuid": uuid, "Name": name, "Params": params})


def wait(cluster, **options):
    return run(cluster, "wait_for", kind="machines", **{"wait_timeout": 20, **options})


def test_a_machine_is_named_as_elsewhere(cluster):
    machine(cluster, "u1", "web-1", rack="r7")
    assert wait(cluster, name="Name:web-1", param="rack")["value"] == "r7"
    assert wait(cluster, name="Name:web-1", param="rack", condition="equals", value="r7")["value"] == "r7"
    late = wait(cluster, name="Name:web-1", param="rack", condition="absent", wait_timeout=0.1)
    assert late["failed"] and 'absent; found "r7"' in late["msg"]
    assert not wait(cluster, name="Name:web-1", param="slot", condition="absent").get("failed")


def test_a_machine_of_a_name_that_nobody_has_yet_is_waited_for(cluster):
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(wait, cluster, name="Name:late", param="rack")
        machine(cluster, "late", "late", rack="r1")
        assert waiting.result()["value"] == "r1"


def test_what_is_absent_with_its_machine_is_absent(cluster):
    result = wait(cluster, name="Name:nobody", param="rack", condition="absent", wait_timeout=0.1)
    assert not result.get("failed") and result["value"] is None


def test_a_count_may_be_the_text_that_a_template_gives(cluster):
    machine(cluster, "counted", "counted")
    assert len(wait(cluster, condition="count", value="1", filter={"Name": "counted"})["value"]) == 1


@pytest.mark.parametrize("value", ["one", "-1", "٣", "", "9" * 5000])
def test_what_is_no_count_is_refused_in_one_line(cluster, value):
    result = wait(cluster, condition="count", value=value)
    assert result["failed"] and "number of members" in result["msg"] and "\n" not in result["msg"]
