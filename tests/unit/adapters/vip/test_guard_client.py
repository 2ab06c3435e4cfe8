# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GuardClient with guards that misbehave: real processes, no address is touched. For the true one see tests/lab."""
from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Awaitable, Callable, List

import pytest

from baton.adapters.vip import guard_client
from baton.adapters.vip.guard import Options
from baton.adapters.vip.guard_client import UNANSWERED, GuardClient
from baton.ground.problem import Problem

OPTIONS = Options("192.0.2.10/32", "lo", 2)
GUARD = """
import socket, sys
control = socket.socket(fileno=int(sys.argv[sys.argv.index("--daemon-fd") + 1]))
say = lambda line: control.send(line.encode())
def hear():
    line = control.recv(4096).decode()
    if not line:
        raise SystemExit
    return line
"""


def play(behaviour: str, script: Callable[[GuardClient], Awaitable[None]]) -> None:
    """Run ``script`` with a client whose guards behave so; none may be left running."""

    async def run() -> None:
        client = GuardClient([sys.executable, "-I", "-S", "-c", GUARD + behaviour], OPTIONS)
        try:
            await client.start()
            await asyncio.wait_for(script(client), 20)
        finally:
            await client.stop()

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_a_guard_that_says_why_it_can_not_work() -> None:
    async def script(client: GuardClient) -> None:
        raise AssertionError("it has started")

    with pytest.raises(Problem) as caught:
        play("say('fatal no such luck')", script)
    assert caught.value.detail == "no such luck" and caught.value.status == 503


def test_a_guard_that_ends_while_it_starts() -> None:
    async def script(client: GuardClient) -> None:
        raise AssertionError("it has started")

    with pytest.raises(Problem) as caught:
        play("raise SystemExit(1)", script)
    assert "ended while it started" in caught.value.detail


def test_a_guard_that_ends_when_it_has_just_started() -> None:
    """Nobody would ever start another."""

    async def run() -> None:
        client = GuardClient([sys.executable, "-I", "-S", "-c", GUARD + "say('ready')"], OPTIONS)
        starting = asyncio.ensure_future(client.start())
        await until(lambda: client.status()["guard"] is not None)
        os.waitid(os.P_PID, client.status()["guard"], os.WEXITED | os.WNOWAIT)  # its word and its end come together
        with pytest.raises(Problem) as caught:
            await starting
        assert "ended while it started" in caught.value.detail

    asyncio.run(run())


def test_a_guard_that_starts_slowly_is_not_taken_for_a_frozen_one(caplog: pytest.LogCaptureFixture) -> None:
    async def script(client: GuardClient) -> None:
        first = client.status()["guard"]
        client.prepare()
        await until(lambda: client.status()["guard"] not in (None, first))
        loop = asyncio.get_running_loop()
        second, end = client.status()["guard"], loop.time() + 1.2 * OPTIONS.valid / UNANSWERED
        while loop.time() < end:
            client.hold(1e9)
            await asyncio.sleep(0.02)
        assert client.status()["guard"] == second and "it is killed" not in caplog.text
        client.prepare()
        await until(lambda: client.status()["state"] == "held")

    again = "import os; again = os.path.exists(MARK); open(MARK, 'w').close()\n"
    slow = "if again:\n    while hear() != 'prepare': pass\nsay('ready')\n"
    with tempfile.TemporaryDirectory() as folder:
        mark = f"MARK = {os.path.join(folder, 'mark')!r}\n"
        play(mark + again + slow + "if again: say('state held 0 1')\nhear()", script)


def test_no_program_to_start() -> None:
    async def run() -> None:
        await GuardClient(["/nonexistent/python"], OPTIONS).start()

    with pytest.raises(Problem) as caught:
        asyncio.run(run())
    assert caught.value.code == "guard_failed"


def test_a_guard_that_dies_in_a_drop_has_not_confirmed_it(caplog: pytest.LogCaptureFixture) -> None:
    async def script(client: GuardClient) -> None:
        first = client.status()["guard"]
        await client.drop()
        assert "made sure without a guard" in caplog.text and "is killed" not in caplog.text
        await until(lambda: client.status()["guard"] not in (None, first))

    play("say('ready')\nwhile not hear().startswith('drop'): pass", script)


