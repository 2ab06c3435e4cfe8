# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers as scripts: who is told to start and stop, in which order, after what, and what a failure leads to."""

import pytest

from baton.core import commands as cmd
from baton.core.drivers import drivers as module
from baton.core.drivers.drivers import LATE, PATIENCE, Drivers
from baton.core.drivers.order import order
from baton.core.drivers.trouble import troubles
from baton.core.model.driver_options import Options, read_options
from baton.ground.problem import Problem

STOP = 3.0
STEP = 0.25


class Script:
    """The drivers of one node, connected and stopped; the lease is renewed at each step while the script ``reigns``."""

    def __init__(self, **options):
        self.out = []
        self.drivers = Drivers(STOP, STEP, self.out)
        self.now = 100.0
        self.sessions = {}
        self.reigns = False
        for name, given in options.items():
            self.connect(name, given)
        self.orders()

    def connect(self, name, options=None):
        number = self.sessions[name] = max(self.sessions.values(), default=0) + 1
        why = self.drivers.hello(number, name, options or Options(), self.now)
        if not why:
            self.done(name)
        return why

    def reign(self, epoch=1, wait=0.0):
        self.drivers.begin(epoch, self.now + wait, self.now, self.now)
        self.reigns = True
        return self.pass_(0)

    def pass_(self, seconds):
        """Time passes, in steps as the node's ticks; return the orders that were given."""
        end = self.now + seconds
        while True:
            self.drivers.advance(self.now)
            if self.reigns:
                self.drivers.grant(self.now + 2)
                self.drivers.advance(self.now)
            if self.now >= end:
                return self.orders()
            self.now = min(end, self.now + 0.125)

    def orders(self):
        """Return what was ordered since the last call, such as ``start db``; it stays unanswered."""
        names = {session: name for name, session in self.sessions.items()}
        found = [f"{'start' if c.active else 'stop'} {names[c.session]}" for c in self.out if isinstance(c, cmd.DriverOrder)]
        self.last = {names[c.session]: c for c in self.out if isinstance(c, cmd.DriverOrder)} or getattr(self, "last", {})
        self.notes = [c.text for c in self.out if isinstance(c, cmd.Note)]
        self.markers = [(c.driver, c.running) for c in self.out if isinstance(c, cmd.DriverMarker)]
        self.out.clear()
        return found

    def done(self, name, ok=True, message=""):
        """Answer the last order to ``name``; return what was ordered then."""
        driver = self.drivers.by_id[name]
        self.drivers.done(self.sessions[name], driver.number, ok, message, self.now)
        return self.orders()

    def phases(self):
        return {name: driver.phase for name, driver in self.drivers.by_id.items()}


# --- order ----------------------------------------------------------------------------------------------------------


def test_a_driver_is_told_first_to_stop_whatever_runs():
    script = Script()
    script.sessions["web"] = 1
    script.drivers.hello(1, "web", Options(), script.now)
    kinds = [type(command).__name__ for command in script.out]
    assert kinds == ["DriverWelcome", "DriverOrder"]
    assert script.orders() == ["stop web"]
    assert script.reign() == [], "not before that has ended"
    assert script.done("web") == ["start web"]


def test_after_and_before_are_started_in_order_and_stopped_the_other_way_round():
    script = Script(web=Options(after=("app",)), app=Options(), db=Options(before=("app",)))
    assert script.reign() == ["start db"]
    assert script.done("db") == ["start app"]
    assert script.done("app") == ["start web"]
    assert script.done("web") == []
    script.drivers.revoke(script.now + 2, script.now)
    script.reigns = False
    assert script.pass_(0) == ["stop web"]
    assert script.done("web") == ["stop app"]
    assert script.done("app") == ["stop db"]
    assert not script.drivers.at_rest(script.now)
    script.done("db")
    assert script.drivers.at_rest(script.now)


def test_those_that_do_not_wait_for_each_other_start_together_in_one_step():
    script = Script(a=Options(), b=Options(), c=Options(after=("a", "b")))
    assert script.reign() == ["start a", "start b"]
    assert script.done("a") == []
    assert script.done("b") == ["start c"]


def test_an_id_that_is_taken_and_one_that_comes_after_itself_are_refused():
    script = Script(a=Options())
    assert "connected already" in script.connect("a")
    assert "circle: x after x" in script.connect("x", Options(before=("x",)))


