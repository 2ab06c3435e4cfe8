# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API over a pool in memory; each test has a pool of its own."""

import pytest

from support.datastores_api import served
from support.pool import Memory


@pytest.fixture
def api():
    with served() as found:
        yield found


@pytest.fixture
def slow():
    """Guests do nothing until the test says ``slow.pool.settle()``."""
    with served(Memory(lively=False)) as found:
        yield found
