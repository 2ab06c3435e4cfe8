# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long large but legal requests hold the event loop, and whether they cost anybody the lease. ``make bench-stalls``.

Each case is played on a fresh pair with the timing ``fast`` (lease 0.4 s): the longest stall of each node's loop, the CPU in
it, the answers, and whether the epoch or the in-sync set changed. What is heavy comes from clients of this process, which
use the machine, too: look at the CPU. Timings are shown, never asserted.
"""

import argparse
import collections
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import requests  # noqa: E402

from support.cluster import Cluster, until  # noqa: E402

GAUGE = re.compile(r"^baton_loop_longest_(stall|cpu)_seconds ([0-9.]+)$", re.MULTILINE)
INSERT = {"op": "add", "path": "/0", "value": 0}
AT_ONCE = 30


class Api:
    """Requests to the active; counts what was answered."""

    def __init__(self, cluster):
        self.node, self.passive, self.token = cluster.n1, cluster.n2, cluster.token
        self.answers = collections.Counter()

    def call(self, method, path, value=None, raw=None):
        body = json.dumps(value) if value is not None else raw
        headers = {"Authorization": f"Bearer {self.token}", "Prefer": "return=minimal"}
        try:
            answer = requests.request(method, f"{self.node.url}/api/v3{path}", data=body, headers=headers, timeout=60)
            self.answers[answer.status_code] += 1
            return answer
        except requests.RequestException as error:
            self.answers[type(error).__name__] += 1
            return None

    def put(self, value=None, raw=None, param="x"):
        return self.call("PUT", f"/profiles/p/params/{param}", value, raw)

    def patch(self, *operations, param="x"):
        return self.call("PATCH", f"/profiles/p/params/{param}", list(operations))


def many(work, count=AT_ONCE):
    """Do something many times at once."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _number: work(), range(count)))


def idle(api):
    time.sleep(2)


def many_operations(api):
    api.put({})
    api.patch(*({"op": "add", "path": f"/k{n % 100}", "value": n} for n in range(6_800)))


def too_many_operations(api):
    api.put({})
    api.patch(*({"op": "add", "path": f"/k{n % 100}", "value": n} for n in range(16_000)))


def inserts(api):
    api.put(list(range(49_000)))
    for _number in range(5):
        api.patch(*[INSERT] * 1_100)


def inserts_of_many(api):
    api.put(list(range(49_000)))
    many(lambda: api.patch(*[INSERT] * 900))


def too_many_inserts(api):
    api.put(list(range(49_000)))
    many(lambda: api.patch(*[INSERT] * 5_000))


def small_copies_of_many(api):
    """Patches of 400 bytes, each of some thirty milliseconds."""
    api.put({"a": list(range(40_000))})
    many(lambda: api.patch(*[{"op": "copy", "from": "/a", "path": "/b"}] * 7))


def small_inserts_of_many(api):
    api.put(list(range(49_000)))
    many(lambda: api.patch(*[INSERT] * 180))


def small_batches_of_many(api):
    api.put({"a": list(range(40_000))})
    body = [{"op": "copy", "from": "/Params/x/a", "path": f"/Params/x/{name}"} for name in "bc"]
    changes = [{"Kind": "profiles", "Key": "p", "Action": "patch", "Body": body}] * 3
    many(lambda: api.call("POST", "/batch", {"Changes": changes}))


def numbers(api):
    api.put(raw=b"[" + b"0," * 49_000 + b"0]")


def objects(api):
    api.put([{"a": n} for n in range(24_000)])
    api.put({f"key-{n}": n for n in range(49_000)})


def objects_of_many(api):
    many(lambda: api.put({f"key-{n}": n for n in range(49_000)}))


def four_mib_of_numbers(api):
    many(lambda: api.put(raw=b"[" + b"0," * 2_000_000 + b"0]"), 5)


def four_mib_of_text(api):
    many(lambda: api.put("x" * ((4 << 20) - 100)), 5)


def four_mib_of_letters(api):
    """Each takes twelve characters in the log, where JSON is ASCII."""
    many(lambda: api.put(raw=b'"' + "é".encode() * ((2 << 20) - 100) + b'"'), 5)


def large_profile(api):
    for number in range(7):
        api.put(["word" * 25] * 19_000, param=f"x{number}")


def reads_of_a_large_profile(api):
    large_profile(api)
    many(lambda: api.call("GET", "/profiles/p"))


