# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The thread that writes hosts' progress to their machines. It never shows anything: plays fork while it runs, so its caller does."""

from __future__ import annotations

import threading
import time

from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError

PARAM = "baton/progress"
PACE = 1.0  # seconds between two rounds of writing; what changes meanwhile becomes one write a host
OF_ONE_MACHINE = (404, 409, 412, 422)  # statuses that say nothing about the next machine


class ProgressWriter:
    """Takes the progress of hosts and writes the last one of each, at its own pace.

    ``connect``: makes a client that tells its argument when nobody answers. ``looks``: state -> (icon, color). ``problem``: one
    line, as soon as something was not written. The queue is bounded by the number of hosts. What can't be written now is written
    later, unless there is something newer or the end has come.
    """

    def __init__(self, connect, looks):
        self.problem = None
        self._trouble = ""  # what the client says while nobody answers
        self._client = connect(self._note)
        self._looks = looks
        self._machines = None  # host -> Uuid, once they are known
        self._written = {}
        self._waiting = {}
        self._closing = False
        self._changed = threading.Condition()
        # getaddrinfo imports this codec. If it did so first in the thread, a worker that is forked meanwhile would wait for
        # the import to end, for ever.
        "".encode("idna")
        self._thread = threading.Thread(target=self._run, name="baton-progress", daemon=True)
        self._thread.start()

    def put(self, host, progress):
        """Have ``progress`` written, in place of what was put for this host before."""
        with self._changed:
            if self._machines is None or host in self._machines:
                self._waiting[host] = progress
                self._changed.notify()

    def close(self, seconds):
        """Write what is left, but return after ``seconds`` at the latest."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        if self._thread.is_alive() and self.problem is None:
            self.problem = f"not everything could be written within {seconds:g} s{self._trouble}"

    def _note(self, line):
        self._trouble = f": {line.rpartition(';')[0]}"

    # --- the thread ---

    def _run(self):
        while self._round():
            pass
        with self._changed:
            self._machines = {}  # nothing is taken any more

    def _round(self):
        """Write what waits; return whether there is to be another round."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            batch, self._waiting = self._waiting, {}
        began = time.monotonic()
        try:
            self._write(batch)
        except ClientError as error:
            self.problem = self.problem or error.message
            if not error.retriable:
                return False
        with self._changed:
            self._waiting = {**batch, **self._waiting}
            if self._closing:
                return bool(self._waiting)
            # A quarter of the time at most: the play runs in this process, too.
            self._changed.wait_for(lambda: self._closing, max(PACE, 3 * (time.monotonic() - began)))
        return True

    def _write(self, batch):
        """Write a batch and remove from it what is done with."""
        if self._machines is None:
            machines = by_name(self._client.list("machines"))
            with self._changed:
                self._machines = machines
        while batch:
            host = next(iter(batch))
            if host in self._machines:
                self._write_one(host, batch[host])
            del batch[host]

    def _write_one(self, host, progress):
        before = self._written.get(host)
        if progress == before:
            return
        operations = [{"op": "add", "path": f"/Params/{PARAM.replace('/', '~1')}", "value": progress}]
        icon, color = look = self._looks[progress["state"]]
        if before is None or self._looks[before["state"]] != look:
            operations.append({"op": "add", "path": "/Meta/icon", "value": icon})
            operations.append({"op": "add", "path": "/Meta/color", "value": color})
        try:
            self._client.patch("machines", self._machines[host], operations, want=False)
        except ClientError as error:
            if error.status not in OF_ONE_MACHINE:
                raise
            self.problem = self.problem or f"{host}: {error.message}"
            with self._changed:
                del self._machines[host]
            return
        self._written[host] = progress


def by_name(machines):
    """Return {name: Uuid}, as the inventory baton.ha.machines names them: by Name, and where that is no host's name by Uuid."""
    found, twice = {}, set()
    for machine in machines:
        name = machine.get("Name")
        if isinstance(name, str) and name:
            if name in found:
                twice.add(name)
            found[name] = machine["Uuid"]
    for name in twice:
        del found[name]
    return {**found, **{machine["Uuid"]: machine["Uuid"] for machine in machines}}
