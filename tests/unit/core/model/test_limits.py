# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node keeps in memory is bounded in bytes, whatever the size of one change."""

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model import limits
from baton.core.model.document import Document
from baton.core.model.documents import Change
from baton.core.model.limits import Limits
from baton.core.model.log import NO_EPOCH, Entry, Epoch, Log
from baton.core.model.replies import ROW_BYTES, Replies
from baton.core.state.sizes import BESIDE
from baton.ground.problem import Problem
from support.script import serving

SMALL = Limits(documents=400_000, profile=110_000, log=800_000, replies=40_000)


@pytest.fixture
def script():
    script = serving(limits=SMALL)
    script.write(1)
    commit(script)
    return script


def commit(script):
    """All that was written is on both disks."""
    while script.give(ev.Flush()):
        script.stored()
    script.ack("n2")


def answer(script):
    (reply,) = script.of(cmd.Reply)
    return reply.result


def in_memory(script):
    log = script.node.state.log
    return log.size(log.start.seq, log.end.seq)


def parsed(script):
    return sum(entry.parsed is not None for entry in script.node.state.log.after(0))


class TestLog:
    def test_large_changes_make_a_checkpoint_sooner_and_the_log_shorter(self, script):
        for number in range(2, 60):
            script.write(number, "x" * 90_000)
            commit(script)
            assert in_memory(script) <= SMALL.log_kept + SMALL.log_to_checkpoint + 100_000
        assert parsed(script) <= 2, "of what is checkpointed the text is enough"

    def test_who_catches_up_keeps_more_of_it_but_not_everything(self, script):
        script.give(ev.LinkUp("n3"))
        script.hello("n3", end=script.node.state.applied, applied=script.node.state.applied)
        for number in range(2, 60):
            script.write(number, "x" * 90_000)
            commit(script)
            assert in_memory(script) <= SMALL.log_for_others + SMALL.log_to_checkpoint + 100_000
        assert in_memory(script) > SMALL.log_kept + SMALL.log_to_checkpoint

    def test_what_no_passive_acknowledges_is_bounded(self, script):
        number = 2
        script.commands = []
        while not script.of(cmd.Reply):
            script.write(number, "x" * 90_000)
            number += 1
        problem = answer(script)
        assert (problem.status, problem.code, problem.extra["outcome"]) == (503, "busy", "not_applied")
        assert in_memory(script) <= SMALL.log_in_flight + 200_000
        commit(script)
        script.write(number)
        assert not script.of(cmd.Reply), "it is taken again"

    def test_an_old_entry_is_read_again_where_it_is_needed(self):
        log = Log()
        effect = {"kind": "files", "key": "f", "value": {"Sha256": "ab"}}
        for seq in (1, 2, 3):
            log.append(Entry.make(seq, Epoch(1, "e"), 0, {"effects": [effect]}))
        log.forget_bodies(2)
        assert [entry.parsed is None for entry in log.after(0)] == [True, True, False]
        assert [entry.blobs for entry in log.after(0)] == [("ab",)] * 3

    def test_the_newest_within_a_size(self):
        log = Log()
        for seq in range(1, 6):
            log.append(Entry(seq, NO_EPOCH, 0, "x" * 10))
        assert [log.newest(size, 5) for size in (0, 9, 10, 25, 50, 1000)] == [5, 5, 4, 3, 0, 0]
        log.drop_through(2)
        assert [log.newest(size, 4) for size in (0, 10, 1000)] == [4, 3, 2]


