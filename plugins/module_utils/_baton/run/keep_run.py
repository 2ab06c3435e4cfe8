# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that lease.py starts on the controller: keeper.py in a process of its own.

Its one argument is the lease, so that `ps` says what it is. All else comes as one line of JSON on standard input, where nobody
sees it. It answers one line, "ready" or what went wrong.
"""
from __future__ import annotations

import sys

if __name__ == "__main__":
    del sys.path[0]  # this folder, whose files are not what others mean by their names
    import importlib
    import json
    import os

    order = json.loads(sys.stdin.readline())
    sys.path[:] = order["path"]
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))
    try:
        keeper = importlib.import_module("_baton.run.keeper")
    except Exception as error:  # whatever a controller's Python lacks: the one line is all that anybody gets to see
        sys.stdout.write(f"{type(error).__name__}: {error}".partition("\n")[0] + "\n")
        raise SystemExit(1) from None
    keeper.keep(order)
