# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl instances: database servers, what is being done with them and why, and how to have something done."""
from __future__ import annotations

import secrets
import time
from typing import Any, Callable, Dict, List, Optional

from ..client.datastores import Datastores
from ..client.error import ClientError
from ..client.progress import copied
from .common import Context, add_group, add_verb, byte_rate, seconds
from .output import Output

Value = Dict[str, Any]
LOOK = 0.3  # seconds between two looks at what is being done
WAIT = 600.0  # seconds
MIB = 1 << 20
LIMIT_HELP = "so many a second, such as 50M, or 0 for as many as can be"
ACTIONS = {
    "promote": ("promote_to_replica_source", "let a replica take its source's place; nothing is lost"),
    "eject": ("eject_replica_source", "put a source out that is not heard, and let a replica take its place"),
    "restart": ("restart", "restart a server"),
    "detach": ("detach", "let a replica become an instance of its own"),
    "reset-status": ("reset_status", "cancel what was asked for, and undo it"),
}


def add(groups: Any) -> None:
    verbs = add_group(groups, "instances", "see database servers, and have something done with them")
    found = add_verb(verbs, "list", list_instances, "list all instances of the project")
    shown = add_verb(verbs, "show", show_instance, "show all there is to say of one")
    told = add_verb(verbs, "history", show_history, "list what was done with its set, when and why")
    explained = add_verb(verbs, "explain", explain, "say what is being done with it, what that waits for, and what undoing it would do")
    made = add_verb(verbs, "create", create, "make an instance")
    replicated = add_verb(verbs, "replicate", replicate, "make replicas of an instance")
    limited = add_verb(verbs, "copy-limit", limit_copies, "say how fast copies of a set's data may be")
    named = add_verb(verbs, "rename", rename, "give an instance another name")
    deleted = add_verb(verbs, "delete", delete, "take an instance away, with its data")
    acted = [add_verb(verbs, name, act, text) for name, (_action, text) in ACTIONS.items()]
    for verb in (shown, told, explained, replicated, limited, named, deleted, *acted):
        verb.add_argument("instance", metavar="INSTANCE", help="its id, or its name if no other has it")
    made.add_argument("name", metavar="NAME")
    named.add_argument("name", metavar="NAME")
    made.add_argument("--flavor", required=True, help="what it may take of its host: an id, or a name")
    made.add_argument("--datastore", default="mariadb", help="which (mariadb)")
    made.add_argument("--version", help="of the datastore (the newest that there is)")
    made.add_argument("--size", type=int, default=1, metavar="GIB", help="of its volume (1)")
    made.add_argument("--region", help="where")
    add_content(made)
    add_copy_limit(made)
    limited.add_argument("limit", type=byte_rate, metavar="BYTES", help=LIMIT_HELP)
    replicated.add_argument("--count", type=int, default=1, metavar="N", help="how many (1)")
    replicated.add_argument("--name", help="of the replicas, with -1, -2 … behind it (that of the instance)")
    deleted.add_argument("--force", action="store_true", help="without waiting for a host that is not heard, on which the data stay")
    for verb in (made, replicated, deleted, *acted):
        add_watch(verb)
    for verb in (found, shown, told, explained, made, replicated, limited, named, deleted, *acted):
        add_place(verb)


def add_content(made: Any) -> None:
    """Add what is to be in a new server."""
    made.add_argument("--database", action="append", default=[], metavar="NAME", help="a database to begin with; may be repeated")
    made.add_argument("--user", metavar="NAME", help="who may use these databases; needs --password-file")
    made.add_argument("--password-file", metavar="FILE", help="the file with that user's password")


def add_copy_limit(made: Any) -> None:
    made.add_argument("--copy-limit", type=byte_rate, metavar="BYTES", help=f"of copies for others of its set: {LIMIT_HELP} (100M)")


def content(args: Any) -> Value:
    """Return what was said of that."""
    databases = [{"name": name} for name in args.database]
    user = {"name": args.user, "password": _password(args.password_file), "databases": databases} if args.user else None
    return {"databases": databases, **({"users": [user]} if user else {})}


def add_watch(verb: Any) -> None:
    verb.add_argument("--watch", action="store_true", help="show the steps, and return when it has ended")
    verb.add_argument("--wait", type=seconds, default=WAIT, metavar="SECONDS", help=f"for how long, with --watch ({WAIT:g})")


