# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests wait for `make test-long`: those that take minutes, and whose parts others show in `make test`."""

import os

import pytest

IS_LONG = bool(os.environ.get("BATON_LONG"))
takes_minutes = pytest.mark.skipif(not IS_LONG, reason="it takes minutes: `make test-long` has it, or BATON_LONG=1")
