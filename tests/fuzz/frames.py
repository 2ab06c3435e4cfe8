# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a peer may send: frames of each type, with fields changed at will, to a node in each role. Pure, with no daemon.

A frame is refused with one printable line, or understood; then the node takes it without an error, promises nothing that the
record does not name, and says and stores only what can be read again.
"""

from __future__ import annotations

import copy
import json
import random

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model import messages
from baton.core.model.config import NodeConfig
from baton.core.model.documents import Change
from baton.core.model.log import NO_EPOCH, ORIGIN, Entry, Epoch, Position
from baton.core.model.messages import Ack, Append, BlobHeld, BlobWanted, Hello, Refuse, Reject, Tail, TailWanted, TakeOver, UseSnapshot
from baton.core.model.record import Member, Record, manual_version
from baton.core.model.reigns import Reign, Reigns
from baton.core.model.saved import Saved
from baton.core.model.timing import PROFILES
from baton.core.node import Node
from baton.ground import form

SHA = "0123456789abcdef" * 4
EPOCH = Epoch(3, "p-n1-1")
NAMES = ("n1", "n2", "n3", "evil")
ODD = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e18, 1 << 31, (1 << 53) - 1, 1 << 53, -(1 << 70), 10**300, "", " ", "x", "n1", "n2",
    "../../x", "a" * 64, SHA, "é" * 70, "\ud800", "\x00", "two\nlines", "http://[", "https://n9:8092", "x" * 3000, [], {}, [[]], [0, ""],
    [[0, ""], 0], [3, "p-n1-1"], [1 << 20, "e"], [[3, "p-n1-1"], 2], {"node": "n1", "incarnation": "d"}, [None], [{}], "gap",
    "diverged", "twin", "active",
)  # fmt: skip
RAW = (
    "", "{", "[]", "null", "1", '"x"', "[" * 3000, '{"type":' * 2000, '{"type": []}', '{"type": "Hello"}', '{"type": "Sing", "a": [1]}',
    '{"type": "Ack", "type": "Reject"}', '{"type": "Ack", "stamp": NaN, "epoch": [0, ""]}', '{"type": "Ack", "stamp": 1e999}',
    '{"type": "Append", "commit": ' + "9" * 4400 + "}", '{"type": "BlobWanted", "sha256": "\\ud83d"}',
)  # fmt: skip


class Scene:
    """A node in one role, which has met n1, n2 and n3; ``said`` is what was given to it."""

    def __init__(self, dice):
        self.dice = dice
        self.shared = dice.random() < 0.7
        self.role = dice.choice(("active", "passive", "passive", "outside", "starting", "unjoined"))
        self.name = "n1" if self.role in ("active", "starting") else "n2"
        config = NodeConfig(
            self.name, f"http://{self.name}:1", "ha", "1.0.0", "sim/sim", PROFILES["balanced"], f"p-{self.name}", shared=self.shared,
            discard=dice.random() < 0.3, checkpoint_entries=dice.choice((3, 4096)), keep_entries=2,
        )  # fmt: skip
        self.node = Node(config, Saved(f"{self.name}-disk"))
        self.now = 100.0
        self.records = {NO_EPOCH, EPOCH}  # epochs that a record has named
        self.version = manual_version(EPOCH, 1)
        self.give(ev.Started())
        for name in NAMES[:3]:
            if name != self.name:
                self.give(ev.LinkUp(name))
                self.receive(name, self.hello(name))
        if self.role != "unjoined":
            self.read(self.record())
        if self.role == "active":
            self.settle()
            for name in ("n2", "n3"):
                self.receive(name, self.hello(name))
            self.acknowledge()
            self.give(ev.Submit(1, (Change("profiles", "p", "put", {"Params": {"a": 1}}),), self.now))
            self.give(ev.Flush())
        elif self.role == "passive":
            put = {"effects": [{"kind": "profiles", "key": "p", "value": {"Name": "p", "Params": {"a": 1}}}]}
            entries = tuple(Entry.make(number, EPOCH, 1, put) for number in (1, 2, 3))
            self.receive("n1", Append(EPOCH, "n2-disk", ORIGIN, entries, 2, 1.0, None, -1, 0))
            self.stored()

    def record(self):
        members = ("n1", "n3") if self.role == "outside" else ("n1", "n2", "n3")
        return Record("c1", EPOCH, "n1", tuple(Member(name, f"{name}-disk") for name in members))

    def hello(self, name):
        record = None if self.role == "unjoined" else self.record()
        return Hello(
            name, f"http://{name}:1", f"{name}-disk", "ha", "c1", "1.0.0", "sim/sim", "active" if name == "n1" else "passive", EPOCH,
            ORIGIN, ORIGIN, record, self.version, False, speaks=2, process=f"p-{name}",
        )  # fmt: skip

    def settle(self):
        swap = self.node.swap
        if swap is not None:
            self.version += 1
            self.records.add(swap.record.epoch)
            self.give(ev.SwapAnswer(swap.record.nonce, True, self.version))
            self.stored()

    def acknowledge(self):
        leading = self.node.leading
        for name in ("n2", "n3") if leading is not None else ():
            self.receive(name, Ack(leading.epoch, f"{name}-disk", self.node.state.log.end.seq, self.now, True, f"p-{name}"))

    def read(self, record):
        self.give(ev.RecordRead(self.version, record))

    def stored(self):
        for _write in range(4):
            self.give(ev.Stored(self.node.state._store_id))

    def receive(self, name, message):
        self.give(ev.Received(name, message))

    def give(self, event):
        """Feed an event, and look at all that follows from it."""
        for command in self.node.handle(event, self.now):
            self.check(command)
        promised = self.node.state.promised
        if promised not in self.records:
            raise AssertionError(f"promised itself to {promised}, which no record names")

    def check(self, command):
        if isinstance(command, (cmd.Send, cmd.SendBack)):
            text = json.dumps(messages.to_json(command.message))
            if messages.read(text) != command.message:
                raise AssertionError(f"says what is understood as something else: {text[:200]}")
        elif isinstance(command, cmd.Store):
            text = json.dumps(command.meta) + "".join(entry.text for entry in command.entries)
            text.encode("utf-8")
            for entry in command.entries:
                Entry.read(entry.seq, entry.epoch, entry.at, entry.text)
        elif isinstance(command, cmd.FetchBlob):
            form.sha256(command.sha256)
        elif isinstance(command, cmd.Note):
            form.line(command.text.replace("\n", ""), 10_000)
        elif isinstance(command, cmd.Adopt):
            Record.from_json(command.record.to_json())
            self.records.add(command.record.epoch)  # where nodes keep the record, this is how it comes

    # --- frames -------------------------------------------------------------------------------------------------------

    def epoch(self):
        ours = max(self.node.record.epoch, self.node.state.promised)
        return self.dice.choice((ours, ours, EPOCH, NO_EPOCH, Epoch(ours.number + 1, "evil"), Epoch(form.MOST_EPOCH, "evil")))

    def place(self):
        log = self.node.state.log
        seq = self.dice.choice((log.start.seq, log.end.seq, log.end.seq, self.node.state.commit, max(0, log.end.seq - 1)))
        far = Position(self.epoch(), seq + self.dice.choice((0, 1, 1000)))
        return self.dice.choice((log.position(seq) or ORIGIN, log.end, ORIGIN, far))

    def entries(self, prev, of=None):
        epoch = max(prev.epoch, of or self.epoch())
        count = self.dice.choice((0, 1, 1, 3))
        return tuple(Entry.make(prev.seq + 1 + n, epoch, self.dice.choice((0, 1, 1 << 52)), self.body()) for n in range(count))

    def body(self):
        """Effects of all kinds, of which many do not fit the documents that are there."""
        kind = self.dice.choice(("profiles", "profiles", "files", "nodes", "history", "leases", "removed", "odd"))
        key = self.dice.choice(("p", "q", "n3", "3", "é"))
        value = {"Name": key, "Params": {}, "Sha256": SHA, "Url": "http://n9:1", "Epoch": 3, "Id": "e", "First": 1, "Ttl": 5, "Ties": []}
        name, path = self.dice.choice(("add", "replace", "remove", "move", "dance")), self.dice.choice(("/Params/a", "/x/y", "", "x", 5))
        op = {"op": name, "path": path, "from": "/Params/a", "value": odd(self.dice)}
        effect = self.dice.choice(({"value": value}, {"ops": [op]}, {"ops": [op, op]}, {"delete": True}, {"ops": []}))
        more = self.dice.choice(({}, {}, {"idem": ["k", "f"], "asked": "x", "said": {"a": 1}, "found": [["profiles", "p"]]}))
        return {"effects": [{"kind": kind, "key": key, **effect}], **more}

    def follows(self):
        """What an active would say whose documents are others."""
        prev, epoch = self.node.state.log.end, self.node.record.epoch
        end = prev.seq + self.dice.choice((0, 3))
        return Append(epoch, self.node.state.incarnation, prev, self.entries(prev, epoch), end, self.now, None, -1, 0)

    def news(self):
        epoch, active = self.epoch(), self.dice.choice(NAMES)
        record = Record("c1", epoch, active, (Member(active, f"{active}-disk"),), forced=epoch.number, forced_id=epoch.id)
        return self.dice.choice((None, record)), self.dice.choice((-1, self.version, self.version + 1, manual_version(epoch, 0)))

    def frame(self):
        """Return a message that is well formed, as one who knows the protocol would forge it."""
        dice, prev, node = self.dice, self.place(), self.dice.choice(NAMES)
        record, version = self.news()
        disk = dice.choice((f"{node}-disk", self.node.state.incarnation))
        end = self.place()
        kinds = (Hello, Append, Append, Append, Ack, Reject, Refuse, UseSnapshot, BlobWanted, BlobHeld, TakeOver, TailWanted, Tail)
        kind = dice.choice(kinds)
        if dice.random() < 0.2:
            return messages.to_json(self.follows())
        made = {
            Hello: lambda: Hello(
                node, "http://n9:1", disk, "ha", "c1", "1.0.0", "sim/sim", dice.choice(("active", "passive", "x")), self.epoch(),
                min(prev, end, key=lambda place: place.seq), max(prev, end, key=lambda place: place.seq), record, version,
                dice.random() < 0.5, dice.choice((0, 1, 1, 1)), 0, False, dice.choice((1, 2, 9)), dice.choice(("p", f"p-{node}", "")),
            ),
            Append: lambda: Append(
                self.epoch(), self.node.state.incarnation, prev, self.entries(prev), dice.choice((0, prev.seq, prev.seq + 9, 1 << 52)),
                dice.choice((0, -1.5, 1e9)), record, version, dice.choice((0, 3, 4)), dice.choice(("", "x")), dice.choice((0, 1 << 52)),
            ),
            Ack: lambda: Ack(self.epoch(), disk, dice.choice((-1, prev.seq, 1 << 52)), dice.choice((0, 1e9, self.now)), True, f"p-{node}"),
            Reject: lambda: Reject(self.epoch(), disk, dice.choice(("gap", "stale", "diverged", "x")), self.epoch(), prev, f"p-{node}"),
            Refuse: lambda: Refuse(dice.choice(("diverged", "twin", "removed", "x")), "why", Reigns([Reign(self.epoch(), 1)])),
            UseSnapshot: lambda: UseSnapshot(self.epoch(), self.node.state.incarnation),
            BlobWanted: lambda: BlobWanted(SHA),
            BlobHeld: lambda: BlobHeld(disk, SHA),
            TakeOver: lambda: TakeOver(node, disk),
            TailWanted: lambda: TailWanted(prev),
            Tail: lambda: Tail(prev, self.entries(prev)),
        }  # fmt: skip
        return messages.to_json(made[kind]())

    def text(self):
        """Return a frame: forged, or with a few values changed at any depth, or with characters changed, or none at all."""
        if self.dice.random() < 0.05:
            return self.dice.choice(RAW)
        frame = json.loads(json.dumps(self.frame()))
        if self.dice.random() < 0.5:
            for _change in range(self.dice.choice((1, 1, 2, 5))):
                change(frame, self.dice)
        text = json.dumps(frame)
        if self.dice.random() < 0.1:
            at = self.dice.randrange(len(text))
            text = text[:at] + self.dice.choice(('"', "{", "9", "", "\\u", "null", "é")) + text[at + self.dice.randrange(3) :]
        return text

    def happens(self):
        """Time passes, disks end, the store answers: in the middle of all that."""
        happening = self.dice.choice(("tick", "tick", "stored", "read", "flush", "acknowledge"))
        self.now += self.dice.choice((0.0, 0.01, 0.3, 2.0))
        if happening == "tick":
            self.give(ev.Tick(1_700_000_000.0 + self.now))
        elif happening == "read" and self.shared:
            self.read(self.record() if self.node.record.epoch == EPOCH else self.node.state.record)
        elif happening == "flush":
            self.give(ev.Flush())
        elif happening == "acknowledge":
            self.acknowledge()
        else:
            self.stored()


def odd(dice):
    return copy.deepcopy(dice.choice(ODD))


def change(value, dice):
    """Put an odd value somewhere into a JSON value, or take something away, or double it."""
    while True:
        places = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
        if not places:
            return
        place = dice.choice(places)
        if isinstance(value[place], (dict, list)) and value[place] and dice.random() < 0.6:
            value = value[place]
            continue
        todo = dice.random()
        if todo < 0.1:
            del value[place]
        elif todo < 0.2 and isinstance(value, list):
            value.append(copy.deepcopy(value[place]))
        elif todo < 0.3 and isinstance(value, dict):
            value[dice.choice(("new", "", "é"))] = odd(dice)
        else:
            value[place] = odd(dice)
        return


def play(seed):
    """A dozen frames to one node."""
    dice = random.Random(f"frames {seed}")
    scene = Scene(dice)
    for _frame in range(12):
        text, sender = scene.text(), dice.choice((*NAMES, "n1", "n1"))
        try:
            message = messages.read(text)
        except messages.UnknownMessage:
            continue
        except ValueError as error:
            said = str(error)
            if not said.isprintable() or len(said) > 400:
                return f"refused in no line: {said[:300]!r}"
            continue
        if sender != scene.name:
            try:
                scene.receive(sender, message)
            except Exception as error:
                raise AssertionError(f"{sender} said to {scene.name} ({scene.role}): {text[:1500]}") from error
        scene.happens()
    return None
