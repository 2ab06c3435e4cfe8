# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers of drivers that run under users of their own: none can take away what says that another's service may be running.

batond, a driver and a thief are processes with a user each, and one group. They are forked, since another user might not reach the
Python that runs the tests.
"""

import asyncio
import io
import json
import logging
import os
import shutil
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import pytest

from baton.adapters.drivers.links import PATH, DriverLinks
from baton.adapters.drivers.markers import Markers
from baton.adapters.peers.notice import Notice, drivers_stopped
from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.drivers.drivers import Drivers
from baton.drivers.session import Driver, run
from baton.drivers.stop_post import stop_post
from support.cluster import until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be several users")
BATOND, OWNER, THIEF, GROUP = 47110, 47111, 47112, 47110
MINUTE = 60.0
STOP = 60.0  # seconds; nothing here ends because they do


class Service(Driver):
    """Its log has a line for each start and stop; a stop waits for the file ``go``."""

    def __init__(self, folder, go):
        super().__init__("web")
        self.folder, self.go = folder, go

    async def trigger(self, is_active):
        while not (is_active or self.go.exists()):
            await asyncio.sleep(0.01)
        with open(self.folder / "service.log", "a", encoding="utf-8") as log:
            log.write(f"{'start' if is_active else 'stop'}\n")


class Batond:
    """The drivers of a node that reigns for a minute, from the first connection on."""

    def __init__(self, run_dir):
        self.out = []
        self.drivers = Drivers(STOP, 1.0, self.out)
        self.links = DriverLinks(run_dir, "n1", STOP, self.tell)
        links = self.links
        self.take = {
            cmd.DriverWelcome: links.welcome, cmd.DriverOrder: links.order, cmd.DriverLease: links.lease, cmd.DropDriver: links.drop,
            cmd.DriverMarker: links.mark,
        }  # fmt: skip

    def tell(self, event):
        now, drivers = time.clock_gettime(time.CLOCK_BOOTTIME), self.drivers
        if isinstance(event, ev.DriverHello):
            assert not drivers.hello(event.session, event.id, event.options, now)
            drivers.begin(1, now, now, now)
            drivers.grant(now + MINUTE)
            drivers.advance(now)
        elif isinstance(event, ev.DriverDone):
            drivers.done(event.session, event.number, event.ok, event.message, now)
        elif isinstance(event, ev.DriverGone):
            drivers.gone(event.session, now)
        while self.out:
            command = self.out.pop(0)
            self.take.get(type(command), lambda command: None)(command)

    async def serve(self):
        await self.links.start()
        await asyncio.Event().wait()


class Play:
    """A run directory as the role makes it, and processes of other users. ``old``: a driver that knows nothing of markers of its own."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="baton-markers-"))  # pytest's are for one user alone
        self.folder.chmod(0o777)
        self.run_dir, self.go = self.folder / "run", self.folder / "go"
        self.run_dir.mkdir()
        (self.run_dir / "running").mkdir()
        for path, mode in ((self.run_dir, 0o2750), (self.run_dir / "running", 0o3770)):
            os.chown(path, BATOND, GROUP)
            path.chmod(mode)
        self.children = []

    @property
    def marker(self):
        return self.run_dir / "running" / "web"

    @property
    def log(self):
        path = self.folder / "service.log"
        return path.read_text().split() if path.exists() else []

    def guard_believes(self):
        """Whether the VIP's guard would say that no driver runs any more."""
        return drivers_stopped(Notice("n1", (1, "x"), (), "", running=str(self.run_dir / "running")))

    def fork(self, user, what):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.environ.update(BATON_RUN_DIR=str(self.run_dir))
                os.environ.pop("NOTIFY_SOCKET", None)
                log = os.open(self.folder / f"{user}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
                os.dup2(log, 2)
                # pytest has another, and handlers of its own.
                sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)
                logging.getLogger().handlers.clear()
                os.setgroups([GROUP])
                os.setresgid(GROUP, GROUP, GROUP)
                os.setresuid(user, user, user)
                what()
                status = 0
            except PermissionError as error:
                os.write(2, f"{error}\n".encode())
                status = 13
            finally:
                os._exit(status)
        self.children.append(child)
        return child

    def does(self, user, what):
        """Let a user do something; return the exit status: 0 done, 13 not allowed."""
        return os.waitstatus_to_exitcode(os.waitpid(self.fork(user, what), 0)[1])

    def batond(self):
        child = self.fork(BATOND, lambda: asyncio.run(Batond(self.run_dir).serve()))
        until((self.run_dir / "driver.sock").exists, "batond listens")
        return child

    def driver(self):
        self.go.touch()  # the first stop
        child = self.fork(OWNER, lambda: run(Service(self.folder, self.go)))
        until(lambda: self.log == ["stop", "start"], f"it runs; {self.said()}")
        self.go.unlink()
        return child

    def said(self):
        return "\n".join(path.read_text() for path in self.folder.glob("*.log"))

    def end(self):
        for child in self.children:
            try:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        shutil.rmtree(self.folder)


