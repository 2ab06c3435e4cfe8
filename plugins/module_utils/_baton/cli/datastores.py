# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl datastores, configurations and pool: what can be had, parameters of servers, and the hosts that carry them."""
from __future__ import annotations

import json
import secrets
from typing import Any, Dict, List

from ..client import pool
from ..client.error import ClientError
from ..client.pool import POOL
from .common import Context, add_group, add_verb, object_of, value_of
from .instances import add_place

Value = Dict[str, Any]
FLAVORS = json.dumps(pool.FLAVORS)


def add(groups: Any) -> None:
    verbs = add_group(groups, "datastores", "see what databases there can be")
    listed = add_verb(verbs, "list", list_datastores, "list datastores with their versions, and flavors")
    known = add_verb(verbs, "parameters", list_parameters, "list the parameters of a datastore that can be set")
    known.add_argument("datastore", metavar="DATASTORE")
    known.add_argument("version", metavar="VERSION")
    _add_configurations(groups, (listed, known))
    _add_pool(groups)


def _add_configurations(groups: Any, others: Any) -> None:
    verbs = add_group(groups, "configurations", "see and change groups of parameters")
    listed = add_verb(verbs, "list", list_configurations, "list all configurations of the project")
    shown = add_verb(verbs, "show", show_configuration, "show one with its values")
    made = add_verb(verbs, "create", create_configuration, "make one")
    changed = add_verb(verbs, "set", set_values, "change some of its values, or take them out with NAME=")
    deleted = add_verb(verbs, "delete", delete_configuration, "take one away that no instance has")
    attached = add_verb(verbs, "attach", attach, "give an instance a configuration")
    detached = add_verb(verbs, "detach", detach, "take an instance's configuration off")
    for verb in (shown, changed, deleted, attached):
        verb.add_argument("configuration", metavar="CONFIGURATION", help="its id, or its name if no other has it")
    made.add_argument("name", metavar="NAME")
    made.add_argument("--datastore", default="mariadb")
    made.add_argument("--version", required=True, help="of the datastore")
    for verb in (made, changed):
        verb.add_argument("values", nargs="+", metavar="PARAMETER=VALUE")
    for verb in (attached, detached):
        verb.add_argument("instance", metavar="INSTANCE")
    for verb in (*others, listed, shown, made, changed, deleted, attached, detached):
        add_place(verb)


def _add_pool(groups: Any) -> None:
    verbs = add_group(groups, POOL, "see and change the hosts that carry database servers (admins)")
    add_verb(verbs, "list", list_hosts, "list all hosts, whether their guests are heard, and what they carry")
    shown = add_verb(verbs, "show", show_host, "show a host with its servers")
    added = add_verb(verbs, "add", add_host, "add a host; prints the token for its guest")
    removed = add_verb(verbs, "remove", remove_host, "take a host out that carries nothing")
    kept = add_verb(verbs, "maintenance", maintain, "put nothing new on a host, or something again")
    for verb in (shown, added, removed, kept):
        verb.add_argument("host", metavar="HOST")
    added.add_argument("--address", required=True, help="where its servers listen")
    added.add_argument("--region", default="", help="where it is")
    added.add_argument("--flavors", metavar="JSON", default=FLAVORS, help=f"what it can carry, by id ({FLAVORS})")
    added.add_argument("--ram", type=int, metavar="MIB", help="memory for all servers that it carries (no limit)")
    added.add_argument("--volume", type=int, metavar="GIB", help="room for the data of all servers that it carries (no limit)")
    added.add_argument("--port", type=int, metavar="PORT", help="port of its first server; others have what follows (3306)")
    kept.add_argument("state", choices=["on", "off"])


# --- what can be had --------------------------------------------------------------------------------------------------------


def list_datastores(context: Context) -> None:
    found, flavors = context.datastores.datastores(), context.datastores.flavors()
    if context.out.as_json:
        context.out.json({"datastores": found, "flavors": flavors})
        return
    rows = [[each["name"], ", ".join(version["name"] for version in each["versions"])] for each in found]
    context.out.table(["DATASTORE", "VERSIONS"], rows, "No host of the pool offers a datastore.")
    context.out.line()
    sizes = [[each["id"], each["name"], f"{each['ram']} MiB", each["vcpus"], f"{each['disk']} GiB"] for each in flavors]
    context.out.table(["FLAVOR", "NAME", "MEMORY", "PROCESSORS", "DISK"], sizes, "No host of the pool has a flavor.")


def list_parameters(context: Context) -> None:
    found = context.datastores.parameters(context.args.datastore, context.args.version)
    if context.out.as_json:
        context.out.json(found)
        return
    rows = [
        [each["name"], each["type"], each.get("min"), each.get("max"), each["restart_required"]]
        for each in found
    ]  # fmt: skip
    context.out.table(["PARAMETER", "TYPE", "LEAST", "MOST", "NEEDS RESTART"], rows, "None can be set.")


# --- configurations -----------------------------------------------------------------------------------------------------------


def list_configurations(context: Context) -> None:
    found = context.datastores.configurations()
    if context.out.as_json:
        context.out.json(found)
        return
    rows = [[each["name"], each["id"], each["datastore_name"], each["datastore_version_name"], each["instance_count"]] for each in found]
    context.out.table(["NAME", "ID", "DATASTORE", "VERSION", "INSTANCES"], rows, "There is no configuration.")


