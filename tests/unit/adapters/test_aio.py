# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting within a time: the result, the lack of it, and being told to end."""

import asyncio

import pytest

from baton.adapters.aio import unhandled, within


async def said(future):
    return await future


def test_a_result_in_time_an_error_and_none():
    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, 7)
        assert await within(5, said(future)) == 7
        failed = loop.create_future()
        loop.call_soon(failed.set_exception, ValueError("no"))
        with pytest.raises(ValueError, match="no"):
            await within(5, failed)
        late = loop.create_future()
        with pytest.raises(asyncio.TimeoutError):
            await within(0.01, late)
        assert late.cancelled()

    asyncio.run(main())


def test_who_is_told_to_end_ends_although_the_result_came_at_that_moment():
    async def main():
        future = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(within(5, future))
        await asyncio.sleep(0)
        future.set_result(7)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_a_connection_that_is_lost_twice_is_no_news_and_anything_else_is(caplog):
    class Transport:
        def __init__(self, protocol):
            self.protocol, self.sock = protocol, None

        def _call_connection_lost(self):  # as it is in asyncio
            try:
                self.protocol.connection_lost()
            finally:
                if self.protocol is None:
                    self.sock.close()

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(unhandled)
        loop.call_soon(Transport(None)._call_connection_lost)
        await asyncio.sleep(0)
        assert not caplog.records
        loop.call_soon(Transport("one with a fault of its own")._call_connection_lost)
        await asyncio.sleep(0)
        assert "AttributeError" in caplog.text
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        assert "ZeroDivisionError" in caplog.text

    asyncio.run(main())
