# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who counts, who leaves and who stays away, as scripts: stamps, joins, strict, removed nodes, snapshots that come too late."""

from dataclasses import replace

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.log import Entry, Epoch
from baton.core.model.messages import Refuse
from baton.core.model.record import Member
from baton.core.model.reigns import Reign, Reigns
from support.script import LEASE, passive, serving


@pytest.fixture
def pair():
    return serving()


class TestStamps:
    def test_late_acknowledgements_prove_nothing(self, pair):
        """A passive behind a slow link acknowledges all the time, what was sent long ago."""
        sent = pair.now
        for _ack in range(4):
            pair.now += LEASE / 7
            pair.ack("n2", stamp=sent)
        pair.give(ev.Tick())
        (swap,) = pair.of(cmd.Swap)
        assert swap.record.nodes() == {"n1"} and pair.node.serving(pair.now), "it leaves before the lease ends"

    def test_nor_does_a_hello(self, pair):
        for _hello in range(4):
            pair.now += LEASE / 7
            pair.hello("n2", end=pair.node.state.log.end, applied=pair.node.state.log.end)
        pair.give(ev.Tick())
        assert pair.of(cmd.Swap)

    def test_a_stamp_that_was_never_sent_is_none(self, pair):
        pair.ack("n2", stamp=pair.now + 100)
        assert pair.node.leading.lease <= pair.now + LEASE

    def test_while_it_can_not_be_taken_out_the_status_says_what_is_coming(self, pair):
        pair.now += LEASE / 2 + 0.1
        pair.give(ev.Tick())
        assert pair.node.leading.swap is not None and pair.node.leading.error(pair.now) == ""
        pair.now += LEASE / 2
        assert "n2" in pair.node.leading.error(pair.now) and "store" in pair.node.leading.error(pair.now)


class TestJoining:
    def join(self, pair, stamp):
        pair.give(ev.LinkUp("n3"))
        pair.hello("n3")
        pair.give(ev.Flush())
        pair.stored()
        pair.ack("n2")
        pair.ack("n3", stamp=stamp)
        assert Member("n3", "n3-disk") in pair.node.leading.counted()
        pair.give(ev.RecordRead(6, pair.node.record))

    def test_a_joiners_stamp_is_from_after_it_began_to_count(self, pair):
        before = pair.now - 0.1
        self.join(pair, before)
        pair.now += 0.2
        assert not [c for c in pair.ack("n3", stamp=before) if isinstance(c, cmd.Swap)]
        assert [c for c in pair.ack("n3") if isinstance(c, cmd.Swap)]

    def test_one_that_acknowledges_late_stops_counting_before_it_ends_the_lease(self, pair):
        before = pair.now - 0.1
        self.join(pair, before)
        for _ack in range(6):
            pair.now += LEASE / 8
            pair.ack("n2")
            pair.ack("n3", stamp=before)
            pair.give(ev.Tick())
        assert Member("n3", "n3-disk") not in pair.node.leading.counted()
        assert pair.node.leading.lease > pair.now + LEASE / 2


class TestStrict:
    def test_a_write_that_ends_on_one_disk_is_unknown(self):
        script = serving()
        script.node.state.record = replace(script.node.record, mode="strict", min_in_sync=2)
        script.write(1)
        script.give(ev.Flush())
        script.stored()
        script.now += LEASE / 2 + 0.1
        script.give(ev.Tick())
        script.settle(7)
        (reply,) = script.of(cmd.Reply)
        assert reply.result.extra["outcome"] == "unknown" and reply.result.code == "too_few_copies"


