# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager as a driver: it stops in time, whoever waits for an answer."""

import asyncio
import threading

import pytest

from baton.client.connection import Connection
from baton.datastores.engine.case import Times
from baton.datastores.service import main
from baton.datastores.service.main import Service


@pytest.mark.parametrize("stuck", [1, 3])
def test_it_stops_although_threads_wait_for_an_answer_of_the_cluster(monkeypatch, stuck):
    """While the role moves nobody answers, and batond waits for us."""
    monkeypatch.setattr(main, "END", 0.0)
    service, answered = Service(Connection.__new__(Connection), "n1", "127.0.0.1", 0, None, Times(2.0)), threading.Event()
    for _number in range(stuck):
        service._begin(answered.wait, "stuck")
    asyncio.run(service.stop())
    assert not answered.is_set() and service._threads == []
    answered.set()


@pytest.mark.parametrize("words", [("--failovers", "-1"), ("--failovers", "1001"), ("--failovers", "²"), ("--failover-window", "0"),
                                   ("--failover-window", "nan"), ("--failover-window", "1e9")])  # fmt: skip
def test_a_limit_of_failovers_that_is_none_is_refused(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main([*words])
    assert ended.value.code == 2 and "is no number" in capsys.readouterr().err


def test_the_limit_of_failovers_is_taken_as_it_is_given():
    given = main._parser().parse_args(["--failovers", "0", "--failover-window", "60"])
    assert (given.failovers, given.failover_window) == (0, 60.0)
    usual = main._parser().parse_args([])
    assert (usual.failovers, usual.failover_window) == (3, 3600.0)


@pytest.mark.parametrize("library", ["AIOHTTP_ERROR", "REQUESTS_ERROR"])
def test_a_library_that_is_missing_is_said_in_one_line(monkeypatch, capsys, library):
    monkeypatch.setattr(main, library, "it is missing: install it")
    assert main.main([]) == 1
    assert capsys.readouterr().err == "baton-datastores: it is missing: install it\n"
