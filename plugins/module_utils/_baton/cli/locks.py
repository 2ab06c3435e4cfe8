# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl locks: who holds what, who waits, and what to do about those who never come back."""
from __future__ import annotations

import socket
from typing import Any, Dict

from ..client.error import ClientError
from ..client.locks import Locks
from .common import Context, add_group, add_verb
from .output import when

Lock = Dict[str, Any]


def add(groups: Any) -> None:
    verbs = add_group(groups, "locks", "see, take and give up locks")
    add_verb(verbs, "list", list_locks, "list the locks that somebody holds, and who waits")
    show = add_verb(verbs, "show", show_lock, "show who holds a lock and who waits for it")
    take = add_verb(verbs, "acquire", acquire, "take a lock, waiting in line; prints the fencing token")
    release = add_verb(verbs, "release", release_lock, "give a lock up, or leave its line")
    broken = add_verb(verbs, "break", break_lock, "take a lock from everybody who holds it or waits for it")
    for verb in (show, take, release, broken):
        verb.add_argument("name", metavar="NAME")
    for verb in (take, release):
        verb.add_argument("--owner", default=socket.gethostname(), help="who holds it (this host's name)")
    take.add_argument("--ttl", default="10m", help="how long it is kept unless acquired again, such as 90s or 2h; 0: until released (10m)")
    take.add_argument("--slots", type=int, help="how many may hold it at once")
    take.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="how long to wait for our turn (0)")


def list_locks(context: Context) -> None:
    found = Locks(context.client).list()
    if context.out.as_json:
        context.out.json(found)
        return
    rows = [[lock["Name"], str(lock["Slots"]), _owners(lock, "Holders"), _owners(lock, "Queue")] for lock in found]
    context.out.table(["LOCK", "SLOTS", "HELD BY", "WAITING"], rows, "Nobody holds a lock.")


def _owners(lock: Lock, part: str) -> str:
    return "; ".join(entry["Owner"] for entry in lock[part]) or "-"


def show_lock(context: Context) -> None:
    lock = Locks(context.client).show(context.args.name)
    if context.out.as_json:
        context.out.json(lock)
        return
    rows = [
        [entry["Owner"], "holds" if part == "Holders" else "waits", str(entry["Token"]), when(entry["At"]), entry["Lease"] or "-"]
        for part in ("Holders", "Queue")
        for entry in lock[part]
    ]
    context.out.table(["OWNER", "", "TOKEN", "SINCE", "LEASE"], rows, f"Nobody holds {lock['Name']}.")


def acquire(context: Context) -> None:
    args = context.args
    got = Locks(context.client).acquire(args.name, args.owner, None if args.ttl == "0" else args.ttl, args.slots, args.wait)
    if context.out.as_json:
        context.out.json(got)
        return
    context.out.line(str(got["Token"]))
    if context.out.talks:
        context.out.notice(f"{args.owner} holds {args.name}; that number is its fencing token")


def release_lock(context: Context) -> None:
    args = context.args
    if Locks(context.client).release(args.name, args.owner) is None:
        raise ClientError("conflict", f"{args.owner!r} neither holds nor waits for lock {args.name!r}; nothing was changed")
    context.out.done({"Name": args.name, "Owner": args.owner}, f"{args.owner} released {args.name}.")


def break_lock(context: Context) -> None:
    Locks(context.client).break_lock(context.args.name)
    context.out.done({"Name": context.args.name}, f"Took {context.args.name} from everybody.")
