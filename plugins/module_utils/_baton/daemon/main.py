# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batond: the program that systemd runs; as ``batond guard``, the guard of the VIP."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sqlite3
import sys
from typing import Optional, Sequence

from ..adapters.aio import AIOHTTP_ERROR
from ..adapters.dcs import kind as store_kind
from ..adapters.disk.data_lock import claim
from ..adapters.disk.sqlite import DataDirectory
from ..adapters.vip import guard
from ..ground.problem import Problem
from . import settings as settings_module
from .wiring import Daemon, make_secret

SWITCH_SECONDS = 0.0005  # a writer whose fsync has ended must not wait 5 ms for the interpreter while requests keep it busy
GARBAGE_THRESHOLD = 20_000  # new objects before a look for garbage: there is little, and most of what a request makes is gone by then


async def _serve(argv: Sequence[str]) -> int:
    chosen = settings_module.read(argv, os.environ)
    claim(chosen.data_dir)  # before its first byte is touched, and until this process ends
    DataDirectory(chosen.data_dir).check_format()
    store_kind.check(chosen.data_dir, chosen.dcs[0])
    return await Daemon(chosen, settings_module.ha_tokens(chosen, make_secret)).run()


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run batond or its guard; return the exit status (2: wrong settings)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["guard"]:
        return guard.main(arguments[1:])
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(GARBAGE_THRESHOLD)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    if AIOHTTP_ERROR is not None:
        sys.stderr.write(f"batond: {AIOHTTP_ERROR}\n")
        return 1
    try:
        return asyncio.run(_serve(arguments))
    except Problem as problem:
        sys.stderr.write(f"batond: {problem.detail}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"batond: {error}\n")
        return 1
    except sqlite3.Error as error:
        sys.stderr.write(f"batond: the data directory can't be read ({error}): is its disk full, or broken?\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
