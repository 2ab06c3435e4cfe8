# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get the public test suite of RFC 6902 from the npm registry: ``fetch_json_patch_tests.py FOLDER``. It is not ours, so not here."""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "json-patch-test-suite@1.1.0"


def main():
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            raise SystemExit(f"can't get {PACKAGE} with npm: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
        with tarfile.open(archives[0]) as archive:
            for member in archive.getmembers():
                if member.isfile() and member.name.endswith("tests.json"):
                    (target / Path(member.name).name).write_bytes(archive.extractfile(member).read())
    print(f"{target}: {', '.join(sorted(path.name for path in target.glob('*.json')))}")


if __name__ == "__main__":
    main()