class TestDocuments:
    def put(self, script, number, key, size):
        script.give(ev.Submit(number, (Change("profiles", key, "put", {"Description": "x" * size}),), script.now))

    def test_beyond_the_limit_a_change_is_refused_and_changes_nothing(self, script):
        for number in range(4):
            self.put(script, 2 + number, f"a{number}", 97_000)
            commit(script)
        self.put(script, 9, "b", 20_000)
        problem = answer(script)
        assert (problem.status, problem.code, problem.extra["limit"]) == (507, "storage_full", "documents")
        assert "391 KiB" in problem.detail and "--limit documents" in problem.detail
        assert script.node.state.heads.speculative("profiles", "b") is None

    def test_many_small_ones_take_more_than_their_texts(self, script):
        for number in range(SMALL.documents // BESIDE):
            script.give(ev.Submit(2 + number, (Change("params", f"a{number}", "put", {}),), script.now))
            commit(script)
        heads = script.node.state.heads
        assert heads.sizes.all > SMALL.documents - 1_000 and sum(document.size for document in heads.all()) < SMALL.documents // 4
        script.give(ev.Submit(5_000, (Change("params", "b", "put", {"Description": "x" * 1_000}),), script.now))
        assert answer(script).extra["limit"] == "documents"

    def test_what_makes_it_smaller_is_taken(self, script):
        for number in range(4):
            self.put(script, 2 + number, f"a{number}", 97_000)
            commit(script)
        self.put(script, 6, "a0", 90_000)
        commit(script)
        script.give(ev.Submit(7, (Change("profiles", "a0", "delete"),), script.now))
        commit(script)
        self.put(script, 8, "b", 97_000)
        commit(script)
        assert script.node.state.heads.committed("profiles", "b") is not None

    def test_what_is_on_its_way_counts(self, script):
        for number in range(2):
            self.put(script, 2 + number, f"a{number}", 100_000)
            commit(script)
        self.put(script, 8, "a2", 100_000)
        self.put(script, 9, "b", 100_000)
        commit(script)
        assert script.node.state.heads.committed("profiles", "b") is None

    def test_the_size_is_that_of_all_documents_over_every_change(self, script):
        heads = script.node.state.heads
        for number, (key, action, body) in enumerate([("a", "put", {}), ("b", "create", {}), ("a", "delete", None)], 2):
            script.give(ev.Submit(number, (Change("profiles", key, action, body),), script.now))
        assert heads.sizes.all == sum(d.size + BESIDE for kind in ("profiles", "nodes", "history") for d in heads.list_speculative(kind))
        assert set(heads.sizes.of) == {"p", "b"}
        heads.drop()
        assert heads.sizes.all == sum(document.size + BESIDE for document in heads.all()) and set(heads.sizes.of) == {"p"}

    def test_a_profile_has_a_share_that_its_locks_and_leases_count_for(self, script):
        self.put(script, 2, "a", 50_000)
        lease = {"Ttl": 60.0, "Owner": "x" * 50_000, "Profile": "a"}
        script.give(ev.Submit(3, (Change("leases", "l", "grant", lease),), script.now))
        commit(script)
        assert script.node.state.heads.sizes.of["a"] > 100_000
        self.put(script, 4, "a", 60_000)
        problem = answer(script)
        assert (problem.status, problem.extra["limit"]) == (507, "profile") and "profile 'a' with its locks" in problem.detail
        self.put(script, 5, "b", 60_000)
        script.give(ev.Submit(6, (Change("leases", "l", "revoke"),), script.now))
        self.put(script, 7, "a", 60_000)
        commit(script)
        heads = script.node.state.heads
        assert [heads.committed("profiles", key).size > 60_000 for key in ("a", "b")] == [True, True]

    def test_status_says_so_before(self, script):
        kept = script.node.state.kept()
        assert limits.nearly_full(kept, SMALL) == ""
        assert "95% of their 391 KiB" in limits.nearly_full({**kept, "documents": 380_000}, SMALL)


def test_a_bug_in_one_request_costs_that_request_and_no_more(script, monkeypatch):
    def broken(*_arguments):
        raise RecursionError("too deep")

    with monkeypatch.context() as patch:
        patch.setattr(script.node.state.heads, "evaluate", broken)
        script.write(2)
    problem = answer(script)
    assert (problem.status, problem.code) == (500, "bug") and "RecursionError in broken" in problem.detail
    (note,) = script.of(cmd.Note)
    assert "too deep" in note.text
    script.write(3, "still there")
    commit(script)
    assert script.node.state.heads.committed("profiles", "p").value["Params"]["x"] == "still there"


class TestReplies:
    def test_the_oldest_go_first_by_size_the_same_ones_on_every_node(self):
        replies = Replies(most=40_000)
        for number in range(200):
            replies.add(f"key-{number:03}", "f" * 64, 1000, f"1.{number}", ())
            replies.expire(1000)
        fits = 30_000 // (ROW_BYTES + 7 + 64)
        assert len(replies) == fits and replies.find("key-199") is not None and replies.find("key-000") is None
        assert replies.size <= 40_000

    def test_large_documents_leave_sooner_and_their_replies_stay(self):
        replies = Replies(most=40_000)
        for number in range(8):
            replies.add(f"key-{number}", "f", 1000, f"1.{number}", (Document("profiles", "p", {}, f"1.{number}", 4_000),))
        assert [replies.find(f"key-{number}").documents is None for number in range(8)] == [True] * 6 + [False] * 2
        replies.drop_after(-1)
        assert replies.size == 0


@pytest.mark.parametrize(
    "text, log", [("log=128M", 128 << 20), ("log=64K", 64 << 10), ("log=1G", 1 << 30)]
)
def test_a_limit_is_read(text, log):
    assert limits.read([text]) == Limits(log=log)


@pytest.mark.parametrize("text", ["", "log", "log=", "log=5", "log=-1M", "log=1K", "log=0M", "log=٣M", "logs=1M", "log=9999999999G"])
def test_a_limit_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="such as log=128M|is less than 64K"):
        limits.read([text])


def test_a_full_store_names_its_limit():
    assert isinstance(limits.full("log", SMALL, "too much"), Problem)
