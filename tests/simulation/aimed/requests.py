# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of what clients ask: in mode strict, again after a failover, with ties that fail, and while a log is evaluated."""

from __future__ import annotations

import contextlib

from baton.core import node
from baton.core.model.documents import Change
from baton.core.model.requests import Outcome
from baton.core.replication import following
from baton.core.roles import recovery
from simulation.aimed.scene import Scene, aimed


@aimed
def strict_loses_its_passive_in_the_middle_of_a_write(seed):
    scene = Scene(seed, 2, mode="strict", min_in_sync=2)
    n1, n2 = scene.hosts
    scene.writes(n1, 3)
    n2.crash()
    answers = scene.write(n1, key="k")
    scene.alone(n1)
    scene.run(1)
    if not answers or isinstance(answers[0], Outcome) or answers[0].extra.get("outcome") != "unknown":
        scene.fail(f"strict answers a write that one disk has with {answers}")
    again = scene.write(n1, key="k")
    scene.run(0.1)
    if again and getattr(again[0], "extra", {}).get("outcome") == "not_applied":
        scene.fail("a repeated write is said not to have been applied")
    n2.start()
    scene.in_sync(n1, n2)
    scene.writes(n1, 2)
    scene.nothing_lost(n1)


@aimed
def strict_keeps_what_cannot_be_kept_alive(seed):
    """Strict and one copy: no client lease can be kept alive, so none ends; and one that ended before is not ended twice."""
    scene = Scene(seed, 2, mode="strict", min_in_sync=2)
    n1, n2 = scene.hosts
    grant = {"Ttl": scene.dice.uniform(1, 4), "Owner": ""}
    scene.changes(n1, Change("leases", "kept", "grant", grant))
    scene.changes(n1, *(Change("locks", "door", "acquire", _wants(owner, "kept" if owner == "a" else None)) for owner in "ab"))
    end = scene.world.now + scene.dice.uniform(0, 3)
    while scene.world.now < end:
        scene.keep(n1, "kept")
        scene.run(0.2)
    n2.crash()
    while len(n1.node.record.in_sync) > 1:
        scene.keep(n1, "kept")
        scene.run(0.1)
    scene.run(scene.dice.uniform(0, 20))
    if "a" not in n1.node.state.heads.committed("locks", "door").value["Holders"]:
        scene.fail("a lock has changed hands while its holder could not keep it, with one copy")
    n2.start()
    scene.in_sync(n1, n2)
    scene.keep(n1, "kept")
    scene.expect(lambda: list(n1.node.state.heads.committed("locks", "door").value["Holders"]) == ["b"], "the lease never ends")


def _wants(owner, lease):
    return {"Owner": owner, "Lease": lease, "Slots": None, "Queue": True, "Data": None, "At": 0}


@aimed
def a_tie_that_cannot_be_undone(seed):
    """Under a lease a leader sits whose profile goes, and one whom a schema names: the lease ends all the same, and what else it has."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    default = {"Schema": {"default": "a"}}
    scene.changes(n1, Change("params", "boss", "put", default), Change("leases", "l", "grant", {"Ttl": 1.0, "Owner": ""}))
    seat = {"Candidate": "a", "Seats": None, "Vacant": "none", "Lease": "l", "At": 0}
    scene.changes(n1, *(Change("profiles", name, "elect", seat, at=("Params", "boss")) for name in ("gone", "stays")))
    scene.changes(n1, Change("locks", "door", "acquire", _wants("a", "l")))
    scene.changes(n1, Change("profiles", "gone", "delete"))
    if scene.dice.random() < 0.5:
        n1.crash(notice=True)
        scene.expect(lambda: scene.world.active() is n2, "n2 does not take over")

    def ended():
        heads = scene.world.active().node.state.heads
        boss = heads.committed("profiles", "stays").value["Params"]["boss"]
        return heads.committed("leases", "l") is None and heads.committed("locks", "door") is None and boss == "none"

    scene.expect(ended, "a lease does not end, or what is tied to it")


@aimed
def replies_age_by_the_log(seed):
    """The wall clocks of two hosts are far apart: over a failover a repeat is a repeat, and minutes later it is forgotten."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    n1.wall_off, n2.wall_off = scene.dice.choice(((0, 700), (0, 90_000), (80_000, 0), (-5_000, 5_000)))
    scene.run(1)
    first = scene.write(n1, key="once")
    scene.expect(lambda: first, "a write has no answer")
    n1.crash(notice=True)
    scene.expect(lambda: scene.world.active() is n2, "n2 does not take over")
    scene.writes(n2, 1)
    again = scene.write(n2, key="once")
    scene.expect(lambda: again, "a repeat has no answer")
    if not isinstance(again[0], Outcome) or not again[0].replayed:
        scene.fail(f"the repeat of a write is another write: {again[0]}")
    scene.run(900)
    scene.writes(n2, 1)
    if n2.node.state.replies.find("once") is not None:
        scene.fail("a reply is remembered after a quarter of an hour")


