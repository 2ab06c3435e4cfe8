# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave out one rule of datastores at a time and see that the schedules notice: ``python tests/simulation/datastores/mutate.py``."""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from simulation.datastores.aimed import AIMED  # noqa: E402
from simulation.datastores.mutations import MUTATIONS  # noqa: E402
from simulation.datastores.schedule import Schedule  # noqa: E402
from simulation.mutate import seen  # noqa: E402

MOST, MOST_AIMED = 800, 100
# The seed at which each was caught first by chance: where ``--seen`` begins. They move with every change of the simulation or the rules.
# Those for which there is an aimed schedule are not here: that has to notice them.
SEEN = {
    "a_grant_that_is_gone_is_an_end": 3,
    "a_grant_that_is_taken_back_ends_nothing": 3,
    "a_guest_counts_on_a_longer_lease": 337,
    "a_guest_keeps_an_instance_in_the_set_it_was_of": 19,
    "a_manager_writes_whatever_has_changed": 4,
    "a_server_is_opened_before_its_claim_stands": 1,
    "a_step_waits_for_ever": 8,
    "a_term_is_granted_before_the_last_one_is_over": 1,
    "an_undo_wipes_the_source": 5,
    "another_source_is_looked_for_while_the_last_one_is_deleted": 3,
    "any_replica_will_do": 4,
    "nobody_gives_the_role_back": 7,
    "nobody_looks_at_the_end_of_a_lease": 1,
    "nobody_takes_over": 15,
    "nobody_waits_on_a_clock_of_his_own": 3,
    "orders_have_the_ids_of_those_before": 2176,
    "positions_are_compared_as_strings": 376,
    "traces_are_swept_whether_their_set_is_gone_or_not": 21,
    "what_gave_way_is_forgotten": 5,
    "what_is_detached_stays_where_it_was": 3,
    "what_was_begun_is_not_undone": 43,
    "who_comes_back_is_left_alone": 4,
    "who_does_not_leave_after_all_is_not_what_it_was": 356,
    "who_is_asked_next_counts_alone_at_once": 40,
    "who_is_deleted_counts_still": 1,
    "who_is_detached_counts_still": 8,
    "who_is_gone_is_waited_for": 1,
    "who_is_silent_is_not_asked": 16,
}


def caught(aimed, mutations, schedule, work):
    """Return (name, seed, what was seen) of the first schedule that fails; seed None where none does."""
    name, first = work
    mutation = mutations[name]
    plays = aimed[mutation.schedule] if hasattr(mutation, "schedule") else None
    with mutation():
        for seed in range(1, 1 + MOST_AIMED) if plays is not None else range(first, first + MOST):
            try:
                plays(seed) if plays is not None else schedule(seed).run()
            except Exception as error:
                return name, seed, seen(error)
    return name, None, ""


def main(aimed, mutations, schedule, known_seeds, about):
    """Leave out what people ask for on the command line; ``known_seeds``: by name, where to begin with ``--seen``."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--only", choices=sorted(mutations))
    parser.add_argument("--seen", action="store_true", help="begin where each was seen before")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    known = [name for name, mutation in mutations.items() if name in known_seeds or hasattr(mutation, "schedule")]
    names, missed = [options.only] if options.only else sorted(known if options.seen else mutations), 0
    works = [(name, known_seeds.get(name, 1) if options.seen else 1) for name in names]
    with multiprocessing.Pool(options.jobs) as pool:
        for name, seed, what in pool.imap_unordered(partial(caught, aimed, mutations, schedule), works):
            missed += seed is None
            print(f"{name:55} {f'seed {seed:3}: {what[:110]}' if seed else 'NOT CAUGHT'}", flush=True)
    print(f"{len(names) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(AIMED, MUTATIONS, Schedule, SEEN, __doc__))
