# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that tests start: build/batond.pyz and build/batonctl.pyz with their modules compiled beside the source.

Two thirds of what a start costs are else spent on compiling, hundreds of times. What ships is started as it is by
tests/unit/test_build_zipapps.py, in the lab and on molecule's hosts; under `make coverage` they run from the source tree.
"""

import functools
import hashlib
import os
import py_compile
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
KEPT_SECONDS = 86_400  # what was compiled from earlier builds; somebody may still run the last one


def compile_modules(archive):
    """Add the compiled form of each module to a zipapp."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive, "a") as opened:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        for name in opened.namelist():
            if name.endswith(".py"):
                source = opened.extract(name, folder)
                opened.write(py_compile.compile(source, dfile=name, doraise=True, invalidation_mode=mode), f"{name}c")


@functools.cache
def program(name):
    """Return where build/NAME.pyz is with its modules compiled. Made anew after each build that changed it."""
    shipped = BUILD / f"{name}.pyz"
    if "COVERAGE_PROCESS_START" in os.environ:
        return BUILD / "coverage" / shipped.name  # tools/coverage.py has made it
    if not shipped.exists():
        raise FileNotFoundError(f"{shipped} is not there: run `make build`")
    key = hashlib.sha256(shipped.read_bytes() + sys.implementation.cache_tag.encode()).hexdigest()[:16]
    folder = BUILD / "compiled" / key
    if not folder.exists():
        _make(shipped, folder)
    return folder / shipped.name


def _make(shipped, folder):
    """Make the folder as a whole: several workers of pytest want it at once."""
    folder.parent.mkdir(exist_ok=True)
    for old in folder.parent.iterdir():
        if old.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    shutil.copy(shipped, new)
    compile_modules(new / shipped.name)
    try:
        os.rename(new, folder)
    except OSError:  # another was quicker, with the same content
        shutil.rmtree(new)
