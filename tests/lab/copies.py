# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and hypervisors do to a node's disk and host: copy them, put the copy back, or start
it beside the original.
"""

import itertools
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

from netns import wait_for
from nodes import SPARE, Node

from baton.adapters.disk import owner

RUN = "run"  # sockets and markers of a process; no copy has them
KINDS = ("configuration", "copy", "image")
_numbers = itertools.count(1)


@contextmanager
def held(process):
    """The process does nothing inside the block: its threads have all stopped when it begins."""
    tasks = Path(f"/proc/{process.pid}/task")
    process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: all(_state(task) == "T" for task in tasks.iterdir()), "it has stopped")
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _state(task):
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


def copy_data(node, target):
    """Copy what is on the disk at one moment, as a snapshot of a virtual machine has it."""
    with held(node.process):
        shutil.copytree(node.data, target, ignore=shutil.ignore_patterns(RUN))


def put_back(copy, data):
    """Make ``data`` what the copy is, as ``rsync --delete`` does: directories stay themselves."""
    for path in sorted(data.rglob("*"), reverse=True):
        place = path.relative_to(data)
        if place.parts[0] == RUN or (copy / place).exists():
            continue
        path.rmdir() if path.is_dir() else path.unlink()
    shutil.copytree(copy, data, dirs_exist_ok=True)


class Clone(Node):
    """A second batond with name, certificate and options of ``node``, on the host with ``SPARE``.

    ``kind``: with nothing but its configuration; with a copy of its files; or with the image of its
    disk, in which each directory has the inode that it had: nothing tells it from the original.
    """

    def __init__(self, node, host, kind, own_url=True):
        label = f"clone-{next(_numbers)}-of-{node.name}"
        self.host, self.name, self.address, self.folder = host, node.name, SPARE, node.folder
        self.data, self.log, self.ca = node.folder / label, node.folder / f"{label}.log", node.ca
        self.url = f"https://{SPARE}:8092" if own_url else option(node.command, "advertise")
        self.command = with_options(node.command, data_dir=self.data, advertise=self.url)
        if kind != "configuration":
            copy_data(node, self.data)
        if kind == "image":
            owner.adopt(self.data / (self.data / "CURRENT").read_text().strip())

    def end(self):
        super().end()
        shutil.rmtree(self.data)


def option(command, name):
    return command[command.index(f"--{name}") + 1]


def with_options(command, **values):
    """Return a command line with these options instead of its own."""
    changed = list(command)
    for name, value in values.items():
        changed[changed.index(f"--{name.replace('_', '-')}") + 1] = str(value)
    return changed


def start_again(node, **options):
    """Start batond once more on the node's data; return its exit status and what it said."""
    pipes = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    second = node.host.popen(*with_options(node.command, **options), **pipes)
    said, _none = second.communicate(timeout=60)
    return second.returncode, said


def files_of(data):
    """Return the names of all files, and their inodes: a file that was replaced is another one."""
    return {str(path.relative_to(data)): os.stat(path).st_ino for path in data.rglob("*")}
