# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer is not believed, the record is, as scripts: what is claimed, what is asked, and what is played on when it proves true."""

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.documents import Change
from baton.core.model.log import ORIGIN, Entry, Epoch, Position
from baton.core.model.messages import Ack, Append, BlobHeld, BlobWanted, Hello, Refuse, Reject, TakeOver, UseSnapshot
from baton.core.model.record import manual_version
from baton.core.roles.trust import HOLD_SECONDS
from support.script import Script, record, serving

EPOCH, LATER = Epoch(3, "e3"), Epoch(4, "e4")
EVER = Epoch(2_000_000, "evil")
SHA = "a" * 64


def follower(shared=True, members=("n1", "n2", "n3")):
    """n2, which follows n1 in epoch 3; all have said Hello, a stranger too."""
    script = Script("n2", shared)
    script.give(ev.Started())
    script.give(ev.RecordRead(version(3), record(number=3, members=members)))
    for name in ("n1", "n3", "evil"):
        script.give(ev.LinkUp(name))
        script.hello(name, role="active" if name == "n1" else "passive")
    append(script, "n1", EPOCH)
    script.stored()
    return script


def version(number, count=0):
    return manual_version(Epoch(number, ""), count)


def append(script, name, epoch, entries=1, told=None, at=None):
    prev = script.node.state.log.end
    made = tuple(Entry.make(prev.seq + 1 + n, epoch, 1, {"effects": []}) for n in range(entries))
    news = (told, at) if told is not None else (None, -1)
    return script.give(ev.Received(name, Append(epoch, "n2-disk", prev, made, prev.seq, script.now, *news, 0)))


def told(script, name, at, what, role="passive"):
    """``name`` says Hello, with a record in version ``at``."""
    hello = Hello(name, f"sim://{name}", f"{name}-disk", "ha", "c1", "1.0.0", "sim/sim", role, EPOCH, ORIGIN, ORIGIN, what, at, False)
    return script.give(ev.Received(name, hello))


def stands(script):
    """What must not change by a frame."""
    state = script.node.state
    return state.promised, state.log.end, state.commit, state.version, script.node.role


@pytest.mark.parametrize("name", ["n3", "evil"])
@pytest.mark.parametrize("epoch", [EPOCH, LATER, EVER])
def test_nobody_but_the_active_of_the_record_is_followed(name, epoch):
    script = follower()
    before = stands(script)
    for _frame in range(3):
        append(script, name, epoch)
        script.stored()
        assert not [c for c in script.of(cmd.Send) if isinstance(c.message, Ack)]
    script.give(ev.RecordRead(version(3), record(number=3, members=("n1", "n2", "n3"))))
    assert stands(script) == before
    append(script, "n1", EPOCH)
    assert script.node.state.log.end.seq == before[1].seq + 1, "the active is followed as before"


def test_the_first_words_of_a_new_active_wait_for_the_record():
    script = follower()
    append(script, "n3", LATER)
    assert script.of(cmd.ReadRecord) and script.node.state.promised == EPOCH
    script.give(ev.Received("n3", Append(LATER, "n2-disk", Position(LATER, 2), (Entry.make(3, LATER, 1, {}),), 1, script.now, None, -1, 0)))
    assert not script.of(cmd.ReadRecord), "one question is enough"
    script.give(ev.RecordRead(version(4), record("n3", ("n3", "n2"), 4)))
    assert script.node.state.promised == LATER and script.node.state.log.end == Position(LATER, 3)
    script.stored()
    assert [c.message.matched for c in script.of(cmd.Send) if isinstance(c.message, Ack)] == [3]


def test_what_is_not_confirmed_is_forgotten():
    script = follower()
    append(script, "n3", LATER)
    script.now += HOLD_SECONDS + 0.1
    script.give(ev.Tick())
    script.give(ev.RecordRead(version(4), record("n3", ("n3", "n2"), 4)))
    assert script.node.state.log.end.epoch == EPOCH, "its active says it again"


def test_claims_cost_the_store_a_few_reads():
    script = follower()
    reads = 0
    for number in range(1_000):
        script.now += 0.001
        append(script, "evil", Epoch(10 + number, "evil"), entries=0)
        reads += len(script.of(cmd.ReadRecord))
    assert 1 <= reads <= 25


def test_what_waits_is_bounded():
    script = follower()
    for number in range(1_000):
        append(script, "evil", Epoch(10 + number, "evil"), entries=50)
    assert len(script.node.trust._held) <= 64


