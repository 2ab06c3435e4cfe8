# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node as scripts: these events go in, those commands come out. Each reads like the rule that it shows."""

from typing import get_args

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.documents import Change
from baton.core.model.log import ORIGIN, Entry, Epoch, Position
from baton.core.model.messages import Ack, Append, BlobHeld, BlobWanted, Message, Reject, UseSnapshot
from baton.core.model.record import Member
from baton.core.model.requests import Idempotency, Outcome
from baton.core.model.timing import Timing, profile
from support.script import LEASE, Script, record, serving


@pytest.fixture
def pair():
    return serving()


def test_a_start_never_continues_an_epoch():
    """M2: the record names us in epoch 1; we swap in epoch 2 before anything else."""
    script = Script()
    script.give(ev.Started())
    script.hello("n2")
    (swap,) = [c for c in script.give(ev.RecordRead(5, record())) if isinstance(c, cmd.Swap)]
    assert (swap.expected, swap.record.epoch.number, swap.record.active) == (5, 2, "n1")
    assert not script.node.serving(script.now)


def test_a_new_log_begins_with_the_date():
    script = Script(wall_offset=1_700_000_000.0, may_create=True)
    script.give(ev.Started())
    script.now += 3
    script.give(ev.RecordRead(-1, None))
    script.settle(1)
    assert script.node.state.log.get(1).at == int(script.node.standing.wall(script.now) * 1000)


def test_a_cluster_is_created_by_a_node_that_has_looked_whether_it_has_one():
    """It answers before its store has told it, which takes a moment on a machine that is busy."""
    script = Script(shared=False)
    script.give(ev.Started())
    script.give(ev.Operator(1, ev.Order.CREATE, text="c1"))
    (refused,) = script.of(cmd.Reply)
    assert refused.result.code == "not_ready" and "try again" in refused.result.detail
    script.give(ev.RecordRead(-1, None))
    script.give(ev.Operator(2, ev.Order.CREATE, text="c1"))
    assert [swap.record.cluster_id for swap in script.of(cmd.Swap)] == ["c1"]


def test_nothing_is_served_before_everyone_has_the_new_epoch():
    script = Script()
    script.give(ev.Started())
    script.hello("n2")
    script.give(ev.RecordRead(5, record()))
    script.settle(6)
    script.stored()
    assert not script.node.serving(script.now), "n2 has not acknowledged this epoch"
    script.write(1)
    assert script.of(cmd.Reply)[0].result.extra["outcome"] == "not_applied"


def test_a_write_is_answered_after_both_disks(pair):
    pair.write(1)
    assert not pair.of(cmd.Reply)
    pair.give(ev.Flush())
    assert [type(c).__name__ for c in pair.commands] == ["Send", "Store"], "shipped before the local commit: the fsyncs overlap"
    pair.stored()
    assert not pair.of(cmd.Reply)
    pair.ack("n2")
    assert isinstance(pair.of(cmd.Reply)[0].result, Outcome)


def test_while_a_batch_is_written_the_next_one_gathers(pair):
    pair.write(1)
    pair.give(ev.Flush())
    for number in (2, 3):
        pair.write(number)
        assert not pair.node.to_flush and not pair.give(ev.Flush())
    pair.give(ev.Stored(pair.node.state._store_id))
    (send,), (store,) = pair.of(cmd.Send), pair.of(cmd.Store)
    assert len(store.entries) == len(send.message.entries) == 2


def test_what_was_gathered_but_never_written_ends_with_the_reign(pair):
    """Or the next reign's first entry would leave a hole in the log on the disk."""
    pair.write(1)
    pair.give(ev.Flush())
    written = pair.node.state.log.end.seq
    pair.write(2)
    assert pair.node.state.log.end.seq == written + 1
    commands = pair.give(ev.RecordRead(7, record(active="n2", members=("n1", "n2"), number=3)))
    assert [c.result.extra["outcome"] for c in commands if isinstance(c, cmd.Reply)] == ["unknown", "unknown"]
    assert pair.node.leading is None and pair.node.state.log.end.seq == written


