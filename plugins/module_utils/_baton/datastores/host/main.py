# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``baton-guest`` serves one pool host. ``baton-guest guard SOCKET`` is its guard, which needs nothing of the rest."""
from __future__ import annotations

import sys
from typing import Optional, Sequence


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Serve until SIGTERM; return the exit status (1: it can't serve, 2: usage)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["guard"]:
        from . import guard

        if len(arguments) == 2:
            return guard.main(arguments[1])
        sys.stderr.write("usage: baton-guest guard SOCKET\n")
        return 2
    from .serve import serve

    return serve(arguments)
