# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl ha: who is active, who is in sync, and moving the active role."""
from __future__ import annotations

import argparse
import time
from datetime import datetime
from typing import Any

from . import ha_status
from .common import Context, add_group, add_verb, who_we_are
from .health import date_of, pause_outcome, resume_outcome, sentence


def add(groups: Any) -> None:
    verbs = add_group(groups, "ha", "see and move the active role")
    ha_status.add(verbs)
    add_verb(verbs, "peers", show_peers, "list the nodes with their addresses, log ends and versions")
    switch = add_verb(verbs, "switch", switch_active, "move the active role in good order; nothing is lost")
    switch.add_argument("--to", metavar="NODE", help="the new active (the best-caught-up passive)")
    switch.add_argument("--reason", default="", metavar="TEXT", help="for the history")
    switch.add_argument("--at", type=moment, metavar="TIME", help="not now but then: 2026-01-31T02:00 (local time) or +30m")
    switch.add_argument("--cancel", action="store_true", help="call a scheduled switch off")
    add_verb(verbs, "pause", pause, "let nobody become active by itself until `resume`")
    add_verb(verbs, "resume", resume, "end a pause")
    add_verb(verbs, "history", show_history, "list who was active, since when and why")
    active = add_verb(verbs, "active", become_active, "make the node at --endpoint active")
    active.add_argument("--force", action="store_true", help="even if another may be active; the answer says what may be lost")
    passive = add_verb(verbs, "passive", become_passive, "make the node at --endpoint give the active role up")
    passive.add_argument("--force", action="store_true", help="even if nobody can take over")
    remove = add_verb(verbs, "remove", remove_node, "forget a node that is gone for good")
    remove.add_argument("node", metavar="NODE")
    readmit = add_verb(verbs, "readmit", readmit_node, "let a node that was removed join again")
    readmit.add_argument("node", metavar="NODE")
    create = add_verb(verbs, "create", create_cluster, "create a new cluster on the node at --endpoint (needs the HA token)")
    create.add_argument("--cluster-id", required=True, metavar="ID", help="made once for all hosts")


def show_peers(context: Context) -> None:
    nodes = context.client.cluster_status().get("nodes") or []
    if context.out.as_json:
        context.out.json(nodes)
        return
    rows = [[n["id"], n.get("url"), context.out.state(str(n.get("state") or "-")), n.get("seq"), n.get("version")] for n in nodes]
    context.out.table(["NODE", "URL", "STATE", "LOG END", "VERSION"], rows, "No node is known.")


def moment(text: str) -> float:
    """Return unix seconds for an ISO time (local unless it has an offset) or a distance from now such as +30m."""
    try:
        if text.startswith("+"):
            return time.time() + float(text[1:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1:]]
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a time such as 2026-01-31T02:00 nor a distance such as +30m") from None


def pause(context: Context) -> None:
    answer = context.client.pause(True, who_we_are())
    context.out.done(answer, pause_outcome(context.client.cluster_status()))


def resume(context: Context) -> None:
    answer = context.client.pause(False)
    context.out.done(answer, resume_outcome(context.client.cluster_status()))


def show_history(context: Context) -> None:
    reigns = context.client.history()
    if context.out.as_json:
        context.out.json(reigns)
        return
    rows = [[reign["Epoch"], reign["Node"], date_of(reign["At"]), reign["Reason"]] for reign in reigns]
    context.out.table(["EPOCH", "ACTIVE", "SINCE", "WHY"], rows, "No node was active yet.")


def switch_active(context: Context) -> None:
    if context.args.cancel:
        context.client.cancel_switch()
        context.out.done({}, "The scheduled switch is called off.")
        return
    if context.args.at:
        answer = context.client.schedule_switch(context.args.at, context.args.to, context.args.reason)
        context.out.done(answer, f"The active role moves to {context.args.to or 'the best passive'} on {date_of(context.args.at)}.")
        return
    before = context.client.cluster_status().get("active")
    status = context.client.switch(context.args.to, context.args.reason)
    moved = status.get("active") != before
    text = f"The active role moved from {before} to {status.get('active')}." if moved else f"{before} is active already."
    context.out.done(status, f"{text} {sentence(status)}" if moved else text)


def become_active(context: Context) -> None:
    answer = context.client.become_active(context.args.force)
    lost = f" May be lost: {answer['may_be_lost']}." if answer.get("may_be_lost") else ""
    context.out.done(answer, f"{answer.get('active')} is active in epoch {answer.get('epoch')}.{lost}")


def become_passive(context: Context) -> None:
    answer = context.client.become_passive(context.args.force)
    active = answer.get("active")
    context.out.done(answer, f"Done; active is now {active or 'no node'}.")


def remove_node(context: Context) -> None:
    context.client.remove_node(context.args.node)
    context.out.done({"node": context.args.node}, f"Removed {context.args.node}.")


def readmit_node(context: Context) -> None:
    context.client.readmit_node(context.args.node)
    context.out.done({"node": context.args.node}, f"{context.args.node} may join again.")


def create_cluster(context: Context) -> None:
    answer = context.client.create_cluster(context.args.cluster_id)
    context.out.done(answer, f"Created cluster {context.args.cluster_id}; {answer.get('active')} is active.")
