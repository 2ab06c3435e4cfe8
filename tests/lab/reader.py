# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver that runs nothing: it writes to FILE until when drivers may run, as its batond says. ``reader.py ZIPAPP FILE``."""

import os
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from baton.drivers.session import Driver, run  # noqa: E402


class Reader(Driver):
    check_every = 0.05

    def __init__(self, path):
        super().__init__("reader")
        self.path = path

    async def trigger(self, is_active):
        pass

    async def check(self):
        """Called while it is active: then the deadline is the lease's."""
        draft = self.path.with_suffix(".new")
        draft.write_text(str(self.deadline))
        os.replace(draft, self.path)


run(Reader(Path(sys.argv[2])))