@pytest.mark.parametrize(
    "given, word",
    [
        ({"on_failure": "explode"}, "on_failure"),
        ({"retries": -1}, "retries"),
        ({"retries": True}, "retries"),
        ({"start_seconds": float("nan")}, "start_seconds"),
        ({"after": "db"}, "after"),
        ({"after": ["a/b"]}, "id is"),
        ({"colour": 1}, "colour"),
        ([], "object"),
    ],
)
def test_options_that_are_wrong_are_named(given, word):
    with pytest.raises(Problem) as raised:
        read_options(given)
    assert word in raised.value.detail


# --- never two at once (I5) -----------------------------------------------------------------------------------------


def test_nothing_starts_before_the_one_before_can_not_run_any_more():
    script = Script(web=Options())
    assert script.reign(epoch=2, wait=5.5) == []
    assert script.pass_(5.25) == []
    assert script.pass_(0.5) == ["start web"]


def test_a_notice_that_its_drivers_have_stopped_ends_the_wait():
    script = Script(web=Options())
    script.reign(epoch=2, wait=5.5)
    script.drivers.clear(script.now)
    assert script.pass_(0) == ["start web"]


def test_when_the_lease_ends_all_are_stopped_at_once_and_have_until_d_after_it():
    script = Script(db=Options(), web=Options(after=("db",)))
    script.reign()
    script.done("db")
    script.done("web")
    script.reigns = False
    lease = script.drivers.until
    assert script.pass_(2.25) == ["stop db", "stop web"], "each stops by itself at that time: there is no order in it"
    assert {order.deadline for order in script.last.values()} == {lease + STOP}
    assert not script.drivers.at_rest(lease + STOP - 0.01)
    script.pass_(STOP)
    assert len([note for note in script.notes if "did not stop within 3 s" in note]) == 2, "by contract they have; they are cut off"
    assert script.drivers.at_rest(script.now)


def test_a_start_that_was_overtaken_is_never_ordered_and_one_that_is_under_way_is_ended_first():
    script = Script(db=Options(), web=Options(after=("db",)))
    assert script.reign(epoch=1) == ["start db"]
    script.drivers.revoke(script.now + 2, script.now)
    script.reigns = False
    assert script.pass_(0) == ["stop db"], "its start may still be going on"
    assert script.reign(epoch=2) == []
    number = script.last["db"].number
    script.drivers.done(script.sessions["db"], number - 1, True, "the answer to the start of epoch 1", script.now)
    assert script.orders() == []
    assert script.done("db") == ["start db"]
    assert script.last["db"].epoch == 2, "web was never told of epoch 1"


def test_reigning_on_in_another_epoch_stops_and_starts():
    script = Script(web=Options())
    script.reign(epoch=1)
    script.done("web")
    assert script.reign(epoch=2) == ["stop web"]
    assert script.done("web") == ["start web"]


def test_the_marker_stands_from_before_the_start_until_the_stop_has_ended():
    script = Script(web=Options())
    script.drivers.begin(1, script.now, script.now, script.now)
    script.drivers.grant(script.now + 2)
    script.drivers.advance(script.now)
    kinds = [command for command in script.out if isinstance(command, (cmd.DriverMarker, cmd.DriverOrder))]
    assert kinds[0] == cmd.DriverMarker("web", True) and kinds[1].active
    script.orders()
    script.done("web")
    script.drivers.revoke(script.now + 2, script.now)
    script.drivers.advance(script.now)
    script.orders()
    assert script.markers == []
    script.done("web")
    assert script.markers == [("web", False)]


def test_what_an_earlier_process_of_ours_started_is_waited_for_before_the_role_is_given_away():
    script = Script(web=Options())
    script.drivers.begin(2, script.now, script.now + 5.5, script.now)
    assert not script.drivers.at_rest(script.now + 5.4)
    assert script.drivers.at_rest(script.now + 5.5)


def test_one_that_says_that_it_can_not_stop_is_never_at_rest_while_it_is_there():
    script = Script()
    script.sessions["web"] = 1
    script.drivers.hello(1, "web", Options(), script.now)
    script.orders()
    script.done("web", False, "exit 1")
    assert script.markers == [("web", True)], "the guard is to know, too"
    assert not script.drivers.at_rest(script.now + 600)
    script.pass_(module.STOP_AGAIN)
    assert not script.drivers.at_rest(script.now + 600)
    script.done("web")
    assert script.markers == [("web", False)] and script.drivers.at_rest(script.now)