def show_configuration(context: Context) -> None:
    found = context.datastores.configuration(context.args.configuration)
    if context.out.as_json:
        context.out.json(found)
        return
    context.out.table(["PARAMETER", "VALUE"], [[name, value] for name, value in sorted(found["values"].items())], "It has no values.")


def _values(words: List[str]) -> Value:
    """Return values by name; an empty one is None."""
    found: Value = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not name or not equals:
            raise ClientError("usage", f"{word!r} is not PARAMETER=VALUE")
        found[name] = value_of(text) if text else None
    return found


def create_configuration(context: Context) -> None:
    args = context.args
    wanted = {"name": args.name, "values": _values(args.values), "datastore": {"type": args.datastore, "version": args.version}}
    made = context.datastores.create_configuration(wanted, secrets.token_hex(16))
    context.out.done(made, f"Made configuration {made['name']} ({made['id']}).")


def set_values(context: Context) -> None:
    client, args = context.datastores, context.args
    found = client.configuration(args.configuration)
    news = _values(args.values)
    values = {name: value for name, value in {**found["values"], **news}.items() if value is not None}
    client.edit_configuration(found["id"], None in news.values(), values=values)
    context.out.done({"id": found["id"], "values": values}, f"Changed {', '.join(news)} of {found['name']}.")


def delete_configuration(context: Context) -> None:
    context.datastores.delete_configuration(context.args.configuration)
    context.out.done({"id": context.args.configuration}, f"Took configuration {context.args.configuration} away.")


def attach(context: Context) -> None:
    found = context.datastores.configuration(context.args.configuration)
    context.datastores.change(context.args.instance, configuration=found["id"])
    context.out.done({"configuration": found["id"]}, f"{context.args.instance} has configuration {found['name']}.")


def detach(context: Context) -> None:
    context.datastores.change(context.args.instance, configuration=None)
    context.out.done({"configuration": None}, f"{context.args.instance} has no configuration.")


# --- the pool -------------------------------------------------------------------------------------------------------------------


def list_hosts(context: Context) -> None:
    found = context.client.list(POOL)
    if context.out.as_json:
        context.out.json([pool.shown(each) for each in found])
        return
    rows = [
        [each["name"], each["address"], each["region"] or "-", _heard(each), _offered(each), len(each["servers"])]
        for each in map(pool.shown, found)
    ]
    context.out.table(["HOST", "ADDRESS", "REGION", "GUEST", "DATASTORES", "SERVERS"], rows, "There is no host in the pool.")


def _heard(host: Value) -> str:
    return "maintenance" if host["maintenance"] else "heard" if host["heard"] else "silent"


def _offered(host: Value) -> str:
    return ", ".join(f"{name} {' '.join(versions)}" for name, versions in host["datastores"].items()) or "-"


def show_host(context: Context) -> None:
    found = pool.shown(context.client.get(POOL, context.args.host).body)
    if context.out.as_json:
        context.out.json(found)
        return
    flavors = ", ".join(f"{key} ({each.get('name', '')})" for key, each in sorted(found["flavors"].items()))
    context.out.members({
        "Name": found["name"], "Address": found["address"], "Region": found["region"] or "-", "Guest": _heard(found),
        "Datastores": _offered(found), "Flavors": flavors or "-",
        **({"Memory": f"{found['ram']} MiB"} if found["ram"] is not None else {}),
        **({"Volumes": f"{found['volume']} GiB"} if found["volume"] is not None else {}),
        **({"Port": found["port"]} if found["port"] is not None else {}),
    })  # fmt: skip
    rows = [[name, each["up"], each["trouble"] or "-"] for name, each in sorted(found["servers"].items())]
    context.out.line()
    context.out.table(["SERVER", "UP", "TROUBLE"], rows, "It carries no server.")


def add_host(context: Context) -> None:
    args, client = context.args, context.client
    port = None if args.port is None else pool.checked_port(args.port)
    numbers = {name: value for name, value in (("ram", args.ram), ("volume", args.volume), ("port", port)) if value is not None}
    flavors = pool.checked_flavors(object_of(args.flavors, "--flavors"))
    meta = {"address": pool.checked_address(args.address), "region": args.region, "flavors": flavors, **numbers}
    client.create(POOL, {"Name": args.host, "Meta": meta}, want=False)
    made = client.create_token({"kind": "guest", "name": args.host}, description=f"of the guest of {args.host}")
    if context.out.as_json:
        context.out.json(made)
        return
    context.out.line(made["Token"])
    if context.out.talks:
        context.out.notice(f"that is the token for the guest of {args.host}; it is shown this once")


def remove_host(context: Context) -> None:
    pool.remove(context.client, context.args.host)
    context.out.done({"name": context.args.host}, f"Took {context.args.host} out of the pool; the token of its guest has ended.")


def maintain(context: Context) -> None:
    is_on = context.args.state == "on"
    context.client.merge(POOL, context.args.host, {"Meta": {"maintenance": is_on}}, want=False)
    sentence = "gets nothing new" if is_on else "may get something new again"
    context.out.done({"name": context.args.host, "maintenance": is_on}, f"{context.args.host} {sentence}.")
