# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that imports aiohttp, so that files which merely travel with a module need not have it.

The daemon checks ``AIOHTTP_ERROR`` when it starts and says what to install.
"""
from __future__ import annotations

from typing import Optional

AIOHTTP_ERROR: Optional[str] = None
try:
    import aiohttp
    from aiohttp import web
except ImportError as error:
    aiohttp = None  # type: ignore[assignment]
    web = None  # type: ignore[assignment]
    AIOHTTP_ERROR = f"{error}: install python3-aiohttp (Debian, Fedora) or `pip install aiohttp`"

__all__ = ["AIOHTTP_ERROR", "aiohttp", "web"]
