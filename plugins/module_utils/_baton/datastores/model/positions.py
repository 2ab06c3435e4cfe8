# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a MariaDB server has come: positions as numbers, never as strings. Pure.

A position is a GTID ``domain-server-sequence``, or several, of several domains, with commas between. The server in the middle names
who wrote last: right after a promotion it is still the old source, so that it says nothing about who is ahead.
"""
from __future__ import annotations

import re
from typing import Dict, Tuple

MOST_GTIDS = 64  # domains in one position
_GTID = re.compile(r"([0-9]{1,10})-([0-9]{1,10})-([0-9]{1,19})\Z", re.ASCII)
Position = Dict[int, int]  # domain → sequence


def parse(text: str) -> Position:
    """Return a position; "" is where a server stands that has written nothing. ValueError says what is no GTID."""
    found: Position = {}
    for part in text.split(",") if text.strip() else ():
        match = _GTID.match(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()[:60]!r} is no GTID: one is DOMAIN-SERVER-SEQUENCE, such as 1-2-345")
        domain, sequence = int(match[1]), int(match[3])
        if domain in found:
            raise ValueError(f"the position names domain {domain} twice")
        found[domain] = sequence
        if len(found) > MOST_GTIDS:
            raise ValueError(f"the position names more than {MOST_GTIDS} domains")
    return found


def contains(one: Position, other: Position) -> bool:
    """Return whether who stands at ``one`` has all that who stands at ``other`` has."""
    return all(one.get(domain, 0) >= sequence for domain, sequence in other.items())


def furthest(positions: Dict[str, Position]) -> str:
    """Return the name of one who has all that any of them has, the first in order of names if several have.

    ValueError when nobody has: each lacks something that another has, and a person must say what may be lost.
    """
    for name in sorted(positions):
        if all(contains(positions[name], other) for other in positions.values()):
            return name
    raise ValueError(f"none of {', '.join(sorted(positions))} has all that the others have")


def joined(*texts: str) -> str:
    """Return as a text how far somebody has come who has all that each of these positions names."""
    furthest_of: Dict[int, Tuple[int, str]] = {}
    for text in texts:
        for domain, sequence in parse(text).items():
            gtid = next(part.strip() for part in text.split(",") if int(part.split("-")[0]) == domain)
            if sequence > furthest_of.get(domain, (0, ""))[0]:
                furthest_of[domain] = (sequence, gtid)
    return ",".join(gtid for _domain, (_sequence, gtid) in sorted(furthest_of.items()))