def test_a_guard_is_started_again_until_it_starts(tmp_path: Path) -> None:
    """Descriptors may be out for a while, and one who kills guards may kill the next one, too."""
    tries = tmp_path / "tries"
    tries.write_text("")

    async def script(client: GuardClient) -> None:
        told: List[str] = []
        client.on_change(lambda: told.append(client.unable))
        client.prepare()
        await until(lambda: "" in told)
        assert "ended while it started" in told[0] and client.running and len(tries.read_text()) == 5

    count = f"from pathlib import Path; tries = Path({str(tries)!r}); tries.write_text(tries.read_text() + 'x')\n"
    play(count + "n = len(tries.read_text())\nif 1 < n < 5: raise SystemExit(1)\nsay('ready')\nhear()", script)


def test_a_guard_that_comes_to_no_start_is_said_when_the_kernel_has_dropped_the_vip(tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    tries.write_text("")

    async def script(client: GuardClient) -> None:
        client.prepare()
        await until(lambda: bool(client.unable))
        assert "another does not start" in client.unable and len(tries.read_text()) == 2, "it is not given up yet"
        client.prepare()
        await until(lambda: not client.unable)

    count = f"from pathlib import Path; tries = Path({str(tries)!r}); tries.write_text(tries.read_text() + 'x')\n"
    play(count + "if len(tries.read_text()) == 2: hear()\nsay('ready')\nhear()", script)


def test_no_descriptor_is_no_reason_to_give_up() -> None:
    async def script(client: GuardClient) -> None:
        taken: List[int] = []
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 3, limits[1]))
        try:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            client.prepare()  # which this guard ends by
            await until(lambda: "can't be started: Too many open files" in client.unable)
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await until(lambda: client.running and not client.unable)

    play("say('ready')\nhear()", script)


def test_a_guard_that_does_not_answer_a_drop_is_killed(caplog: pytest.LogCaptureFixture) -> None:
    async def script(client: GuardClient) -> None:
        pid = client.status()["guard"]
        await client.drop()
        assert client.status()["guard"] != pid and not client.held
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    play("say('ready')\nwhile True: hear()", script)
    assert "it is killed" in caplog.text and "made sure without a guard" in caplog.text


def test_a_drop_that_comes_to_no_end_does_not_go_on_when_it_is_called_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take away what the next guard has added, again and again."""
    tried: List[float] = []

    def another_program_adds_it_again(*_given: object) -> List[str]:
        tried.append(time.monotonic())
        raise OSError(errno.EBUSY, "another program adds it again and again")

    async def script(client: GuardClient) -> None:
        monkeypatch.setattr(guard_client, "remove_now", another_program_adds_it_again)
        dropping = asyncio.ensure_future(client.drop())
        try:
            await until(lambda: len(tried) > 3)
            assert not dropping.done()
            client.hold(1e9)
            await dropping
        finally:
            monkeypatch.undo()

    play("say('ready')\nwhile True: hear()", script)


def test_a_guard_that_is_silent_at_the_deadline_may_have_added_the_vip(caplog: pytest.LogCaptureFixture) -> None:
    """It was frozen between the two: batond has not heard that the VIP stands, and must not rely on that."""

    async def script(client: GuardClient) -> None:
        first = client.status()["guard"]
        client.hold(time.clock_gettime(time.CLOCK_BOOTTIME) + 0.1)
        await until(lambda: client.status()["guard"] not in (None, first))
        assert "does not remove it in time: it is killed" in caplog.text

    play("say('ready')\nwhile True: hear()", script)


def test_state_and_troubles_are_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    async def script(client: GuardClient) -> None:
        client.prepare()
        await until(lambda: client.status()["error"] is not None)
        assert not client.held and client.status()["error"] == "no way"
        client.hold(1e9)
        await until(lambda: client.held)
        status = client.status()
        assert status["error"] is None and (status["conflicts"], status["announcements"]) == (3, 4)

    answers = "say('ready')\nhear()\nsay('error no way')\nhear()\nsay('conflict 02:00')\nsay('state held 3 4')\nhear()"
    play(answers, script)
    assert "02:00 claims VIP 192.0.2.10/32 too" in caplog.text
