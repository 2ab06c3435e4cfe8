# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers and the role, as scripts: when a reign may start them, what a successor waits for, and when the role moves because of one."""

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.document import Document
from baton.core.model.driver_options import Options
from baton.core.model.log import ORIGIN, Entry, Epoch
from baton.core.model.messages import Append
from baton.core.model.saved import Saved
from support.script import EPOCH, GRACE, LEASE, Script, hear, passive, record, serving, tries

D = 3.0
RATE = 0.1
BOUND = max(GRACE, (LEASE + D) * (1 + RATE) / (1 - RATE))


def connect(script, name="web", session=1, **options):
    """A driver connects; its first order, to stop, is answered."""
    script.give(ev.DriverHello(session, name, Options(**options)))
    return done(script, session)


def done(script, session=1, ok=True, message=""):
    driver = next(d for d in script.node.driving.drivers.by_id.values() if d.session == session)
    return script.give(ev.DriverDone(session, driver.number, ok, message))


def commit(script):
    """Whatever was written is on both disks."""
    script.give(ev.Flush())
    script.stored()
    for name in sorted(script.node.standing.linked):
        script.ack(name)
    return script.commands


def starts(script):
    return [command for command in script.of(cmd.DriverOrder) if command.active]


def reign_of(number, node="n1", **more):
    """The history document of a reign; ``DriverStop``: its drivers may have been started."""
    value = {"Epoch": number, "Id": f"e{number}", "Node": node, "Reason": "", "At": 0.0, **more}
    return Document("history", str(number), value, f"{number}.1", 99)


def saved(name, **more):
    reigns = [reign_of(3, DriverStop=D)]
    return Saved(f"{name}-disk", cluster_id="c1", promised=EPOCH, documents=reigns, **more)


def promoted(script, notice=None):
    """The passive becomes active by its swap, after silence or a notice."""
    if notice is None:
        assert tries(script) is not None
    else:
        script.give(notice)
        assert script.of(cmd.ReadRecord)
        script.give(ev.RecordRead(5, script.standing))
        script.stored()
    script.settle(6)
    reign(script, "n3")


def reign(script, *others):
    """The others follow: everything is on their disks."""
    script.stored()
    for name in others:
        script.give(ev.LinkUp(name))
        script.hello(name)
        script.ack(name)
    commit(script)
    assert script.node.leading.started


def told(script):
    """Whether the driver was told to start."""
    return script.node.driving.drivers.by_id["web"].phase == "starting"


def start_at(script):
    """Let time pass until the driver is told to start; return when."""
    end = script.now + 60
    while not told(script) and script.now < end:
        script.now += 0.125
        script.give(ev.Tick())
        commit(script)
    assert told(script)
    return script.now


def survivor(**more):
    """n2, which has heard n1 in epoch 3 for the last time just now; n3 is in sync, too. Its driver is connected and stopped."""
    script = passive(saved=saved("n2"), **more)
    connect(script)
    hear(script)
    script.stored()
    return script


def test_a_reign_says_that_drivers_may_run_before_it_starts_one():
    script = serving()
    connect(script)
    assert not starts(script)
    document = script.node.state.heads.speculative("history", str(script.node.record.epoch.number))
    assert document.value["DriverStop"] == D
    script.stored()
    assert not starts(script), "n2 does not know it yet"
    script.ack("n2")
    assert starts(script)


def test_without_drivers_nothing_is_said_and_nothing_waits():
    script = serving()
    document = script.node.state.heads.committed("history", str(script.node.record.epoch.number))
    assert "DriverStop" not in document.value


def test_after_silence_a_successor_waits_for_as_long_as_they_may_run():
    script = survivor()
    heard = script.now
    script.now += GRACE + 0.35
    promoted(script)
    assert heard + BOUND <= start_at(script) < heard + BOUND + 0.2


def test_a_notice_that_the_role_is_free_is_not_one_that_drivers_have_stopped():
    script = survivor()
    heard = script.now
    promoted(script, ev.ReleaseNotice("n1", EPOCH))
    assert start_at(script) >= heard + BOUND


