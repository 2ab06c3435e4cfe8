# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying an order out: what goes wrong is a report of one line, or a reason to ask once more."""

from __future__ import annotations

from typing import Any, Callable, Collection, Mapping, Optional

from ..model.channel import Report
from .trouble import ServerTrouble, Trouble, one_line

Stands = Callable[[], bool]
Act = Callable[[Mapping[str, Any], Stands], Optional[Report]]


def carry_out(
    act: Act, verbs: Collection[str], verb: str, args: Mapping[str, Any], stands: Stands, is_last: bool
) -> Optional[Report]:  # fmt: skip
    """Return what came of an order, None if it must be asked again. ``is_last``: not where its server has only not answered."""
    if verb not in verbs:
        return Report(f"this guest knows no order {verb[:40]!r}: bring it up to the manager's version")
    try:
        return act(args, stands)
    except ServerTrouble as error:
        return None if error.silent and not is_last else Report(str(error))
    except (Trouble, OSError, ValueError) as error:
        return Report(one_line(error))
    except KeyError as error:
        return Report(f"the order {verb} does not say {error}")
