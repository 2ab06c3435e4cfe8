# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave out one rule of the protocol at a time and see that the simulator notices: ``python tests/simulation/mutate.py``.

A simulator that finds nothing proves nothing unless it is known what it would find.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import multiprocessing
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from simulation.aimed import SCHEDULES  # noqa: E402
from simulation.mutations import MUTATIONS  # noqa: E402
from simulation.schedule import Schedule  # noqa: E402
from simulation.world import has_drivers  # noqa: E402

MOST_AIMED = 200
# The seed at which each that takes more than a few was caught first: where ``--seen`` begins. They move with every change of the
# simulator or the core; `make mutate` finds them anew.
SEEN = {
    "m1_unknown_swap_is_failure": 293,
    "m2_continues_its_epoch": 45,
    "m4_a_closed_link_is_a_release": 16,
    "m4_a_notice_of_any_epoch_counts": 91,
    "lease_counts_from_the_answer": 101,
    "grace_is_as_short_as_the_lease": 156,
    "a_restart_begins_no_grace": 57,
    "serves_without_a_lease": 36,
    "serves_before_the_others_know_the_epoch": 4,
    "hands_over_while_it_holds_the_vip": 17,
    "m6_joiner_counts_after_the_swap_only": 33,
    "client_leases_end_with_the_reign": 34,
    "client_leases_ignore_the_rate_of_clocks": 211,
    "a_seat_is_given_to_whoever_asks": 26,
    "drivers_start_as_soon_as_the_node_is_active": 17,
    "drivers_wait_for_the_grace_only": 32,
    "the_role_is_given_away_while_drivers_run": 22,
    "the_role_is_given_away_before_the_last_but_one_has_stopped": 187,
    "any_notice_says_that_drivers_have_stopped": 32,
    "drivers_start_before_others_know_that_there_are_any": 107,
    "the_vip_does_not_wait_for_drivers": 12,
}


class DoesNotFit(Exception):
    """What failed is the mutation itself: the code has changed beneath it."""


def seen(error):
    """Return what a schedule has noticed; DoesNotFit when that is the mutation itself."""
    if isinstance(error, (AttributeError, NameError, TypeError)):
        raise DoesNotFit(f"{type(error).__name__}: {error}")
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def caught(mutation, most, first):
    """Return (seed, what was seen) of the first schedule that fails under ``mutation``, or None."""
    if hasattr(mutation, "schedule"):
        return _caught_by(SCHEDULES[mutation.schedule], mutation, MOST_AIMED)
    seeds = (seed for seed in itertools.count(first) if has_drivers(seed) or not getattr(mutation, "driven", False))
    with mutation():
        for seed in itertools.islice(seeds, most):
            try:
                Schedule(seed).run()
            except Exception as error:
                return seed, seen(error)
    return None


def _caught_by(schedule, mutation, most):
    with mutation():
        for seed in range(1, most + 1):
            try:
                schedule(seed)
            except Exception as error:
                return seed, seen(error)
    return None


def outcome(work):
    """Return the name, what was seen (None: nothing), and why nothing could be."""
    name, most, first = work
    try:
        return name, caught(MUTATIONS[name], most, first), "NOT CAUGHT"
    except DoesNotFit as error:
        return name, None, f"DOES NOT FIT the code any more: {error}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=3000, help="seeds to try for each")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seen", action="store_true", help="begin shortly before the seed at which each was caught before: quick")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    missed = 0
    names = options.names or list(MUTATIONS)
    work = [(name, options.most, max(1, SEEN.get(name, 1) - 5) if options.seen else options.first_seed) for name in names]
    with multiprocessing.Pool(options.jobs) as pool:
        for name, found, why in pool.imap(outcome, work):
            missed += found is None
            print(f"{name:45} " + (f"caught by seed {found[0]:4}: {found[1][:110]}" if found else why), flush=True)
    print(f"{len(names) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
