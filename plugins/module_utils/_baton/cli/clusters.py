# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl clusters: clusters of database servers and their members, what is being done with them, and how to have something done."""
from __future__ import annotations

import secrets
from typing import Any, Dict, List, Optional

from ..client.error import ClientError
from .common import Context, add_group, add_verb, byte_rate
from .instances import (
    LIMIT_HELP,
    add_content,
    add_copy_limit,
    add_place,
    add_watch,
    begun,
    content,
    doing,
    flavor,
    rate,
    status,
    tell_explained,
    tell_history,
    where,
)

Value = Dict[str, Any]
KIND = "clusters"
ARBITER = "arbiter"
NODE_HELP = "a member with data in a region, or REGION:arbiter, which only votes; may be repeated"


def add(groups: Any) -> None:
    verbs = add_group(groups, KIND, "see clusters of database servers, and have something done with them")
    found = add_verb(verbs, "list", list_clusters, "list all clusters of the project")
    shown = add_verb(verbs, "show", show_cluster, "show a cluster with its members")
    told = add_verb(verbs, "history", show_history, "list what was done with it, when and why")
    explained = add_verb(verbs, "explain", explain, "say what is being done with it, what that waits for, and what undoing it would do")
    made = add_verb(verbs, "create", create, "make a cluster")
    grown = add_verb(verbs, "grow", grow, "add members")
    shrunk = add_verb(verbs, "shrink", shrink, "let members leave, whose data are taken away")
    replaced = add_verb(verbs, "replace", replace, "let a new member take the place of one that is gone, or is to go")
    restarted = add_verb(verbs, "restart", restart, "restart all members, one after the other")
    upgraded = add_verb(verbs, "upgrade", upgrade, "give all members a newer version, one after the other")
    limited = add_verb(verbs, "copy-limit", limit_copies, "say how fast copies for new members may be")
    attached = add_verb(verbs, "attach", attach, "give all members a configuration")
    detached = add_verb(verbs, "detach", detach, "take the configuration off")
    stopped = add_verb(verbs, "stop", stop, "stop all members; the data stay")
    started = add_verb(verbs, "start", start, "form a cluster again that has stopped")
    reset = add_verb(verbs, "reset-status", reset_status, "cancel what was asked for, and undo it")
    deleted = add_verb(verbs, "delete", delete, "take a cluster away, with its data")
    changing = (grown, shrunk, replaced, restarted, upgraded, attached, detached, stopped, started, reset, deleted)
    for verb in (shown, told, explained, limited, *changing):  # --cluster is a section of the configuration
        verb.add_argument("which", metavar="CLUSTER", help="its id, or its name if no other has it")
    made.add_argument("name", metavar="NAME")
    made.add_argument("--datastore", default="galera", help="which (galera)")
    made.add_argument("--version", help="of the datastore (the newest that there is)")
    made.add_argument("--configuration", help="parameters of all members: an id, or a name")
    add_content(made)
    add_copy_limit(made)
    limited.add_argument("limit", type=byte_rate, metavar="BYTES", help=LIMIT_HELP)
    for verb in (made, grown):
        _add_members(verb, verb is made)
    shrunk.add_argument("members", nargs="+", metavar="MEMBER", help="an id, or a name")
    replaced.add_argument("member", metavar="MEMBER", help="an id, or a name")
    upgraded.add_argument("version", metavar="VERSION")
    attached.add_argument("configuration", metavar="CONFIGURATION", help="its id, or its name if no other has it")
    started.add_argument("--without", action="append", default=[], metavar="MEMBER", help="who never runs again; may be repeated")
    started.add_argument("--force", action="store_true", help="what those alone have is given up; goes with --without")
    deleted.add_argument("--force", action="store_true", help="without waiting for a host that is not heard, on which the data stay")
    for verb in (made, *changing):
        add_watch(verb)
    for verb in (found, shown, told, explained, made, limited, *changing):
        add_place(verb)


