# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes of one name, as scripts: who comes later is refused, everybody says so, and a copy of a disk becomes a disk of its own."""

from dataclasses import replace

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.log import ORIGIN, Epoch
from baton.core.model.messages import Ack, Hello, Refuse
from baton.core.roles.twins import NOT_YET
from support.script import Script, passive, record, serving, tries

HELLO = Hello(
    "n2", "sim://n2", "n2-disk", "ha", "c1", "1.0.0", "sim/sim", "passive", Epoch(2, "p-n1-2"), ORIGIN, ORIGIN, None, -1, False,
    process="first", host="alpha",
)  # fmt: skip
TWIN = replace(HELLO, url="sim://copy", incarnation="other-disk", process="second", host="beta")


def pair():
    script = serving()
    script.give(ev.Received("n2", replace(HELLO, end=script.node.state.log.end, applied=script.node.state.log.end)))
    speak(script)
    return script


def speak(script):
    """The first one acknowledges."""
    follower = script.node.leading.followers.by_node["n2"]
    ack = ev.Received("n2", _ack(script, follower.process))
    return script.give(ack)


def _ack(script, process):
    return Ack(script.node.leading.epoch, "n2-disk", script.node.state.log.end.seq, script.now, True, process)


def refusals(script):
    found = [c for c in script.of(cmd.SendBack) if isinstance(c.message, Refuse)]
    assert all((c.node, c.process) == ("n2", "second") for c in found), "not the one that stays"
    return [c.message for c in found]


def test_the_second_is_refused_while_the_first_speaks_and_both_are_named():
    script = pair()
    script.give(ev.Received("n2", TWIN))
    assert "say Hello again" in refusals(script)[0].detail, "an echo, or a successor that is quicker than the news of the end"
    assert not script.node.standing.twins.error(script.now)
    script.now += 0.7
    speak(script)
    script.give(ev.Received("n2", TWIN))
    (refuse,) = refusals(script)
    assert refuse.code == "twin" and "sim://n2 on alpha" in refuse.detail and "sim://copy on beta" in refuse.detail
    assert refuse.detail in script.node.standing.twins.error(script.now), "the status says so"
    assert [c.text for c in script.of(cmd.Note) if c.level == "error"] == [refuse.detail], "and the journal"
    assert script.node.leading.followers.by_node["n2"].incarnation == "n2-disk", "the in-sync set does not change"


def test_it_is_said_once_and_forgotten_when_it_is_gone():
    script = pair()
    for _hello in range(4):
        script.now += 0.7
        speak(script)
        script.give(ev.Received("n2", TWIN))
    assert not script.of(cmd.Note)
    script.now += 20
    assert script.node.standing.twins.error(script.now) == ""


def test_a_restart_is_no_twin():
    script = pair()
    script.give(ev.LinkDown("n2"))
    script.give(ev.LinkUp("n2"))
    script.give(ev.Received("n2", replace(HELLO, process="again")))
    assert script.node.leading.followers.by_node["n2"].process == "again"


def test_the_first_one_is_told_of_its_twin():
    script = pair()
    for _hello in range(2):
        script.now += 0.7
        speak(script)
        script.give(ev.Received("n2", TWIN))
    script.give(ev.Received("n2", replace(HELLO, answer=True)))
    (answer,) = [c.message for c in script.of(cmd.Send) if isinstance(c.message, Hello)]
    assert len(answer.twins) == 1 and "sim://copy" in answer.twins[0]


def test_who_answers_under_our_own_name_is_named():
    script = serving()
    script.give(ev.TwinSeen("sim://copy"))
    assert "n1" in script.node.standing.twins.error(script.now) and "sim://copy" in script.node.standing.twins.error(script.now)


def test_a_copy_of_a_disk_in_sync_renounces_it_when_it_is_refused_for_long():
    script = passive("n2", members=("n1", "n2"))
    refuse = ev.Received("n1", Refuse("twin", "two nodes call themselves n2"))
    for _second in range(5):
        script.give(refuse)
        assert not script.of(cmd.Renounce)
        script.now += 1.1
    script.give(refuse)
    assert script.of(cmd.Renounce)


def called_a_twin(why):
    """A passive that was refused for two graces by an active which is gone since."""
    script, grace = passive("n2", members=("n1", "n2")), 3.0
    end = script.now + 2 * grace
    while script.now < end:
        script.give(ev.Received("n1", Refuse("twin", why)))
        script.now += 0.7
        assert not tries(script), "the image of a disk has the name of a member, and hears nothing"
    script.now += 9 * grace
    return script


def test_who_is_a_twin_does_not_take_over_when_the_active_ends_that_spoke_to_the_other():
    assert not tries(called_a_twin("two nodes call themselves n2")), "the other may have what was acknowledged since"


def test_who_was_only_asked_to_say_it_again_takes_over():
    assert tries(called_a_twin(NOT_YET)), "the word of a predecessor is no twin"


def test_an_empty_disk_has_nothing_to_renounce():
    script = Script("n9")
    script.give(ev.Started())
    script.give(ev.RecordRead(5, record()))
    for _second in range(9):
        script.give(ev.Received("n1", Refuse("twin", "two nodes call themselves n9")))
        script.now += 1.1
        assert not script.of(cmd.Renounce)
