# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``batond driver FILE`` and ``batond driver-stop-post FILE``."""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Sequence

from .stop_post import stop_post

if TYPE_CHECKING:
    from .session import Driver

USAGE = "usage: batond driver FILE | batond driver-stop-post FILE"


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run a built-in driver, or clean up after one; return the exit status (2: FILE or arguments are wrong)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if len(arguments) != 2 or arguments[0] not in ("driver", "driver-stop-post"):
        sys.stderr.write(f"{USAGE}\n")
        return 2
    path = Path(arguments[1])
    return stop_post(path) if arguments[0] == "driver-stop-post" else _run(path)


def _run(path: Path) -> int:
    from ..adapters.aio import AIOHTTP_ERROR
    from .config import Wrong
    from .session import run

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    if AIOHTTP_ERROR is not None:
        sys.stderr.write(f"batond driver: {AIOHTTP_ERROR}\n")
        return 1
    try:
        driver = make(path)
    except Wrong as wrong:
        sys.stderr.write(f"batond driver: {wrong}\n")
        return 2
    run(driver)
    return 0


def make(path: Path) -> "Driver":
    """Return the driver that FILE describes; config.Wrong."""
    from .config import Wrong, load

    config = load(path)
    if config.type == "program":
        raise Wrong(f"{path}: type program is a driver of your own: start that, not `batond driver`")
    driver: Driver = importlib.import_module(f".types.{config.type}", __package__).DRIVER(config)
    return driver
