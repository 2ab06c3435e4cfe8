# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An SMTP server that takes every mail and keeps it: a file each in /var/lib/mailsink, numbered. For tests."""

import asyncio
import itertools
from pathlib import Path

FOLDER = Path("/var/lib/mailsink")
NUMBERS = itertools.count(len(list(FOLDER.glob("*.eml"))) + 1)


async def message(reader):
    """Read up to the lone dot; return the mail as it was before dots were doubled."""
    lines = []
    while (line := await reader.readline()) not in (b".\r\n", b""):
        lines.append(line[1:] if line.startswith(b"..") else line)
    return b"".join(lines)


async def serve(reader, writer):
    async def answer(text):
        writer.write(text.encode() + b"\r\n")
        await writer.drain()

    await answer("220 mailsink")
    while line := await reader.readline():
        verb = line.split()[0].upper() if line.split() else b""
        if verb == b"DATA":
            await answer("354 go on")
            mail = await message(reader)
            # Under its own name only when it is whole.
            part = FOLDER / "part"
            part.write_bytes(mail)
            part.rename(FOLDER / f"{next(NUMBERS):04}.eml")
        await answer("221 bye" if verb == b"QUIT" else "250 ok")
        if verb == b"QUIT":
            break
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", 2525)
    async with server:
        await server.serve_forever()


asyncio.run(main())