class TestRemoved:
    def removed(self):
        script = serving()
        script.give(ev.LinkUp("n3"))
        script.hello("n3")
        script.give(ev.Tick())
        script.give(ev.Flush())
        script.stored()
        script.ack("n2")
        script.give(ev.LinkDown("n3"))
        script.give(ev.Operator(1, "remove", "n3"))
        script.give(ev.Flush())
        script.stored()
        script.ack("n2")
        return script

    def test_it_stays_removed_and_is_told_so(self):
        script = self.removed()
        script.give(ev.LinkUp("n3"))
        script.hello("n3")
        (refuse,) = [c.message for c in script.of(cmd.Send) if isinstance(c.message, Refuse)]
        assert refuse.code == "removed" and "readmit n3" in refuse.detail
        assert "n3" not in script.node.leading.followers.by_node and "n3" not in script.node.standing.members()

    def test_nobody_goes_on_calling_it(self):
        script = self.removed()
        assert [c.node for c in script.give(ev.LinkDown("n3")) if isinstance(c, cmd.Disconnect)] == ["n3"]

    def test_a_person_can_let_it_in_again(self):
        script = self.removed()
        script.give(ev.Operator(2, "readmit", "n3"))
        script.give(ev.Flush())
        script.stored()
        script.ack("n2")
        script.give(ev.LinkUp("n3"))
        script.hello("n3")
        assert "n3" in script.node.leading.followers.by_node

    def test_only_one_that_was_removed(self):
        script = serving()
        script.give(ev.Operator(2, "readmit", "n7"))
        assert script.of(cmd.Reply)[0].result.code == "not_removed"


class TestSnapshots:
    FORCED = Epoch(4, "f")

    def fetched(self, script, **more):
        """A snapshot is here, and the record is what it was."""
        script.give(ev.SnapshotFetched("n1", "new-disk", "c1", **more))
        assert script.of(cmd.ReadRecord)
        script.give(ev.RecordRead(5, script.standing))
        return script

    def test_one_that_is_wanted_is_put_in_place_and_nobody_is_promoted_meanwhile(self):
        script = self.fetched(passive(members=("n1", "n3")))
        assert [c.incarnation for c in script.of(cmd.InstallSnapshot)] == ["new-disk"]
        script.give(ev.Operator(1, "promote", force=True))
        assert script.of(cmd.Reply)[0].result.code == "busy"

    def test_one_that_comes_when_the_disk_is_in_sync_is_not_used(self):
        script = self.fetched(passive(members=("n1", "n2")))
        assert script.of(cmd.DropSnapshot) and not script.of(cmd.InstallSnapshot)

    def test_one_that_would_replace_what_a_force_left_behind_is_not_used_and_that_is_kept(self):
        script = passive(members=("n1", "n3"))
        for seq in (1, 2):
            script.node.state.log.append(Entry.make(seq, Epoch(3, "e3"), 0, {"effects": []}))
        self.fetched(script, reigns=Reigns([Reign(self.FORCED, 1)]), forced=self.FORCED)
        assert script.of(cmd.DropSnapshot) and len(script.of(cmd.KeepTail)[0].entries) == 2
        assert "discard-foreign-data" in script.node.following.refused

    def test_a_forced_promotion_is_not_undone_by_one(self):
        script = passive(members=("n1", "n3"))
        script.give(ev.Operator(1, "promote", force=True))
        self.fetched(script)
        assert "becoming active" in script.of(cmd.DropSnapshot)[0].reason


class TestVersions:
    """Versions of any number replicate as long as they speak one protocol: so a cluster is updated node by node."""

    @pytest.mark.parametrize("version", ["1.1.0", "2.0.0", "0.9.0"])
    def test_a_node_of_another_version_is_taken_in(self, pair, version):
        pair.give(ev.LinkUp("n3"))
        pair.hello("n3", version=version)
        assert "n3" in pair.node.leading.followers.by_node and not pair.of(cmd.SendBack)
        assert pair.node.links.refused == {}

    def test_who_speaks_another_protocol_is_refused_and_told_what_to_do(self, pair):
        pair.give(ev.LinkUp("n3"))
        pair.hello("n3", version="3.0.0", protocol=2)
        assert "n3" not in pair.node.leading.followers.by_node
        (refusal,) = [c.message for c in pair.of(cmd.Send) if isinstance(c.message, Refuse)]
        assert (refusal.code, pair.node.links.refused["n3"]) == ("incompatible", refusal.detail)
        assert "upgrade the older one" in refusal.detail