def test_a_read_that_missed_the_record_does_not_disturb_the_active(pair):
    """It may have been asked before the record was made; if it stays away, a person is told, and nobody stops serving."""
    pair.give(ev.RecordRead(-1, None))
    assert pair.of(cmd.ReadRecord) and pair.node.serving(pair.now) and not pair.node.leading.trouble
    pair.now += 1.1
    pair.ack("n2")
    pair.give(ev.RecordRead(-1, None))
    assert pair.node.leading is not None and "the cluster record is gone" in pair.node.leading.trouble
    pair.give(ev.RecordRead(6, pair.node.record))
    assert not pair.node.leading.trouble


def test_a_clients_lease_is_extended_only_within_the_actives_own(pair):
    pair.give(ev.Submit(1, (Change("leases", "x", "grant", {"Ttl": 9.0, "Owner": ""}),), pair.now))
    pair.give(ev.Flush())
    pair.stored()
    pair.ack("n2")
    pair.give(ev.KeepAlive(2, "x"))
    assert pair.of(cmd.Reply)[0].result == {"Id": "x", "Ttl": 9.0}
    pair.give(ev.KeepAlive(3, "y"))
    assert pair.of(cmd.Reply)[0].result.code == "no_lease"
    pair.now += LEASE + 0.1
    pair.give(ev.KeepAlive(4, "x"))
    assert pair.of(cmd.Reply)[0].result.extra["outcome"] == "not_applied"


def test_a_lease_that_nobody_keeps_is_ended_by_an_entry_of_the_log(pair):
    pair.give(ev.Submit(1, (Change("leases", "x", "grant", {"Ttl": 1.0, "Owner": ""}),), pair.now))
    for _tick in range(20):
        pair.give(ev.Flush())
        pair.stored()
        pair.ack("n2")
        pair.now += 0.1
        pair.give(ev.Tick())
    assert pair.node.state.heads.committed("leases", "x") is None


def granted(pair, ttl):
    """Ask for the lease x and have it."""
    pair.give(ev.Submit(1, (Change("leases", "x", "grant", {"Ttl": ttl, "Owner": ""}),), pair.now))
    pair.give(ev.Flush())
    pair.stored()
    pair.ack("n2")
    return pair.node.leading.client_leases


def test_a_longer_time_of_a_lease_counts_from_the_request_though_that_commits_late(pair):
    granted(pair, 1.0)
    end = pair.node.state.log.end.seq
    pair.now += 0.9
    pair.give(ev.Submit(2, (Change("leases", "x", "grant", {"Ttl": 9.0, "Owner": ""}),), pair.now))
    for _tick in range(15):
        pair.now += 0.1
        pair.ack("n2", matched=end)
        pair.give(ev.Tick())
    pair.give(ev.Flush())
    pair.stored()
    pair.ack("n2")
    assert pair.of(cmd.Reply)[0].result.said["Ttl"] == 9.0
    assert pair.node.state.heads.speculative("leases", "x") is not None


@pytest.mark.parametrize("refused", ["too late", "another key", "without its fence"])
def test_a_request_for_a_lease_that_is_refused_keeps_nothing_alive(pair, refused):
    leases = granted(pair, 2.0)
    pair.give(ev.Submit(2, (Change("profiles", "p", "put", {}),), pair.now, Idempotency("k", "one")))
    pair.now += 1.5
    changes = (Change("leases", "x", "grant", {"Ttl": 2.0, "Owner": ""}),)
    if refused == "too late":
        pair.give(ev.Submit(3, changes, wall=10.0, deadline=5.0))
    elif refused == "another key":
        pair.give(ev.Submit(3, changes, idempotency=Idempotency("k", "two")))
    else:
        pair.give(ev.Submit(3, (Change("leases", "x", "check", {"Token": 1}), *changes)))
    assert leases.left("x", pair.now) < 1.0
    pair.give(ev.Submit(4, changes))
    assert leases.left("x", pair.now) > 1.5


