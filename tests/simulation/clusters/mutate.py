# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave out one rule of clusters at a time and see that the schedules notice: ``python tests/simulation/clusters/mutate.py``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from simulation.clusters.aimed import AIMED  # noqa: E402
from simulation.clusters.mutations import MUTATIONS  # noqa: E402
from simulation.clusters.schedule import Schedule  # noqa: E402
from simulation.datastores.mutate import main  # noqa: E402

# The seed at which each was caught first by chance: where ``--seen`` begins. They move with every change of the simulation or the rules.
# Those for which there is an aimed schedule are not here: that has to notice them.
SEEN = {}

if __name__ == "__main__":
    sys.exit(main(AIMED, MUTATIONS, Schedule, SEEN, __doc__))
