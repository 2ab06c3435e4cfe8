# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare-and-patch beside etcd's transaction, and patch cost against document size. ``make bench``.

One machine, one run, one client program: a raw keep-alive HTTP client that knows neither side. Each of N clients swaps a value
of its own, n to n+1, and waits for the answer. Rounds alternate, so that a slow moment of the machine hits all; what counts is
the ratio. Timings are shown, never asserted.
"""

import argparse
import asyncio
import base64
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.cluster import Cluster, free_port, until  # noqa: E402

CLIENTS = (1, 16, 64)


class Connection(asyncio.Protocol):
    """One keep-alive connection; ``ask`` sends bytes and returns (status, body)."""

    def __init__(self):
        self._buffer = b""
        self._answer = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("closed"))

    def data_received(self, data):
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) >= length:
            self._buffer = b""
            self._answer.set_result((int(head[9:12]), rest[:length]))

    async def ask(self, request):
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer


def http(method, path, body, headers=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Baton:
    """Swaps of the params c0, c1, … of one profile."""

    def __init__(self, name, port, token):
        self.name, self.port = name, port
        self.headers = (f"Authorization: Bearer {token}", "Prefer: return=minimal")
        self.count = 0

    def prepare(self, client):
        return [http("PUT", f"/api/v3/profiles/bench/params/c{client}", b"0", self.headers)]

    def swap(self, client, old):
        self.count += 1
        body = [{"op": "test", "path": "", "value": old}, {"op": "replace", "path": "", "value": old + 1}]
        headers = (*self.headers, f"Idempotency-Key: {self.port}-{self.count}")
        return http("PATCH", f"/api/v3/profiles/bench/params/c{client}", json.dumps(body).encode(), headers)

    def won(self, status, _body):
        return status == 204


class Etcd:
    """Transactions on the keys c0, c1, … through the JSON gateway."""

    name = "etcd"

    def __init__(self, port):
        self.port = port

    @staticmethod
    def _encoded(text):
        return base64.b64encode(text.encode()).decode()

    def prepare(self, client):
        body = {"key": self._encoded(f"c{client}"), "value": self._encoded("0")}
        return [http("POST", "/v3/kv/put", json.dumps(body).encode())]

    def swap(self, client, old):
        key = self._encoded(f"c{client}")
        body = {
            "compare": [{"key": key, "target": "VALUE", "result": "EQUAL", "value": self._encoded(str(old))}],
            "success": [{"requestPut": {"key": key, "value": self._encoded(str(old + 1))}}],
        }
        return http("POST", "/v3/kv/txn", json.dumps(body).encode())

    def won(self, status, body):
        return status == 200 and b'"succeeded":true' in body


async def load(side, clients, seconds):
    """Return (swaps a second, median and 99th percentile of latency in ms)."""
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(Connection, "127.0.0.1", side.port))[1] for _client in range(clients)]
    for client, connection in enumerate(connections):
        for request in side.prepare(client):
            status, body = await connection.ask(request)
            if status >= 300:
                raise SystemExit(f"{side.name}: {status} {body[:200]}")
    latencies = []
    start = time.perf_counter()
    end = start + seconds

    async def work(client, connection):
        value = 0
        while True:
            began = time.perf_counter()
            if began > end:
                return
            status, body = await connection.ask(side.swap(client, value))
            if not side.won(status, body):
                raise SystemExit(f"{side.name} did not swap: {status} {body[:200]}")
            value += 1
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(work(*item) for item in enumerate(connections)))
    took = time.perf_counter() - start
    for connection in connections:
        connection.transport.close()
    latencies.sort()
    return len(latencies) / took, 1000 * statistics.median(latencies), 1000 * latencies[int(len(latencies) * 0.99)]


def start_etcd(folder):
    if shutil.which("etcd") is None:
        raise SystemExit("bench: etcd is missing; `make system` installs it")
    port, peer = free_port(), free_port()
    url, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    process = subprocess.Popen(
        ["etcd", "--name", "e1", "--data-dir", str(folder / "etcd"), "--listen-client-urls", url, "--advertise-client-urls", url,
         "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"e1={peers}", "--log-level", "error"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return process, port


def answers(port):
    async def ask():
        _transport, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        return (await connection.ask(http("POST", "/v3/kv/range", b'{"key":"YQ=="}')))[0] == 200

    try:
        return asyncio.run(ask())
    except OSError:
        return False


def compare(sides, rounds, seconds):
    print(f"\nCompare-and-patch, {rounds} rounds of {seconds:g} s each, medians (etcd: one node, JSON gateway)\n")
    print(f"{'clients':>7}  {'side':22} {'swaps/s':>9} {'median ms':>10} {'p99 ms':>8} {'to etcd':>8}   (ratio in each round)")
    for clients in CLIENTS:
        results = {side.name: [] for side in sides}
        for _round in range(rounds):
            for side in sides:
                results[side.name].append(asyncio.run(load(side, clients, seconds)))
        for side in sides:
            found = results[side.name]
            rate, middle, slow = (statistics.median(values) for values in zip(*found, strict=True))
            ratios = [ours[0] / theirs[0] for ours, theirs in zip(found, results["etcd"], strict=True)]
            shown = " ".join(f"{ratio:.2f}" for ratio in ratios) if side.name != "etcd" else ""
            ratio = statistics.median(ratios)
            print(f"{clients:7}  {side.name:22} {rate:9.0f} {middle:10.2f} {slow:8.2f} {ratio:8.2f}   {shown}", flush=True)


async def sizes(port, token, count):
    """Return {bytes: median ms of a patch of one param} for documents of three sizes."""
    side = Baton("sizes", port, token)
    _transport, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    found = {size: [] for size in (1_000, 100_000, 1_000_000)}
    for size in found:
        name = f"size-{size}"
        filler = {f"filler/{n}": "x" * 80 for n in range(size // 100)}
        body = json.dumps({"Params": {**filler, "n": 0}}).encode()
        status, text = await connection.ask(http("PUT", f"/api/v3/profiles/{name}", body, side.headers))
        if status >= 300:
            raise SystemExit(f"bench: {status} {text[:200]}")
    for number in range(count):
        for size, took in found.items():
            body = [{"op": "test", "path": "/Params/n", "value": number}, {"op": "replace", "path": "/Params/n", "value": number + 1}]
            began = time.perf_counter()
            status, text = await connection.ask(http("PATCH", f"/api/v3/profiles/size-{size}", json.dumps(body).encode(), side.headers))
            took.append(time.perf_counter() - began)
            if status >= 300:
                raise SystemExit(f"bench: {status} {text[:200]}")
    return {size: 1000 * statistics.median(took) for size, took in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as folder:
        folder = Path(folder)
        (folder / "one").mkdir()
        (folder / "two").mkdir()
        etcd, etcd_port = start_etcd(folder)
        try:
            until(lambda: answers(etcd_port), "etcd answers")
            with Cluster(folder / "one", 1) as one, Cluster(folder / "two", 2) as two:
                for cluster in (one, two):
                    cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "bench"})
                sides = [
                    Etcd(etcd_port),
                    Baton("baton, one node", one.ports[0], one.token),
                    Baton("baton, one passive", two.ports[0], two.token),
                ]
                compare(sides, options.rounds, options.seconds)
                found = asyncio.run(sizes(two.ports[0], two.token, 300))
                print("\nOne patch against the size of its document (active and one passive), medians of 300\n")
                for size, took in found.items():
                    print(f"{size // 1000:6} KB  {took:7.2f} ms   {took / found[1000]:.2f} times 1 KB")
        finally:
            etcd.terminate()
            etcd.wait(10)


if __name__ == "__main__":
    main()
