# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""plugins/plugin_utils/build_zipapps.py: the same source gives the same bytes, wherever and whenever it is built."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "plugins" / "plugin_utils" / "build_zipapps.py"
SOURCE = ROOT / "plugins" / "module_utils" / "_baton"


def build(*arguments):
    return subprocess.run([sys.executable, "-I", str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "new"
    done = build(SOURCE, folder)
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["changed"] * 4
    return folder


def test_another_copy_of_the_source_gives_the_same_bytes(built, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(SOURCE, copy)
    for path in copy.rglob("*"):
        os.utime(path, (0, 1_000_000_000))
    (copy / "__pycache__").mkdir(exist_ok=True)
    (copy / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert build(copy, tmp_path / "out").returncode == 0
    for name in ("batond.pyz", "batonctl.pyz", "baton-datastores.pyz", "baton-guest.pyz"):
        assert (tmp_path / "out" / name).read_bytes() == (built / name).read_bytes()


def test_building_again_says_that_nothing_changed(built):
    assert [line.split()[1] for line in build(SOURCE, built).stdout.splitlines()] == ["unchanged"] * 4


def test_the_archives_are_executable_and_hold_what_they_need(built):
    for name in ("batond", "batonctl"):
        path = built / f"{name}.pyz"
        assert os.access(path, os.X_OK)
        assert path.read_bytes().startswith(b"#!/usr/bin/env python3\n")
        names = zipfile.ZipFile(path).namelist()
        assert names == sorted(names)
        assert ("baton/adapters/http/schemas.json" in names) == (name == "batond")
        assert "baton/cli/main.py" in names
        for part in ("baton/driver.py", "baton/drivers/contract.py", "baton/drivers/runner.py"):
            assert (part in names) == (name == "batond")
        assert name == "batond" or not any(item.startswith("baton/driver") for item in names)


@pytest.mark.parametrize("program", ["batond", "batonctl"])
def test_the_programs_say_their_version(built, program):
    done = subprocess.run([sys.executable, built / f"{program}.pyz", "--version"], capture_output=True, text=True, check=False)
    assert re.fullmatch(rf"{program} \d+\.\d+\.\d+\n", done.stdout), done.stderr


@pytest.mark.parametrize("program", ["driver", "driver-stop-post"])
def test_drivers_start_without_the_daemon(program, built, tmp_path):
    (tmp_path / "it.json").write_text('{"type": "program"}')
    command = [sys.executable, "-X", "importtime", built / "batond.pyz", program, tmp_path / "it.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "BATON_RUN_DIR": str(tmp_path)})
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "baton.drivers.runner" in imported
    assert not imported & {"baton.daemon.main", "baton.core.node", "sqlite3"}
    assert ("aiohttp" in imported) == (program == "driver")  # after a driver died, a successor waits for this


def test_a_driver_in_python_imports_from_the_zipapp(built):
    environment = {**os.environ, "PYTHONPATH": str(built / "batond.pyz")}
    program = "import sys; from baton import driver; print(driver.run and driver.__file__, 'baton.daemon.main' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == [f"{built}/batond.pyz/baton/driver.py", "False"], done.stderr


def test_a_wrong_source_is_refused_and_leaves_nothing(tmp_path):
    done = build(tmp_path, tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not the package _baton" in done.stderr
    assert not (tmp_path / "out").exists()
