# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What etcd's refusals and alarms mean for a cluster, in one line that says what to do. No I/O."""

from __future__ import annotations

import time
from typing import Any, Dict, Mapping, Optional

DENIED = 7  # gRPC's code for a user who may not do that
NOBODY = "nobody can take over or come to be in sync until"
ENDING_DAYS = 21  # before a certificate's end from which on a person is told

SPACE = (
    f"etcd is out of space (alarm NOSPACE) and refuses every write: {NOBODY} it has room again: "
    "`etcdctl compact`, `etcdctl defrag` and `etcdctl alarm disarm`, or a larger quota"
)
CORRUPT = (
    "etcd has found that the data of its members differ (alarm CORRUPT) and refuses to serve: "
    f"{NOBODY} it is restored: replace the member that is wrong"
)


def refused_write(code: int, text: str, user: str, key: str) -> Optional[str]:
    """Return what a refusal of a write means when every member would say it; None for others.

    ``code`` is gRPC's, ``text`` etcd's own words: a code alone also means "too many requests".
    """
    if "space exceeded" in text:
        return SPACE
    if "corrupt cluster" in text:
        return CORRUPT
    if code == DENIED:
        who = f"the user {user}" if user else "this node, which has no --etcd-user,"
        return (
            f"{who} may not write the cluster record in etcd: {NOBODY} it may: "
            f"`etcdctl role grant-permission ROLE readwrite {key}` for one of its roles"
        )
    return None


def alarms(status: Dict[str, Any]) -> str:
    """Return what the alarms in a member's status mean; "" when it tells of none."""
    said = " ".join(str(error) for error in status.get("errors") or ())
    return SPACE if "NOSPACE" in said else CORRUPT if "CORRUPT" in said else ""


def ending(ends: Mapping[str, float], now: float) -> str:
    """Return which certificates have ended or are about to; ``ends``: what it is → unix seconds."""
    due = [(end, what) for what, end in ends.items() if end - now < ENDING_DAYS * 86400]
    return "; ".join(
        f"{what} {'ends' if end > now else 'has ended'} on {_date(end)}: renew it, or etcd can't be used and nobody can take over"
        for end, what in sorted(due)
    )


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