def test_in_mode_strict_nobody_is_told_what_is_on_too_few_disks_also_who_changed_nothing():
    pair = serving(mode="strict", min_in_sync=2)

    def order(number, action, owner):
        body = {"Owner": owner, "Lease": None, "Token": None, "Slots": None, "Queue": True, "Data": None, "At": 0}
        key = Idempotency(f"k{number}", "same") if number > 3 else None
        pair.give(ev.Submit(number, (Change("locks", "l", action, body),), pair.now, key))

    order(1, "acquire", "a")
    order(2, "acquire", "b")
    pair.give(ev.Flush())
    pair.stored()
    pair.ack("n2")
    end = pair.node.state.log.end.seq
    order(3, "release", "a")
    order(4, "acquire", "b")
    order(5, "acquire", "c")
    pair.give(ev.Flush())
    pair.stored()
    replies = {}
    while pair.node.leading.swap is None:
        pair.now += 0.1
        pair.give(ev.Tick())
    for command in [*pair.settle(7), *pair.stored(), *pair.give(ev.Tick())]:
        if isinstance(command, cmd.Reply):
            replies[command.id] = command.result
    assert pair.node.state.commit > end and not pair.node.leading.copies_promised()
    for number in (3, 4, 5):
        assert getattr(replies[number], "extra", None) == {"outcome": "unknown"}, number


def test_a_follower_that_is_behind_is_sent_more_with_each_acknowledgement(pair):
    for number in range(1, 1200):
        pair.write(number)
    pair.give(ev.Flush())
    (send,) = pair.of(cmd.Send)
    assert len(send.message.entries) == 512
    pair.ack("n2", matched=send.message.entries[-1].seq)
    assert len(pair.of(cmd.Send)[0].message.entries) == 512, "it does not wait for the next heartbeat"


def test_an_acknowledgement_of_another_epoch_or_disk_counts_for_nothing(pair):
    pair.write(1)
    pair.give(ev.Flush())
    pair.stored()
    end = pair.node.state.log.end.seq
    pair.give(ev.Received("n2", Ack(Epoch(1, "e1"), "n2-disk", end, pair.now, True)))
    pair.give(ev.Received("n2", Ack(pair.node.leading.epoch, "n2-other-disk", end, pair.now, True)))
    assert pair.node.state.commit < end


def test_the_lease_counts_from_sending(pair):
    sent = pair.now
    pair.now += 1.5
    pair.ack("n2", stamp=sent)
    assert pair.node.leading.lease == sent + LEASE
    pair.now = sent + LEASE
    assert not pair.node.serving(pair.now)


def test_a_silent_passive_leaves_and_counts_until_the_swap_is_settled(pair):
    """M1: between sending the swap and its answer, the union of old and new members is needed."""
    pair.now += LEASE / 2 + 0.1
    (swap,) = [c for c in pair.give(ev.Tick()) if isinstance(c, cmd.Swap)]
    assert swap.record.nodes() == {"n1"}
    pair.write(1)
    pair.give(ev.Flush())
    pair.stored()
    assert not pair.of(cmd.Reply), "the swap may not have happened: n2 counts"
    pair.settle(7)
    assert isinstance(pair.of(cmd.Reply)[0].result, Outcome)


def test_a_swap_without_a_reply_is_repeated_the_same(pair):
    pair.now += LEASE / 2 + 0.1
    (swap,) = [c for c in pair.give(ev.Tick()) if isinstance(c, cmd.Swap)]
    pair.give(ev.SwapAnswer(swap.record.nonce, None))
    assert pair.of(cmd.ReadRecord) and not pair.node.leading.over
    pair.now += 0.4
    assert [c for c in pair.give(ev.Tick()) if isinstance(c, cmd.Swap)] == [swap]
    pair.give(ev.RecordRead(7, swap.record))
    assert pair.node.record.nodes() == {"n1"}, "a read that shows our nonce settles it"


def test_a_swap_that_another_beat_us_to_ends_the_reign(pair):
    pair.now += LEASE / 2 + 0.1
    pair.give(ev.Tick())
    pair.give(ev.RecordRead(7, record("n2", ("n2",), 9)))
    assert pair.node.leading is None and pair.node.role == "passive"
    assert pair.of(cmd.Lease) == [cmd.Lease(None)]


