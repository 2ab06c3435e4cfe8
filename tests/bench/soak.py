# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Floods of each kind, one after the other and then all at once, beside a client that must not notice. ``make soak MINUTES=n``.

A pair with the timing ``fast`` (lease 0.4 s). The client changes a param by its revision and reads it, for as long as the
soak lasts. A line for each flood: what was answered to it, how long the client's changes and reads took, and the memory of
both nodes. It fails if a request of the client failed, the role moved, a node left the in-sync set or the journal has a
traceback; how long things took is shown, never judged. The floods come from this machine, with less of it than the nodes have.
"""

import argparse
import collections
import itertools
import json
import multiprocessing
import os
import queue
import random
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import requests  # noqa: E402
from fuzz.http import request_of  # noqa: E402

from support.cluster import Cluster, until  # noqa: E402

PAUSE = 0.01  # of the client, after each pair of requests
API = "/api/v3"


class Target:
    """The active, as a flood sees it; with the token of an admin, and one for profile NAME of its own."""

    def __init__(self, name, port, admin, own, seconds):
        self.name, self.port, self.admin, self.own = name, port, admin, own
        self.url = f"http://127.0.0.1:{port}"
        self.end = time.monotonic() + seconds
        self.answers = collections.Counter()
        self.ids = itertools.count()

    def goes_on(self):
        return time.monotonic() < self.end

    def session(self, token=None):
        session = requests.Session()
        session.headers.update({"Authorization": f"Bearer {token or self.own}", "Prefer": "return=minimal"})
        return session

    def ask(self, session, method, path, **more):
        try:
            answer = session.request(method, self.url + API + path, timeout=20, **more)
            self.answers[str(answer.status_code)] += 1
            return answer
        except requests.RequestException as error:
            self.answers[type(error).__name__] += 1
            return None

    def connect(self):
        """Return a connection, None where there was no room for one."""
        try:
            return socket.create_connection(("127.0.0.1", self.port), 5)
        except OSError as error:
            self.answers[type(error).__name__] += 1
            return None

    def at_once(self, work, count):
        """Do something in ``count`` threads for as long as the flood lasts."""

        def again(number):
            while self.goes_on():
                work(number)

        threads = [threading.Thread(target=again, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


# --- floods ---------------------------------------------------------------------------------------------------------------


def nothing(target):
    time.sleep(max(0, target.end - time.monotonic()))


def silent_strangers(target):
    """Connections that say nothing, opened again as soon as they are closed."""
    _hold(target, 600, lambda _connection: None)


def slow_headers(target):
    """A header that comes byte by byte."""
    text = b"GET /active HTTP/1.1\r\nHost: " + b"x" * 10_000
    sent = collections.Counter()

    def drip(connection):
        connection.send(text[sent[connection] : sent[connection] + 1])
        sent[connection] += 1

    _hold(target, 300, drip)


def _hold(target, most, work):
    """Keep ``most`` connections; ``work`` on each, now and then."""
    held = []
    while target.goes_on():
        while len(held) < most and target.goes_on():
            connection = target.connect()
            if connection is None:
                break
            connection.setblocking(False)
            held.append(connection)
            target.answers["opened"] += 1
        for connection in list(held):
            try:
                work(connection)
                over = connection.recv(4096) == b""
            except BlockingIOError:
                over = False
            except OSError:
                over = True
            if over:
                held.remove(connection)
                connection.close()
                target.answers["closed"] += 1
        time.sleep(0.2)
    for connection in held:
        connection.close()


def nonsense(target):
    """What the fuzzer of requests sends, with a token that is wrong."""
    dice = random.Random(1)

    def send(_number):
        connection = target.connect()
        if connection is not None:
            with connection:
                connection.sendall(request_of(dice, "wrong")[1])
                connection.settimeout(0.5)
                try:
                    target.answers[connection.recv(65536)[9:12].decode("ascii", "replace") or "closed"] += 1
                except OSError:
                    target.answers["no answer"] += 1

    target.at_once(send, 4)


def wrong_tokens(target):
    sessions = [target.session("wrong") for _number in range(8)]
    target.at_once(lambda number: target.ask(sessions[number], "GET", "/profiles"), 8)


def large_bodies(target):
    sessions, body = [target.session() for _number in range(4)], json.dumps("x" * ((4 << 20) - 100))
    target.at_once(lambda number: target.ask(sessions[number], "PUT", f"/profiles/{target.name}/params/x{number}", data=body), 4)


def many_operations(target):
    sessions = [target.session() for _number in range(4)]
    body = json.dumps([{"op": "add", "path": f"/Params/k{number % 50}", "value": number} for number in range(4_000)])
    target.at_once(lambda number: target.ask(sessions[number], "PATCH", f"/profiles/{target.name}", data=body), 4)


def small_patches(target):
    sessions = [target.session() for _number in range(16)]

    def patch(number):
        target.ask(sessions[number], "PUT", f"/profiles/{target.name}/params/s{number}", json=next(target.ids))

    target.at_once(patch, 16)


def lists(target):
    sessions = [target.session(target.admin) for _number in range(4)]
    target.at_once(lambda number: target.ask(sessions[number], "GET", "/machines"), 4)


def waits(target):
    """Long-polls beyond what a token may have."""
    sessions = [target.session() for _number in range(200)]

    def wait(number):
        if target.ask(sessions[number], "GET", f"/profiles/{target.name}/params/w{number}?wait=exists&timeout=3").status_code in (429, 503):
            time.sleep(0.5)

    target.at_once(wait, 200)


def streams_that_nobody_reads(target):
    text = f"GET {API}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.own}\r\n\r\n".encode()
    asked = set()

    def ask(connection):
        if connection not in asked:
            asked.add(connection)
            connection.send(text)
        raise BlockingIOError  # and never read

    _hold(target, 50, ask)


def uploads(target):
    sessions, data = [target.session(target.admin) for _number in range(2)], os.urandom(8 << 20)
    target.at_once(lambda number: target.ask(sessions[number], "PUT", f"/files/f{number}", data=data + bytes([next(target.ids) % 256])), 2)


def keys(target):
    """Changes that are to be remembered for their repeat."""
    sessions = [target.session() for _number in range(8)]

    def change(number):
        headers = {"Idempotency-Key": f"soak-{number}-{next(target.ids)}"}
        target.ask(sessions[number], "PUT", f"/profiles/{target.name}/params/y{number}", data=b'"' + b"x" * 2_000 + b'"', headers=headers)

    target.at_once(change, 8)


def leases(target):
    sessions = [target.session() for _number in range(8)]
    target.at_once(lambda number: target.ask(sessions[number], "POST", "/leases", json={"Ttl": 1, "Owner": "flood"}), 8)


def false_peers(target):
    """Upgrades to a link without a node's certificate or secret, and a secret that is wrong."""
    text = b"GET /peer/v1/link HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    def ask(_number):
        connection = target.connect()
        if connection is not None:
            with connection:
                connection.sendall(text)
                try:
                    target.answers[connection.recv(4096)[9:12].decode("ascii", "replace") or "closed"] += 1
                except OSError as error:
                    target.answers[type(error).__name__] += 1

    target.at_once(ask, 4)


