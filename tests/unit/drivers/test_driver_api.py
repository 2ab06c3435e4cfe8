# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python API: real processes of drivers that a user might write, from the zipapp, against a server that plays batond."""

import json
import os
import signal
import time

import pytest
from fake_batond import SECRET, FakeBatond, boottime, wait_for

from baton.drivers.session import Driver
from support.certificates import Authority

SIMPLE = """
from baton.drivers.session import Driver, run

class Service(Driver):
    async def trigger(self, is_active):
        print("start" if is_active else "stop", self.epoch, self.node, self.remaining() > 0)
        return "up" if is_active else "down"

run(Service("it", after=["db"], on_failure="fail_over"))
"""
SLOW = """
import asyncio
from baton.drivers.session import Driver, run

class Service(Driver):
    async def trigger(self, is_active):
        name = "start" if is_active else "stop"
        print(name, "begins")
        try:
            if is_active:
                await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0.1)
            print(name, "ends")

run(Service("it"))
"""


def words(process):
    """Return what the program printed, without what session.py logged."""
    return [line for line in process.log.splitlines() if line.split()[0] in ("start", "stop", "check", "kill")]


def test_it_says_who_it_is_and_is_told_the_state(batond, launch):
    process = launch(SIMPLE, batond.environment)
    connection = batond.connected()
    options = {"after": ["db"], "on_failure": "fail_over"}
    assert connection.hello == {"type": "hello", "id": "it", "options": options, "own_marker": True}
    assert connection.stop(epoch=4)["message"] == "down"
    assert connection.start(epoch=5) == {"type": "done", "number": 2, "ok": True, "message": "up"}
    assert connection.stop(epoch=5)["ok"]
    assert process.terminate() == 0
    assert [line.split() for line in words(process)] == [
        ["stop", "0", "n1", "True"],
        ["start", "5", "n1", "True"],
        ["stop", "5", "n1", "True"],
    ]


def test_a_failure_is_reported_and_whatever_was_raised_is_in_the_journal(begin):
    process, connection = begin(SIMPLE.replace("return", "1 / (not is_active)\n        return"))
    assert connection.start() == {"type": "done", "number": 2, "ok": False, "message": "division by zero"}
    process.says("ZeroDivisionError")
    assert connection.stop()["ok"]


def test_start_and_stop_never_overlap(begin):
    process, connection = begin(SLOW)
    first = connection.order(True)
    process.says("start begins")
    second = connection.order(False)
    answer = connection.answered(first)
    assert not answer["ok"]
    assert connection.answered(second)["ok"]
    assert words(process)[2:] == ["start begins", "start ends", "stop begins", "stop ends"]


def test_every_order_is_answered_once_and_in_turn(begin):
    process, connection = begin(SIMPLE)
    numbers = [connection.order(bool(turn % 2), epoch=turn + 10) for turn in range(1, 40)]
    answers = [connection.next() for _number in numbers]
    assert sorted(answer["number"] for answer in answers) == numbers
    assert process.terminate() == 0


def test_it_stops_by_itself_at_the_end_of_its_lease(begin):
    process, connection = begin(SIMPLE)
    connection.start(seconds=60)
    connection.lease(seconds=0.3)
    assert connection.next() == {"type": "stopped", "message": "its lease ended"}
    assert connection.start(epoch=2)["ok"]
    assert [line.split()[:2] for line in words(process)] == [["stop", "0"], ["start", "1"], ["stop", "1"], ["start", "2"]]


def test_a_lost_connection_stops_and_removes_the_marker_and_then_it_comes_back(batond, begin):
    process, connection = begin(SIMPLE)
    connection.start()
    assert batond.marker("it").exists()
    connection.close()
    wait_for(lambda: not batond.marker("it").exists(), "the end of the marker")
    assert words(process)[-1].startswith("stop")
    again = batond.connected()
    assert again.hello["id"] == "it"
    assert again.stop()["ok"]


