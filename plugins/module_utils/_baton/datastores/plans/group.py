# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions about a cluster whose members form a group of their own: who has data, who serves, and how the group is formed. Pure."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Collection, Dict, List, Mapping, Optional

from ..engine.case import Case
from ..engine.program import Outcome, all_of
from ..model.channel import OUT, Server
from ..model.replica_set import Member, ReplicaSet
from .asked import AGAIN_AFTER

BEHIND = "it runs, and the others go on without it: it is frozen, or does not hear them"
LONGEST_ID = 24  # letters of the cluster's id in the name of its group, which has 32 at most


def is_arbiter(member: Member) -> bool:
    return member.own.get("type") == "arbiter"


def data_members(case: Case) -> List[Member]:
    return [member for _key, member in sorted(case.whole.members.items()) if not is_arbiter(member)]


def may_have_data(member: Member) -> bool:
    """Whether a member has the data, or was told to come in, so that it may have what nobody else has (``enters``)."""
    return member.joined or bool(member.own.get("enters"))


def said_of(case: Case, member: Member) -> Server:
    """Return how a member is. An arbiter answers nobody: its guest knows what stands in its log, which is old where it is frozen. So it is
    not well if members with data have a later view than it has.
    """
    server = case.server(member)
    if not (server.up and is_arbiter(member)):
        return server
    said = [case.server(other) for other in data_members(case)]
    of_this = [each.view for each in said if each.up and each.view.get("uuid") == case.whole.formed.get("uuid")]
    is_behind = 0 < _number(server.view) < max(map(_number, of_this), default=0)
    return replace(server, up=False, trouble=BEHIND) if is_behind else server


def _number(view: Mapping[str, Any]) -> int:
    """Return the number of a view; 0 where it is not known, as of guests of an older Baton."""
    return int(view.get("number") or 0)


def serves(case: Case, member: Member) -> bool:
    """Whether a member is of the group that was formed in this term, and well; an arbiter does not say of which group it is."""
    server = said_of(case, member)
    if not (member.joined and server.up and member.follows == case.whole.term):
        return False
    return is_arbiter(member) or server.view.get("uuid") == case.whole.formed.get("uuid")


def runs(case: Case, member: Member) -> bool:
    """Whether a server runs that may find the others by itself, for all that is known; not one that they have put out."""
    view = case.server(member).view
    return bool(view) and view.get("state") != OUT


def serving(case: Case) -> List[Member]:
    """Return who has data and serves."""
    return [member for member in data_members(case) if serves(case, member)]


def voting(case: Case) -> List[Member]:
    """Return who is of the group and well, arbiters, too."""
    return [member for _key, member in sorted(case.whole.members.items()) if serves(case, member)]


def unwell(case: Case, but: Collection[Member]) -> str:
    """Return which other member is not well, and why; "" if all are."""
    for key, member in sorted(case.whole.members.items()):
        if member not in but and member.joined and not serves(case, member):
            return f"{key} is not well: {said_of(case, member).trouble or 'it is not of this group'}"
    return ""


def is_gone(case: Case, member: Member) -> bool:
    """Whether nobody hears a member's guest, and those who serve go on without its server."""
    return not case.channel(member).alive and goes_on_without(case, member)


def goes_on_without(case: Case, member: Member) -> bool:
    """Whether those who serve say that they are so many, a member not among them."""
    others = [other for other in voting(case) if other is not member]
    sizes = [case.server(other).view.get("size") for other in others if not is_arbiter(other)]
    return bool(sizes) and all(size == len(others) for size in sizes)


def group_of(case: Case, *coming: Member) -> Dict[str, Any]:
    """Return how a server finds the others: the group's name, where those with data are, and who was forgotten, so that it must not be one
    of them. ``coming``: who is not of them yet.
    """
    known = [member for member in data_members(case) if member.joined or member in coming]
    where = [{"address": member.own.get("address"), "port": member.own.get("port")} for member in known]
    return {"cluster": name_of(case.whole), "members": where, "gone": sorted(case.whole.own.get("gone", {}))}


def name_of(whole: ReplicaSet) -> str:
    """Return the name of the group of this term."""
    return f"{whole.id.replace('-', '')[:LONGEST_ID]}-{whole.term}"


def term_of(group: str) -> int:
    """Return the term of which a group is, by its name."""
    term = group.rpartition("-")[2]
    return int(term) if term.isdigit() else 0


def forms(case: Case, member: Member, position: Optional[Mapping[str, Any]]) -> Outcome:
    """Have a member form the group of this term, at its position; None for one without a history."""
    _note_where(case, int(position["seqno"]) if position is not None else 0, position is None)  # it may form it, and nobody hears of it
    report = case.ask(member, "form", position=position, **group_of(case, member))
    outcome = all_of([(member.id, report)])
    if report is not None and outcome.done:
        case.whole.formed = {"uuid": report.found["uuid"], "seqno": int(report.found["seqno"]), "by": member.id}
        forget_loss(case)
        has_come(case, member)
    return outcome


def _note_where(case: Case, seqno: int, is_new: bool) -> None:
    """Note where each term began since the oldest that a member may come back from."""
    whole = case.whole
    oldest = min((member.follows for member in data_members(case) if member.joined and member.follows), default=0)
    known = {} if is_new else {term: at for term, at in whole.own.get("formed_at", {}).items() if int(term) > oldest}
    whole.own["formed_at"] = {**known, str(whole.term): seqno}


def last_common(case: Case, term: int) -> int:
    """Return up to where what a member has who was in the group of a term last is what all have. Each later group began at a point of its
    own, and what was further than that went on elsewhere.
    """
    later = [int(at) for known, at in case.whole.own.get("formed_at", {}).items() if int(known) > term]
    return min([*later, int(case.whole.formed.get("seqno", 0))])


def forget_loss(case: Case) -> None:
    """Somebody serves: since when nobody did, and why nobody was to, is over."""
    for name in ("lost", "unrevived"):
        case.whole.own.pop(name, None)


def has_come(case: Case, member: Member) -> None:
    """A member is of the group of this term. Until its guest has said so, too, it is not taken for one that has ended."""
    member.joined, member.follows, member.status, member.fault = True, case.whole.term, "ACTIVE", ""
    member.again_at = case.now + AGAIN_AFTER
    member.own.pop("enters", None)
    is_told(case, member)


# --- who was forgotten while nobody heard its host --------------------------------------------------------------------------


def is_told(case: Case, member: Member) -> None:
    """A member has done an order that says who was forgotten."""
    gone = case.whole.own.get("gone", {})
    if not is_arbiter(member) and any(member.id not in entry["told"] for entry in gone.values()):
        case.whole.own["gone"] = {key: {**each, "told": sorted({*each["told"], member.id})} for key, each in gone.items()}


def lacks_word(case: Case) -> List[Member]:
    """Return who serves, and was not told of somebody who was forgotten."""
    gone = case.whole.own.get("gone", {}).values()
    return [member for member in serving(case) if any(member.id not in entry["told"] for entry in gone)]