def add_place(verb: Any) -> None:
    """Add where the API of datastores is."""
    verb.add_argument("--datastores-url", metavar="URL", help="address of the API of datastores (BATON_DATASTORES_URL)")
    verb.add_argument("--project", metavar="NAME", help="whose databases (BATON_PROJECT)")


# --- looking --------------------------------------------------------------------------------------------------------------


def list_instances(context: Context) -> None:
    found = context.datastores.instances()
    if context.out.as_json:
        context.out.json(found)
        return
    rows = [
        [each["name"], each["id"], status(context.out, each), role(each), where(each), each["hostname"], lag(each), doing(each)]
        for each in sorted(found, key=lambda each: (each["set"], role(each) != "source", each["name"]))
    ]
    context.out.table(["NAME", "ID", "STATUS", "ROLE", "ADDRESS", "HOST", "LAG", "TASK"], rows, "There is no instance.")


def role(instance: Value) -> str:
    if "cluster_id" in instance:
        return "arbiter" if instance["type"] == "arbiter" else "member"
    return "replica" if "replica_of" in instance else "source" if "replicas" in instance else "alone"


def lag(instance: Value) -> str:
    """Return how far a replica is behind its source, as far as its guest knows."""
    slave = instance.get("slave", {})
    waits, old = slave.get("lag_bytes"), slave.get("lag_seconds")
    if waits is None:
        return "unknown" if "replica_of" in instance else "-"
    return f"{waits / MIB:.1f} MiB, {'?' if old is None else old} s" if waits or old or old is None else "none"


def failover(instance: Value) -> str:
    """Return whether another takes a source's place by itself if it is lost."""
    return "automatic" if instance["failover"]["automatic"] else f"not automatic: {instance['failover']['reason']}"


def doing(instance: Value) -> str:
    """Return what is being done with an instance's set, and how far that is."""
    task = instance.get("task") or {}
    steps, step = task.get("steps") or [], task.get("step", "")
    place = f" {steps.index(step) + 1}/{len(steps)} {step}" if step in steps else ""
    return f"{task['name'].lower()}{place}{', undoing' if task.get('undoing') else ''}{copied(task)}" if task else "-"


def status(out: Output, instance: Value) -> str:
    return out.paint(instance["status"], {"ACTIVE": "32", "ERROR": "31", "BLOCKED": "31"}.get(instance["status"], "33"))


def where(instance: Value) -> str:
    return f"{instance['ip'][0]}:{instance['port']}" if instance.get("ip") else "-"


def show_instance(context: Context) -> None:
    found = context.datastores.instance(context.args.instance)
    if context.out.as_json:
        context.out.json(found)
        return
    fault = found.get("fault", {}).get("message")
    context.out.members({
        "Name": found["name"], "Id": found["id"], "Set": found["set"], "Status": found["status"], "Server": found["operating_status"],
        "Role": role(found), "Address": where(found), "Host": found["hostname"], "Region": found["region"] or "-",
        "Datastore": f"{found['datastore']['type']} {found['datastore']['version']}", "Flavor": found["flavor"]["id"],
        **({"Lag": lag(found)} if "replica_of" in found else {}), **({"Failover": failover(found)} if "failover" in found else {}),
        **({"Copies": rate(found["copy_limit"])} if "copy_limit" in found else {}), "Created": found["created"], "Task": doing(found),
        **({"Fault": fault} if fault else {}),
    })  # fmt: skip


def show_history(context: Context) -> None:
    tell_history(context, context.datastores.history(context.args.instance))


def tell_history(context: Context, found: List[Value]) -> None:
    if context.out.as_json:
        context.out.json(found)
        return
    context.out.table(["AT", "WHAT", "WHY"], [[each["at"], each["what"], each["why"] or "-"] for each in found], "Nothing was done yet.")


def explain(context: Context) -> None:
    tell_explained(context, context.datastores.explain(context.args.instance))


def tell_explained(context: Context, found: Value) -> None:
    if context.out.as_json:
        context.out.json(found)
        return
    for line in explained(found):
        context.out.line(line)


def explained(found: Value) -> List[str]:
    """Return sentences."""
    lines: List[str] = []
    if "program" in found:
        lines.append(f"{found['program']} is being {'undone' if found['undoing'] else 'done'}: {found['why'] or 'it was asked for'}.")
        place = f"{found['steps'].index(found['step']) + 1} of {len(found['steps'])}"
        lines.append(f"It is at step {found['step']!r}, {place} ({', '.join(found['steps'])}), since {found['since']}.")
        lines.append(f"It waits for {found['waits_for']}." if found["waits_for"] else "It waits for nobody.")
        lines.append(f"To undo it: {found['undo']}.")
    else:
        lines.append("Nothing is being done.")
    if found.get("next"):
        lines.append(f"Next comes {found['next']}.")
    if found.get("needs"):
        lines.append(f"It needs you: {found['needs']}.")
    return lines


