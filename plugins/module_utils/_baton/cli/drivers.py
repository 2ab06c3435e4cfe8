# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl drivers: what runs where, since when, and what failed. Every node is asked, since each knows its own drivers."""
from __future__ import annotations

import argparse
from typing import Any

from .common import Context, add_global_options
from .output import GREEN, RED, YELLOW, when

COLOURS = {"active": GREEN, "starting": YELLOW, "stopping": YELLOW, "failed": RED, "missing": RED}


def add(groups: Any) -> None:
    text = "show the drivers of all nodes: their state, since when, and their failures"
    parser: argparse.ArgumentParser = groups.add_parser("drivers", help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=show_drivers, takes_ref=False)
    add_global_options(parser, at_root=False)
    parser.add_argument("--node", metavar="NODE", help="of this node only")


def show_drivers(context: Context) -> None:
    found, silent = context.client.drivers(context.args.node)
    out = context.out
    for node, why in silent.items():
        out.notice(f"{node} does not answer: {why}")
    if out.as_json:
        out.json(found)
        return
    rows = [
        [
            driver["node"],
            driver["id"],
            out.paint(driver["state"], COLOURS[driver["state"]]) if driver["state"] in COLOURS else driver["state"],
            driver["healthy"],
            when(driver["last_change"]),
            "-" if driver["seconds"] is None else f"{driver['seconds']:.2f} s",
            driver["failures"],
            driver["message"],
        ]
        for driver in found
    ]
    headers = ["NODE", "DRIVER", "STATE", "HEALTHY", "SINCE", "TOOK", "FAILURES", "MESSAGE"]
    out.table(headers, rows, "There are no drivers.")
