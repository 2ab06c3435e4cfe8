# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seed means: the shape of the cluster, who its clients are, and which faults come when. Pure."""

import random
from dataclasses import dataclass
from typing import Tuple

# name, timing, nodes, mode; seeds take them in turn
SHAPES = (
    ("fast pair", "fast", 2, "available"),
    ("fast pair", "fast", 2, "available"),
    ("fast three", "fast", 3, "available"),
    ("strict pair", "fast", 2, "strict"),
    ("pair", "balanced", 2, "available"),
)
LOAD = {"fast": 7.5, "balanced": 10.0}  # seconds for which clients ask
LEASE = {"fast": 0.4, "balanced": 2.0}  # of the active: a freeze that is longer moves the role
CROWD = (  # how many of each kind of client
    ("locker", 9),
    ("candidate", 6),
    ("party", 8),
    ("swapper", 6),
    ("tier", 4),
    ("keeper", 2),
    ("watcher", 2),
    ("waiter", 3),
    ("creator", 2),
    ("onlooker", 2),
)
KINDS = (
    "kill active",
    "kill passive",
    "freeze active",
    "blink active",
    "freeze passive",
    "switch",
    "stop active",
    "outage",
)
WEIGHTS = (4, 3, 4, 2, 2, 4, 1, 1)
STRICT_WEIGHTS = (3, 6, 3, 1, 4, 2, 1, 1)


@dataclass(frozen=True)
class Fault:
    """``at`` seconds after the clients began, for ``length`` seconds; ``which`` chooses among passives."""

    at: float
    kind: str
    length: float
    which: int


@dataclass(frozen=True)
class Plan:
    """One history."""

    seed: int
    shape: str
    timing: str
    nodes: int
    mode: str
    load: float
    clients: Tuple[Tuple[str, int], ...]  # kind and number
    faults: Tuple[Fault, ...]

    def __str__(self):
        faults = ", ".join(
            f"{fault.kind} at {fault.at:.1f} for {fault.length:.1f} s" for fault in self.faults
        )
        return f"{self.shape}; {faults}"


def plan(seed):
    """Return the plan of a seed: the same one each time."""
    draw = random.Random(f"histories/{seed}")
    shape, timing, nodes, mode = SHAPES[seed % len(SHAPES)]
    load, lease = LOAD[timing], LEASE[timing]
    faults = []
    at = draw.uniform(0.8, 1.6)
    while at < load - 1.0:
        kind = draw.choices(KINDS, STRICT_WEIGHTS if mode == "strict" else WEIGHTS)[0]
        length = (
            lease * 0.6
            if kind.startswith("blink")
            else draw.uniform(1.2, 2.4) * lease + draw.uniform(0.3, 1.2)
        )
        if mode == "strict":  # longer than the shortest leases of clients
            length += 1.0
        faults.append(Fault(round(at, 2), kind, round(length, 2), draw.randrange(100)))
        at += draw.uniform(0.8, 1.8) + draw.choice((0.3, 0.7, 1.0)) * length + lease / 2
    clients = tuple((kind, number) for kind, count in CROWD for number in range(1, count + 1))
    return Plan(seed, shape, timing, nodes, mode, load, clients, tuple(faults))


def turn(seed, client, number):
    """Return what one turn of a client is drawn from, whatever happened in the turns before."""
    return random.Random(f"histories/{seed}/{client}/{number}")