def test_a_lost_connection_means_stopped_when_systemd_has_certainly_killed_what_is_left():
    script = Script(web=Options())
    script.reign()
    script.done("web")
    script.drivers.gone(script.sessions["web"], script.now)
    script.drivers.revoke(script.now + 2, script.now)
    assert not script.drivers.at_rest(script.now + STOP + 0.4), "its timers are late by so much"
    assert script.drivers.at_rest(script.now + STOP + LATE)


def test_a_driver_that_dies_in_the_middle_of_a_stop_has_the_time_of_one_that_dies():
    script = Script(web=Options())
    script.reign()
    script.done("web")
    script.drivers.revoke(script.now + 2, script.now)
    script.reigns = False
    assert script.pass_(2) == ["stop web"]
    script.drivers.gone(script.sessions["web"], script.now)
    assert not script.drivers.at_rest(script.now + STOP + 0.4)
    assert script.drivers.at_rest(script.now + STOP + LATE)


def test_a_driver_that_comes_back_and_has_nothing_running_is_waited_for_no_longer():
    script = Script(web=Options())
    script.reign()
    script.done("web")
    script.drivers.gone(script.sessions["web"], script.now)
    script.drivers.revoke(script.now + 2, script.now)
    script.connect("web")
    assert script.drivers.at_rest(script.now), "systemd restarts it when all of its unit has ended"


def test_the_lease_reaches_those_that_run_in_steps():
    script = Script(web=Options(), idle=Options(after=("web",)))
    script.reign()
    for _tick in range(8):
        script.now += STEP / 2
        script.drivers.grant(script.now + 2)
    leases = [command for command in script.out if isinstance(command, cmd.DriverLease)]
    assert len(leases) == 4
    assert {lease.session for lease in leases} == {script.sessions["web"]}


# --- the VIP and the API wait ---------------------------------------------------------------------------------------


def test_the_gate_opens_when_the_pre_active_drivers_are_active():
    script = Script(db=Options(pre_active=True), web=Options(after=("db",)))
    script.reign()
    assert not script.drivers.open and script.drivers.waited_for(script.now) == ("db",)
    script.done("db")
    assert script.drivers.open and script.drivers.waited_for(script.now) == ()


def test_an_expected_pre_active_driver_that_is_not_connected_is_waited_for():
    script = Script()
    script.drivers.expect({"db": Options(pre_active=True), "log": Options(pre_active=True, on_failure="ignore")}, script.now)
    script.reign()
    script.connect("db", Options(pre_active=True))
    script.pass_(0)
    script.done("db")
    assert not script.drivers.open, "log is not there"
    script.pass_(PATIENCE + 1)
    assert script.drivers.open, "but is not worth waiting for longer"


def test_without_pre_active_drivers_nothing_waits():
    script = Script(web=Options())
    script.reign(wait=5.5)
    assert script.drivers.open


# --- failures -------------------------------------------------------------------------------------------------------


def test_ignore_says_so_and_goes_on():
    script = Script(log=Options(on_failure="ignore", pre_active=True), web=Options(after=("log",)))
    script.reign()
    assert script.done("log", False, "disk full") == ["stop log", "start web"]
    assert "driver log did not start: disk full" in script.notes
    assert script.drivers.open
    script.done("log")
    script.done("web")
    assert script.pass_(100) == []
    assert script.drivers.status(script.now, 0)[0]["state"] == "failed"


def test_retry_stops_and_starts_again_after_a_while_that_doubles():
    script = Script(web=Options(on_failure="retry", start_seconds=60.0))
    script.reign()
    waits = []
    for _attempt in range(7):
        assert script.done("web", False, "no") == ["stop web"]
        failed_at = script.now
        assert script.done("web") == []
        while not script.pass_(0.125):
            assert script.now - failed_at < 40
        waits.append(round(script.now - failed_at))
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_a_start_that_takes_too_long_is_a_failure():
    script = Script(web=Options(start_seconds=5.0))
    script.reign()
    assert script.pass_(4.9) == []
    assert script.pass_(0.5) == ["stop web"]
    assert any("did not start within 5 s" in note for note in script.notes)


