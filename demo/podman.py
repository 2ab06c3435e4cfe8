# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman as hosts.py and images.py use it: one command at a time, and a container with the options that this machine needs."""

import os
import subprocess
import sys

COMMAND_SECONDS = 1200  # a release is about 150 MB; a mirror or podman that says nothing for so long never will


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, check=True):
    """Run a command; one that fails ends this program with what it said last, unless ``check`` is false."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=COMMAND_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(f"hosts: `{' '.join(command[:6])} …` did not end within {COMMAND_SECONDS} s") from None
    if check and done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise SystemExit(f"hosts: `{' '.join(command[:6])} …` failed: {lines[-1] if lines else done.returncode}")
    return done


def state_of(container):
    return run("podman", "inspect", "-f", "{{.State.Status}}", container, check=False).stdout.strip()


def start(container, image, command, *wanted):
    """Start a container with the first set of options that this machine accepts, besides those that are ``wanted``."""
    limits = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=9000:9000"]
    tries = [runtime + extra for extra in ([], limits) for runtime in ([], ["--runtime", "runc"])]
    known = os.environ.get("BATON_PODMAN_OPTIONS")
    if known is not None:
        tries = [known.split(), *tries]
    errors = []
    for options in tries:
        first = [word for word in options if word in ("--runtime", "runc")]
        rest = [word for word in options if word not in ("--runtime", "runc")]
        done = run("podman", *first, "run", "-d", "--name", container, *wanted, *rest, image, *command, check=False)
        if done.returncode == 0 and state_of(container) == "running":
            os.environ["BATON_PODMAN_OPTIONS"] = " ".join(options)
            return
        errors.append((done.stderr.strip().splitlines() or ["stopped at once"])[-1])
        run("podman", "rm", "-f", container, check=False)
    raise SystemExit(f"hosts: podman can't start {container} here: {errors[-1]}")
