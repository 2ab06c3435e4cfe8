# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make batond.pyz, batonctl.pyz, baton-datastores.pyz and baton-guest.pyz.

Each is of the package _baton, re-rooted as ``baton``, what it needs, in an executable zip archive.

Used by `make build` and by the role on the controller, so: standard library only, and it works from the installed
collection. The same source gives the same bytes (with the same zlib), so that a copy task changes nothing needlessly.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence

HERE = Path(__file__).resolve().parents[2]
EPOCH = (1980, 1, 1, 0, 0, 0)
SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = """# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
from {module} import main

raise SystemExit(main())
"""
MAIN_DAEMON = """# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
import sys

if sys.argv[1:2] == ["stop-post"]:  # must be quick: the daemon's imports take longer than its work
    from baton.daemon.stop_post import main
elif sys.argv[1:2] in (["driver"], ["driver-stop-post"]):
    from baton.drivers.runner import main
else:
    from {module} import main

raise SystemExit(main())
"""
PROGRAMS = {
    "batond": "baton.daemon.main", "batonctl": "baton.cli.main", "baton-datastores": "baton.datastores.service.main",
    "baton-guest": "baton.datastores.host.main",
}  # fmt: skip
NONE = ("tasks/", "run/")  # what the modules do
ALSO = (  # of what only the daemon needs, for clients
    "core/__init__.py", "core/model/__init__.py", "core/model/conditions.py", "core/model/kinds.py",
    "adapters/__init__.py", "adapters/systemd.py",
)  # fmt: skip
ONLY_DAEMON = ("adapters/", "core/", "daemon/", "driver.py", "drivers/")
WITHOUT = {
    "batond": ("datastores/",),
    "batonctl": ("datastores/", *ONLY_DAEMON),
    "baton-datastores": ("cli/", "daemon/", "datastores/host/", "datastores/guest/"),
    "baton-guest": ("cli/", "datastores/service/", "datastores/engine/", "datastores/plans/", *ONLY_DAEMON),
}


def files_of(source: Path, program: str) -> Iterator[Path]:
    """Yield the package's files that ``program`` needs, in a fixed order."""
    for path in sorted(source.rglob("*"), key=lambda item: item.relative_to(source).as_posix()):
        name = path.relative_to(source).as_posix()
        if not path.is_file() or "__pycache__" in path.parts or path.suffix not in (".py", ".json"):
            continue
        if not name.startswith((*NONE, *WITHOUT[program])) or (name in ALSO and ONLY_DAEMON[0] in WITHOUT[program]):
            yield path


def contents(source: Path, program: str) -> Dict[str, bytes]:
    """Return archive name → bytes."""
    start = MAIN_DAEMON if program == "batond" else MAIN
    found = {"__main__.py": start.format(module=PROGRAMS[program]).encode()}
    for path in files_of(source, program):
        found[f"baton/{path.relative_to(source).as_posix()}"] = path.read_bytes()
    return found


def build(source: Path, target: Path, program: str) -> bool:
    """Write ``target``; return whether it changed. It is replaced as a whole, never seen half written."""
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(SHEBANG)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                for name, data in sorted(contents(source, program).items()):
                    entry = zipfile.ZipInfo(name, EPOCH)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    entry.create_system = 3
                    entry.external_attr = 0o100644 << 16
                    archive.writestr(entry, data)
        os.chmod(temporary, 0o755)  # nosec B103
        changed = not target.exists() or target.read_bytes() != Path(temporary).read_bytes()
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return changed


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Make batond.pyz, batonctl.pyz, baton-datastores.pyz and baton-guest.pyz.")
    package = HERE / "plugins" / "module_utils" / "_baton"
    parser.add_argument("source", nargs="?", type=Path, default=package, help="the directory _baton")
    parser.add_argument("output", nargs="?", type=Path, default=Path(), help="where the archives go: here, if not said")
    args = parser.parse_args(argv)
    if not (args.source / "ground" / "version.py").is_file():
        sys.stderr.write(f"build_zipapps: {args.source} is not the package _baton\n")
        return 2
    lines: List[str] = []
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        for program in PROGRAMS:
            target = args.output / f"{program}.pyz"
            lines.append(f"{target} {'changed' if build(args.source, target, program) else 'unchanged'}")
    except OSError as error:
        sys.stderr.write(f"build_zipapps: {error}\n")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
