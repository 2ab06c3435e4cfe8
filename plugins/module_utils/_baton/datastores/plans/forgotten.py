# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members that left a cluster while nobody heard their hosts. Pure.

Their servers may run still, and know where the others are: they must not come in again. So those who stay know their names, and put them
out (host/galera/keeping_out.py); and as soon as such a host is heard, what it has left there is ended and wiped. Until then its channel is
one of the set's.
"""
from __future__ import annotations

from typing import Any, Dict, List, Optional

from ..engine.case import Case
from ..engine.program import DONE, Due, Outcome, all_of, wait
from ..model.replica_set import Member
from .group import goes_on_without, lacks_word

MOST = 32  # that are kept; the oldest go first
KEPT = ("name", "type", "address", "port", "flavor", "volume")  # of a member's own: what its host carries
AGAIN = 600.0  # seconds until it is tried again to wipe what could not be wiped


def note(case: Case, member: Member) -> None:
    """A member is forgotten, or about to be, and was not wiped."""
    own = {name: member.own[name] for name in KEPT if name in member.own}
    gone = {**_all(case), member.id: {"host": member.host, "since": case.now, "told": [], "again_at": 0.0, "fault": "", "own": own}}
    latest = sorted(gone, key=lambda key: (gone[key]["since"], key))[-MOST:]
    case.whole.own["gone"] = {key: gone[key] for key in latest}


def is_wiped(case: Case, member: Member) -> None:
    case.whole.own["gone"] = {key: entry for key, entry in _all(case).items() if key != member.id}


def _all(case: Case) -> Dict[str, Dict[str, Any]]:
    found: Dict[str, Dict[str, Any]] = case.whole.own.get("gone", {})
    return found


def _heard(case: Case) -> List[Member]:
    """Return whose host is heard. Who has left, and is not forgotten yet, is seen to by whoever has it leave."""
    gone = {key: Member(key, entry["host"]) for key, entry in sorted(_all(case).items()) if key not in case.whole.members}
    return [member for member in gone.values() if case.channel(member).alive]


def due(case: Case) -> Optional[Due]:
    """Who is heard again is wiped; who serves, and was not told of one that is forgotten, is."""
    found = [member.id for member in _heard(case) if not _is_put_off(case, _all(case)[member.id])]
    if found:
        return Due("clear", f"{found[0]} is heard again, which was forgotten while it was not", {"members": [], "gone": found})
    unaware = lacks_word(case)
    return Due("clear", f"{unaware[0].id} does not know who was forgotten", {"members": [], "gone": []}) if unaware else None


def _is_put_off(case: Case, entry: Dict[str, Any]) -> bool:
    return case.now < float(entry["again_at"]) <= case.now + AGAIN


def wipe(case: Case) -> Outcome:
    """Each leaves in good order, if it runs; what it may have taken in a group all have who go on without it."""
    outcomes = [(member.id, _wiped(case, member)) for member in _heard(case) if member.id in case.task.data["gone"]]
    failed = [outcome for _name, outcome in outcomes if outcome.problem]
    missing = [outcome.on for _name, outcome in outcomes if not outcome.done]
    return failed[0] if failed else wait(", ".join(missing)) if missing else DONE


def _wiped(case: Case, member: Member) -> Outcome:
    if case.ask(member, "halt") is None:  # where it can't be halted it is killed
        return wait(member.id)
    if not goes_on_without(case, member):
        return wait(f"the others to go on without {member.id}")
    outcome = all_of([(member.id, case.ask(member, "wipe"))])
    if outcome.done:
        is_wiped(case, member)
    return outcome


def wipe_all(case: Case) -> Outcome:
    """Nobody serves any more: what is left of them where hosts are heard goes with the cluster."""
    return all_of((member.id, case.ask(member, "wipe")) for member in _heard(case))


def given_up(case: Case) -> None:
    """What could not be wiped is tried again later."""
    for key in case.task.data["gone"] if not case.task.gave_way else ():
        if key in _all(case):
            entry = {**_all(case)[key], "again_at": case.now + AGAIN, "fault": case.task.fault}
            case.whole.own["gone"] = {**_all(case), key: entry}
