# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of Valkey and Redis: which can be set, and that none of them can hide a loss."""

import pytest

from baton.datastores.host.valkey.config import OURS
from baton.datastores.service.api.parameters import PARAMETERS, checked
from baton.ground.problem import Problem

KNOWN = PARAMETERS["redis"]


def test_what_may_be_set_is_nothing_that_a_guest_refuses():
    assert not {name for name, known in KNOWN.items() if not known.read_only} & OURS
    assert {name for name, known in KNOWN.items() if known.read_only} <= OURS


@pytest.mark.parametrize("name", ["appendonly", "appendfsync", "min-replicas-to-write", "save", "replicaof", "no-appendfsync-on-rewrite"])
def test_what_writes_are_kept_by_is_read_only(name):
    with pytest.raises(Problem, match="read-only"):
        checked("valkey", {name: "no"})


@pytest.mark.parametrize(("name", "value"), [("maxmemory-policy", "best"), ("maxmemory", 1), ("hz", 0), ("activedefrag", "yes")])
def test_values_that_can_not_be(name, value):
    with pytest.raises(Problem, match=name):
        checked("valkey", {name: value})
    assert checked("valkey", {"maxmemory-policy": "allkeys-lru", "hz": 20}) == {"maxmemory-policy": "allkeys-lru", "hz": 20}
