# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What coordination costs a play, and how it grows. ``make bench-plays``.

First ansible-playbook over 100 hosts (local connection, forks 20): milliseconds a host and task, beside what people use. Then the API:
contenders for one seat beside the same on etcd, and waiters woken by one change. One machine, one run; what counts are the ratios.
Timings are shown, never asserted.
"""

import argparse
import asyncio
import base64
import json
import os
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bench import Connection, http, start_etcd  # noqa: E402
from bench import answers as etcd_answers  # noqa: E402

from support.certificates import Authority  # noqa: E402
from support.cluster import ROOT, Cluster, Node, free_port, until  # noqa: E402

HOSTS, FORKS = 100, 20
MOST_CONNECTIONS = 1000


# --- plays --------------------------------------------------------------------------------------------------------------


class TlsNode(Node):
    """One node as the role installs it: the API speaks TLS."""

    def __init__(self, folder):
        super().__init__(folder, "n1", f"local:{folder}/dcs.db", free_port(), [])
        authority = Authority(folder / "pki")
        self.ca = folder / "pki/ca.pem"
        self.command.remove("--insecure")
        self.command += [str(option) for option in authority.issue("n1", "127.0.0.1")]
        self.url = self.url.replace("http://", "https://")


def run_plays(node, folder, rounds):
    """Return {task: [ms a host of each round]}."""
    inventory = folder / "inventory"
    inventory.write_text("".join(f"host-{number} ansible_connection=local\n" for number in range(HOSTS)))
    timings = folder / "timings.jsonl"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_"))}
    environ.update(
        ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_LIBRARY=str(HERE / "library"),
        ANSIBLE_CALLBACK_PLUGINS=str(HERE / "plugins/callback"), ANSIBLE_CALLBACKS_ENABLED="task_times", BATON_BENCH_TIMES=str(timings),
        BATON_URL=node.url, BATON_TOKEN_FILE=str(node.data / "admin.token"), BATON_CA=str(node.ca),
    )  # fmt: skip
    values = json.dumps({"ansible_python_interpreter": sys.executable, "rounds": rounds, "kv_url": f"{node.url}/health"})
    command = [ROOT / ".venv/bin/ansible-playbook", "-i", inventory, "-f", str(FORKS), HERE / "plays.yml", "-e", values]
    with open(folder / "plays.log", "wb") as log:
        done = subprocess.run([str(part) for part in command], env=environ, cwd=ROOT, stdout=log, stderr=log, check=False)
    if done.returncode:
        raise SystemExit("bench-plays: the play failed:\n" + (folder / "plays.log").read_text()[-3000:])
    found = {}
    for line in timings.read_text().splitlines():
        item = json.loads(line)
        found.setdefault(item["task"], []).append(1000 * item["seconds"] / HOSTS)
    return found


def show_plays(found):
    print(f"\n{HOSTS} hosts, forks {FORKS}, local connection, API over TLS: ms a host and task, median of the rounds\n")
    floor = statistics.median(found["minimal module"])
    for task, took in found.items():
        middle = statistics.median(took)
        print(f"  {task:42} {middle:7.1f}   {middle / floor:5.2f} of a minimal module   ({' '.join(f'{ms:.1f}' for ms in took)})")


# --- contenders ---------------------------------------------------------------------------------------------------------


async def connect(number, port, context=None):
    """Return ``number`` connections, made a hundred at a time."""
    loop, made = asyncio.get_running_loop(), []
    while len(made) < number:
        count = min(100, number - len(made))
        some = [loop.create_connection(Connection, "127.0.0.1", port, ssl=context) for _number in range(count)]
        made += [connection for _transport, connection in await asyncio.gather(*some)]
    return made


def close(connections):
    for connection in connections:
        connection.transport.close()


class BatonSeat:
    """One POST a contender."""

    def __init__(self, name, port, token, context=None):
        self.name, self.port, self.context = name, port, context
        self.headers = (f"Authorization: Bearer {token}",)

    def ask(self, election, contender):
        body = {"Param": f"seat/{election}", "Candidate": f"c{contender}"}
        key = f"Idempotency-Key: {election}-{contender}"
        return http("POST", "/api/v3/profiles/bench/elect", json.dumps(body).encode(), (*self.headers, key))

    @staticmethod
    def won(status, body):
        if status != 200:
            raise SystemExit(f"bench-plays: {status} {body[:200]}")
        return json.loads(body)["Elected"]


class EtcdSeat:
    """One transaction a contender: put if the key is not there, else get."""

    name, context = "etcd", None

    def __init__(self, port):
        self.port = port

    def ask(self, election, contender):
        key, value = (base64.b64encode(text.encode()).decode() for text in (f"seat/{election}", f"c{contender}"))
        body = {
            "compare": [{"key": key, "target": "CREATE", "result": "EQUAL", "createRevision": "0"}],
            "success": [{"requestPut": {"key": key, "value": value}}],
            "failure": [{"requestRange": {"key": key}}],
        }
        return http("POST", "/v3/kv/txn", json.dumps(body).encode())

    @staticmethod
    def won(status, body):
        if status != 200:
            raise SystemExit(f"bench-plays: etcd: {status} {body[:200]}")
        return b'"succeeded":true' in body


async def contend(side, election, number, counted):
    """Return seconds from the first request to the last answer; ``counted``: connections, and handshakes, are made within."""
    width = min(number, MOST_CONNECTIONS)
    began = time.perf_counter()
    connections = await connect(width, side.port, side.context)
    if not counted:
        began = time.perf_counter()
    answers = []

    async def work(first):
        for contender in range(first, number, width):
            answers.append(await connections[first].ask(side.ask(election, contender)))

    await asyncio.gather(*(work(first) for first in range(width)))
    took = time.perf_counter() - began
    close(connections)
    wins = sum(side.won(*answer) for answer in answers)
    if wins != 1:
        raise SystemExit(f"bench-plays: {side.name}: {wins} winners")
    return took


def show_contenders(sides, tls, rounds):
    print("\nContenders for one seat: seconds until the last has its answer, one winner each (median; up to 1,000 connections)\n")
    print(f"  {'contenders':>10}  {'side':34} {'seconds':>8} {'ms each':>8} {'to etcd':>8}")
    election = 0
    for number in (10, 100, 1000, 10_000):
        took = {side.name: [] for side in sides}
        for _round in range(rounds):
            for side in sides:
                election += 1
                took[side.name].append(asyncio.run(contend(side, election, number, False)))
        for side in sides:
            middle = statistics.median(took[side.name])
            ratio = statistics.median(ours / theirs for ours, theirs in zip(took[side.name], took["etcd"], strict=True))
            print(f"  {number:10}  {side.name:34} {middle:8.3f} {1000 * middle / number:8.3f} {ratio:8.2f}", flush=True)
    print("\n  1,000 contenders, each with a connection of its own that is made within the time:")
    for side in (*sides, tls):
        took = []
        for _round in range(rounds):
            election += 1
            took.append(asyncio.run(contend(side, election, 1000, True)))
        print(f"  {1000:10}  {side.name:34} {statistics.median(took):8.3f}", flush=True)


# --- waiters ------------------------------------------------------------------------------------------------------------


async def wake(port, token, number, change):
    """Return seconds from sending the change to the last of ``number`` waiters' answer."""
    headers = (f"Authorization: Bearer {token}",)
    connections = await connect(number + 1, port)
    query = f"/api/v3/profiles/bench/params/wake?wait=equals&value={change}&timeout=120"
    waiting = [asyncio.ensure_future(connection.ask(http("GET", query, b"", headers))) for connection in connections[1:]]
    await connections[0].ask(http("GET", "/api/v3/info", b"", headers))
    # The last waiter's request has been read once a request that was sent after it has been answered on its connection's side.
    for _time in range(20):
        await connections[0].ask(http("PUT", "/api/v3/profiles/bench/params/other", b"0", headers))
    began = time.perf_counter()
    await connections[0].ask(http("PUT", "/api/v3/profiles/bench/params/wake", str(change).encode(), headers))
    results = await asyncio.gather(*waiting)
    took = time.perf_counter() - began
    close(connections)
    if any(status != 200 for status, _body in results):
        raise SystemExit("bench-plays: a waiter was not woken")
    return took


