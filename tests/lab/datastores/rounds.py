# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fault labs for datastores share: who is hurt next, and the folder of a round, which stays if the round fails."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path


def deal(rng, faults, names):
    """Deal each fault once, in random order, before any comes again. ``names``: only those whose name contains one of these."""
    chosen = [fault for fault in faults if not names or any(name in fault.name for name in names)]
    while True:
        yield from rng.sample(chosen, len(chosen))


@contextmanager
def folder_of(number, seed, keep):
    """A folder that all may enter, since servers run as others."""
    folder = Path(tempfile.mkdtemp(prefix="baton-lab-"))
    folder.chmod(0o755)
    try:
        yield folder
    except BaseException:
        print(f"failed; seed {seed}, round {number}; everything of this round is in {folder}", flush=True)
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(folder)