def test_fail_over_asks_for_another_node_after_its_retries():
    script = Script(web=Options(on_failure="fail_over", retries=1))
    script.reign()
    script.done("web", False, "no")
    assert script.drivers.fail_over is None
    script.done("web")
    assert script.pass_(1.25) == ["start web"]
    script.done("web", False, "no")
    driver, why = script.drivers.fail_over
    assert (driver.id, why) == ("web", "did not start: no")


def test_who_is_declined_is_tried_again_here():
    script = Script(web=Options(on_failure="fail_over", retries=0))
    script.reign()
    script.done("web", False, "no")
    driver, _why = script.drivers.fail_over
    script.drivers.fail_over = None
    script.drivers.declined(driver, "nobody is in sync", script.now)
    script.done("web")
    assert script.pass_(29) == []
    assert script.pass_(2) == ["start web"]


def test_health_counts_to_its_thresholds():
    script = Script(web=Options(on_failure="retry", unhealthy_after=3, healthy_after=2))
    script.reign()
    script.done("web")
    for ok in (False, False, True, False, False):
        script.drivers.health(script.sessions["web"], ok, "HTTP 502", script.now)
    assert script.orders() == [] and script.drivers.by_id["web"].healthy is None
    script.drivers.health(script.sessions["web"], False, "HTTP 502", script.now)
    assert script.orders() == ["stop web"]
    assert script.notes == ["driver web is unhealthy: HTTP 502"]


def test_unhealthy_but_ignored_goes_on_and_recovers():
    script = Script(web=Options(on_failure="ignore", unhealthy_after=1, healthy_after=1))
    script.reign()
    script.done("web")
    script.drivers.health(script.sessions["web"], False, "slow", script.now)
    assert script.orders() == [] and script.phases() == {"web": "active"}
    script.drivers.health(script.sessions["web"], True, "", script.now)
    assert script.drivers.by_id["web"].healthy is True


def test_a_service_that_ends_by_itself_is_a_failure_only_while_it_should_run():
    script = Script(web=Options())
    script.reign()
    script.done("web")
    script.drivers.stopped(script.sessions["web"], "it exited", False, script.now)
    script.orders()
    assert script.notes == ["driver web stopped by itself: it exited"]
    assert script.pass_(1.25) == ["start web"]
    script.done("web")
    script.reigns = False
    script.now = script.drivers.until
    script.drivers.stopped(script.sessions["web"], "its lease ended", False, script.now)
    script.orders()
    assert script.notes == []
    script.done("web")
    assert script.phases() == {"web": "stopped"}, "the order to stop went out at the same moment, and is answered, too"


def test_failures_of_long_ago_are_forgotten():
    script = Script(web=Options())
    script.reign()
    script.done("web", False, "no")
    script.done("web")
    script.pass_(1.25)
    script.done("web")
    assert script.drivers.by_id["web"].attempts == 1
    script.pass_(module.STEADY + 1)
    assert script.drivers.by_id["web"].attempts == 0


def test_one_that_is_ignored_is_started_again_when_it_connects_again():
    script = Script(log=Options(on_failure="ignore", pre_active=True))
    script.reign()
    script.done("log", False, "disk full")
    script.done("log")
    script.drivers.gone(script.sessions["log"], script.now)
    assert script.connect("log", Options(on_failure="ignore", pre_active=True)) == ""
    assert script.phases() == {"log": "starting"}


def test_a_driver_that_dies_at_each_start_is_tried_less_and_less_and_then_elsewhere():
    script = Script(web=Options(on_failure="fail_over", retries=2))
    script.reign()
    waits = []
    for _life in range(3):
        assert script.drivers.fail_over is None
        died_at = script.now
        script.drivers.gone(script.sessions["web"], script.now)
        script.connect("web", Options(on_failure="fail_over", retries=2))
        script.orders()
        while script.phases()["web"] != "starting":
            script.pass_(0.125)
        waits.append(round(script.now - died_at))
    assert waits == [1, 2, 4] and script.drivers.fail_over is not None