def test_an_active_goes_on_until_the_record_says_that_it_is_over():
    script = serving()
    script.hello("evil")
    epoch = Epoch(script.node.record.epoch.number + 5, "evil")
    place = script.node.state.log.end
    script.give(ev.Received("evil", Append(epoch, "n1-disk", place, (), 0, 1.0, None, -1, 0)))
    assert script.node.serving(script.now) and script.of(cmd.ReadRecord)
    script.give(ev.RecordRead(99, record("n2", ("n2",), epoch.number)))
    assert not script.node.serving(script.now) and script.node.role == "passive"


@pytest.mark.parametrize("name", ["n3", "evil"])
def test_only_the_active_hands_out_snapshots_and_asks_for_contents(name):
    script = follower(members=("n1", "n3"))
    for message in (UseSnapshot(EPOCH, "n2-disk"), UseSnapshot(EVER, "n2-disk"), BlobWanted(SHA), Refuse("diverged", "go")):
        script.give(ev.Received(name, message))
        assert not script.of(cmd.FetchSnapshot) and not script.of(cmd.FetchBlob) and not script.of(cmd.KeepTail)
    for message, command in ((UseSnapshot(EPOCH, "n2-disk"), cmd.FetchSnapshot), (BlobWanted(SHA), cmd.FetchBlob)):
        script.give(ev.Received("n1", message))
        assert script.of(command)


def test_a_passive_that_is_asked_for_what_only_an_active_has_says_nothing():
    script = follower()
    before = stands(script)
    for message in (Ack(EPOCH, "n1-disk", 5, 1.0, True), Reject(EPOCH, "n1-disk", "gap", EPOCH, ORIGIN), BlobHeld("n1-disk", SHA)):
        script.give(ev.Received("n1", message))
        assert not script.of(cmd.Send)
    assert stands(script) == before


def test_a_content_is_held_by_who_says_so_of_his_own_disk():
    script = serving()
    body = {"Path": "f", "Sha256": SHA, "Size": 1}
    script.give(ev.Submit(9, (Change("files", "f", "put", body),), script.now, None, None, (SHA,)))
    for number in range(50):
        script.give(ev.Received("n2", BlobHeld(f"disk{number}", SHA)))
    assert script.node.leading._blobs_held[SHA] == set()
    script.give(ev.Received("n2", BlobHeld("n2-disk", SHA)))
    assert not script.node.leading._blobs_held


class TestWithoutAStore:
    def told(self, script, name, number, active, members, count=0):
        return told(script, name, version(number, count), record(active, members, number))

    def adopted(self, script):
        return [(c.version, c.record.active) for c in script.of(cmd.Adopt)]

    def test_a_node_of_the_cluster_is_believed_and_a_stranger_is_not(self):
        script = follower(shared=False)
        self.told(script, "evil", 4, "evil", ("evil",))
        self.told(script, "evil", 4, "n3", ("n3", "n2"))
        assert not self.adopted(script)
        self.told(script, "n3", 4, "n3", ("n3", "n2"))
        assert self.adopted(script) == [(version(4), "n3")]

    def test_that_it_is_not_believed_is_said_once(self):
        script = follower(shared=False)
        said = 0
        for _again in range(20):
            self.told(script, "evil", 4, "evil", ("evil",))
            said += len(script.of(cmd.Note))
        assert said == 1

    @pytest.mark.parametrize(
        ("at", "number", "active", "members"),
        [
            (version(1004), 1004, "n3", ("n3",)),  # so far ahead that the numbers would soon be used up
            (version(9), 4, "n3", ("n3",)),  # a version that outweighs later epochs
            (version(4), 4, "n3", ("n2",)),  # an active that is not in sync
            (version(3, 9), 3, "n3", ("n3",)),  # another active within an epoch
        ],
    )
    def test_what_can_not_be_is_not_believed_whoever_says_it(self, at, number, active, members):
        script = follower(shared=False)
        told(script, "n3", at, record(active, members, number))
        assert not self.adopted(script)

    def test_a_new_active_is_followed_with_the_record_that_it_brings(self):
        script = follower(shared=False)
        news = record("n3", ("n3", "n2"), 4)
        append(script, "n3", LATER, told=news, at=version(4))
        assert self.adopted(script) and not script.of(cmd.ReadRecord) and script.node.state.promised == EPOCH
        script.give(ev.RecordRead(version(4), news))
        assert script.node.state.promised == LATER and script.node.state.log.end == Position(LATER, 2)

    def test_the_role_is_handed_only_to_who_asks_for_himself(self):
        script = follower(shared=False)
        vacant = record("", ("n2", "n3"), 3, holder="n2")
        script.give(ev.RecordRead(version(3, 1), vacant))
        script.give(ev.Received("evil", TakeOver("n3", "n3-disk")))
        assert not script.of(cmd.Swap)
        script.give(ev.Received("n3", TakeOver("n3", "n3-disk")))
        assert script.of(cmd.Swap)[0].record.active == "n3"

    def test_a_node_without_data_joins_what_an_active_shows_a_record_of(self):
        script = Script("n2", False)
        script.give(ev.Started())
        script.give(ev.LinkUp("n1"))
        script.hello("n1", role="active")
        assert not script.node.state.cluster_id
        told(script, "n1", version(3), record(number=3), role="active")
        assert script.node.state.cluster_id == "c1" and self.adopted(script)


