# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that root installs with a umask of 077 are of use to the daemon's user."""

import os
import subprocess
import sys
import sysconfig

from rooms import play, role


def test_a_virtual_environment_is_readable_whatever_the_umask_is(tmp_path):
    before = os.umask(0o077)
    try:
        subprocess.run(["/usr/bin/env", "python3", "-m", "venv", "--without-pip", tmp_path / "lib/venv"], check=True, timeout=120)
        version = subprocess.check_output([tmp_path / "lib/venv/bin/python", "-c", "import sys; print(*sys.version_info[:2], sep='.')"])
        # What PyPI would give, from this test's own environment.
        packages = tmp_path / f"lib/venv/lib/python{version.decode().strip()}/site-packages"
        (packages / "own.pth").write_text(sysconfig.get_path("purelib"))
        (tmp_path / "lib/venv/bin/pip").write_text(f'#!/bin/sh\nexec {sys.executable} -m pip "$@"\n')
        (tmp_path / "lib/venv/bin/pip").chmod(0o700)
        first = play(tmp_path, {"h": {}}, [role("node", "venv")], baton_lib_dir=str(tmp_path / "lib"))
        second = play(tmp_path, {"h": {}}, [role("node", "venv")], baton_lib_dir=str(tmp_path / "lib"))
    finally:
        os.umask(before)
    assert "changed=2 " in first, "the list of what is to be installed, and the modes"
    assert "changed=0 " in second
    for folder, folders, files in os.walk(tmp_path / "lib/venv"):
        for path in (os.path.join(folder, name) for name in [*folders, *files]):
            mode = os.lstat(path).st_mode
            assert mode & 0o044 == 0o044, path
            assert mode & 0o022 == 0 or os.path.islink(path), path
    assert os.stat(tmp_path / "lib/venv/bin/pip").st_mode & 0o777 == 0o755
