# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl barriers: see who has come, come and wait, or tell the others not to wait."""
from __future__ import annotations

import socket
from typing import Any, Dict

from ..client.barriers import Barriers
from ..client.error import ClientError
from .common import Context, add_group, add_verb, seconds
from .output import when


def add(groups: Any) -> None:
    verbs = add_group(groups, "barriers", "see, wait at and break barriers")
    add_verb(verbs, "list", list_barriers, "list the barriers, and how many have come")
    show = add_verb(verbs, "show", show_barrier, "show who has come to a barrier, and who is missing")
    come = add_verb(verbs, "arrive", arrive, "wait until all have come; exit status 1 when somebody broke it")
    broken = add_verb(verbs, "break", break_barrier, "release all who wait and all who are to come, with an error")
    reset = add_verb(verbs, "reset", reset_barrier, "forget what was; the next to come begins anew")
    for verb in (show, come, broken, reset):
        verb.add_argument("name", metavar="NAME")
    for verb in (come, broken, reset):
        verb.add_argument("--owner", default=socket.gethostname(), help="who comes (this host's name)")
    come.add_argument("--count", type=int, required=True, metavar="N", help="how many must come")
    come.add_argument("--wait", type=seconds, default=300.0, metavar="SECONDS", help="how long to wait; then it breaks for all (300)")
    broken.add_argument("--why", default="", metavar="TEXT", help="what the others are told")
    broken.add_argument("--escape", choices=("fail", "continue"), default="fail", help="what the others shall do (fail)")


def list_barriers(context: Context) -> None:
    found = Barriers(context.client).list()
    if context.out.as_json:
        context.out.json(found)
        return
    rows = [[item["Name"], item["Generation"], f"{len(item['Arrived'])} of {_size(item)}", _state(item)] for item in found]
    context.out.table(["BARRIER", "GENERATION", "HAVE COME", "STATE"], rows, "There are no barriers.")


def _size(barrier: Dict[str, Any]) -> Any:
    return barrier["Count"] or len(barrier["Members"] or ()) or "?"


def _state(barrier: Dict[str, Any]) -> str:
    broken = barrier["Broken"]
    return f"broken by {broken['By']}: {broken['Why']}" if broken else "waits" if barrier["Arrived"] else "-"


def show_barrier(context: Context) -> None:
    barrier = Barriers(context.client).show(context.args.name)
    if context.out.as_json:
        context.out.json(barrier)
        return
    shown = {"Name": barrier["Name"], "Generation": barrier["Generation"], "State": _state(barrier), "Waits for": _size(barrier)}
    context.out.members(shown)
    context.out.line()
    rows = [[owner, "has come", when(entry["At"] or None)] for owner, entry in barrier["Arrived"].items()]
    rows += [[owner, "is missing", "-"] for owner in barrier["Members"] or () if owner not in barrier["Arrived"]]
    context.out.table(["OWNER", "", "SINCE"], rows, "Nobody has come.")


def arrive(context: Context) -> None:
    args = context.args
    progress = context.out.notice if context.out.talks else None
    where = Barriers(context.client).arrive(args.name, args.owner, args.count, timeout=args.wait, progress=progress)
    how = "All have come" if where["Outcome"] == "opened" else f"{where['By']} said to go on: {where['Why']}"
    context.out.done(where, f"{how} (generation {where['Generation']}).")


def break_barrier(context: Context) -> None:
    args = context.args
    if not Barriers(context.client).break_barrier(args.name, args.owner, args.why, args.escape):
        raise ClientError("conflict", f"barrier {args.name!r} is broken already; the first reason stays")
    context.out.done({"Name": args.name, "Owner": args.owner}, f"Broke {args.name} for all.")


def reset_barrier(context: Context) -> None:
    args = context.args
    changed = Barriers(context.client).reset(args.name, args.owner)
    context.out.done({"Name": args.name, "Changed": changed}, f"{args.name} begins anew." if changed else f"Nobody waits at {args.name}.")
