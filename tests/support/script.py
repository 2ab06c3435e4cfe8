# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node as a script: these events go in, those commands come out; and how such a node comes to be active, or passive."""

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model import messages
from baton.core.model.config import NodeConfig
from baton.core.model.documents import Change
from baton.core.model.log import ORIGIN, Epoch
from baton.core.model.messages import Ack, Append, Hello
from baton.core.model.record import Member, Record
from baton.core.model.saved import Saved
from baton.core.model.timing import PROFILES
from baton.core.node import Node
from baton.daemon.service import Service

LEASE = PROFILES["balanced"].lease
GRACE, STAGGER = PROFILES["balanced"].grace, PROFILES["balanced"].stagger
EPOCH = Epoch(3, "e3")
DEAD = "the VIP's interface eth0 has no carrier"
CLOSED = "the VIP's interface eth0 is down"


class Script:
    """One node whose disk and store answer when the script says so."""

    def __init__(self, name="n1", shared=True, saved=None, **more):
        config = NodeConfig(name, f"sim://{name}", "ha", "1.0.0", "sim/sim", PROFILES["balanced"], f"p-{name}", shared=shared, **more)
        self.node = Node(config, saved or Saved(f"{name}-disk"))
        self.now = 100.0
        self.commands = []

    def give(self, event):
        """Return the commands that follow from ``event``."""
        self.commands = self.node.handle(event, self.now)
        return self.commands

    def of(self, kind):
        return [command for command in self.commands if isinstance(command, kind)]

    def stored(self):
        """The disk is done: everything written so far is on it, and what that let follow too."""
        commands = list(self.give(ev.Stored(self.node.state._store_id)))
        while self.of(cmd.Store):
            commands += self.give(ev.Stored(self.node.state._store_id))
        self.commands = commands
        return commands

    def settle(self, version):
        """The swap under way happened."""
        swap = self.node.leading.swap if self.node.leading and self.node.leading.swap else self.node.swap
        return self.give(ev.SwapAnswer(swap.record.nonce, True, version))

    def hello(self, name, end=ORIGIN, applied=ORIGIN, role="passive", answer=False, version="1.0.0", **more):
        hello = Hello(
            name, f"sim://{name}", f"{name}-disk", "ha", "c1", version, "sim/sim", role, Epoch(0, ""), applied, end, None, -1, answer,
            **more,
        )  # fmt: skip
        return self.give(ev.Received(name, hello))

    def ack(self, name, matched=None, stamp=None):
        end = self.node.state.log.end.seq
        ack = Ack(self.node.leading.epoch, f"{name}-disk", end if matched is None else matched, self.now if stamp is None else stamp, True)
        return self.give(ev.Received(name, ack))

    def write(self, number, value=1):
        body = [{"op": "add", "path": "/Params/x", "value": value}]
        change = Change("profiles", "p", "put", {}) if number == 1 else Change("profiles", "p", "patch", body)
        return self.give(ev.Submit(number, (change,), self.now))


def record(active="n1", members=("n1", "n2"), number=1, **more):
    return Record("c1", Epoch(number, f"e{number}"), active, tuple(Member(name, f"{name}-disk") for name in members), **more)


def serving(mode="available", min_in_sync=1, **more):
    """Return n1, active since its start, with n2 in sync and answering."""
    script = Script(**more)
    script.give(ev.Started())
    script.hello("n2")
    script.give(ev.RecordRead(5, record(mode=mode, min_in_sync=min_in_sync)))
    script.settle(6)
    script.stored()
    script.give(ev.LinkUp("n2"))
    script.hello("n2")
    script.ack("n2")
    script.give(ev.Flush())
    script.stored()
    script.ack("n2")
    assert script.node.serving(script.now)
    return script


def passive(name="n2", members=("n1", "n2", "n3"), **more):
    """A node that has just heard from n1, the active of epoch 3."""
    script = Script(name, **more)
    script.give(ev.Started())
    script.standing = record(members=members, number=3)
    script.give(ev.RecordRead(5, script.standing))
    script.give(ev.LinkUp("n1"))
    script.hello("n1", role="active")
    script.stored()
    hear(script)
    script.stored()
    return script


def hear(script):
    script.give(ev.Received("n1", Append(EPOCH, f"{script.node.config.node}-disk", ORIGIN, (), 0, script.now, None, -1, 0)))


def meet(script, name, **more):
    script.give(ev.LinkUp(name))
    more = {"role": "passive", "promised": EPOCH, "applied": ORIGIN, "end": ORIGIN, "record": None, "record_version": -1, **more}
    hello = Hello(name, f"sim://{name}", f"{name}-disk", "ha", "c1", "1.0.0", "sim/sim", answer=False, **more)
    script.give(ev.Received(name, hello))


def tries(script):
    """Return the swap that follows from a tick and a look at an unchanged record, or None."""
    script.give(ev.Tick())
    if not script.of(cmd.ReadRecord):
        return None
    script.give(ev.RecordRead(5, script.standing))
    if not script.of(cmd.Store):
        return None
    script.stored()
    (swap,) = script.of(cmd.Swap)
    return swap.record


def dies(script, why=DEAD):
    return script.give(ev.VipHealth(why))


def store_answers(script):
    """The record is read, as it stands."""
    return script.give(ev.RecordRead(script.node.state.version, script.node.record, proven=True))


def meet_again(script, name, **more):
    """``name`` says how it is now: it has our log."""
    state = script.node.state
    meet(script, name, promised=state.promised, applied=state.applied, end=state.log.end, **more)


def status(script):
    return Service(script.node, script.give, lambda: script.now).status()


def nodes(script, what):
    return {node["id"]: node[what] for node in status(script)["nodes"]}


def notes(script):
    return [note.text for note in script.of(cmd.Note)]


def met():
    """n1 active, n2 in sync: it has said how it is."""
    script = serving()
    meet_again(script, "n2")
    script.ack("n2")
    return script


def alive(script):
    """A quarter of a second in which n2 acknowledges that it is there, and nothing new."""
    script.now += 0.25
    script.ack("n2", matched=script.node.leading.followers.by_node["n2"].matched)
    script.node.leading.followers.by_node["n2"].progress = script.now
    script.give(ev.Tick())


def manual():
    return serving(shared=False)


def three(script):
    """n3 joins."""
    meet_again(script, "n3")
    for _round in range(3):
        script.give(ev.Flush())
        script.stored()
        script.ack("n2")
        script.ack("n3")
        if script.node.leading.swap is None:
            store_answers(script)
    script.settle(7)
    assert script.node.record.member("n3") is not None
    script.ack("n2")
    script.ack("n3")
    return script


def wire(**more):
    script = Script("n2")
    script.give(ev.Started())
    script.give(ev.VipHealth(more.get("unable", "")))
    return {**messages.to_json(script.node.links.hello(False, "n1", script.now)), "url": "http://n2.sim"}
