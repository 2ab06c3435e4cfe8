# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a set is JSON, comes back as it was, and shares nothing."""

import json

from baton.datastores.model.replica_set import MOST_HISTORY, Member, ReplicaSet, Task


def whole():
    members = {"m1": Member("m1", "h1", joined=True), "m2": Member("m2", "h2", joined=True, follows=3), "m3": Member("m3", "h3")}
    task = Task("s.1", "promote", data={"candidate": "m2"})
    return ReplicaSet("s", term=3, source="m1", members=members, confirmed=["m2"], counted=["m2"], task=task)


def test_it_comes_back_as_it_was():
    assert ReplicaSet.from_json(json.loads(json.dumps(whole().to_json()))) == whole()


def test_what_is_changed_in_one_is_not_changed_in_the_other():
    kept = whole()
    text = json.dumps(kept.to_json())
    other = ReplicaSet.from_json(kept.to_json())
    other.members["m1"].status, other.task.data["candidate"] = "ERROR", "m3"
    other.confirmed.append("m3")
    other.failovers.append(1.0)
    other.note(1.0, "x")
    assert json.dumps(kept.to_json()) == text


def test_replicas_have_the_data():
    assert [member.id for member in whole().replicas] == ["m2"]


def test_the_history_has_an_end():
    kept = whole()
    for number in range(MOST_HISTORY + 5):
        kept.note(number, "x")
    assert len(kept.history) == MOST_HISTORY and kept.history[-1]["at"] == MOST_HISTORY + 4
