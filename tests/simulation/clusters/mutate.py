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
SEEN = {
    "a_group_is_formed_twice_in_a_term": 4,
    "a_manager_writes_whatever_has_changed": 299,
    "a_server_forms_the_group_wherever_it_is": 4,
    "a_step_waits_for_ever": 39,
    "all_are_restarted_at_once": 1,
    "an_order_is_carried_out_when_it_was_taken_back": 2,
    "an_undo_wipes_members_that_stay": 4,
    "nobody_forms_the_group_anew": 1,
    "nobody_looks_whether_the_others_are_well": 3,
    "orders_have_the_ids_of_those_before": 1,
    "positions_are_compared_as_strings": 114,
    "who_comes_back_is_left_alone": 1,
}

if __name__ == "__main__":
    sys.exit(main(AIMED, MUTATIONS, Schedule, SEEN, __doc__))