@pytest.fixture
def play():
    play = Play()
    yield play
    play.end()


def kill(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_marker_is_its_drivers_and_goes_with_the_service(play):
    batond = play.batond()
    play.driver()
    found = play.marker.lstat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (OWNER, 0o640)
    kill(batond)
    assert not play.guard_believes(), "the service runs still"
    play.go.touch()
    until(lambda: play.log == ["stop", "start", "stop"] and play.guard_believes(), f"the driver stops and removes it; {play.said()}")


def test_a_driver_of_another_user_can_not_take_the_marker_away(play):
    batond = play.batond()
    play.driver()
    mine = play.run_dir / "running" / "mine"

    def cleans_up_after_it():
        stop_post(Path("/nowhere/web.json"))
        if play.marker.exists():
            raise PermissionError("it is still there")

    attacks = [
        play.marker.unlink,
        lambda: play.marker.rename(mine),
        lambda: mine.touch() or mine.replace(play.marker),
        lambda: (play.run_dir / "running").rename(play.run_dir / "elsewhere"),
        lambda: (play.run_dir / "running").chmod(0o2770),
        cleans_up_after_it,
    ]
    assert [play.does(THIEF, attack) for attack in attacks] == [13] * len(attacks)
    assert play.does(THIEF, mine.unlink) == 0, "of its own it may"
    kill(batond)
    assert play.marker.exists() and not play.guard_believes()


async def impersonate(run_dir, own_marker):
    """Say that one is web and has stopped; return the last frame."""
    secret = (run_dir / "driver.secret").read_text().strip()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(run_dir / "driver.sock"))) as http:
        socket = await http.ws_connect("http://batond" + PATH, headers={"Authorization": f"Bearer {secret}"})
        await socket.send_str(json.dumps({"type": "hello", "id": "web", "own_marker": own_marker}))
        frame = json.loads(await socket.receive_str())
        if frame["type"] == "welcome":
            frame = json.loads(await socket.receive_str())
            await socket.send_str(json.dumps({"type": "done", "number": frame["number"], "ok": True}))
            await socket.receive(timeout=5)
        return frame


@pytest.mark.parametrize("own_marker", [False, True])
def test_who_says_in_its_name_that_it_has_stopped_is_refused(play, own_marker):
    batond = play.batond()
    play.driver()
    kill(batond)
    until(lambda: "stopping: the connection to batond was lost" in play.said(), "the driver stops, which takes its time")
    (play.run_dir / "driver.sock").unlink()
    play.batond()

    def attack():
        frame = asyncio.run(impersonate(play.run_dir, own_marker))
        os.write(2, json.dumps(frame).encode())

    assert play.does(THIEF, attack) == 0
    assert f"belongs to uid {OWNER}, not to this driver (uid {THIEF})" in play.said()
    assert play.marker.lstat().st_uid == OWNER and not play.guard_believes()
    play.go.touch()
    until(lambda: play.log == ["stop", "start", "stop", "stop", "start"], f"the driver itself comes back; {play.said()}")


def test_one_that_stands_there_for_nothing_is_cleared_away_before_a_start(play):
    """Nobody runs by that name: a driver that has connected may start, and the file is not what keeps others waiting."""
    play.batond()
    play.driver()
    play.does(THIEF, lambda: (play.run_dir / "running" / "api").write_text(""))
    markers = Markers(play.run_dir / "running")

    def batonds():
        markers.make_way("api", OWNER)
        markers.make("db")

    assert play.does(BATOND, batonds) == 0
    assert not markers.path("api").exists() and markers.is_of("db", BATOND)


def test_a_directory_that_anybody_of_the_group_may_clear_is_made_sticky(tmp_path):
    (tmp_path / "running").mkdir()
    (tmp_path / "running").chmod(0o770)
    Markers(tmp_path / "running").prepare()
    assert stat.S_IMODE((tmp_path / "running").stat().st_mode) == 0o1770
    Markers(tmp_path / "new").prepare()
    assert (tmp_path / "new").stat().st_mode & stat.S_ISVTX


def test_batonds_own_markers_are_for_drivers_that_make_none(tmp_path):
    markers = Markers(tmp_path)
    markers.make("old")
    markers.make("old")
    assert markers.is_of("old", 0) and markers.foreign("old", OWNER) is None
    markers.remove("old", OWNER)
    (tmp_path / "other").touch()
    os.chown(tmp_path / "other", THIEF, THIEF)
    for user in (OWNER, None):
        markers.remove("other", user)
        assert markers.foreign("other", user) == THIEF and (tmp_path / "other").exists()
    markers.remove("other", 0)
    assert os.listdir(tmp_path) == []
