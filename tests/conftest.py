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

# Files whose tests wait for playbooks and daemons come first, the longest at the head: what computes in milliseconds fills the end.
LONG_FIRST = (
    "unit/cli/test_drpcli_loops.py", "unit/plugins/test_examples.py", "unit/plugins/test_once.py", "daemon/test_replication.py",
    "unit/plugins/", "daemon/", "unit/roles/", "unit/cli/", "unit/datastores/host/", "unit/adapters/http/test_schema.py",
    "unit/adapters/", "unit/drivers/",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    def place(item):
        path = item.path.relative_to(ROOT / "tests").as_posix()
        return next((number for number, start in enumerate(LONG_FIRST) if path.startswith(start)), len(LONG_FIRST))

    items.sort(key=place)
