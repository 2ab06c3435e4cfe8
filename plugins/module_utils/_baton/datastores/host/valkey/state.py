# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a server has come, and what comes with the data to whoever has it: the past of that, and people's users.

A server counts what it has written (its offset) as long as it is the source, and replicas count with it. Such a reign has a name of its
own, by which one can tell whether two servers have the same past. A server knows the last two only, and none after a start. So the source
keeps those that are over, each with where it ended, in the text of a library of functions: it goes to replicas and into copies as keys do,
and what empties all databases leaves it alone. No user of people may read or write libraries.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .protocol import Session, Value, text

LIBRARY = "baton"
MARK = "-- "
MOST_REIGNS = 40  # that are kept
ALL = 10**18  # where a reign ended that one has all of, wherever that was


class State(NamedTuple):
    """``past``: reigns that are over, oldest first, with where each ended; ``reign``: in which this was written; ``mark``: (term, number),
    so that something is written; ``users``: of people, {"name", "hash", "keys": patterns}.
    """

    past: Tuple[Tuple[int, int], ...] = ()
    reign: int = 0
    mark: Tuple[int, int] = (0, 0)
    users: Tuple[Dict[str, Any], ...] = ()


def read(session: Session) -> Optional[State]:
    """Return what comes with the data; None where there is no data of ours."""
    found = session.ask("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
    for library in found if isinstance(found, list) else ():
        line = next((line for line in _code(library).splitlines() if line.startswith(MARK)), None)
        if line is not None:
            value = json.loads(line[len(MARK) :])
            past = tuple((int(reign), int(end)) for reign, end in value["past"])
            return State(past, int(value["reign"]), (int(value["mark"][0]), int(value["mark"][1])), tuple(value["users"]))
    return None


def _code(library: Value) -> str:
    pairs = library if isinstance(library, list) else []
    return next((text(value) for name, value in zip(pairs[::2], pairs[1::2]) if text(name) == "library_code"), "")


def loading(state: State) -> Tuple[str, ...]:
    """Return the command that writes it."""
    line = json.dumps(state._replace(past=state.past[-MOST_REIGNS:])._asdict())
    function = "redis.register_function{function_name='baton', callback=function() return 0 end, flags={'no-writes'}}"
    return ("FUNCTION", "LOAD", "REPLACE", f"#!lua name={LIBRARY}\n{MARK}{line}\n{function}")


# --- where it stands ----------------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """What a server says of itself. ``before``: the reign before this one, and where that ended, as far as it knows."""

    is_source: bool
    reign: int
    offset: int
    before: Tuple[int, int]


def place(info: Mapping[str, str]) -> Place:
    """Read what INFO replication says."""
    before = (reign_of(info.get("master_replid2", "0")), int(info.get("second_repl_offset", 0)) - 1)
    return Place(info.get("role") == "master", reign_of(info["master_replid"]), int(info["master_repl_offset"]), before)


def reign_of(identity: str) -> int:
    return int(identity[:8], 16)


def past(state: State, now: Place, own: Optional[int]) -> Tuple[Tuple[int, int], ...]:
    """Return the reigns that are over. ``own``: the last of this server's own, of which it has all, and knows no end after a start."""
    known = dict(state.past)
    if state.reign == now.reign:
        return state.past
    if now.before[0] and now.before[1] > 0:
        known.setdefault(*now.before)
    if own and own == state.reign:
        known.setdefault(own, ALL)
    return tuple(known.items())


def position(state: State, now: Place, own: Optional[int]) -> str:
    """Return how far it has come, as model/positions.py has it."""
    known = dict([*past(state, now, own), (now.reign, now.offset)])
    return ",".join(f"{reign}-0-{end}" for reign, end in known.items())


def is_in_line(mine: Place, theirs: Place) -> bool:
    """Return whether who stands at ``mine`` has nothing that is not with who stands at ``theirs``, as far as both know."""
    if mine.reign == theirs.reign:
        return mine.offset <= theirs.offset
    return mine.reign == theirs.before[0] and mine.offset <= theirs.before[1]


# --- users --------------------------------------------------------------------------------------------------------------------

OURS = "baton"
ASKS = "baton_asks"  # how the source stands
MARKED = "baton_marked"  # is let in while what was written since the last change of who counts is with one of those
COUNTS = "baton_s_"  # a member that counts follows as this, with its id behind
# All that has to do with keys; nothing that has to do with the server, with replicas, or with what others do
RIGHTS = ("+@all", "-@admin", "-@dangerous", "-function", "+flushdb", "+flushall", "+keys", "+info", "+sort", "+restore", "+role")


def keep_users(session: Session, users: Sequence[Mapping[str, Any]]) -> None:
    """Have those users of people that come with the data, and no others."""
    there = session.texts("ACL", "USERS")
    wanted = {str(user["name"]) for user in users}
    gone = [name for name in there if name != "default" and not name.startswith(OURS) and name not in wanted]
    if gone:
        session.ask("ACL", "DELUSER", *gone)
    for user in users:
        if user["name"] not in there:
            session.ask("ACL", "SETUSER", str(user["name"]), *_rules(str(user["hash"]), user["keys"], RIGHTS))


def let_in(session: Session, name: str, password_hash: str, *rights: str) -> None:
    """Have a user of our own."""
    session.ask("ACL", "SETUSER", name, *_rules(password_hash, (), rights))


def _rules(password_hash: str, keys: Sequence[str], rights: Sequence[str]) -> List[str]:
    return ["reset", "on", f"#{password_hash}", *(f"~{pattern}" for pattern in keys), *(["&*"] if keys else []), *rights]


def of_people(session: Session) -> List[str]:
    return [name for name in session.texts("ACL", "USERS") if name != "default" and not name.startswith(OURS)]
