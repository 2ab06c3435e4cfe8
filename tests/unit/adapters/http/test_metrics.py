# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics are declared in one place, docs/reference/metrics.md lists the same ones, and each is what Prometheus takes."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from baton.adapters.http.metrics import METRICS, PREFIX, Seen, text_of
from support.cluster import ROOT
from support.one_node import OneNode

PAGE = ROOT / "docs" / "reference" / "metrics.md"
SOURCE = ROOT / "plugins" / "module_utils" / "_baton"
ROW = re.compile(r"\| `(\w+)` \| (gauge|counter) \| (.*?) \| (.*) \|")
NODE = {"id": "n1", "in_sync": True, "last_contact": 0.5, "lag": {"entries": 1, "bytes": 100, "seconds": 0.25}}
DRIVER = {"id": "web", "state": "active", "connected": True, "healthy": None, "failures": 2, "last_change": 1700000000.5, "seconds": 1.5}
CONNECTIONS = {
    "used": 3, "without_token": 1, "with_token": 1, "nodes": 1, "pushed_out": 7,
    "limit": 100, "limit_without_token": 50, "limit_with_token": 40,
}  # fmt: skip


@pytest.fixture
def seen():
    """Return what a node says of which everything is known; all but what is added here is as the node has it."""
    status = OneNode().service.status()
    more = {"duplicates": {"n2": 'at "a"\nand \\b'}, "dcs_writable": True, "nodes": [NODE], "connections": CONNECTIONS}
    return Seen({**status, **more, "certificates": {"api.crt": 1.8e9}}, [DRIVER], (0.0123, 0.01))


def families(seen):
    return {family.name: family for family in text_string_to_metric_families(text_of(seen))}


def test_the_page_lists_what_is_declared():
    listed = [ROW.match(line).groups() for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    declared = [(PREFIX + it.name, it.type, ", ".join(f"`{label}`" for label in it.labels) or "-", it.help) for it in METRICS]
    assert listed == declared


def test_each_has_a_sample_where_everything_is_known(seen):
    found = families(seen)
    assert [PREFIX + metric.name.removesuffix("_total") for metric in METRICS] == list(found)
    for metric, family in zip(METRICS, found.values()):
        assert (family.documentation, family.type) == (metric.help, metric.type)
        assert family.samples and all(tuple(sample.labels) == metric.labels for sample in family.samples)


def test_counters_are_called_total_and_nothing_else_is():
    assert {metric.name for metric in METRICS if metric.type == "counter"} == {m.name for m in METRICS if m.name.endswith("_total")}


def test_what_is_not_known_is_left_out(seen):
    unknown = seen._replace(status={**seen.status, "dcs_writable": None, "connections": {}, "nodes": [{**NODE, "lag": None}]}, drivers=[])
    gone = set(families(seen)) - set(families(unknown))
    assert gone >= {"baton_dcs_writable", "baton_connections", "baton_member_lag_bytes", "baton_driver_active"}
    assert "baton_member_in_sync" not in gone


def test_a_label_may_have_any_text(seen):
    (sample,) = families(seen)["baton_duplicate_node"].samples
    assert sample.labels == {"node": "n2", "where": 'at "a" and \\b'}


def test_no_other_file_makes_metrics():
    makers = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if "# TYPE" in path.read_text()}
    assert makers == {"adapters/http/metrics.py", "datastores/service/metrics.py"}  # a program each