def _add_members(verb: Any, is_new: bool) -> None:
    """Add how many members, where, and made of what."""
    least = 3 if is_new else 1
    verb.add_argument("--flavor", required=is_new, help="what each may take of its host: an id, or a name")
    verb.add_argument("--size", type=int, default=1 if is_new else None, metavar="GIB", help="of each volume" + (" (1)" if is_new else ""))
    verb.add_argument("--members", type=int, metavar="N", help=f"how many with data ({least}, if no --node and --arbiters say who)")
    verb.add_argument("--arbiters", type=int, default=0, metavar="N", help="how many that only vote (none)")
    verb.add_argument("--region", help="of those that --members and --arbiters count")
    verb.add_argument("--node", action="append", default=[], metavar="REGION", help=NODE_HELP)
    verb.set_defaults(least=least)


# --- looking --------------------------------------------------------------------------------------------------------------


def list_clusters(context: Context) -> None:
    found = context.datastores.clusters()
    if context.out.as_json:
        context.out.json(found)
        return
    rows = [
        [each["name"], each["id"], status(context.out, each), _serving(each), _datastore(each), _regions(each), doing(_busy(each))]
        for each in sorted(found, key=lambda each: (each["name"], each["id"]))
    ]
    context.out.table(["NAME", "ID", "STATUS", "SERVING", "DATASTORE", "REGIONS", "TASK"], rows, "There is no cluster.")


def _serving(cluster: Value) -> str:
    return f"{cluster['serving']} of {cluster['size']}"


def _datastore(cluster: Value) -> str:
    return f"{cluster['datastore']['type']} {cluster['datastore']['version']}"


def _regions(cluster: Value) -> str:
    return ", ".join(region for region in cluster["regions"] if region) or "-"


def _busy(cluster: Value) -> Value:
    """Return a cluster without its task where that is none: Trove says NONE of one that is at rest."""
    return {name: value for name, value in cluster.items() if name != "task" or value["name"] != "NONE"}


def show_cluster(context: Context) -> None:
    found = context.datastores.cluster(context.args.which)
    if context.out.as_json:
        context.out.json(found)
        return
    fault = found.get("fault", {}).get("message")
    context.out.members({
        "Name": found["name"], "Id": found["id"], "Status": found["status"], "Serving": _serving(found), "Datastore": _datastore(found),
        "Regions": _regions(found), "Configuration": found.get("configuration", {}).get("name") or "-", "Created": found["created"],
        **({"Copies": rate(found["copy_limit"])} if "copy_limit" in found else {}),
        "Task": doing(_busy(found)), **({"Fault": fault} if fault else {}),
    })  # fmt: skip
    rows = [
        [
            each["name"], each["id"], each["type"], status(context.out, each), each["region"] or "-", where(each), each["hostname"],
            each.get("fault", {}).get("message", "-"),
        ]
        for each in found["instances"]
    ]  # fmt: skip
    context.out.line()
    context.out.table(["MEMBER", "ID", "TYPE", "STATUS", "REGION", "ADDRESS", "HOST", "FAULT"], rows, "It has no member.")


def show_history(context: Context) -> None:
    tell_history(context, context.datastores.history_of_cluster(context.args.which))


def explain(context: Context) -> None:
    tell_explained(context, context.datastores.explain(context.args.which, KIND))


# --- having something done --------------------------------------------------------------------------------------------------


def _members(context: Context) -> List[Value]:
    """Return the members that the arguments ask for."""
    args = context.args
    if args.node and (args.members is not None or args.arbiters or args.region):
        raise ClientError("usage", "--node says of each member where it is; leave --members, --arbiters and --region out, or --node")
    same: Value = {**({"volume": {"size": args.size}} if args.size is not None else {})}
    if args.flavor:
        same["flavorRef"] = flavor(context.datastores, args.flavor)
    if args.node:
        return [_member(*_node(each), same) for each in args.node]
    is_unsaid = args.members is None and (args.arbiters == 0 or args.least > 1)
    many = args.least if is_unsaid else args.members or 0
    return [_member(args.region, None, same)] * many + [_member(args.region, ARBITER, same)] * args.arbiters