FLOODS = (
    silent_strangers, slow_headers, nonsense, wrong_tokens, large_bodies, many_operations, small_patches, lists, waits,
    streams_that_nobody_reads, uploads, keys, leases, false_peers,
)  # fmt: skip


def flood(name, port, admin, own, seconds, results):
    """The life of a process that floods."""
    os.nice(15)
    target = Target(name, port, admin, own, seconds)
    globals()[name](target)
    results.put(dict(target.answers))


# --- who must not notice --------------------------------------------------------------------------------------------------


class Client(threading.Thread):
    """Changes a param by its revision and reads it; keeps how long each took, in ms."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self._url = f"{cluster.n1.url}{API}/profiles/client/params/x"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {cluster.token}"
        self.over = False
        self.failed = []
        self.took = {"change": [], "read": []}

    def run(self):
        etag, number = "*", 0
        while not self.over:
            number += 1
            changed = self._ask("change", "PUT", 200, json=number, headers={"If-Match": etag})
            read = self._ask("read", "GET", 200)
            if changed is None or read is None or read.json() != number:
                self.failed.append(f"change {number}")
            etag = read.headers["ETag"] if read is not None else "*"
            time.sleep(PAUSE)

    def _ask(self, what, method, expected, **more):
        began = time.monotonic()
        try:
            answer = self._session.request(method, self._url, timeout=10, **more)
        except requests.RequestException as error:
            self.failed.append(f"{what}: {type(error).__name__}")
            return None
        self.took[what].append(1000 * (time.monotonic() - began))
        if answer.status_code == expected:
            return answer
        self.failed.append(f"{what}: {answer.status_code} {answer.text[:200]}")
        return None

    def taken(self):
        """Return what was taken down since the last time: median, 99 of 100, and the longest."""
        taken, self.took = self.took, {"change": [], "read": []}
        return {what: _of(sorted(times)) for what, times in taken.items()}


def _of(times):
    return tuple(times[min(len(times) - 1, int(len(times) * part))] for part in (0.5, 0.99, 1.0)) if times else (0, 0, 0)


def resident(node):
    """Return the resident memory in MiB: now, and at most so far."""
    lines = Path(f"/proc/{node.process.pid}/status").read_text().splitlines()
    found = {line.partition(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(("VmRSS:", "VmHWM:"))}
    return found["VmRSS"], found["VmHWM"]


def play(names, cluster, own, client, seconds, title):
    """Play floods at once; print a line."""
    results = multiprocessing.Queue()
    client.taken()
    processes = [
        multiprocessing.Process(target=flood, args=(name, cluster.n1.port, cluster.token, own[name], seconds, results)) for name in names
    ]
    for process in processes:
        process.start()
    answers = collections.Counter()
    for _process in processes:
        try:
            answers.update(results.get(timeout=seconds + 60))
        except queue.Empty:
            answers["hung"] += 1
    for process in processes:
        process.join(10)
        process.kill()
    times = client.taken()
    shown = "".join(f" {p50:7.1f} {p99:7.1f} {worst:7.1f}" for p50, p99, worst in (times["change"], times["read"]))
    memory = "".join(f" {now:5.0f} {most:5.0f}" for now, most in map(resident, cluster.nodes.values()))
    told = ", ".join(f"{count}x {what}" for what, count in sorted(answers.items(), key=str))
    print(f"{title:26}{shown} {memory}  {told}", flush=True)


def prepare(cluster, names):
    """Make what the floods need; return for each the token of a profile of its name."""
    admin = requests.Session()
    admin.headers["Authorization"] = f"Bearer {cluster.token}"
    url = cluster.n1.url + API
    for name in ("client", *names):
        assert admin.post(f"{url}/profiles", json={"Name": name}).status_code == 201
    assert admin.put(f"{url}/profiles/client/params/x", json=0).status_code == 200
    body = {"Description": "x" * 1_700, "Params": {f"p{n}": n for n in range(10)}}
    for first in range(0, 5_000, 500):
        changes = [{"Kind": "machines", "Key": f"m{n}", "Action": "create", "Body": body} for n in range(first, first + 500)]
        assert admin.post(f"{url}/batch", json={"Changes": changes}).status_code == 200
    return {name: admin.post(f"{url}/profiles/{name}/token", params={"ttl": "1d"}).json()["Token"] for name in names}


def wrong_with(cluster, client, before):
    found = [f"the client: {text}" for text in client.failed[:5]]
    after = _state(cluster)
    if after != before:
        found.append(f"epoch and in-sync set {before} -> {after}")
    for node in cluster.nodes.values():
        if node.process.poll() is not None:
            found.append(f"{node.name} has ended")
        if node.said("Traceback"):
            found.append(f"the journal of {node.name} has a traceback")
    return found


def _state(cluster):
    status = cluster.n1.status()
    return status["epoch"]["number"], tuple(status["in_sync"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", default="", help="floods whose name has this")
    options = parser.parse_args()
    names = [work.__name__ for work in FLOODS if options.only in work.__name__]
    seconds = 60 * options.minutes / (len(names) + 2)
    with tempfile.TemporaryDirectory() as folder, Cluster(folder, 2, "local", ["--timing", "fast"]) as cluster:
        until(lambda: cluster.n1.status()["in_sync"] == ["n1", "n2"], "both are in sync")
        own = prepare(cluster, ["nothing", *names])
        client, before = Client(cluster), _state(cluster)
        client.start()
        print(
            f"{seconds:.0f} s each; the client's changes, its reads in ms (median, 99 of 100, longest); MiB of active, passive (now, most)"
        )
        play(["nothing"], cluster, own, client, seconds, "nothing")
        for name in names:
            play([name], cluster, own, client, seconds, name.replace("_", " "))
        play(names, cluster, own, client, seconds, "all at once")
        client.over = True
        client.join(20)
        wrong = wrong_with(cluster, client, before)
    for text in wrong:
        print(f"FAILED: {text}")
    print("the client noticed nothing" if not wrong else f"{len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
