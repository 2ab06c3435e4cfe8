# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl leases, barriers and events against a real node; what runs until it is stopped runs as a process of its own."""

import json
import os
import signal
import subprocess
import sys

import pytest

from support.cluster import until


@pytest.fixture
def started(programs, node):
    """Start batonctl as a user would; what is left of it is ended."""
    url, token = node
    processes = []

    def start(*arguments):
        environ = {**os.environ, "BATON_URL": url, "BATON_TOKEN_FILE": str(token), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, str(programs / "batonctl.pyz"), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_leases(cluster):
    assert cluster("leases", "list").out == "There are no leases.\n"
    assert cluster("leases", "grant", "one", "--ttl", "1h", "--owner", "me").out == "Lease one lasts 3600 s.\n"
    assert "one    me     3600 s  3600 s  0" in cluster("leases", "list").out
    cluster("-o", "json", "locks", "acquire", "door", "--owner", "me", "--ttl", "1h")
    shown = json.loads(cluster("-o", "json", "leases", "list").out)
    tied = next(lease["Id"] for lease in shown if lease["Ties"])
    assert "locks  door  me" in cluster("leases", "show", tied).out
    assert cluster("leases", "grant", "one", "--owner", "you").err.endswith("with another owner; revoke it, or use another id\n")
    for name in ("one", tied):
        assert cluster("leases", "revoke", name).out == f"Ended lease {name}.\n"
    gone = cluster("leases", "revoke", "one")
    assert (gone.status, gone.err) == (1, "batonctl: there is no lease 'one'\n")


@pytest.mark.parametrize(("options", "left"), [((), True), (("--revoke",), False)])
def test_a_lease_is_kept_alive_until_this_is_stopped(cluster, started, options, left):
    process = started("leases", "keep", "kept", "--ttl", "2s", *options)
    assert process.stdout.readline() == "Keeping lease kept alive, 2 s at a time.\n"
    ended = cluster("profiles", "wait", "none", "param", "x", "--wait-timeout", "3")  # longer than the lease would last by itself
    assert ended.status == 1 and cluster("leases", "show", "kept").status == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert (cluster("leases", "show", "kept").status == 0) == left
    until(lambda: cluster("leases", "show", "kept").status == 1, "the lease ends by itself")


def test_barriers(cluster, started):
    assert cluster("barriers", "list").out == "There are no barriers.\n"
    waiting = started("barriers", "arrive", "gate", "--owner", "a", "--count", "2")
    until(lambda: cluster("barriers", "show", "gate").status == 0, "a has come")
    assert "gate     1           1 of 2     waits" in cluster("barriers", "list").out
    assert "a      has come" in cluster("barriers", "show", "gate").out
    assert cluster("barriers", "arrive", "gate", "--owner", "b", "--count", "2").out == "All have come (generation 1).\n"
    assert waiting.wait(20) == 0 and waiting.stdout.read() == "All have come (generation 1).\n"
    assert cluster("barriers", "break", "gate", "--owner", "c", "--why", "no disk").out == "Broke gate for all.\n"
    refused = cluster("barriers", "arrive", "gate", "--owner", "a", "--count", "2")
    assert (refused.status, refused.err) == (1, "batonctl: barrier 'gate' was broken by c: no disk\n")
    vain = cluster("barriers", "arrive", "vain", "--owner", "a", "--count", "2", "--wait", "0.2")
    assert vain.status == 1 and "a waited 0.2 s in vain: 1 of 2 have come" in vain.err
    assert cluster("barriers", "reset", "vain").out == "vain begins anew.\n"
    assert cluster("barriers", "reset", "vain").out == "Nobody waits at vain.\n"
    assert cluster("leases", "list").out == "There are no leases.\n"


def test_events(cluster, started):
    assert cluster("profiles", "create", "seen").status == 0
    stream = started("events", "--key", "seen", "--count", "2")
    first = started("-o", "json", "events", "--kinds", "profiles", "--key", "seen", "--documents", "--count", "1")
    # What is written before a stream has begun is not in it, so it is written until both have ended.
    until(lambda: [cluster("profiles", "set", "seen", "param", "a/b", "to", str(n)) for n in range(5)] and stream.poll() == 0, "two events")
    lines = stream.stdout.read().splitlines()
    assert len(lines) == 2 and "patch  profile  seen  /Params/a~1b " in lines[0]
    assert first.wait(20) == 0
    event = json.loads(first.stdout.read())
    assert event["Document"]["Name"] == "seen"
    assert cluster("profiles", "set", "seen", "param", "a/b", "to", "9").status == 0
    rest = cluster("-o", "json", "events", "--since", event["Cursor"], "--key", "seen", "--count", "1")
    assert json.loads(rest.out)["Patch"][0]["value"] in ((event["Patch"][0]["value"] + 1) % 5, 9)
    gone = cluster("events", "--since", "9.x.9.9")
    assert gone.status != 0 and "begin without a cursor" in gone.err