def _node(text: str) -> "tuple[str, Optional[str]]":
    """Return region and type."""
    region, colon, kind = text.rpartition(":")
    if not colon or kind not in (ARBITER, "data"):
        return text, None
    return region, kind


def _member(region: Optional[str], kind: Optional[str], same: Value) -> Value:
    found = {**same, **({"region": region} if region else {}), **({"type": kind} if kind else {})}
    return {name: value for name, value in found.items() if name != "volume" or kind != ARBITER}


def create(context: Context) -> None:
    args = context.args
    wanted: Value = {
        "name": args.name, "datastore": {"type": args.datastore, **({"version": args.version} if args.version else {})},
        "instances": _members(context), **content(args), **({"configuration": args.configuration} if args.configuration else {}),
        **({"copy_limit": args.copy_limit} if args.copy_limit is not None else {}),
    }  # fmt: skip
    made = context.datastores.create_cluster(wanted, secrets.token_hex(16))
    _begun(context, made, made, f"{made['name']} ({made['id']}) is being made.")


def _act(context: Context, action: str, what: Any, sentence: str) -> None:
    """Have an action carried out. ``sentence``: what is said of the cluster, with {} for its name."""
    found = context.datastores.cluster(context.args.which)
    context.datastores.act_on_cluster(found["id"], action, what)
    _begun(context, found, {"id": found["id"]}, sentence.format(found["name"]))


def grow(context: Context) -> None:
    _act(context, "grow", _members(context), "New members of {} are being made.")


def shrink(context: Context) -> None:
    _act(context, "shrink", [{"id": each} for each in context.args.members], "Members of {} are leaving.")


def replace(context: Context) -> None:
    _act(context, "replace_node", {"id": context.args.member}, "A new member of {} is being made, and takes the other's place.")


def restart(context: Context) -> None:
    _act(context, "restart", None, "Members of {} are being restarted, one after the other.")


def upgrade(context: Context) -> None:
    _act(context, "upgrade", {"datastore_version": context.args.version}, "Members of {} are being upgraded, one after the other.")


def limit_copies(context: Context) -> None:
    args = context.args
    context.datastores.act_on_cluster(args.which, "copy_limit", args.limit)
    context.out.done({"copy_limit": args.limit}, f"Copies for new members of {args.which} are limited to {rate(args.limit)}.")


def attach(context: Context) -> None:
    _act(context, "configuration_attach", {"configuration_id": context.args.configuration}, "Members of {} get the configuration.")


def detach(context: Context) -> None:
    _act(context, "configuration_detach", None, "Members of {} get their own parameters back.")


def stop(context: Context) -> None:
    _act(context, "stop", None, "{} is being stopped.")


def start(context: Context) -> None:
    args = context.args
    if bool(args.without) != args.force:
        raise ClientError("usage", "--without and --force go together: who never runs again, and that what those alone have is given up")
    _act(context, "start", {"without": args.without, "force": True} if args.without else None, "{} is being formed again.")


def reset_status(context: Context) -> None:
    _act(context, "reset-status", None, "What was asked for of {} was cancelled.")


def delete(context: Context) -> None:
    found = context.datastores.cluster(context.args.which)
    if context.args.force:
        context.datastores.act_on_cluster(found["id"], "reset-status")
    context.datastores.delete_cluster(found["id"])
    _begun(context, found, {"id": found["id"]}, f"{found['name']} is being taken away.")


def _begun(context: Context, cluster: Value, value: Value, sentence: str) -> None:
    begun(context, lambda: _with_fault(_busy(context.datastores.cluster(cluster["id"]))), value, sentence)


def _with_fault(cluster: Value) -> Value:
    """Return a cluster with what is wrong with it, else with one of its members: one that could not be made, for one."""
    faults = [f"{each['name']}: {each['fault']['message']}" for each in cluster["instances"] if "fault" in each]
    return {**({"fault": {"message": faults[0]}} if faults else {}), **cluster}