def test_a_notice_that_drivers_have_stopped_ends_the_wait_before_and_after_the_promotion():
    before = survivor()
    promoted(before, ev.ReleaseNotice("n1", EPOCH, True))
    assert told(before)
    after = survivor()
    promoted(after, ev.ReleaseNotice("n1", EPOCH))
    after.give(ev.ReleaseNotice("n1", Epoch(2, "e2"), True))
    assert not told(after), "that was another reign"
    after.give(ev.ReleaseNotice("n1", EPOCH, True))
    assert told(after)


def test_what_is_on_disk_but_not_known_to_be_committed_counts():
    """The one before committed it with our acknowledgement, started a driver, and was never heard again."""
    script = passive(saved=Saved("n2-disk", cluster_id="c1", promised=EPOCH))
    connect(script)
    effect = {"kind": "history", "key": "3", "value": reign_of(3, DriverStop=D).value}
    entry = Entry.make(1, EPOCH, 0, {"effects": [effect]})
    script.give(ev.Received("n1", Append(EPOCH, "n2-disk", ORIGIN, (entry,), 0, script.now, None, -1, 0)))
    script.stored()
    heard = script.now
    script.now += GRACE + 0.35
    promoted(script)
    assert start_at(script) >= heard + BOUND


def test_who_waits_for_longer_says_so_to_who_follows():
    reigns = [reign_of(3, DriverStop=10.0)]
    script = passive(saved=Saved("n2-disk", cluster_id="c1", promised=EPOCH, documents=reigns))
    connect(script)
    promoted(script, ev.ReleaseNotice("n1", EPOCH))
    assert script.node.state.heads.committed("history", "4").value["DriverStop"] == 10.0


def test_the_vip_is_not_given_up_before_the_role_can_be():
    script = survivor()
    promoted(script, ev.ReleaseNotice("n1", EPOCH))
    script.give(ev.Operator(9, "switch", "n3"))
    problem = script.of(cmd.Reply)[0].result
    assert problem.code == "too_early" and 0 < problem.extra["seconds"] <= BOUND
    assert script.node.serving(script.now)


def test_the_role_stays_where_a_driver_says_that_it_can_not_stop():
    script = serving()
    script.give(ev.DriverHello(1, "web", Options(on_failure="ignore")))
    done(script, ok=False, message="exit 1")
    commit(script)
    script.give(ev.Operator(9, "switch", "n2", force=True))
    problem = script.of(cmd.Reply)[0].result
    assert problem.code == "driver_stuck" and "`systemctl stop baton-driver@web`" in problem.detail
    assert script.node.serving(script.now)
    script.give(ev.DriverGone(1))
    script.give(ev.Operator(10, "switch", "n2"))
    script.now += 0.01
    store_answers(script)
    assert cmd.Lease(None) in script.commands, "its process has ended, and systemd kills what it left"
    script.give(ev.Released())
    assert not script.node.driving.drivers.at_rest(script.now + D) and script.node.driving.drivers.at_rest(script.now + D + 1)


def test_a_late_swap_of_an_earlier_process_is_no_hand_over():
    """The process that sent it is gone, and with it when it last heard of the one before; its epoch is not continued."""
    script = survivor()
    late = record(active="n2", members=("n2", "n3"), number=4)
    script.give(ev.RecordRead(6, late))
    script.now += script.node.config.timing.silence + 0.1  # n3 may have what this disk has lost
    script.give(ev.RecordRead(6, late))
    assert script.of(cmd.Swap)[0].record.epoch.number == 5
    script.settle(7)
    began = script.now
    reign(script, "n3")
    assert start_at(script) >= began + BOUND


def test_who_was_handed_the_role_starts_at_once():
    script = survivor()
    script.give(ev.RecordRead(6, record(active="n2", members=("n1", "n2", "n3"), number=4, holder="n1")))
    reign(script, "n1", "n3")
    assert told(script)