def test_a_driver_that_ends_in_good_order_is_no_failure_unless_it_stays_away():
    script = Script(web=Options(on_failure="fail_over", retries=0))
    script.reign()
    script.done("web")
    script.drivers.stopped(script.sessions["web"], "told to end", True, script.now)
    assert script.pass_(0.5) == [], "it is on its way out"
    script.drivers.gone(script.sessions["web"], script.now)
    script.pass_(PATIENCE - 1)
    assert script.drivers.fail_over is None and script.drivers.by_id["web"].failures == 0
    script.pass_(1.5)
    assert script.drivers.fail_over[1] == "is not connected"


def test_who_stays_away_is_asked_for_again():
    script = Script(web=Options(on_failure="fail_over"))
    script.reign()
    script.drivers.gone(script.sessions["web"], script.now)
    script.pass_(PATIENCE + 1)
    driver, _why = script.drivers.fail_over
    script.drivers.fail_over = None
    script.drivers.declined(driver, "nobody is in sync", script.now)
    script.pass_(module.MOST_BACKOFF + 1)
    assert script.drivers.fail_over is not None


def test_a_lease_that_ends_during_a_start_is_no_failure():
    script = Script(web=Options(on_failure="fail_over", retries=0))
    script.reign()
    script.reigns = False
    script.now = script.drivers.until + 0.01
    number = script.last["web"].number
    script.drivers.done(script.sessions["web"], number, False, "its lease ended", script.now)
    assert script.drivers.fail_over is None and script.orders() == ["stop web"]
    assert script.last["web"].deadline == script.now - 0.01 + STOP


def test_thousands_of_failures_are_no_more_than_the_first():
    script = Script(web=Options())
    script.reign()
    script.drivers.by_id["web"].attempts = 5000
    assert script.done("web", False, "no") == ["stop web"]
    assert script.drivers.by_id["web"].retry_at == script.now + module.MOST_BACKOFF


CIRCLE = {"a": Options(after=("b",)), "b": Options(after=("a",), before=("web",)), "web": Options(), "db": Options(before=("a",))}


@pytest.mark.parametrize("expected", [True, False])
def test_a_circle_is_said_and_its_order_disregarded_and_nobody_else_stays_down(expected):
    script = Script()
    if expected:
        script.drivers.expect(CIRCLE, script.now)
    notes = []
    for name, options in CIRCLE.items():
        assert script.connect(name, options) == ""
        notes += script.notes
    assert notes == ["the order of the drivers a, b is a circle, and disregarded among them: correct their after and before"]
    assert troubles(script.drivers, False, script.now) == notes
    assert script.reign() == ["start b", "start db"]
    assert script.done("b") == ["start web"]
    assert script.done("db") == ["start a"]


def test_a_circle_that_is_no_more_is_said_no_longer():
    script = Script()
    script.drivers.expect(CIRCLE, script.now)
    script.drivers.expect({**CIRCLE, "b": Options()}, script.now)
    assert troubles(script.drivers, False, script.now) == []


@pytest.mark.parametrize(
    "given, before, circles",
    [
        ({"x": "x"}, {"x": ()}, [("x",)]),
        ({"a": "b", "b": "c", "c": "a", "d": "c"}, {"a": (), "b": (), "c": (), "d": ("c",)}, [("a", "b", "c")]),
        (
            {"a": "b", "b": "a", "m": "a", "x": "my", "y": "x"},
            {"a": (), "b": (), "m": ("a",), "x": ("m",), "y": ()},
            [("a", "b"), ("x", "y")],
        ),
        ({"a": "nb", "b": ""}, {"a": ("b",), "b": ()}, []),
    ],
)
def test_an_order_without_its_circles(given, before, circles):
    assert order({name: Options(after=tuple(others)) for name, others in given.items()}) == (before, circles)


def test_one_that_is_connected_knows_its_options_best():
    script = Script(web=Options(on_failure="fail_over", pre_active=True))
    script.drivers.expect({"web": Options()}, script.now)
    assert script.drivers.by_id["web"].options.pre_active


def test_there_are_not_endlessly_many():
    script = Script()
    for number in range(module.MOST_DRIVERS):
        assert script.connect(f"d{number}", Options(before=(f"d{number + 1}",))) == ""
    assert "already" in script.connect("one-more")


