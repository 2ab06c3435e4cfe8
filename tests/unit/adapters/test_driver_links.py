# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of drivers, and their markers, in a directory in which their users may write."""

import asyncio
import os
import threading

import aiohttp
import pytest

from baton.adapters.driver_links import PATH, DriverLinks
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
    marking = threading.Thread(target=links.mark, args=(ev.DriverMarker("db", True),), daemon=True)
    marking.start()
    marking.join(10)
    assert not marking.is_alive() and "db can't be made" in caplog.text


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
