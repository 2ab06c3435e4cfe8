# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that are said while somebody waits."""

import pytest

from baton.client.api import Client
from baton.client.barriers import Barriers
from baton.client.connection import Connection
from baton.client.error import ClientError
from baton.client.locks import Locks
from baton.client.patience import Patience
from baton.client.progress import Progress
from support.cluster import Cluster


@pytest.mark.parametrize(
    ("polls", "told"),
    [
        ([7, 14, 20, 27, 34, 40], [20, 40]),  # asked three times as often as anybody is told
        ([20, 40, 60], [20, 40, 60]),
        ([19.9, 39.8, 59.7], [20, 40, 60]),  # a poll that ends a little early
        ([5, 50, 55, 60], [50, 60]),  # nobody answered for a while
        ([90, 95, 100, 101], [90]),  # the time is up: the error says it
    ],
)
def test_a_line_comes_every_twenty_seconds_and_says_how_long_it_has_been(polls, told):
    times, lines = [1000], []
    patience = Patience(100, lambda: times[0])
    progress = Progress(lines.append, patience)
    for poll in polls:
        times[0] = 1000 + poll
        progress.tell("door")
    assert lines == [f"door; waited {seconds} s of 100 s" for seconds in told]


def test_a_wait_shorter_than_that_says_nothing_before_its_error(tmp_path):
    with Cluster(tmp_path, 1, "local") as cluster:
        client, lines = Client(Connection((cluster.n1.url,), cluster.token)), []
        cluster.call(cluster.n1, "POST", "/locks/held/acquire", json={"Owner": "other"})
        cluster.call(cluster.n1, "POST", "/leases", json={"Id": "short", "Ttl": 60})
        with pytest.raises(ClientError, match="held by other"):
            Locks(client).acquire("held", "me", None, timeout=0.5, progress=lines.append, keep=lambda: ("short", 0.3))
        with pytest.raises(ClientError, match="in vain"):
            Barriers(client).arrive("few", "me", count=2, timeout=0.3, progress=lines.append)
        assert lines == []
        client.close()