@aimed
def a_request_is_repeated_to_the_next_active(seed):
    """Whether its answer came or not, it happens once."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    first = scene.write(n1, "once")
    scene.run(scene.dice.uniform(0, 0.2))
    n1.crash(notice=scene.dice.random() < 0.5)
    scene.expect(lambda: scene.world.active() is n2 and n2.node.serving(n2.clock()), "n2 does not take over")
    for _again in range(2):
        answers = scene.write(n2, "once")
        scene.expect(lambda answers=answers: answers, "the repeat has no answer")
        if not isinstance(answers[0], Outcome):
            scene.fail(f"the repeat was refused: {answers[0]}")
        revisions = {answer.documents[0].revision for answer in (*first, *answers) if isinstance(answer, Outcome)}
        if len(revisions) > 1:
            scene.fail(f"it happened more than once: {revisions}")
    if not answers[0].replayed:
        scene.fail("the second repeat is a new request")
    scene.nothing_lost(n2)


@contextlib.contextmanager
def _one_at_a_time():
    """Whoever follows, or becomes active, evaluates one entry at a time."""
    kept = node.APPLIED_AT_ONCE
    for module in (node, following, recovery):
        module.APPLIED_AT_ONCE = 1
    try:
        yield
    finally:
        for module in (node, following, recovery):
            module.APPLIED_AT_ONCE = kept


@aimed
def a_new_active_has_much_to_evaluate(seed):
    """It goes on answering meanwhile, and is active when it is done; or dies, or is cut off until another has the role."""
    with _one_at_a_time():
        scene = Scene(seed, 3)
        n1, *others = scene.hosts
        answers = [scene.write(n1) for _number in range(scene.dice.randint(250, 400))]
        scene.expect(lambda: all(answers), "a write has no answer")
        n1.crash(notice=scene.dice.random() < 0.7)
        scene.expect(lambda: any(host.node._becoming for host in others), "nobody has anything to evaluate")
        (next_one,) = [host for host in others if host.node._becoming]
        (third,) = [host for host in others if host is not next_one]
        what = scene.dice.choice(("nothing", "killed", "cut off", "forced"))
        if what == "killed":
            next_one.crash()
        elif what == "cut off":
            scene.world.store.cut.add(next_one.name)
            scene.cut(next_one, third)
            next_one.is_frozen = True  # it wakes up in the middle of it, when the role is another's
            scene.expect(lambda: third.node.leading, "nobody takes over")
            next_one.thaw()
        elif what == "forced":
            scene.world.checks.leases = False
            scene.order(third, "promote", force=True)
            for _moment in range(200):
                scene.run(0.005)
                if next_one.node.leading is not None and next_one.node.record.active != next_one.name:
                    scene.fail(f"{next_one.name} begins a reign that is another's")
        scene.expect(scene.world.active, "nobody serves")
        scene.world.cut.clear()
        scene.world.store.cut.clear()
        for host in scene.hosts:
            if host.node is None:
                host.start()
        scene.in_sync(*scene.hosts)
        scene.nothing_lost(scene.world.active())
