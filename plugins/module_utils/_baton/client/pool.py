# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of the pool as people see, describe and remove them: what batonctl and modules share. The manager has documents of its own.

A host's document holds what its guest is told, with secrets in it: nothing of that is shown here.
"""
from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional

from .api import Client
from .error import ClientError, short

Value = Dict[str, Any]
POOL = "pool"  # kind of the documents of hosts
MOST_LOOKS = 10
SIZES = ("ram", "vcpus", "disk")  # of a flavor: MiB, processors, GiB
FLAVORS: Value = {"1": {"name": "small", "ram": 1024, "vcpus": 1, "disk": 10}}  # what a host can carry of which nobody says it
LOWEST_PORT, HIGHEST_PORT = 1024, 55035  # of a host's servers the first one: 500 follow, and each has more up to 12000 above
ADDRESS = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]*\Z", re.ASCII)


def shown(document: Mapping[str, Any]) -> Value:
    """Return what people may see of a host.

    {"name", "address", "region", "heard": is its guest, "maintenance", "flavors": {id: {"name", "ram", "vcpus", "disk"}}, "datastores":
    {name: [versions]}, "ram", "volume": for servers in all, MiB and GiB, "port": of its first server, "servers": {id of instance: {"up",
    "trouble", "set"}}}; ``datastores`` is what its guest finds where nobody says it, ``ram``, ``volume`` and ``port`` are null then.
    """
    meta, params = _members(document.get("Meta")), _members(document.get("Params"))
    heartbeat = params.get("heartbeat")
    offered = _members(meta.get("datastores")) or _members(_members(heartbeat).get("datastores"))
    flavors = {key: _members(flavor) for key, flavor in sorted(_members(meta.get("flavors")).items())}
    servers = {key: _members(server) for key, server in sorted(_members(params.get("servers")).items())}
    return {
        "name": document["Name"], "address": str(meta.get("address") or ""), "region": str(meta.get("region") or ""),
        "heard": heartbeat is not None, "maintenance": bool(meta.get("maintenance")), "flavors": flavors,
        "ram": _size(meta.get("ram")), "volume": _size(meta.get("volume")), "port": _size(meta.get("port")),
        "datastores": {name: list(map(str, each)) for name, each in sorted(offered.items()) if isinstance(each, list)},
        "servers": {
            key: {"up": server.get("up") is True, "trouble": str(server.get("trouble") or ""), "set": str(server.get("set") or "")}
            for key, server in servers.items()
        },
    }  # fmt: skip


def _members(value: Any) -> Value:
    """Return an object, or an empty one in place of anything else: people and guests may write what they like."""
    return value if isinstance(value, dict) else {}


def _size(value: Any) -> Optional[int]:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def checked_address(text: str) -> str:
    """Return where servers of a host listen; ClientError "usage" for what is no address."""
    if not ADDRESS.match(text):
        raise ClientError("usage", f"{text!r} is no address: give the IP address at which the host's servers are reached")
    return text


def checked_port(port: int) -> int:
    """Return the port of a host's first server; ClientError "usage" for one that none can be."""
    if not LOWEST_PORT <= port <= HIGHEST_PORT:
        raise ClientError("usage", f"port is a number from {LOWEST_PORT} to {HIGHEST_PORT}, not {port}")
    return port


def checked_flavors(given: Mapping[Any, Any]) -> Value:
    """Return flavors by id as they are kept; ClientError "usage" says what is wrong with one."""
    found: Value = {}
    for key, each in given.items():
        if not isinstance(each, dict) or set(each) - {"name", *SIZES} or not isinstance(each.get("name"), str) or not each["name"]:
            raise ClientError("usage", f"flavor {key} has a name, and may have ram, vcpus and disk; it is {short(each)}")
        for size in SIZES:
            value = each.get(size, 1)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ClientError("usage", f"{size} of flavor {key} is a number from 1, not {short(value)}")
        found[str(key)] = dict(each)
    return found


def checked_datastores(given: Mapping[Any, Any]) -> Value:
    """Return versions by datastore as they are kept; ClientError "usage" says what is wrong."""
    for name, versions in given.items():
        is_list = isinstance(name, str) and isinstance(versions, list) and bool(versions)
        if not is_list or not all(isinstance(version, str) and version for version in versions):
            how = 'versions as texts in quotes, such as ["11.8"]'
            raise ClientError("usage", f"datastore {name} needs a list of {how}, not {short(versions)}")
    return {name: list(versions) for name, versions in given.items()}


def carried(client: Client, name: str) -> List[str]:
    """Return for people which instances a host carries."""
    members = [member for each in client.list("sets") for member in each["Set"]["members"].values() if member["host"] == name]
    return sorted(f"{_members(member.get('own')).get('name') or 'an instance'} ({member['id']})" for member in members)


def refuse_to_remove(client: Client, name: str) -> None:
    """Raise ClientError "conflict" for a host that carries something."""
    carries = carried(client, name)
    if carries:
        raise ClientError("conflict", f"{name} carries {', '.join(carries)}; delete these instances first")


def remove(client: Client, name: str) -> None:
    """Take a host out of the pool that carries nothing; the token of its guest ends with it.

    Whoever puts an instance on a host writes that on the host's document, too (see datastores/service/store), so that one which came
    after the look makes this look again.
    """
    for _look in range(MOST_LOOKS):
        revision = client.get(POOL, name).revision
        refuse_to_remove(client, name)
        try:
            client.delete(POOL, name, revision)
            return
        except ClientError as error:
            if error.status != 412:
                raise
    raise ClientError("conflict", f"{name} changes all the time: put it into maintenance first")
