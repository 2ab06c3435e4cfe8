# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers in Python: subclass ``Driver``, hand an object to ``run``. See docs/guides/drivers.md. What is named here stays as it is."""

from __future__ import annotations

from .drivers.session import Driver, Failed, boottime, run

__all__ = ["Driver", "Failed", "boottime", "run"]
