# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work of which nobody knows beforehand how long it takes: at once while it is light, in turns when it is not."""

import asyncio
import time

import pytest

from baton.adapters import turns

HEAVY = 0.025  # seconds of CPU


@pytest.fixture(autouse=True)
def _nothing_is_owed(monkeypatch):
    monkeypatch.setattr(turns, "_owed_until", 0.0)


def burn(seconds=HEAVY):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Rounds:
    """Counts the rounds of the loop."""

    def __init__(self):
        self.number = 0
        self._task = asyncio.get_running_loop().create_task(self._count())

    async def _count(self):
        while True:
            await asyncio.sleep(0)
            self.number += 1

    def end(self):
        self._task.cancel()


async def seen_at(work, count, waiting=turns.brief):
    """Do something many times at once; return in which round of the loop each was done."""
    rounds, seen = Rounds(), []

    def do():
        work()
        seen.append(rounds.number)

    await asyncio.gather(*(waiting(do) for _number in range(count)))
    rounds.end()
    return seen


async def sent(send, size):
    await turns.alone(size)
    send()


def test_what_is_large_is_sent_to_one_reader_in_a_round():
    seen = asyncio.run(seen_at(lambda: None, 50, lambda send: sent(send, turns.LARGE + 1)))
    assert len(set(seen)) == 50, seen


def test_what_is_small_is_sent_to_all_readers_at_once():
    seen = asyncio.run(seen_at(lambda: None, 50, lambda send: sent(send, turns.LARGE)))
    assert len(set(seen)) == 1, seen


def test_heavy_requests_that_come_at_once_leave_the_loop_rounds_in_between():
    seen = asyncio.run(seen_at(burn, 8))
    assert len(seen) == 8 and all(later > earlier for earlier, later in zip(seen, seen[1:])), seen


def test_light_requests_that_come_at_once_are_done_at_once():
    assert len(set(asyncio.run(seen_at(lambda: None, 500)))) == 1


def test_many_that_take_a_little_are_heavy_together():
    assert len(set(asyncio.run(seen_at(lambda: burn(0.002), 40)))) > 3


def test_one_that_fails_counts_like_any_other():
    async def script():
        def fails():
            burn()
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await turns.brief(fails)
        rounds = Rounds()
        await turns.brief(lambda: None)
        rounds.end()
        return rounds.number

    assert asyncio.run(script()) > 1


def test_who_leaves_while_it_waits_has_done_nothing():
    async def script():
        await turns.brief(burn)
        done = []
        waits = asyncio.get_running_loop().create_task(turns.brief(lambda: done.append(1)))
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        await turns.brief(lambda: done.append(2))
        return done

    assert asyncio.run(script()) == [2]
