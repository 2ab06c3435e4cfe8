# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaks the driver protocol wrongly to the batond whose run directory is the argument; prints how it answered, as JSON."""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp


async def talk(run, *frames, secret=None, many=1):
    """Send frames; return the reason of the refusal, an HTTP status, or the ids of ``many`` drivers that were welcome."""
    secret = secret or (run / "driver.secret").read_text().strip()
    connector = aiohttp.UnixConnector(str(run / "driver.sock"))
    headers = {"Authorization": f"Bearer {secret}"}
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            sockets = [await session.ws_connect("http://local/driver/v1", headers=headers) for _number in range(many)]
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        welcome = []
        for socket in sockets:
            for frame in frames:
                await socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))
            while True:
                message = await socket.receive(timeout=10)
                answer = json.loads(message.data)
                if answer["type"] == "refused":
                    return answer["reason"]
                if answer["type"] == "welcome" and many > 1:
                    welcome.append(answer["id"])
                    break
        for socket in sockets:
            await socket.close()
        return len(set(welcome))


async def main():
    run = Path(sys.argv[1])
    hello = {"type": "hello", "id": "x"}
    found = {
        "wrong secret": await talk(run, hello, secret="not-the-secret-of-this-node"),
        "not json": await talk(run, "{"),
        "no hello": await talk(run, {"type": "done"}),
        "bad id": await talk(run, {**hello, "id": "a/b"}),
        "bad option": await talk(run, {**hello, "options": {"on_failure": "explode"}}),
        "circle": await talk(run, {**hello, "options": {"after": ["x"]}}),
        "bad frame": await talk(run, hello, {"type": "dance"}),
        "ids": await talk(run, {"type": "hello"}, many=3),
    }
    print(json.dumps(found))


asyncio.run(main())