# --- having something done --------------------------------------------------------------------------------------------------


def create(context: Context) -> None:
    args = context.args
    wanted: Value = {
        "name": args.name, "flavorRef": flavor(context.datastores, args.flavor), "volume": {"size": args.size},
        "datastore": {"type": args.datastore, **({"version": args.version} if args.version else {})}, **content(args),
    }  # fmt: skip
    if args.region:
        wanted["region"] = args.region
    if args.copy_limit is not None:
        wanted["copy_limit"] = args.copy_limit
    made = context.datastores.create(wanted, secrets.token_hex(16))
    _begun(context, made["id"], made, f"{made['name']} ({made['id']}) is being made.")


def flavor(client: Datastores, wanted: str) -> str:
    """Return the id of a flavor that is named by it, or by its name."""
    return next((str(each["id"]) for each in client.flavors() if wanted in (str(each["id"]), each["name"])), wanted)


def _password(path: Optional[str]) -> str:
    if not path:
        raise ClientError("usage", "a user needs a password: put it into a file, and say which with --password-file")
    try:
        with open(path, encoding="utf-8") as file:
            password = file.read(1000).rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError("usage", f"can't read the password file {path}: {error}") from None
    if not password:
        raise ClientError("usage", f"the password file {path} is empty")
    return password


def replicate(context: Context) -> None:
    args = context.args
    source = context.datastores.instance(args.instance)
    wanted = {"name": args.name or source["name"], "replica_of": source["id"], "replica_count": args.count}
    made = context.datastores.create(wanted, secrets.token_hex(16))
    _begun(context, made["id"], made, f"{args.count} replica{'s' if args.count != 1 else ''} of {source['name']} is being made.")


def rename(context: Context) -> None:
    context.datastores.change(context.args.instance, name=context.args.name)
    context.out.done({"name": context.args.name}, f"{context.args.instance} is called {context.args.name}.")


def limit_copies(context: Context) -> None:
    args = context.args
    context.datastores.change(args.instance, copy_limit=args.limit)
    context.out.done({"copy_limit": args.limit}, f"Copies of the data of {args.instance} are limited to {rate(args.limit)}.")


def rate(limit: int) -> str:
    return f"{limit / 1e6:g} MB a second" if limit else "nothing"


def act(context: Context) -> None:
    found = context.datastores.instance(context.args.instance)
    context.datastores.act(found["id"], ACTIONS[context.args.verb][0])
    _begun(context, found["id"], {"id": found["id"]}, f"{context.args.verb} of {found['name']} was taken on.")


def delete(context: Context) -> None:
    found = context.datastores.instance(context.args.instance)
    if context.args.force:
        context.datastores.act(found["id"], "reset_status")
    context.datastores.delete(found["id"])
    _begun(context, found["id"], {"id": found["id"]}, f"{found['name']} is being taken away.")


def _begun(context: Context, key: str, value: Value, sentence: str) -> None:
    begun(context, lambda: context.datastores.instance(key), value, sentence)


def begun(context: Context, look: Callable[[], Value], value: Value, sentence: str) -> None:
    """Say that something was begun, and with --watch how it goes on until it has ended. ``look`` returns what it is done with."""
    if not context.args.watch:
        context.out.done(value, sentence)
        return
    context.out.notice(sentence)
    last = watch(context, look)
    if last is None:
        context.out.done({"id": value["id"]}, "It is gone.")
    elif last.get("fault"):
        raise ClientError("conflict", last["fault"]["message"])
    else:
        context.out.done(last, f"{last['name']} is {last['status']}.")


def watch(context: Context, look: Callable[[], Value]) -> Optional[Value]:
    """Show each step until nothing is being done; return the last look then, None if it is gone. ClientError if that takes too long."""
    end, said = time.monotonic() + context.args.wait, ""
    while True:
        try:
            found = look()
        except ClientError as error:
            if error.kind == "not_found":
                return None
            raise
        now = doing(found)
        if not found.get("task"):
            return found
        if now != said:
            said = now
            context.out.notice(now)
        if time.monotonic() > end:
            raise ClientError("conflict", f"{found['name']}: {now} has not ended after {context.args.wait:g} s; it goes on")
        time.sleep(LOOK)