def test_a_marker_stays_while_the_service_may_run(batond, begin):
    process, connection = begin(SLOW.replace("if is_active", "if not is_active and self.epoch"))
    connection.start()
    connection.close()
    process.says("the stop failed or takes too long")
    assert batond.marker("it").exists()
    assert process.wait() == 70
    assert batond.marker("it").exists()  # systemd's ExecStopPost removes it


def test_the_marker_is_made_when_batond_asks_and_gone_when_the_stop_is_answered(batond, begin):
    program = SIMPLE.replace("print(", f"print(__import__('os').path.exists({str(batond.marker('it'))!r}), ")
    process, connection = begin(program)
    assert connection.start()["ok"]
    assert connection.marked.get(timeout=20)["ok"] and batond.marker("it").stat().st_mode & 0o777 == 0o640
    number = connection.order(True, epoch=2)
    assert connection.marked.get(timeout=20)["ok"], "one of its own may be there already"
    assert connection.next()["type"] == "stopped" and connection.answered(number)["ok"]
    assert connection.stop(epoch=2)["ok"]
    assert not batond.marker("it").exists()
    seen = [line.split()[:2] for line in process.log.splitlines() if line.startswith(("True", "False"))]
    assert seen == [["False", "stop"], ["True", "start"], ["True", "stop"], ["True", "start"], ["True", "stop"]]


@pytest.mark.parametrize("thing", ["link", "folder", "pipe", "file of another"])
def test_what_stands_in_place_of_the_marker_is_no_marker(batond, begin, thing, tmp_path):
    _process, connection = begin(SIMPLE)
    path = batond.marker("it")
    (tmp_path / "goal").write_text("precious")
    make = {"link": lambda: path.symlink_to(tmp_path / "goal"), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}
    make.get(thing, path.touch)()
    if thing == "file of another":
        if os.getuid() != 0:
            pytest.skip("only root can give files away")
        os.chown(path, 12345, 12345)
    connection.send(type="mark")
    answer = connection.marked.get(timeout=20)
    assert not answer["ok"] and "belongs to uid" in answer["message"]
    assert (tmp_path / "goal").read_text() == "precious"


def test_with_an_older_batond_the_marker_is_batonds(batond, begin):
    batond.own_markers = False
    _process, connection = begin(SIMPLE)
    batond.mark("it")
    connection.start()
    connection.stop()
    assert batond.marker("it").exists()
    connection.start(epoch=2)
    connection.close()
    wait_for(lambda: not batond.marker("it").exists(), "the end of the marker, since batond is not there")


def test_a_marker_that_is_elsewhere_is_not_believed(batond, launch, tmp_path):
    batond.marker = lambda name: tmp_path / "precious" / name
    process = launch(SIMPLE, batond.environment)
    process.says("batond named")


def test_a_batond_that_is_not_there_is_waited_for(batond, launch, systemd):
    batond.down()
    process = launch(SIMPLE, {**batond.environment, "NOTIFY_SOCKET": systemd.path})
    systemd.until(lambda message: message == "READY=1")  # the host's boot does not wait
    process.says("no connection to batond")
    batond.up()
    assert batond.connected().stop()["ok"]


def test_a_wrong_secret_says_so(batond, launch, tmp_path):
    (tmp_path / "wrong").write_text("wrong")
    process = launch(SIMPLE, {**batond.environment, "BATON_DRIVER_SECRET_FILE": str(tmp_path / "wrong")})
    process.says(f"is the secret in {tmp_path}/wrong that of this host's batond?")
    (tmp_path / "wrong").write_text(SECRET)  # made anew, it is read anew
    assert batond.connected().stop()["ok"]


def test_a_refusal_is_said_and_it_tries_again(batond, launch):
    batond.refuse = "a driver 'it' is connected already; give each an id of its own"
    process = launch(SIMPLE, batond.environment)
    process.says(batond.refuse)
    batond.refuse = ""
    assert batond.connected().stop()["ok"]
    assert SECRET not in process.log


def test_what_batond_says_at_the_end_is_in_the_journal(batond, begin):
    process, connection = begin(SIMPLE)
    connection.send(type="refused", reason="did not start within 30 s")
    process.says("batond ended the connection: did not start within 30 s")
    assert batond.connected().stop()["ok"]