def test_a_joiner_counts_before_the_swap_is_sent(pair):
    """M6: what is written while it joins waits for its disk, too."""
    pair.give(ev.LinkUp("n3"))
    pair.hello("n3")
    pair.give(ev.Flush())
    pair.stored()
    pair.ack("n2")
    pair.ack("n3", matched=0)
    assert Member("n3", "n3-disk") in pair.node.leading.counted()
    assert pair.node.leading.swap is None, "it does not have everything from before it counted"
    pair.ack("n3")
    assert pair.node.leading.swap is None, "a swap that is begun while the store is out would make us depend on n3"
    pair.give(ev.RecordRead(6, pair.node.record))
    (swap,) = [c for c in pair.ack("n3") if isinstance(c, cmd.Swap)]
    assert swap.record.nodes() == {"n1", "n2", "n3"}


class TestLogKeptForOthers:
    """The log forgets what is old, but not what somebody who is catching up will ask for."""

    @pytest.fixture
    def script(self):
        script = serving(checkpoint_entries=4, keep_entries=8, most_entries=64)
        self.write(script, 20)
        script.give(ev.LinkUp("n3"))
        return script

    def write(self, script, count, acknowledge=("n2",)):
        for _number in range(count):
            script.write(1)
            end = script.node.state.log.end.seq
            script.give(ev.Flush())
            script.stored()
            for name in acknowledge:
                script.ack(name)
            assert script.node.state.commit >= end

    def start(self, script):
        return script.node.state.log.start.seq

    def test_nobody_needs_it(self, script):
        assert 8 <= script.node.state.commit - self.start(script) < 12

    def test_who_copies_a_snapshot_comes_back_to_a_log_that_begins_before_it(self, script):
        script.hello("n3")
        assert [type(c.message) for c in script.of(cmd.Send)] == [UseSnapshot]
        copied = script.node.state.applied
        self.write(script, 40)
        assert self.start(script) <= copied.seq
        script.hello("n3")  # it is still busy
        assert [type(c.message) for c in script.of(cmd.Send)] == [UseSnapshot]
        self.write(script, 4)
        script.hello("n3", copied, copied)
        assert [type(c.message) for c in script.of(cmd.Send)] == [Append]
        self.write(script, 12, ("n3", "n2"))
        assert self.start(script) > copied.seq, "it has caught up"

    def test_there_is_an_end_to_it(self, script):
        script.hello("n3")
        copied = script.node.state.applied
        self.write(script, 80)
        assert self.start(script) > copied.seq

    def test_who_is_gone_needs_nothing(self, script):
        script.hello("n3")
        copied = script.node.state.applied
        script.now += 61
        script.ack("n2")
        self.write(script, 20)
        assert self.start(script) > copied.seq


def test_an_upload_keeps_its_content_until_it_is_answered(pair):
    change = Change("files", "f", "put", {"Path": "f", "Sha256": "a"})
    pair.give(ev.Submit(1, (change,), pair.now, None, None, ("a",)))
    assert [c.message for c in pair.of(cmd.Send)] == [BlobWanted("a")]
    assert pair.node.state.contents() == set() and pair.node.contents() == {"a"}, "nothing names it yet"
    pair.give(ev.Received("n2", BlobHeld("n2-disk", "a")))
    pair.give(ev.Tick())
    assert pair.node.state.contents() == {"a"}, "an entry names it"


