# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public test suite of RFC 6902 (json-patch-tests), as `make unit` fetches it."""

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "build" / "json-patch-tests"


def cases():
    """Return (name, case) of every case that is not disabled; a case has doc, patch, and expected or error."""
    found = []
    for path in (FOLDER / "tests.json", FOLDER / "spec_tests.json"):
        if not path.exists():
            raise RuntimeError(f"{path} is missing: `make unit` fetches the suite")
        for number, case in enumerate(json.loads(path.read_text())):
            if "patch" in case and not case.get("disabled"):
                found.append((f"{path.stem}-{number} {case.get('comment', '')}".strip(), case))
    return found