def test_an_id_that_batond_made_up_is_kept(batond, begin):
    process, connection = begin(SIMPLE.replace('"it", ', ""))
    assert "id" not in connection.hello
    connection.close()
    assert batond.connected().hello["id"] == "made-up"
    assert process.terminate() == 0


def test_sigterm_stops_removes_the_marker_and_says_so(batond, begin):
    process, connection = begin(SIMPLE)
    connection.start()
    assert batond.marker("it").exists()
    assert process.terminate() == 0
    assert connection.closed() == [{"type": "stopped", "message": "the driver was told to end", "ending": True}]
    assert not batond.marker("it").exists()
    assert words(process)[-1].startswith("stop")


def test_sigterm_without_batond(batond, launch):
    batond.down()
    process = launch(SIMPLE, batond.environment)
    process.says("no connection")
    assert process.terminate() == 0


def test_frozen_past_its_lease_it_does_not_go_on(begin):
    process, connection = begin(SLOW.replace("asyncio.sleep(600)", "asyncio.sleep(0.2)\n                print('start goes on')"))
    connection.order(True, seconds=0.5)
    process.says("start begins")
    process.send(signal.SIGSTOP)
    end = boottime() + 0.6
    connection.lease(seconds=600)  # in time, but it is read too late
    wait_for(lambda: boottime() > end)
    process.send(signal.SIGCONT)
    answers = [connection.next(), connection.next()]
    assert [answers[0]["ok"], answers[1]["type"]] == [False, "stopped"]
    assert words(process)[2:] == ["start begins", "start ends", "stop begins", "stop ends"]


def test_frozen_before_a_start_it_does_not_start(begin):
    process, connection = begin(SIMPLE)
    process.send(signal.SIGSTOP)
    number = connection.order(True, seconds=0.2)
    end = boottime() + 0.3
    wait_for(lambda: boottime() > end)
    process.send(signal.SIGCONT)
    assert not connection.answered(number)["ok"]
    assert len(words(process)) == 1


HANGS = """
import asyncio
from baton.drivers.session import Driver, run

class Service(Driver):
    async def trigger(self, is_active):
        self.loop, self.killed = asyncio.get_running_loop(), asyncio.Event()
        print("start" if is_active else "stop", "begins")
        if self.epoch and not is_active:
            await self.killed.wait()
        print("start" if is_active else "stop", "ends")

    def kill(self):
        print("kill")
        self.loop.call_soon_threadsafe(self.killed.set)

run(Service("it"))
"""


def test_a_stop_that_hangs_is_killed(begin):
    process, connection = begin(HANGS)
    connection.start()
    assert connection.stop(seconds=2)["ok"]
    assert words(process)[-3:] == ["stop begins", "kill", "stop ends"]


def test_without_a_kill_that_helps_the_process_ends_and_systemd_kills_the_rest_at_once(begin, systemd):
    program = SLOW.replace("if is_active", "if not is_active and self.epoch")
    process, connection = begin(program, NOTIFY_SOCKET=systemd.path)
    systemd.until(lambda message: message == "READY=1")  # the socket takes ten that nobody has read
    assert connection.start()["ok"]
    connection.order(False, seconds=1.5)
    assert systemd.until(lambda message: message == "WATCHDOG=trigger")
    assert process.wait() == 70
    assert connection.closed() == []


def test_a_trigger_that_blocks_is_for_the_watchdog(begin, systemd):
    """systemd kills the process when the lease and stop_seconds less a second have passed."""
    program = SIMPLE.replace('return "up"', '__import__("time").sleep(600 * is_active); return "up"')
    _process, connection = begin(program, NOTIFY_SOCKET=systemd.path)
    connection.order(True, seconds=10)
    systemd.until(lambda text: text.startswith("WATCHDOG_USEC") and int(text.splitlines()[0].split("=")[1]) <= 12_000_000)