def test_a_switch_drains_releases_and_only_then_swaps(pair):
    pair.write(1)
    pair.give(ev.Flush())
    pair.now += 0.01
    pair.give(ev.Operator(9, "switch", "n2"))
    assert pair.of(cmd.ReadRecord) and not pair.of(cmd.Swap)
    pair.write(2)
    pair.give(ev.Flush())
    assert pair.node.serving(pair.now), "nothing is given up before the store has answered"
    pair.give(ev.RecordRead(pair.node.state.version, pair.node.record, proven=True))
    pair.write(3)
    assert pair.of(cmd.Reply)[0].result.code == "switching"
    pair.stored()
    pair.ack("n2")
    assert pair.of(cmd.Lease) == [cmd.Lease(None)] and not pair.of(cmd.Swap), "the VIP first"
    (swap,) = [c for c in pair.give(ev.Released()) if isinstance(c, cmd.Swap)]
    assert (swap.record.active, swap.record.nodes()) == ("n2", {"n1", "n2"})
    pair.settle(8)
    assert pair.node.role == "passive"
    assert [c.result["active"] for c in pair.of(cmd.Reply)] == ["n2"]


def test_a_switch_to_who_is_not_in_sync_changes_nothing(pair):
    pair.give(ev.Operator(9, "switch", "n7"))
    assert "in sync are: n2" in pair.of(cmd.Reply)[0].result.detail
    assert pair.node.serving(pair.now)


