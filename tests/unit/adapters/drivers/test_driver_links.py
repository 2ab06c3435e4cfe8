# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of drivers, and their markers, in a directory in which their users may write."""

import asyncio
import json
import os
import stat
import threading

import aiohttp
import pytest

from baton.adapters.drivers.links import PATH, DriverLinks
from baton.core import commands as cmd
from baton.core import events as ev

FRAMES = 500


def a_pipe(path):
    os.mkfifo(path)


def a_folder(path):
    path.mkdir()


def a_link(path):
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("thing", [a_pipe, a_folder, a_link])
def test_what_stands_in_place_of_a_marker_stops_nobody(thing, tmp_path, caplog):
    links = DriverLinks(tmp_path, "n1", 3.0, lambda event: None)
    links.running.mkdir()
    thing(links.running / "db")
    marking = threading.Thread(target=links.mark, args=(cmd.DriverMarker("db", True),), daemon=True)
    marking.start()
    marking.join(10)
    assert not marking.is_alive()
    if thing is a_folder:
        assert "db can't be made" in caplog.text
    else:
        assert stat.S_ISREG((links.running / "db").lstat().st_mode), "it made way for the marker"


def test_a_driver_that_says_much_leaves_others_their_turn(tmp_path):
    """What is in the socket's buffer is read without a pause, and that is thousands of frames."""
    turns, seen = [0], []

    def told(event):
        if isinstance(event, ev.DriverHealth):
            seen.append(turns[0])

    async def play():
        links = DriverLinks(tmp_path / "run", "n1", 3.0, told)
        await links.start()
        secret = (tmp_path / "run" / "driver.secret").read_text().strip()
        connector = aiohttp.UnixConnector(path=str(tmp_path / "run" / "driver.sock"))
        async with aiohttp.ClientSession(connector=connector) as http:
            socket = await http.ws_connect("http://batond" + PATH, headers={"Authorization": f"Bearer {secret}"})
            await socket.send_str('{"type": "hello", "id": "web"}')
            for _frame in range(FRAMES):
                await socket.send_str('{"type": "health", "ok": true}')
            while len(seen) < FRAMES:
                turns[0] += 1
                await asyncio.sleep(0)
            await socket.close()
        await links.stop()

    asyncio.run(asyncio.wait_for(play(), 30))
    assert max(seen.count(turn) for turn in set(seen)) <= 2


def asked_to_start(tmp_path, answer):
    """Order a driver that makes its own marker to start; return the frames that it gets, and the events that it causes.

    ``answer(marker)``: what it does when it is asked for the marker, and says then.
    """
    frames, events = [], []

    async def play():
        links = DriverLinks(tmp_path / "run", "n1", 3.0, events.append)
        await links.start()
        secret = (tmp_path / "run" / "driver.secret").read_text().strip()
        connector = aiohttp.UnixConnector(path=str(tmp_path / "run" / "driver.sock"))
        async with aiohttp.ClientSession(connector=connector) as http:
            socket = await http.ws_connect("http://batond" + PATH, headers={"Authorization": f"Bearer {secret}"})
            await socket.send_json({"type": "hello", "id": "web", "own_marker": True})
            while not events:
                await asyncio.sleep(0)
            links.welcome(cmd.DriverWelcome(1))
            links.mark(cmd.DriverMarker("web", True))
            links.order(cmd.DriverOrder(1, 7, True, 1, 100.0))
            async for message in socket:
                frames.append(json.loads(message.data))
                if frames[-1]["type"] == "mark":
                    await socket.send_json({"type": "health", "ok": True})  # batond reads, and has something to say
                    links.lease(cmd.DriverLease(1, 1, 101.0))
                    while not any(isinstance(event, ev.DriverHealth) for event in events):
                        await asyncio.sleep(0)
                    await socket.send_json(answer(links.running / "web"))
                elif frames[-1]["type"] == "lease":
                    await socket.close()
        await links.stop()

    asyncio.run(asyncio.wait_for(play(), 30))
    return frames, events


def test_an_order_to_start_waits_until_the_driver_has_made_its_marker(tmp_path):
    def makes(marker):
        marker.touch()
        return {"type": "marked", "ok": True}

    frames, _events = asked_to_start(tmp_path, makes)
    assert [frame["type"] for frame in frames] == ["welcome", "mark", "order", "lease"] and frames[0]["own_marker"] is True


@pytest.mark.parametrize("ok", [True, False])
def test_without_the_marker_no_order_to_start_is_given(tmp_path, ok, caplog):
    frames, events = asked_to_start(tmp_path, lambda marker: {"type": "marked", "ok": ok, "message": "no space"})
    assert [frame["type"] for frame in frames] == ["welcome", "mark", "refused"]
    assert isinstance(events[-1], ev.DriverGone)
    assert ("it is not there as a file of uid" if ok else "no space") in caplog.text