def test_systemd_is_told_and_the_watchdog_follows_the_lease(begin, systemd):
    def watchdog():
        text = systemd.until(lambda message: message.startswith("WATCHDOG_USEC"))
        assert text.endswith("\nWATCHDOG=1")
        return int(text.splitlines()[0].split("=")[1]) / 1e6

    process, connection = begin(SIMPLE, NOTIFY_SOCKET=systemd.path)
    assert watchdog() == 60
    systemd.until(lambda message: message == "READY=1")
    assert watchdog() < 63  # the first order, to stop
    assert watchdog() == 60
    connection.start(seconds=100)
    assert 60 < watchdog() <= 102
    systemd.until(lambda message: message.startswith("STATUS=active, epoch 1"))
    connection.lease(seconds=200)
    assert 160 < watchdog() <= 202
    process.terminate()
    systemd.until(lambda message: message == "STOPPING=1")
    assert watchdog() <= 2


def test_checks(begin):
    program = SIMPLE.replace(
        "async def trigger",
        """check_every = 0.01
    results = iter([None, True, False, "HTTP 502", ValueError("odd"), "hang"])

    async def check(self):
        result = next(self.results, None)
        if result == "hang":
            self.check_timeout = 0.05
            await __import__("asyncio").sleep(600)
        if isinstance(result, Exception):
            raise result
        return result

    async def trigger""",
    ).replace("check_every", "check_timeout = 0.5\n    check_every")
    _process, connection = begin(program)
    connection.start()
    results = [connection.health() for _turn in range(7)]
    assert [result["ok"] for result in results] == [True, True, False, False, False, False, True]
    assert [result["message"] for result in results][2:6] == ["the check said so", "HTTP 502", "odd", "it took too long"]


def test_nothing_is_checked_without_a_check(begin):
    _process, connection = begin(SIMPLE.replace("async def trigger", "check_every = 0.01\n\n    async def trigger"))
    connection.start()
    time.sleep(0.2)
    assert connection.frames.empty()


def test_frames_of_a_later_version_are_ignored_and_nonsense_ends_the_connection(batond, begin):
    process, connection = begin(SIMPLE)
    connection.send(type="of a later version")
    connection.start()
    connection.send(type="order", number="what", active=True)
    assert connection.closed() == []
    process.says("stopping: the connection to batond was lost")
    assert batond.connected().stop()["ok"]


def test_tls(tmp_path, launch):
    authority = Authority(tmp_path / "ca")
    authority.issue("n1", "127.0.0.1")
    batond = FakeBatond(tmp_path / "run", certificate=(tmp_path / "ca" / "n1.pem", tmp_path / "ca" / "n1.key"))
    try:
        distrusting = launch(SIMPLE, batond.environment, "other")
        distrusting.says("CERTIFICATE_VERIFY_FAILED")
        assert batond.attempts == []  # the secret was not shown
        distrusting.end()
        process = launch(SIMPLE, {**batond.environment, "BATON_CA": str(tmp_path / "ca" / "ca.pem")})
        connection = batond.connected()
        assert connection.stop()["ok"]
        assert connection.start()["ok"]
        assert process.terminate() == 0
        authority.revoke("n1")
        attempts = len(batond.attempts)
        launch(SIMPLE, {**batond.environment, "BATON_CA": str(tmp_path / "ca" / "ca.pem")}).says("certificate revoked")
        assert len(batond.attempts) == attempts, "nor was it shown to one whose certificate is revoked"
    finally:
        batond.end()


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("no spaces", {}, "id is 1 to 63"),
        ("it", {"retry": 1}, "there is no option 'retry'"),
        ("it", {"on_failure": "panic"}, "on_failure is one of"),
        ("it", {"after": "db"}, "after is a list"),
    ],
)
def test_wrong_options_are_refused_where_they_stand(name, options, text):
    with pytest.raises(ValueError, match=text):
        Driver(name, **options)


def test_a_hello_is_small(batond, begin):
    _process, connection = begin(SIMPLE)
    assert len(json.dumps(connection.hello)) < 64 << 10