class TestPassive:
    """n2, following n1 in epoch 3."""

    EPOCH = Epoch(3, "e3")

    @pytest.fixture
    def script(self):
        script = Script("n2")
        script.give(ev.Started())
        script.give(ev.RecordRead(5, record(number=3)))
        script.give(ev.LinkUp("n1"))
        script.hello("n1", role="active")
        return script

    def append(self, script, seq, epoch=None, prev=None, commit=0, entries=1, to="n2-disk"):
        epoch = epoch or self.EPOCH
        made = tuple(Entry.make(seq + n, epoch, 1, {"effects": []}) for n in range(entries))
        place = prev if prev is not None else (script.node.state.log.position(seq - 1) or ORIGIN)
        return script.give(ev.Received("n1", Append(epoch, to, place, made, commit, script.now, None, -1, 0)))

    def reign(self, script, number):
        """The record says that n1 is active in a later epoch."""
        script.give(ev.RecordRead(number + 3, record(number=number)))
        return script.node.record.epoch

    def sent(self, script, kind):
        return [c.message for c in script.of(cmd.Send) if isinstance(c.message, kind)]

    def test_acknowledges_only_what_is_on_disk(self, script):
        self.append(script, 1)
        assert not self.sent(script, Ack)
        script.stored()
        assert [ack.matched for ack in self.sent(script, Ack)] == [1]

    def test_refuses_a_lower_epoch(self, script):
        self.append(script, 1)
        self.append(script, 2, Epoch(2, "e2"))
        assert [reject.reason for reject in self.sent(script, Reject)] == ["stale"]
        assert script.node.state.log.end.seq == 1

    def test_cuts_at_an_epoch_mismatch_and_never_by_length(self, script):
        """M5: an old message that ends earlier cuts nothing; an entry of another epoch cuts what stands in its place."""
        self.append(script, 1, entries=3)
        self.append(script, 1, entries=1, prev=ORIGIN)
        assert script.node.state.log.end.seq == 3
        newer = self.reign(script, 4)
        self.append(script, 2, newer)
        assert script.node.state.log.end == Position(newer, 2)
        assert script.of(cmd.Store)[-1].truncate_after == 1

    def test_never_cuts_what_it_applied(self, script):
        self.append(script, 1, entries=3, commit=3)
        self.append(script, 2, self.reign(script, 4), prev=Position(self.EPOCH, 1))
        assert script.node.state.log.end == Position(self.EPOCH, 3)
        assert [reject.reason for reject in self.sent(script, Reject)] == ["diverged"]
        assert "nothing was discarded" in script.node.following.refused

    def test_is_deaf_to_the_old_active_once_it_noted_a_promotion(self, script):
        """M3: the note is on disk before the swap is sent, and from then on nothing is acknowledged."""
        script.give(ev.Operator(1, "promote", force=True))
        assert not script.of(cmd.Swap) and script.of(cmd.Store)[-1].meta["noted"] == 5
        script.stored()
        assert script.of(cmd.Swap)
        self.append(script, 1)
        script.stored()
        assert not self.sent(script, Ack)

    def test_ignores_what_was_meant_for_another_disk(self, script):
        self.append(script, 1, to="n2-old-disk")
        assert script.node.state.log.end.seq == 0

    def append_file(self, script, seq, sha, commit=0):
        """Entry ``seq`` gives the file f this content, or deletes it."""
        effect = {"kind": "files", "key": "f", **({"value": {"Path": "f", "Sha256": sha}} if sha else {"delete": True})}
        entry = Entry.make(seq, self.EPOCH, 1, {"effects": [effect]})
        place = script.node.state.log.position(seq - 1) or ORIGIN
        script.give(ev.Received("n1", Append(self.EPOCH, "n2-disk", place, (entry,), commit, script.now, None, -1, 0)))

    def test_acknowledges_what_names_a_file_when_its_content_is_there(self, script):
        self.append_file(script, 1, "a")
        assert script.of(cmd.FetchBlob)
        script.stored()
        assert self.sent(script, Ack)[-1].matched == 0 and not self.sent(script, Ack)[-1].blobs
        script.give(ev.BlobUnavailable("a"))
        assert not self.sent(script, Ack) and script.node.following.awaited() == {"a"}, "it is named still"
        script.give(ev.BlobStored("a"))
        assert self.sent(script, Ack)[-1].matched == 1 and self.sent(script, Ack)[-1].blobs

    def test_needs_no_content_whose_name_was_taken_back(self, script):
        """The active may have collected it: whoever waits for it, after a snapshot say, would wait for ever."""
        self.append_file(script, 1, "a")
        self.append_file(script, 2, None)
        script.stored()
        script.give(ev.BlobUnavailable("a"))
        assert script.node.following.awaited() == {"a"}, "the deletion is not committed"
        self.append(script, 3, commit=2)
        script.stored()
        script.give(ev.BlobUnavailable("a"))
        assert self.sent(script, Ack)[-1].matched == 3 and self.sent(script, Ack)[-1].blobs
        assert not script.node.following.awaited()

    def test_what_was_offered_and_is_gone_may_be_offered_again(self, script):
        script.give(ev.Received("n1", BlobWanted("a")))
        assert script.of(cmd.FetchBlob) and script.node.contents() == {"a"}
        script.give(ev.BlobUnavailable("a"))
        assert not script.node.following.awaited()
        script.give(ev.Received("n1", BlobWanted("a")))
        script.give(ev.BlobStored("a"))
        assert self.sent(script, BlobHeld)

    def test_keeps_contents_that_documents_and_log_name(self, script):
        self.append_file(script, 1, "a")
        self.append_file(script, 2, "b", commit=1)
        self.append_file(script, 3, None, commit=3)
        assert script.node.contents() == {"a", "b"}
        script.node.following._missing.clear()
        assert script.node.contents() == {"a", "b"}, "the log has the entries still"
        script.give(ev.RecordRead(6, record(number=3, members=("n1",))))
        assert script.node.contents() is None, "out of sync: nothing is known for certain"

    def test_a_record_older_than_known_may_be_an_answer_that_was_overtaken(self, script):
        script.give(ev.RecordRead(4, record(number=2)))
        assert script.of(cmd.ReadRecord) and not script.node.trouble
        script.give(ev.RecordRead(5, record(number=2)))
        script.now += 5
        script.give(ev.RecordRead(4, record(number=2)))
        assert not script.node.trouble

    def test_a_record_that_stays_older_than_known_is_for_a_person(self, script):
        script.give(ev.RecordRead(4, record(number=2)))
        script.now += 1.1
        script.give(ev.RecordRead(4, record(number=2)))
        assert "older" in script.node.trouble and not script.of(cmd.Swap)


def test_timing_that_lets_two_serve_is_refused():
    from baton.ground.problem import Problem

    with pytest.raises(Problem) as caught:
        Timing(lease=1.0, grace=1.2, valid=1).check()
    assert "raise the grace" in caught.value.detail
    assert profile("fast").lease == 0.4


def test_everything_that_can_come_in_has_a_handler():
    node = Script().node
    assert set(node._handlers) == set(get_args(ev.Event))
    assert set(node._readers) == set(get_args(Message))
