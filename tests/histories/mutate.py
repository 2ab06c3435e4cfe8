# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave out one rule of coordination at a time, and see whether the judges notice: ``python tests/histories/mutate.py [NAME…]``.

A mutant is a copy of the package in which one text was replaced, played with seeds until one is judged to be broken.
"""

import multiprocessing
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from histories.judging import judge  # noqa: E402
from histories.plan import plan  # noqa: E402
from histories.play import play  # noqa: E402
from histories.run import end_in_order  # noqa: E402

SOURCE, BUILD = ROOT / "plugins" / "module_utils" / "_baton", ROOT / "build" / "mutants"
SEEDS = (1, 3, 6, 13)  # 3 and 13 are strict pairs
CHECK = '    lease, token = leases.standing_lease(change.key, lookup), change.body["Token"]\n'
FEW_COPIES = "        if not self.copies_promised():\n            copies"
LAST_TOKEN = 'max(moment.floor, last.value["Last"] if last is not None else 0)'
MUTATIONS = {  # name: file, text, and what stands there instead
    "one_too_many_holds": (
        "core/coordination/locks.py",
        "len(holders) < int(slots)",
        "len(holders) <= int(slots)",
    ),
    "newcomers_pass_the_line": (
        "core/coordination/locks.py",
        'if not lock["Queue"] and _has_room',
        "if _has_room",
    ),
    "the_last_is_let_in_first": (
        "core/coordination/locks.py",
        '[(int(entry["Token"]), name)',
        '[(-int(entry["Token"]), name)',
    ),
    "fences_hold_nothing_off": ("core/coordination/actions.py", CHECK, f"{CHECK}    return []\n"),
    "leases_end_early": ("core/replication/client_leases.py", "_factor = 1 + rate_error", "_factor = 0.4"),
    "leases_never_end": ("core/replication/client_leases.py", "if now >= end)", "if now >= end + 1e6)"),
    "no_full_time_after_a_change": (
        "core/replication/client_leases.py",
        "{key: now + ttl * self._factor for",
        "{key: now + 0.3 for",
    ),
    "who_sets_a_param_does_not_untie_it": (
        "core/coordination/ties.py",
        "    if bound is not None and not (change.lease",
        "    if False and bound is not None and not (change.lease",
    ),
    "replies_are_forgotten": (
        "core/model/replies.py",
        "row = self._rows.get(key)",
        'row = self._rows.get("")',
    ),
    "events_come_twice": (
        "adapters/http/events.py",
        "entry.seq, whole(entry))",
        "entry.seq, max(0, whole(entry) - (entry.seq % 3 == 0)))",
    ),
    "tests_look_at_the_committed_head": (
        "core/state/heads.py",
        "Evaluation(self.speculative, moment,",
        "Evaluation(self.committed, moment,",
    ),
    "a_barrier_opens_early": (
        "core/coordination/barriers.py",
        'len(arrived) >= barrier["Count"]',
        'len(arrived) + 1 >= barrier["Count"]',
    ),
    "strict_takes_writes": (
        "core/replication/leading.py",
        FEW_COPIES,
        FEW_COPIES.replace("not self.copies_promised()", "False"),
    ),
    "tokens_stand_still": ("core/coordination/leases.py", LAST_TOKEN, "moment.floor"),
}


def build(name):
    """Build the daemon without one rule; return its path."""
    file, text, instead = MUTATIONS[name]
    copy = BUILD / name / "source"
    shutil.rmtree(BUILD / name, ignore_errors=True)
    shutil.copytree(SOURCE, copy)
    written = (copy / file).read_text()
    if written.count(text) < 1:
        raise SystemExit(f"{name}: {file} has no {text!r} any more; say what is to be replaced now")
    (copy / file).write_text(written.replace(text, instead))
    command = [
        sys.executable,
        str(ROOT / "plugins" / "plugin_utils" / "build_zipapps.py"),
        str(copy),
        str(BUILD / name),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return BUILD / name / "batond.pyz"


def noticed(name):
    """Return (name, the seed and the promise that was seen to be broken, or None)."""
    for seed in SEEDS:
        try:
            found = judge(play(plan(seed), BUILD / name / "batond.pyz"))
        except Exception as error:  # such a cluster can't even be played with
            return name, f"seed {seed}: {type(error).__name__}: {error}"
        if found:
            return name, f"seed {seed}: {found[0].model}: {found[0].promise}"
    return name, None


def main():
    end_in_order()
    names = sys.argv[1:] or list(MUTATIONS)
    for name in names:
        build(name)
    failed = 0
    with multiprocessing.get_context("spawn").Pool(2, end_in_order, maxtasksperchild=1) as pool:
        for name, told in pool.imap(noticed, names, 1):
            failed += told is None
            print(f"{name}: {told or 'NOBODY NOTICED'}", flush=True)
        pool.close()
        pool.join()
    shutil.rmtree(BUILD, ignore_errors=True)
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
