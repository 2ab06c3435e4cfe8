# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of the fault lab, as a process of its own on the client's host: what they asked through the VIP and what came of it.

Its argument names a file with its configuration (JSON: url, ca, token, registers, seed, and how
many workers do what). It writes a JSON line for each operation that ended to standard output. It
ends when its standard input does. Uses Baton's own client, with its retries.
"""

import importlib
import json
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
importlib.import_module("conftest")  # makes the package importable as ``baton``

from baton.client.api import Client, ClientError, Connection  # noqa: E402

PATIENCE = {"total": 8.0, "attempt": 1.0}  # seconds for an operation with its retries; for one silent connection
LONGEST_PAUSE = {"bulk": 1.6}  # seconds between two operations of one client
USUAL_PAUSE = 0.02
BULK = 20_000  # characters


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Worker(threading.Thread):
    """One client: ``step`` does one operation after the other until the end."""

    lock = threading.Lock()
    ended = threading.Event()

    def __init__(self, config, number, step):
        super().__init__()
        self.config, self.name, self.step = config, f"w{number}", getattr(self, step)
        self.pause = LONGEST_PAUSE.get(step, USUAL_PAUSE)
        self.random = random.Random(f"{config['seed']}/{number}")
        self.client = Client(Connection((config["url"],), config["token"], config["ca"]))
        self.count = 0
        self.seen = {}  # register → the value that was found there last

    def run(self):
        while not self.ended.is_set():
            self.step()
            self.ended.wait(self.random.uniform(0, self.pause))

    def value(self):
        self.count += 1
        return f"{self.config['seed']}-{self.name}-{self.count}"

    def tell(self, begin, **said):
        with self.lock:
            print(json.dumps({"begin": begin, "end": now(), **said}), flush=True)

    def patch(self, profile, operations):
        """Return ("ok" | "not_applied" | "unknown", the value found when the race was lost)."""
        try:
            self.client.request("PATCH", f"/profiles/{profile}", operations, False, **PATIENCE)
        except ClientError as error:
            if error.code == "test_failed":
                return "lost", error.problem["found"]
            return error.outcome or f"strange: {error.kind}: {error.message}", None
        return "ok", None

    def swap(self):
        register = self.random.choice(self.config["registers"])
        if register not in self.seen or self.random.random() < 0.3:
            self.read(register)
            return
        old, new, begin = self.seen[register], self.value(), now()
        operations = [{"op": "test", "path": "/Params/value", "value": old}, {"op": "replace", "path": "/Params/value", "value": new}]
        outcome, found = self.patch(register, operations)
        self.tell(begin, kind="swap", register=register, old=old, new=new, outcome=outcome, found=found)
        if outcome in ("ok", "lost"):
            self.seen[register] = new if outcome == "ok" else found
        else:
            del self.seen[register]  # to be read first

    def look(self):
        """Ask for a strong read, which is answered as long as somebody serves, writes or not."""
        self.read(self.random.choice(self.config["registers"]))

    def read(self, register):
        begin = now()
        try:
            found = self.client.request("GET", f"/profiles/{register}/params/value", **PATIENCE).body
        except ClientError:
            return  # a read that was not answered says nothing
        self.seen[register] = found
        self.tell(begin, kind="read", register=register, new=found, outcome="ok")

    def add(self):
        element, begin = self.value(), now()
        outcome, _found = self.patch("set", [{"op": "add", "path": f"/Params/{element}", "value": 1}])
        self.tell(begin, kind="add", new=element, outcome=outcome)

    def bulk(self):
        """Write something large: what matters is the way that it takes."""
        begin, value = now(), self.value() + "x" * BULK
        operations = [{"op": "add", "path": f"/Params/{self.name}", "value": value}]
        outcome, _found = self.patch("bulk", operations)
        self.tell(begin, kind="bulk", outcome=outcome)


def main():
    config = json.loads(Path(sys.argv[1]).read_text())
    steps = [step for step, number in config["workers"].items() for _worker in range(number)]
    workers = [Worker(config, number, step) for number, step in enumerate(steps)]
    for worker in workers:
        worker.start()
    sys.stdin.read()
    Worker.ended.set()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