@pytest.mark.parametrize("cleared, waits", [(3, False), (2, True), (-1, True)])
def test_a_restarted_active_need_not_wait_for_its_own_drivers_if_it_had_not_to_wait_for_others(cleared, waits):
    script = Script("n1", saved=saved("n1", cleared=cleared))
    script.give(ev.Started())
    connect(script)
    script.give(ev.RecordRead(5, record(number=3, members=("n1",))))
    script.settle(6)
    began = script.now
    reign(script)
    assert (start_at(script) >= began + BOUND) == waits
    assert not script.node.driving.drivers.at_rest(began + BOUND - 0.2), "but before it gives the role away"


def test_the_role_is_given_away_when_the_vip_is_gone_and_drivers_have_stopped():
    script = serving()
    connect(script)
    commit(script)
    done(script)
    script.now += 0.01
    script.give(ev.Operator(9, "switch", "n2"))
    assert cmd.Lease(None) not in script.commands
    store_answers(script)
    assert cmd.Lease(None) in script.commands and [c.active for c in script.of(cmd.DriverOrder)] == [False]
    script.give(ev.Released())
    assert not script.of(cmd.Swap)
    done(script)
    (swap,) = script.of(cmd.Swap)
    assert swap.record.active == "n2"


def test_a_switch_that_a_driver_keeps_from_its_end_is_called_off_and_names_it():
    script = serving()
    connect(script)
    commit(script)
    done(script)
    script.now += 0.01
    script.give(ev.Operator(9, "switch", "n2"))
    store_answers(script)
    script.give(ev.Released())
    done(script, ok=False, message="exit 1")
    said, end = [], script.now + 60
    while not said and script.now < end:
        script.now += 0.125
        commands = script.give(ev.Tick())
        said += [command for command in commands if isinstance(command, cmd.Reply) and command.id == 9]
        if any(isinstance(command, cmd.DriverOrder) for command in commands):
            done(script, ok=False, message="exit 1")
        commit(script)
        store_answers(script)
    (reply,) = said
    assert reply.result.code == "switch_aborted" and "driver web does not stop (exit 1)" in reply.result.detail
    assert not script.of(cmd.Swap)


def test_nothing_is_served_until_the_pre_active_drivers_are_active():
    script = Script()
    connect(script, "db", pre_active=True)
    script.give(ev.Started())
    script.give(ev.RecordRead(5, record(members=("n1",))))
    script.settle(6)
    script.stored()
    commit(script)
    assert script.node.leading.reigning(script.now) and not script.node.serving(script.now)
    assert not script.of(cmd.Lease), "no VIP either"
    script.write(1)
    problem = script.of(cmd.Reply)[0].result
    assert (problem.code, problem.extra["outcome"]) == ("drivers", "not_applied") and "db" in problem.detail
    done(script)
    assert script.node.serving(script.now)
    assert script.of(cmd.Lease) and script.of(cmd.RoleChanged)


def test_a_pre_active_driver_that_is_added_does_not_end_the_service():
    script = serving()
    script.give(ev.Tick())
    script.give(ev.DriversExpected({"db": Options(pre_active=True)}))
    commit(script)
    assert script.node.serving(script.now)
    connect(script, "db", pre_active=True)
    commit(script)
    assert script.node.serving(script.now) and script.node.driving.drivers.by_id["db"].phase == "starting"


def test_nobody_takes_over_for_a_driver_that_is_being_installed_but_for_one_that_was_there():
    script = serving()
    script.give(ev.DriversExpected({"web": Options(on_failure="fail_over")}))

    def wait():
        for _tick in range(100):
            script.now += 0.25
            script.give(ev.Tick())
            store_answers(script)
            commit(script)

    wait()
    assert script.node.leading.handover is None and "driver web is not connected" in script.node.driving.error(script.now)
    connect(script, on_failure="fail_over")
    script.give(ev.DriverGone(1))
    wait()
    assert script.node.leading is None or script.node.leading.handover is not None