def show_waiters(port, token, rounds):
    print("\nWaiters woken by one change: seconds until the last is awake (median)\n")
    change = 0
    for number in (10, 100, 1000, 5000):
        took = []
        for _round in range(rounds):
            change += 1
            took.append(asyncio.run(wake(port, token, number, change)))
        print(f"  {number:10}  {statistics.median(took):8.3f}   ({' '.join(f'{seconds:.3f}' for seconds in took)})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("plays", "api"))
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as folder:
        folder = Path(folder)
        (folder / "tls").mkdir()
        tls = TlsNode(folder / "tls").start()
        try:
            until((tls.data / "admin.token").exists, f"the node with TLS serves\n{tls.log.read_text()}")
            if options.only != "api":
                show_plays(run_plays(tls, folder, options.rounds))
            if options.only != "plays":
                api(folder, tls, options.rounds)
        finally:
            tls.stop()


def api(folder, tls, rounds):
    (folder / "two").mkdir()
    etcd, etcd_port = start_etcd(folder)
    try:
        until(lambda: etcd_answers(etcd_port), "etcd answers")
        with Cluster(folder / "two", 2) as two:
            two.call(two.n1, "POST", "/profiles", json={"Name": "bench"})
            token = (tls.data / "admin.token").read_text().strip()
            secure = BatonSeat("baton, one node, TLS handshakes", tls.port, token, ssl.create_default_context(cafile=str(tls.ca)))
            show_contenders([EtcdSeat(etcd_port), BatonSeat("baton, one passive", two.ports[0], two.token)], secure, rounds)
            show_waiters(two.ports[0], two.token, rounds)
    finally:
        etcd.terminate()
        etcd.wait(10)


if __name__ == "__main__":
    main()
