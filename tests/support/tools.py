# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs below tools/ as modules, for tests of their parts."""

import importlib
import sys

from support.cluster import ROOT


def load(name):
    """Return tools/NAME.py."""
    if str(ROOT / "tools") not in sys.path:
        sys.path.append(str(ROOT / "tools"))
    return importlib.import_module(name)
