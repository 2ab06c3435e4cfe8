# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contracts in pyproject.toml catch an import that runs upwards, whichever floor it is on."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.cluster import ROOT

SOURCE = ROOT / "plugins" / "module_utils" / "_baton"
LINT = Path(sys.executable).with_name("lint-imports")
LEAKS = {
    "core/vip/vip.py": "from ...drivers.contract import Contract",
    "core/model/record.py": "from ...client.error import ClientError",
    "core/state/heads.py": "from ..replication.leading import Leading",
    "core/coordination/locks.py": "import time",
    "core/roles/standing.py": "from .orders import Orders",
    "core/roles/able.py": "from ..node import Node",
    "adapters/http/app.py": "from ...daemon.settings import Settings",
    "adapters/peers/links.py": "from ...client.connection import Connection",
    "adapters/disk/files.py": "import aiohttp",
    "drivers/session.py": "from ..core.state.heads import Heads",
    "tasks/lock.py": "from ..core.replication.leading import Leading",
    "datastores/plans/mariadb.py": "import subprocess",
    "datastores/model/channel.py": "from ..engine.case import Case",
    "ground/values.py": "from ..core.model.log import Log",
}


def broken(package):
    """Return the contracts that a copy of the package breaks."""
    command = [LINT, "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    done = subprocess.run(command, cwd=package, env={"PYTHONPATH": str(package)}, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]


@pytest.fixture
def package(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "baton", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("file", LEAKS)
def test_an_import_that_runs_upwards_is_noticed(file, package):
    path = package / "baton" / file
    before = path.read_text()
    path.write_text(before.replace("from __future__ import annotations\n", f"from __future__ import annotations\n\n{LEAKS[file]}\n"))
    assert path.read_text() != before
    assert broken(package)


def test_a_folder_that_no_floor_names_is_noticed(package):
    assert not broken(package)
    (package / "baton" / "attic").mkdir()
    (package / "baton" / "attic" / "__init__.py").touch()
    assert broken(package)
