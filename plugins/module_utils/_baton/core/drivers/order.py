# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order drivers start, from what each says of itself alone. Pure.

Files come one by one and from different hands, so that together they may ask for a circle. Nobody is to wait for ever for that: among
those of one circle no order counts, towards all others it does.
"""
from __future__ import annotations

from typing import Dict, List, Mapping, Set, Tuple

from ..model.driver_options import Options


def order(options: Mapping[str, Options]) -> Tuple[Dict[str, Tuple[str, ...]], List[Tuple[str, ...]]]:
    """Return for each driver those that come before it, and the circles. Ids that are not there are ignored."""
    before = {name: {other for other in item.after if other in options} for name, item in options.items()}
    for name, item in options.items():
        for other in item.before:
            if other in before:
                before[other].add(name)
    circles = [group for group in _groups(before) if len(group) > 1 or group[0] in before[group[0]]]
    circle_of = {name: circle for circle in circles for name in circle}
    return {
        name: tuple(sorted(other for other in others if name not in circle_of or other not in circle_of[name]))
        for name, others in before.items()
    }, circles


def _groups(before: Mapping[str, Set[str]]) -> List[Tuple[str, ...]]:
    """Return the drivers in groups, each of which comes before itself by way of all the others (Tarjan)."""
    number: Dict[str, int] = {}
    lowest: Dict[str, int] = {}
    path: List[str] = []
    groups: List[Tuple[str, ...]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        path.append(name)
        for other in sorted(before[name]):
            if other not in number:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in path:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            begin = path.index(name)
            groups.append(tuple(sorted(path[begin:])))
            del path[begin:]

    for name in sorted(before):
        if name not in number:
            visit(name)
    return sorted(groups)


def circle_text(circle: Tuple[str, ...]) -> str:
    """Return what people are told of drivers whose order is a circle."""
    if len(circle) == 1:
        return f"driver {circle[0]} is to start after itself, which is disregarded: correct its after and before"
    return f"the order of the drivers {', '.join(circle)} is a circle, and disregarded among them: correct their after and before"
