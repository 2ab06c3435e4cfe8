# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of `make test`, or with the argument ``long`` those of `make test-long`, and a line for each at the end.

Two lanes. What starts daemons and looks at clocks goes through the first, one step after the other; what only computes
runs beside it on processor time that nobody else wants (SCHED_IDLE), so that it makes no lease end. A failed step does not hide
the next ones. Output: build/test/STEP.log. Runs before there is a .venv, so: standard library only.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "build/test"
FIRST = ("system", "build")  # without them no other can say anything
SEEDS = {False: {"simulate": 500, "histories": 4}, True: {"simulate": 10_000, "histories": 200}}
POOL_SEEDS = {False: 2_000, True: 50_000}  # of pools of databases, which `simulate` plays after the core
CLUSTER_SEEDS = {False: 500, True: 10_000}  # of clusters, which come last
FAULTS = {False: 26, True: 100}
LANE = ("unit", "histories", "lab", "faults", "molecule")
LANE_LONG = (
    "simulate-large", "failover", "drivers", "databases", "lab-datastores", "lab-postgresql", "lab-clusters", "tutorial", "cores",
    "coverage",
)  # fmt: skip
LONG = {"BATON_LONG": "1", "BATON_TUTORIAL_HOSTS": "trixie:furnished"}  # in the environment
BESIDE = ("hosts", "lint", "simulate", "mutate", "fuzz")
CLOSING = re.compile(r"^(?:=+ )?(\d+) (?:passed|failed).*|^lint: all ok|^lint: .* FAILED|^coverage: .*")
IDLE = ("chrt", "--idle", "0")
SAY_EVERY = 60  # seconds
LAST = 30  # lines of a step that failed beside another


@dataclass
class Step:
    """One target of make."""

    name: str
    ok: bool = False
    seconds: float = 0.0
    closing: str = ""
    passed: int = 0

    def line(self):
        return f"   {'ok' if self.ok else 'FAILED':6} {self.name:14} {self.seconds:5.0f} s   {self.closing}"


@dataclass
class Suite:
    """Runs steps and keeps what came of them."""

    long: bool
    done: list = field(default_factory=list)
    running: dict = field(default_factory=dict)  # step's name → its process
    ended: bool = False

    def command(self, name):
        given = {
            "SEEN": 1, "SEEDS": SEEDS[self.long].get(name, 1),
            "POOL_SEEDS": POOL_SEEDS[self.long] if name == "simulate" else "",
            "CLUSTER_SEEDS": CLUSTER_SEEDS[self.long] if name == "simulate" else "",
            "FAULTS": FAULTS[self.long] if name == "faults" else "",
        }  # fmt: skip
        # Mutations begin shortly before the seeds that are known to notice them: seconds instead of ten minutes.
        words = [f"{key}={value}" for key, value in given.items() if value != ""]
        built = [] if name in FIRST else ["-o", "build", "-o", "venv"]  # once is enough, and two at once are in each other's way
        return ["make", "--no-print-directory", *built, name, *words]

    def run(self, name, beside=False):
        """Run a step to its end; what it says is shown, unless it runs beside another."""
        if self.ended:
            return None
        print(f"\n== make {name}" + (f" runs beside what follows: {LOG.relative_to(ROOT)}/{name}.log" if beside else ""), flush=True)
        step, began = Step(name), time.monotonic()
        environ = {**os.environ, **(LONG if self.long else {}), "PYTHONUNBUFFERED": "1"}
        with open(LOG / f"{name}.log", "w", encoding="utf-8", errors="replace") as log:
            process = subprocess.Popen(
                [*(IDLE if beside else ()), *self.command(name)], cwd=ROOT, env=environ, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            )  # fmt: skip
            self.running[name] = process
            for line in process.stdout:
                log.write(line)
                log.flush()
                if not beside:
                    print(line, end="", flush=True)
                found = CLOSING.match(line)
                if found:
                    step.closing = line.strip().strip("= ")
                    step.passed += int(found[1]) if found[1] and "passed" in line else 0
            step.ok = process.wait() == 0
        del self.running[name]
        step.seconds = time.monotonic() - began
        self.done.append(step)
        if beside:
            last = "" if step.ok else "\n".join((LOG / f"{name}.log").read_text(errors="replace").splitlines()[-LAST:])
            print(f"\n== make {name} has ended beside:\n{last}\n{step.line()}", flush=True)
        return step

    def beside(self, names):
        for name in names:
            self.run(name, beside=True)

    def end(self, *_signal):
        """Take everything with us that was started."""
        self.ended = True
        for process in list(self.running.values()):
            try:
                os.killpg(process.pid, signal.SIGINT)
            except ProcessLookupError:
                pass

    def play(self):
        """Run all steps."""
        for name in FIRST:
            step = self.run(name)
            if not (step and step.ok):
                return
        other = threading.Thread(target=self.beside, args=(BESIDE,))
        other.start()
        for name in (*LANE, *(LANE_LONG if self.long else ())):
            self.run(name)
        while other.is_alive():
            print(f"-- waiting for {', '.join(self.running)}", flush=True)
            other.join(SAY_EVERY)

    def summary(self, seconds):
        """Print a line for each step and what came of all; return the exit status."""
        what = f"make test{'-long' if self.long else ''}"
        print(f"\n== Summary of {what} ({seconds:.0f} s)")
        for step in self.done:
            print(step.line())
        failed = [step.name for step in self.done if not step.ok]
        if failed or self.ended:
            print(f"{what}: FAILED: {' '.join(failed)} (see {LOG.relative_to(ROOT)}/)")
            return 1
        print(f"{sum(step.passed for step in self.done)} passed: {what} is ok")
        return 0


def main():
    LOG.mkdir(parents=True, exist_ok=True)
    for old in LOG.glob("*.log"):
        old.unlink()
    suite, began = Suite(sys.argv[1:] == ["long"]), time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, suite.end)
    suite.play()
    return suite.summary(time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
