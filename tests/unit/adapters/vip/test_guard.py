# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the guard is started. What it does on an interface is tested in tests/lab."""
from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from baton.adapters.vip.guard import Options, command, program

SOURCE = Path(__file__).resolve().parents[4] / "plugins" / "module_utils" / "_baton"


def test_starts_from_the_source_tree() -> None:
    done = subprocess.run([*program(), "guard", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--vip" in done.stdout, done.stderr


def test_starts_from_a_zipapp(tmp_path: Path) -> None:
    archive = tmp_path / "batond.pyz"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in SOURCE.rglob("*.py"):
            packed.write(file, Path("baton", file.relative_to(SOURCE)))
    ask = "import sys, json; sys.path.insert(0, sys.argv[1]); from baton.adapters.vip.guard import program; "
    ask += "print(json.dumps(program()))"
    asked = subprocess.run([sys.executable, "-c", ask, str(archive)], capture_output=True, text=True, check=True)
    found = json.loads(asked.stdout)
    assert str(archive) in " ".join(found)
    done = subprocess.run([*found, "guard", "--help"], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0 and "--vip" in done.stdout, done.stderr


def test_imports_nothing_that_is_slow() -> None:
    loaded = "import sys; sys.path.insert(0, sys.argv[1]); import _baton.adapters.vip.guard; print(' '.join(sys.modules))"
    line = [sys.executable, "-I", "-S", "-c", loaded, str(SOURCE.parent)]
    modules = set(subprocess.run(line, capture_output=True, text=True, check=True).stdout.split())
    assert not modules & {"asyncio", "aiohttp", "json", "logging", "ssl", "subprocess", "http", "email", "sqlite3"}


def test_command_line_names_everything() -> None:
    options = Options("192.0.2.10/24", "eth-1.20", 2, patience=3.5, static=["192.0.2.1"])
    assert command(["batond.pyz"], options, 7, 4711) == [
        "batond.pyz", "guard", "--vip", "192.0.2.10/24", "--interface", "eth-1.20", "--valid", "2",
        "--patience", "3.5", "--daemon-fd", "7", "--daemon-pid", "4711",
    ]  # fmt: skip


def test_a_command_line_that_lacks_something_is_refused() -> None:
    done = subprocess.run([*program(), "guard", "--vip", "192.0.2.10/24"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--interface" in done.stderr and "Traceback" not in done.stderr