def waits_for_a_large_value(api):
    large_profile(api)
    path = "/profiles/p/params/x0?wait=exists&settled=3&timeout=8"
    waits = [threading.Thread(target=api.call, args=("GET", path)) for _number in range(60)]
    for wait in waits:
        wait.start()
    time.sleep(1)
    api.put(["word" * 25] * 19_000, param="x0")
    for wait in waits:
        wait.join()


def machines(api, count=30_000):
    for first in range(0, count, 500):
        body = {"Description": "x" * 1_700, "Params": {f"p{n}": n for n in range(10)}}
        changes = [{"Kind": "machines", "Key": f"m{n}", "Action": "create", "Body": body} for n in range(first, first + 500)]
        api.call("POST", "/batch", {"Changes": changes})


def join_of_an_empty_passive(api):
    """With 100,000 machines: the active serves all of them at once, and the passive puts them in place."""
    api.passive.stop()
    shutil.rmtree(api.passive.data)
    machines(api, 100_000)
    api.passive.start().until("/in-sync")


def list_of_machines(api):
    machines(api)
    many(lambda: api.call("GET", "/machines"), 3)


def pages_of_machines(api):
    machines(api)
    many(lambda: api.call("GET", "/machines?limit=100&offset=20000"))
    many(lambda: api.call("GET", "/machines?Name=nobody"))


def event_streams(api):
    stop, ready = threading.Event(), threading.Barrier(51)

    def listen():
        headers = {"Authorization": f"Bearer {api.token}"}
        with requests.get(f"{api.node.url}/api/v3/events", headers=headers, stream=True, timeout=60) as stream:
            ready.wait()
            for _piece in stream.iter_content(1 << 16):
                if stop.is_set():
                    return

    threads = [threading.Thread(target=listen) for _number in range(50)]
    for thread in threads:
        thread.start()
    ready.wait()
    for _number in range(3):
        api.put(["word" * 5] * 49_000)
    stop.set()
    api.put(1)
    for thread in threads:
        thread.join()


CASES = (
    idle, many_operations, too_many_operations, inserts, inserts_of_many, too_many_inserts,
    small_copies_of_many, small_inserts_of_many, small_batches_of_many, numbers, objects, objects_of_many,
    four_mib_of_numbers, four_mib_of_text, four_mib_of_letters,
    join_of_an_empty_passive, reads_of_a_large_profile, waits_for_a_large_value, list_of_machines, pages_of_machines,
    event_streams,
)  # fmt: skip


def gauges(node):
    """Return (stall, CPU) in ms."""
    found = dict(GAUGE.findall(node.metrics()))
    return tuple(1000 * float(found[name]) for name in ("stall", "cpu"))


def state(node):
    status = node.status()
    return status["epoch"]["number"], tuple(status["in_sync"])


def _gently(case, api):
    """Play a case with less of the machine than the nodes have: its clients are not what is measured. On Linux a thread's own."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
    case(api)


def play(case, timing):
    """Play a case on a pair of its own; print a line."""
    with tempfile.TemporaryDirectory() as folder, Cluster(folder, 2, "local", ["--timing", timing]) as cluster:
        until(lambda: cluster.n1.status()["in_sync"] == ["n1", "n2"], "both are in sync")
        api = Api(cluster)
        api.call("POST", "/profiles", {"Name": "p"})
        api.answers.clear()
        before, began = state(cluster.n1), time.monotonic()
        gentle = threading.Thread(target=_gently, args=(case, api))
        gentle.start()
        gentle.join()
        took = time.monotonic() - began
        after = state(cluster.n1)
        lost = "" if before == after else f"  LOST: epoch and in sync {before} -> {after}"
        stalls = " ".join(f"{wall:6.0f}/{cpu:<5.0f}" for wall, cpu in map(gauges, (cluster.n1, cluster.n2)))
        answers = ", ".join(f"{count}x {what}" for what, count in sorted(api.answers.items(), key=str))
        print(f"{case.__name__.replace('_', ' '):28} {stalls} {took:6.1f} s  {answers}{lost}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--timing", default="fast")
    parser.add_argument("--only", default="", help="cases whose name has this")
    options = parser.parse_args()
    print(f"timing {options.timing}; longest stall of the loop, wall/CPU in ms: active, passive; what was answered")
    for case in CASES:
        if options.only in case.__name__:
            play(case, options.timing)


if __name__ == "__main__":
    main()
