# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer that says what is not so: one with the nodes' secret that is no member, or a member that speaks as if it were active.

It forges epochs, positions, entries and records, at any moment. What it can't forge is a name: links are the node's that shows
the certificate. So it is never the active of the epoch that it claims, and makes no statement about its own disk as a member.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace

from baton.core import events as ev
from baton.core.model import messages
from baton.core.model.log import NO_EPOCH, Entry, Epoch, Position
from baton.core.model.record import Member, Record, manual_version
from baton.ground.form import MOST_EPOCH

NAME, DISK = "evil", "evil-disk"
SHA = "e" * 64


class Evil:
    """It acts every ``every`` seconds on average, for as long as ``goes_on()``. It has dice of its own: the others stay as they were."""

    def __init__(self, world, seed, every, goes_on):
        self.world, self.every, self.goes_on = world, every, goes_on
        self.dice = random.Random(f"evil {seed}")
        self.said = 0

    def act(self):
        if not self.goes_on():
            return
        targets = [host for host in self.world.hosts.values() if host.node is not None and not host.is_frozen]
        if targets:
            self.attack(self.dice.choice(targets))
        self.world.after(self.dice.expovariate(1 / self.every), self.act)

    def attack(self, host):
        sender = self.dice.choice((NAME, NAME, *(name for name in self.world.hosts if name != host.name)))
        for _frame in range(self.dice.choice((1, 1, 3))):
            message = self.frame(host, sender)
            if message is not None:
                self.said += 1
                messages.read(json.dumps(messages.to_json(message)))  # its form is as it should be
                host.give(ev.Received(sender, message))
                if host.node is None:
                    return

    def frame(self, host, sender):
        """Return what ``sender`` is made to say to ``host``, None where that would be no lie."""
        kinds = ["append", "append", "append", "use_snapshot", "blob_wanted", "take_over"]
        if sender == NAME:
            kinds += ["hello", "hello", "tail", "tail_wanted", "refuse", "reject", "ack"]
        return getattr(self, "_" + self.dice.choice(kinds))(host, sender)

    def epoch(self, host, sender):
        """A stranger may claim the very epoch that stands; a member, who may be its active, one that nobody has."""
        ours = max(host.node.record.epoch, host.node.state.promised)
        claimed = ours.number + self.dice.choice((0, 1, 1, 2, 10, 900, 1_000_000))
        forged = Epoch(min(claimed, MOST_EPOCH), f"evil-{self.said}")
        return ours if sender == NAME and self.dice.random() < 0.3 else forged

    def position(self, host):
        state = host.node.state
        seq = self.dice.choice((state.log.end.seq, state.commit, max(state.commit - 1, state.log.start.seq), state.log.start.seq, 0))
        return state.log.position(seq) or Position(NO_EPOCH, 0)

    def entries(self, prev, epoch):
        effect = {"kind": "profiles", "key": "p", "value": {"Name": "p", "Params": {"a": f"evil{self.said}", "b": ""}}}
        count = self.dice.choice((0, 1, 3))
        return tuple(Entry.make(prev.seq + 1 + number, epoch, 1, {"effects": [effect]}) for number in range(count))

    def record(self, host, epoch):
        """A record that names the evil one, or leaves everybody else out."""
        ours = host.node.record
        if self.dice.random() < 0.5 or not ours.in_sync:
            forged = Record(ours.cluster_id, epoch, NAME, (Member(NAME, DISK),), forced=epoch.number, forced_id=epoch.id)
        else:
            forged = replace(ours, epoch=epoch, in_sync=ours.in_sync[-1:], active=ours.in_sync[-1].node)
        return manual_version(epoch, self.dice.choice((0, 7))), forged

    # --- frames -------------------------------------------------------------------------------------------------------

    def _append(self, host, sender):
        epoch, prev = self.epoch(host, sender), self.position(host)
        version, record = self.record(host, epoch) if sender == NAME and self.dice.random() < 0.5 else (-1, None)
        commit = self.dice.choice((0, prev.seq, prev.seq + 3))
        stamp, at = self.dice.choice((0.0, 1e9)), self.dice.choice((0, 1, 1 << 52))
        entries = self.entries(prev, max(epoch, prev.epoch))
        if entries and entries[-1].epoch.number > epoch.number:
            return None
        to = host.node.state.incarnation
        return messages.Append(epoch, to, prev, entries, commit, stamp, record, version, self.dice.choice((0, epoch.number)), epoch.id, at)

    def _use_snapshot(self, host, sender):
        return messages.UseSnapshot(self.epoch(host, sender), host.node.state.incarnation)

    def _blob_wanted(self, host, sender):
        return messages.BlobWanted(SHA) if sender != host.node.record.active else None

    def _take_over(self, host, sender):
        members = [member for member in host.node.record.in_sync if member.node != sender]
        return messages.TakeOver(*self.dice.choice(members)) if members else None

    def _hello(self, host, _sender):
        """Where there is no store, whoever is taken in by the active is a node, and its word counts: then it is only known to others."""
        node = host.node
        if not self.world.shared and (node.leading is not None or not node.record.cluster_id):
            return None
        epoch, place = self.epoch(host, NAME), self.position(host)
        version, record = self.record(host, epoch)
        return messages.Hello(
            NAME, "http://evil.sim", DISK, "ha", node.state.cluster_id, "1.0.0", "sim/sim", self.dice.choice(("active", "passive")),
            epoch, place, place, record, version, self.dice.random() < 0.5, speaks=2, process="evil", twins=("here and there",),
        )  # fmt: skip

    def _tail(self, host, _sender):
        prev = host.node.state.log.end
        return messages.Tail(prev, self.entries(prev, max(host.node.record.epoch, prev.epoch)))

    def _tail_wanted(self, host, _sender):
        return messages.TailWanted(self.position(host))

    def _refuse(self, host, _sender):
        """A node that was taken in is believed that a name has two: safe, and for a person to settle by a restart."""
        code = self.dice.choice(("diverged", "twin", "removed", "incompatible"))
        return None if code == "twin" and host.node.trust.knows(NAME) else messages.Refuse(code, "go away")

    def _reject(self, host, sender):
        epoch = self.epoch(host, sender)
        return messages.Reject(epoch, DISK, self.dice.choice(("stale", "gap", "diverged")), epoch, self.position(host), "other")

    def _ack(self, host, sender):
        return messages.Ack(self.epoch(host, sender), DISK, self.dice.choice((0, 1 << 52)), 1e9, True, "other")
