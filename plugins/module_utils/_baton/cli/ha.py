# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl ha: who is active, who is in sync, and moving the active role."""
from __future__ import annotations

from typing import Any, Dict

from .common import Context, add_group, add_verb
from .output import RED

Status = Dict[str, Any]


def add(groups: Any) -> None:
    verbs = add_group(groups, "ha", "see and move the active role")
    add_verb(verbs, "status", show_status, "show who is active, who holds the VIP, and who is in sync")
    add_verb(verbs, "peers", show_peers, "list the nodes with their addresses, log ends and versions")
    switch = add_verb(verbs, "switch", switch_active, "move the active role in good order; nothing is lost")
    switch.add_argument("--to", metavar="NODE", help="the new active (the best-caught-up passive)")
    switch.add_argument("--reason", default="", metavar="TEXT", help="for the journal")
    active = add_verb(verbs, "active", become_active, "make the node at --endpoint active")
    active.add_argument("--force", action="store_true", help="even if another may be active; the answer says what may be lost")
    passive = add_verb(verbs, "passive", become_passive, "make the node at --endpoint give the active role up")
    passive.add_argument("--force", action="store_true", help="even if nobody can take over")
    remove = add_verb(verbs, "remove", remove_node, "forget a node that is gone for good")
    remove.add_argument("node", metavar="NODE")
    create = add_verb(verbs, "create", create_cluster, "create a new cluster on the node at --endpoint (needs the HA token)")
    create.add_argument("--cluster-id", required=True, metavar="ID", help="made once for all hosts")


def sentence(status: Status) -> str:
    """Say in a line who is active and who holds the VIP."""
    active, epoch = status.get("active"), (status.get("epoch") or {}).get("number")
    if not status.get("cluster_id"):
        return f"{status.get('node')} belongs to no cluster yet."
    seen = "" if status.get("role") == "active" else f", as {status.get('node')} sees it (the active does not answer)"
    if not active:
        return f"No node is active (epoch {epoch}){seen}."
    text = f"{active} is active in epoch {epoch}"
    if not seen and not status.get("serving"):
        text += ", but does not serve at this moment"
    vip = status.get("vip")
    if vip:
        held = "holds" if vip.get("held") else "does not hold"
        text += f" and {held} the VIP {vip.get('address')} on {vip.get('interface')}"
    return f"{text}{seen}."


def show_status(context: Context) -> None:
    status = context.client.cluster_status()
    out = context.out
    if out.as_json:
        out.json(status)
        return
    out.line(sentence(status))
    if status.get("error"):
        out.table(["TROUBLE"], [[out.paint(str(status["error"]), RED)]], "")
    rows = [
        [
            node["id"],
            "active" if node["id"] == status.get("active") else "passive",
            out.state(str(node.get("state") or "-")),
            node.get("in_sync"),
            node.get("electable"),
            node.get("url"),
        ]
        for node in status.get("nodes") or []
    ]
    out.line()
    out.table(["NODE", "ROLE", "STATE", "IN SYNC", "ELECTABLE", "URL"], rows, "No node is known.")


def show_peers(context: Context) -> None:
    nodes = context.client.cluster_status().get("nodes") or []
    if context.out.as_json:
        context.out.json(nodes)
        return
    rows = [[n["id"], n.get("url"), context.out.state(str(n.get("state") or "-")), n.get("seq"), n.get("version")] for n in nodes]
    context.out.table(["NODE", "URL", "STATE", "LOG END", "VERSION"], rows, "No node is known.")


def switch_active(context: Context) -> None:
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


def create_cluster(context: Context) -> None:
    answer = context.client.create_cluster(context.args.cluster_id)
    context.out.done(answer, f"Created cluster {context.args.cluster_id}; {answer.get('active')} is active.")
