# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting within a time: the result, the lack of it, and being told to end."""

import asyncio

import pytest

from baton.adapters.aio import within


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
