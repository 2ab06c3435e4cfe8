# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl leases: see and make them, and keep one alive for as long as this process, or this machine, lives."""
from __future__ import annotations

import signal
import time
from typing import Any

from ..client.error import ClientError
from ..client.locks import Locks
from .common import Context, add_group, add_verb

MOST_PAUSE = 60.0


def add(groups: Any) -> None:
    verbs = add_group(groups, "leases", "see, make, keep alive and end leases")
    add_verb(verbs, "list", list_leases, "list the leases, what is left of them and what is tied to them")
    show = add_verb(verbs, "show", show_lease, "show a lease")
    grant = add_verb(verbs, "grant", grant_lease, "make a lease, or give one its full time again")
    keep = add_verb(verbs, "keep", keep_lease, "keep a lease alive until this is stopped; what is tied to it goes when this machine does")
    revoke = add_verb(verbs, "revoke", revoke_lease, "end a lease, and all that is tied to it")
    for verb in (show, grant, keep, revoke):
        verb.add_argument("id", metavar="ID")
    for verb, ttl in ((grant, "10m"), (keep, "30s")):
        verb.add_argument("--ttl", default=ttl, help=f"how long it lasts unless it is kept alive, such as 90s or 2h ({ttl})")
        verb.add_argument("--owner", default="", metavar="TEXT", help="whose it is; another owner can't take it over")
    keep.add_argument("--revoke", action="store_true", help="end it when this is stopped, instead of leaving it to its time")


def list_leases(context: Context) -> None:
    found = Locks(context.client).leases()
    if context.out.as_json:
        context.out.json(found)
        return
    rows = [[lease["Id"], lease["Owner"] or None, _seconds(lease["Ttl"]), _seconds(lease["Left"]), len(lease["Ties"])] for lease in found]
    context.out.table(["LEASE", "OWNER", "TTL", "LEFT", "TIED"], rows, "There are no leases.")


def _seconds(value: Any) -> Any:
    return None if value is None else f"{value:.0f} s"


def show_lease(context: Context) -> None:
    lease = Locks(context.client).lease(context.args.id)
    if context.out.as_json:
        context.out.json(lease)
        return
    ties = lease.pop("Ties")
    context.out.members(lease)
    rows = [[tie["Kind"], tie["Key"], tie.get("Owner") or tie.get("Seat") or "/".join(tie.get("Path", ())[1:])] for tie in ties]
    context.out.line()
    context.out.table(["TIED", "NAME", "WHAT"], rows, "Nothing is tied to it.")


def grant_lease(context: Context) -> None:
    made = Locks(context.client).grant(context.args.id, context.args.ttl, context.args.owner)
    context.out.done(made, f"Lease {made['Id']} lasts {made['Ttl']:g} s.")


def revoke_lease(context: Context) -> None:
    if not Locks(context.client).revoke(context.args.id):
        raise ClientError("not_found", f"there is no lease {context.args.id!r}", 404)
    context.out.done({"Id": context.args.id}, f"Ended lease {context.args.id}.")


def keep_lease(context: Context) -> None:
    """Keep alive until SIGTERM or Ctrl-C. Nobody answering is no reason to give up: what is tied goes by itself, if it must."""
    args, locks = context.args, Locks(context.client)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    made = locks.grant(args.id, args.ttl, args.owner)
    context.out.done(made, f"Keeping lease {args.id} alive, {made['Ttl']:g} s at a time.")
    pause, well = min(float(made["Ttl"]) / 3, MOST_PAUSE), True
    try:
        while True:
            time.sleep(pause)
            try:
                locks.grant(args.id, args.ttl, args.owner)
            except ClientError as error:
                if not error.retriable and error.kind != "connection":
                    raise
                context.out.notice(error.message)
                well = False
                continue
            if not well:
                context.out.notice(f"lease {args.id} is alive again")
                well = True
    except KeyboardInterrupt:
        if args.revoke:
            locks.revoke(args.id)
