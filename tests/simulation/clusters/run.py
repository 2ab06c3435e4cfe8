# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run seeded schedules of a cluster: ``python tests/simulation/clusters/run.py --seeds 2000 --first-seed 1``.

Aimed ones are played beside them, each with a hundredth as many seeds; ``--only NAME`` plays one of them.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from simulation.clusters.aimed import AIMED  # noqa: E402
from simulation.clusters.checks import NUMBERS  # noqa: E402
from simulation.clusters.schedule import Schedule  # noqa: E402
from simulation.datastores.run import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(AIMED, Schedule, NUMBERS, __doc__))
