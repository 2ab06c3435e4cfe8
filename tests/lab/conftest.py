# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the lab. They need root and say so; nothing is skipped."""
from __future__ import annotations

from typing import Iterator

import pytest
from netns import Network, require_root


@pytest.fixture
def network() -> Iterator[Network]:
    """A switch to put hosts on; everything on it is gone after the test."""
    try:
        require_root()
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)
    with Network() as made:
        yield made