def test_what_a_driver_does_to_the_service_is_said_by_the_node():
    script = serving()
    script.give(ev.DriversExpected({"db": Options(pre_active=True)}))
    assert script.node.driving.error(script.now) == ""
    assert script.node.driving.error(script.now + 11) == "driver db is not connected; see `systemctl status baton-driver@db`"


def test_after_a_lease_that_ended_they_come_first_again():
    script = serving()
    connect(script, "db", pre_active=True)
    commit(script)
    done(script)
    script.now += LEASE + 0.1
    script.ack("n2")
    assert script.node.leading.lease > script.now and not script.node.serving(script.now)
    assert [c.active for c in script.of(cmd.DriverOrder)] == [False]


def store_answers(script):
    """The record is read, as it stands."""
    return script.give(ev.RecordRead(script.node.state.version, script.node.record, proven=True))


def failing(**more):
    script = serving()
    connect(script, on_failure="fail_over", retries=0, **more)
    commit(script)
    done(script, ok=False, message="exit 1")
    assert script.of(cmd.ReadRecord)
    store_answers(script)
    return script


def test_while_the_store_is_silent_nothing_is_given_up_for_a_driver():
    """I6: the hand-over would come to no end, and all other services with it."""
    script = serving()
    connect(script, on_failure="fail_over", retries=0)
    commit(script)
    done(script, ok=False, message="exit 1")
    done(script)
    asked = 0
    while not starts(script):
        script.now += 0.125
        script.ack("n2")
        script.give(ev.Tick())
        asked += len(script.of(cmd.ReadRecord))
        assert script.node.serving(script.now) and script.node.leading.handover is None
    assert asked >= 2, "it is asked again, and the driver is tried again meanwhile"
    done(script)
    store_answers(script)
    assert script.node.leading.handover is None, "it works here again"
    for _check in range(Options().unhealthy_after):
        script.give(ev.DriverHealth(1, False, "HTTP 502"))
    script.now += 0.01
    assert script.of(cmd.ReadRecord) and script.node.leading.handover is None
    store_answers(script)
    assert script.node.leading.handover.to == "n2"


def test_a_driver_that_fails_hands_the_role_over_and_that_is_counted():
    script = failing()
    assert script.node.leading.handover.reason == "driver web did not start: exit 1"
    assert not script.node.leading.handover.released, "the count has to be committed first"
    commit(script)
    assert script.node.leading.handover.released
    document = script.node.state.heads.committed("system", "failovers")
    assert [len(times) for times in document.value.values()] == [1]


def test_it_does_not_go_on_for_ever():
    script = failing(most_failovers=0)
    assert script.node.leading.handover is None
    assert any("no failover: 0 in 3600 s already" in note.text for note in script.of(cmd.Note))


def test_in_a_pause_the_role_stays():
    script = serving()
    commit(script)
    script.give(ev.Operator(7, "pause"))
    script.settle(7)
    connect(script, on_failure="fail_over", retries=0)
    commit(script)
    done(script, ok=False, message="exit 1")
    store_answers(script)
    assert script.node.leading.handover is None
    assert any("no failover: paused" in note.text for note in script.of(cmd.Note))
    script.give(ev.Operator(8, "resume"))
    script.settle(8)
    done(script)
    script.now += 31
    script.ack("n2")
    script.give(ev.Tick())
    assert starts(script), "it is tried again"
    done(script, ok=False, message="exit 1")
    store_answers(script)
    assert script.node.leading.handover.to == "n2"


def test_nobody_to_hand_over_to():
    script = Script()
    connect(script, on_failure="fail_over", retries=0)
    script.give(ev.Started())
    script.give(ev.RecordRead(5, record(members=("n1",))))
    script.settle(6)
    script.stored()
    commit(script)
    done(script, ok=False)
    store_answers(script)
    assert script.node.leading.handover is None
    assert any("no failover: no passive is in sync" in note.text for note in script.of(cmd.Note))
    assert script.node.serving(script.now)
