# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of nodes of which strangers want all connections: links, probes and whoever has a token get in all the same."""

import contextlib
import selectors
import socket

import pytest

from support.cluster import Cluster, until

FILES = 512  # descriptors of each node
ELSEWHERE = "127.0.0.9"  # whence strangers come: of one address, whoever opens connections the fastest has them


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("strangers"), 2, "local")
    for node in cluster.nodes.values():
        node.command[:0] = ["prlimit", f"--nofile={FILES}"]
    with cluster:
        yield cluster


@contextlib.contextmanager
def strangers(port, number, data):
    """Hold connections, and open others for those that are ended, whenever ``again`` is called."""
    with contextlib.ExitStack() as held, selectors.DefaultSelector() as ended:

        def another():
            client = held.enter_context(socket.create_connection(("127.0.0.1", port), 5, (ELSEWHERE, 0)))
            client.sendall(data)
            ended.register(client, selectors.EVENT_READ)

        def again():
            for key, _events in ended.select(0):
                ended.unregister(key.fileobj)
                key.fileobj.close()
                another()

        for _number in range(number):
            another()
        yield again


@pytest.mark.parametrize("data", [b"", b"GET /active HTTP/1.1\r\nHost: x\r\nX-A: ", b"GET /passive?wait=300 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_strangers_keep_nobody_out(pair, data):
    with strangers(pair.n1.port, FILES + 100, data) as again:
        pair.n2.stop()
        pair.n2.start()
        for _number in range(4):
            again()
            assert pair.call(pair.n1, "GET", "/info").status_code == 200
            assert pair.n1.probe("/active")
        until(lambda: again() or pair.n2.probe("/in-sync"), "its links are up again")
        connections = pair.call(pair.n1, "GET", "/system/ha").json()["connections"]
        assert connections["without_token"] <= connections["limit_without_token"] < connections["limit"] < FILES
        assert connections["nodes"] >= 1 and connections["pushed_out"] > 0
    metrics = pair.n1.metrics()
    assert f'baton_connections_limit{{of="all"}} {connections["limit"]}\n' in metrics and 'baton_connections{of="nodes"} ' in metrics
    log = pair.n1.log.read_text()
    assert "make room for new ones" in log and "Traceback" not in log and len(log.splitlines()) < 100
    assert pair.n1.probe("/health")
