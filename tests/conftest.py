# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes plugins/module_utils/_baton importable as the package ``baton``, as the zipapps have it."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "plugins" / "module_utils" / "_baton"

if "baton" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "baton", SOURCE / "__init__.py", submodule_search_locations=[str(SOURCE)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["baton"] = module
    spec.loader.exec_module(module)

for path in (ROOT, ROOT / "tests"):
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))
