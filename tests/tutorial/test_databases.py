# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on databases, as a reader does it: every command of it, in one shell, in an empty directory; needs root."""

import os
import re
import subprocess
import sys
import time

import pytest
from pages import missing, steps

from support.cluster import ROOT

PAGE = ROOT / "docs/start/datastores.md"
COMMAND_SECONDS = 600
KEPT = "shell.env"  # what one command leaves for the next: variables and functions
SHELL = f"""[ ! -e ../{KEPT} ] || . ../{KEPT} 2>/dev/null
{{line}}
status=$?
{{{{ declare -px; declare -f; }}}} > ../{KEPT}
exit $status
"""


@pytest.fixture
def shell(tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (home / "baton").symlink_to(ROOT)
    environ = {name: value for name, value in os.environ.items() if not re.match("ANSIBLE_|BATON_|OS_|MAKE|MFLAGS|PYTHON", name)}
    environ.update(HOME=str(home), NO_COLOR="1")

    def run(line):
        return subprocess.run(
            ["bash", "-c", SHELL.format(line=line)], cwd=work, env=environ, check=False, text=True, timeout=COMMAND_SECONDS,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    try:
        yield run
    finally:
        subprocess.run([sys.executable, ROOT / "demo/datastores.py", "down", "--state", work / "pool"], check=True)


def test_every_command_of_the_page(shell):
    began = time.monotonic()
    for step in steps(PAGE.read_text()):
        # A line that goes on has its rest among what is printed.
        line, prints = step.line, step.prints
        while line.endswith("\\"):
            more, _newline, prints = prints.partition("\n")
            line = f"{line}\n{more}"
        print(f"{time.monotonic() - began:6.1f} s  $ {line}", flush=True)
        done = shell(line)
        left = missing(prints, done.stdout)
        assert done.returncode == 0 and not left, f"{line}\nstatus {done.returncode}, lacks {left}\n{done.stdout[-6000:]}"