def test_a_node_without_data_joins_what_its_store_shows():
    script = Script("n2")
    script.give(ev.Started())
    script.give(ev.RecordRead(-1, None))
    script.give(ev.LinkUp("evil"))
    told(script, "evil", 7, record("evil", ("evil",), 9), role="active")
    assert not script.node.state.cluster_id and script.of(cmd.ReadRecord)


def test_strangers_say_nothing_of_twins():
    script = follower()
    for _second in range(20):
        script.now += 1
        script.give(ev.Received("evil", Refuse("twin", "two nodes call themselves n2")))
        told(script, "evil", -1, None)
        assert not script.of(cmd.Renounce)
    assert not script.node.standing.twins.doubted(script.now)


def test_only_the_former_active_says_that_its_drivers_have_stopped():
    script = follower(members=("n1", "n2", "n3"))
    script.node.driving.promoting(False, script.now)
    script.node.driving.notice("n3", EPOCH, script.now)
    assert script.node.driving._base is not None
    script.node.driving.notice("n1", EPOCH, script.now)
    assert script.node.driving._base is None


class TestWhatDoesNotFit:
    """The active of the record says it, in good form; but its documents are others than those here."""

    PATCH = {"effects": [{"kind": "profiles", "key": "p", "ops": [{"op": "add", "path": "/Params/a", "value": 1}]}]}

    def send(self, script, *bodies, commit=0):
        prev = script.node.state.log.end
        made = tuple(Entry.make(prev.seq + 1 + n, EPOCH, 1, body) for n, body in enumerate(bodies))
        script.give(ev.Received("n1", Append(EPOCH, "n2-disk", prev, made, commit, script.now, None, -1, 0)))
        return prev.seq

    def test_it_is_not_taken_nor_acknowledged_and_ends_nothing(self):
        script = follower()
        last = self.send(script, {"effects": []}, self.PATCH, {"effects": []}, commit=9) + 1
        assert script.node.state.log.end.seq == last, "what comes before it is taken"
        assert "does not fit the documents here (profiles/p is patched, and does not exist)" in script.node.following.refused
        script.stored()
        assert [c.message.matched for c in script.of(cmd.Send) if isinstance(c.message, Ack)][-1] == last
        assert script.node.state.commit == last

    def test_it_is_said_once_and_not_asked_for_again_and_again(self):
        script, notes = follower(), 0
        for _again in range(5):
            self.send(script, self.PATCH)
            notes += len(script.of(cmd.Note))
            beyond = Position(EPOCH, script.node.state.log.end.seq + 3)
            script.give(ev.Received("n1", Append(EPOCH, "n2-disk", beyond, (), 0, script.now, None, -1, 0)))
            assert not [c for c in script.of(cmd.Send) if isinstance(c.message, Reject)]
        assert notes == 1

    def test_what_was_cut_leaves_nothing_that_later_entries_could_fit(self):
        script = follower()
        make = {"effects": [{"kind": "profiles", "key": "p", "value": {"Name": "p", "Params": {}}}]}
        self.send(script, make)
        script.give(ev.RecordRead(version(4), record("n1", ("n1", "n2", "n3"), 4)))
        prev = script.node.state.log.position(1)
        made = (Entry.make(2, LATER, 1, {"effects": []}), Entry.make(3, LATER, 1, self.PATCH))
        script.give(ev.Received("n1", Append(LATER, "n2-disk", prev, made, 0, script.now, None, -1, 0)))
        assert script.node.state.log.end == Position(LATER, 2) and "does not exist" in script.node.following.refused

    def test_entries_of_the_epoch_that_stands_are_never_cut(self):
        script = follower()
        self.send(script, {"effects": []})
        prev = script.node.state.log.position(1)
        older = Entry.make(2, Epoch(3, "e3"), 1, {"effects": []})
        assert script.node.state.log.position(2) == older.position
        script.give(ev.Received("n1", Append(EPOCH, "n2-disk", ORIGIN, (Entry.make(1, Epoch(2, "e2"), 1, {}),), 0, 1.0, None, -1, 0)))
        assert script.node.state.log.position(1) == prev and script.node.state.log.end.seq == 2
        assert [c.message.reason for c in script.of(cmd.Send) if isinstance(c.message, Reject)] == ["diverged"]
