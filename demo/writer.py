# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that writes through the VIP while the active changes, and remembers what was acknowledged.

``writer.py write FILE`` writes numbered params until FILE.stop exists, a line in FILE for each acknowledged one;
``writer.py check FILE`` reads the profile and counts acknowledged writes that are missing. BATON_URL, BATON_TOKEN_FILE and
BATON_CA say where.
"""

import importlib.util
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "plugins/module_utils/_baton"
PROFILE = "demo-writes"


def load_client():
    spec = importlib.util.spec_from_file_location("baton", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules["baton"] = importlib.util.module_from_spec(spec)
    from baton.client.api import connect

    return connect({}, os.environ)


def write(client, path):
    """Write as fast as the answers come; the client repeats what got no answer, with the same Idempotency-Key."""
    try:
        client.delete("profiles", PROFILE)
    except Exception as error:
        if getattr(error, "kind", "") != "not_found":
            raise
    client.create("profiles", {"Name": PROFILE})
    slowest, count = 0.0, 0
    with open(path, "w", encoding="utf-8") as done:
        while not Path(f"{path}.stop").exists():
            started = time.monotonic()
            client.add_param("profiles", PROFILE, f"write/{count}", count)
            slowest = max(slowest, time.monotonic() - started)
            done.write(f"{count}\n")
            done.flush()
            count += 1
    print(f"{count} {slowest:.3f}")


def check(client, path):
    params = client.params("profiles", PROFILE).body
    acknowledged = Path(path).read_text(encoding="utf-8").split()
    missing = [number for number in acknowledged if params.get(f"write/{number}") != int(number)]
    print(f"{len(acknowledged)} {len(missing)}")
    return 1 if missing or not acknowledged else 0


def main():
    client = load_client()
    if sys.argv[1] == "write":
        return write(client, sys.argv[2])
    return check(client, sys.argv[2])


if __name__ == "__main__":
    raise SystemExit(main())