def test_a_driver_whose_configuration_was_removed_is_forgotten_while_the_node_is_active_too():
    script = Script()
    script.drivers.expect({"web": Options(on_failure="fail_over", pre_active=True)}, script.now)
    script.connect("web", Options(on_failure="fail_over", pre_active=True))
    script.orders()
    script.reign()
    script.done("web")
    script.drivers.expect({}, script.now)
    script.drivers.gone(script.sessions["web"], script.now)
    script.pass_(PATIENCE + 1)
    assert script.phases() == {} and script.drivers.fail_over is None and script.drivers.open


def test_a_driver_that_went_away_for_good_is_forgotten_once_nothing_of_it_can_run():
    script = Script(web=Options())
    script.drivers.gone(script.sessions["web"], script.now)
    script.pass_(0)
    assert script.phases() == {}


# --- what people are told (I12) -------------------------------------------------------------------------------------


def said(script, leads=False):
    return troubles(script.drivers, leads, script.now)


def test_a_passive_says_which_driver_is_not_there_before_it_is_needed():
    script = Script()
    expected = {"db": Options(pre_active=True), "web": Options(), "log": Options(on_failure="ignore")}
    script.drivers.expect(expected, script.now)
    script.pass_(PATIENCE)
    assert said(script) == [], "they have time to connect"
    script.pass_(0.125)
    assert said(script) == [
        "driver db is not connected: if this node becomes active, the VIP and the API wait for it; see `systemctl status baton-driver@db`",
        "driver web is not connected: if this node becomes active, its service does not start; see `systemctl status baton-driver@web`",
    ]
    assert [driver["message"] for driver in script.drivers.status(script.now, 0)] == ["is not connected", None, "is not connected"]
    script.connect("db", expected["db"])
    script.connect("web", expected["web"])
    assert said(script) == []


def test_an_active_says_whom_everybody_waits_for_from_the_first_moment_if_it_was_away_before():
    script = Script(web=Options(after=("db",), pre_active=True))
    script.drivers.expect({"db": Options()}, script.now)
    script.pass_(PATIENCE + 0.125)
    script.reign()
    (db,) = said(script, True)
    assert db == "driver db is not connected; see `systemctl status baton-driver@db`"
    script.pass_(PATIENCE + 0.125)
    assert said(script, True)[1] == "the VIP and the API wait for driver web, which starts after db; see `journalctl -u baton-driver@web`"
    script.connect("db")
    script.orders()
    script.done("db")
    script.done("web")
    assert said(script, True) == []


def test_a_start_that_fails_or_takes_long_is_said_until_it_is_done():
    script = Script(db=Options(pre_active=True))
    script.reign()
    script.pass_(PATIENCE)
    assert said(script, True) == []
    script.pass_(0.125)
    waits = "the VIP and the API wait for driver db, which {}; see `journalctl -u baton-driver@db`"
    assert said(script, True) == [waits.format("is starting still")]
    script.done("db", False, "exit 1")
    assert said(script, True) == [waits.format("did not start: exit 1")]
    script.done("db")
    assert script.pass_(1.25) == ["start db"]
    assert said(script, True) == [waits.format("did not start: exit 1")], "while it is tried again"
    script.done("db")
    assert said(script, True) == []


def test_while_drivers_of_others_may_run_nobody_is_blamed_for_waiting():
    script = Script(db=Options(pre_active=True))
    script.reign(wait=600.0)
    script.pass_(599)
    assert said(script, True) == []


def test_one_that_does_not_stop_is_said_on_a_passive_until_it_has():
    script = Script(web=Options())
    script.sessions["db"] = 2
    script.drivers.hello(2, "db", Options(), script.now)
    script.orders()
    script.done("db", False, "exit 1")
    (text,) = said(script)
    assert text.startswith("driver db does not stop (exit 1): if this node becomes active, its service does not start; see `journalctl")
    assert script.pass_(module.STOP_AGAIN) == ["stop db"] and said(script) == [text]
    assert said(script, True)[0].startswith("driver db does not stop (exit 1), so the role can't be handed on; see")
    script.done("db")
    assert said(script) == []


def test_a_hand_over_is_no_trouble():
    script = Script(db=Options(pre_active=True))
    script.reign()
    script.done("db")
    script.pass_(PATIENCE + 1)
    script.drivers.revoke(script.now + 2, script.now)
    script.reigns = False
    assert script.pass_(0.5) == ["stop db"]
    assert said(script, True) == []
