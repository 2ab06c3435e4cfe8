# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's clients: workload.py on a host of the network, and what they were told so far."""

import json
import subprocess
import sys
from pathlib import Path

from netns import boottime, wait_for
from nodes import VIP, stop

REGISTERS = ("register-1", "register-2", "register-3")
PROFILES = {"set": {}, "bulk": {}, **{name: {"value": ""} for name in REGISTERS}}


def prepare(node):
    """Make the documents that clients write to; return a token for them. ``node`` is active.

    The token ends sooner than some hosts of the lab are ahead.
    """
    admin = wait_for(node.admin_token, node.log.read_text)

    def make(path, body):
        status, text = node.curl("POST", f"/api/v3/{path}", body, admin)
        return text if status in (201, 409) else None

    for name, params in PROFILES.items():
        body = {"Name": name, "Params": params}
        wait_for(lambda body=body: make("profiles", body), node.log.read_text)
    asked = {"Scope": {"kind": "admin"}, "Ttl": "1h"}
    return json.loads(wait_for(lambda: make("tokens", asked), node.log.read_text))["Token"]


class Clients:
    """A process with so many clients of each kind, as in ``swap=4, add=3, look=1, bulk=0``."""

    def __init__(self, host, node, token, seed, patience=10.0, **workers):
        folder, name = node.folder, f"workload-{seed}"
        self._patience = patience
        self._history, self.log = folder / f"{name}.jsonl", folder / f"{name}.log"
        config = {"url": f"https://{VIP}:8092", "ca": str(node.ca), "token": token, "seed": seed}
        config.update(registers=REGISTERS, workers=workers)
        (folder / f"{name}.json").write_text(json.dumps(config))
        script = str(Path(__file__).with_name("workload.py"))
        command = [sys.executable, script, str(folder / f"{name}.json")]
        with open(self._history, "wb") as output, open(self.log, "wb") as log:
            self._process = host.popen(*command, stdin=subprocess.PIPE, stdout=output, stderr=log)

    def history(self):
        with open(self._history) as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait_for_writes(self, count=1, kind="add"):
        """Return when so many writes that began from now on were acknowledged."""
        size, since = self._history.stat().st_size, boottime()

        def answered():
            with open(self._history, "rb") as file:
                file.seek(size)
                lines = file.read().splitlines(True)[1:]
            found = [json.loads(line) for line in lines if line.endswith(b"\n")]
            fresh = [item for item in found if item["begin"] > since and item["kind"] == kind]
            return sum(item["outcome"] == "ok" for item in fresh) >= count

        wait_for(answered, lambda: f"no write is answered\n{self.log.read_text()}", self._patience)

    def gap(self, kind, began, ended):
        """Return the longest time between two answers to operations of a kind, in seconds."""
        answered = [item for item in self.history() if item["kind"] == kind]
        times = sorted(item["end"] for item in answered if item["outcome"] == "ok")
        times = [began, *(moment for moment in times if began < moment <= ended), ended]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def finish(self):
        """Let them end what they do; return all that they were told."""
        self._process.stdin.close()
        self._process.wait(60)
        return self.history()

    def end(self):
        stop(self._process)
