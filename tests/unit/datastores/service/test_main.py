# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager as a driver: it stops in time, whoever waits for an answer."""

import asyncio
import threading

import pytest

from baton.client.connection import Connection
from baton.datastores.service import main
from baton.datastores.service.main import Service


@pytest.mark.parametrize("stuck", [1, 3])
def test_it_stops_although_threads_wait_for_an_answer_of_the_cluster(monkeypatch, stuck):
    """While the role moves nobody answers, and batond waits for us."""
    monkeypatch.setattr(main, "END", 0.0)
    service, answered = Service(Connection.__new__(Connection), "n1", "127.0.0.1", 0, None), threading.Event()
    for _number in range(stuck):
        service._begin(answered.wait, "stuck")
    asyncio.run(service.stop())
    assert not answered.is_set() and service._threads == []
    answered.set()
