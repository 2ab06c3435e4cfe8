# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a cluster of databases as a task wants it: so many members, their version and configuration; or have it gone."""
from __future__ import annotations

import re
from collections import Counter
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple

from ..client.error import ClientError
from .common import Context, Result, datastores_spec
from .datastore_catalogue import Names, flavor_of, version_of, waits_for_a_restart
from .datastore_contents import CONTENTS, contents, given
from .datastore_group import ARBITER, DATA, Group, Member, Place, Wanted, judge, number_of, one_of, plan
from .datastore_group_work import WorkOnGroup
from .datastore_work import Waiting, doing, fault_of

GALERA, LOST = "galera", "lost"
SPEC = datastores_spec(
    name={"type": "str", "required": True},
    id={"type": "str"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    datastore={"type": "str"},
    version={"type": "str"},
    rolling={"type": "bool", "default": False},
    flavor={"type": "str"},
    volume={"type": "int"},
    size={"type": "int"},
    arbiters={"type": "int"},
    copy_limit={"type": "int"},
    members={
        "type": "list",
        "elements": "dict",
        "options": {
            "region": {"type": "str", "required": True},
            "type": {"type": "str", "choices": [DATA, ARBITER], "default": DATA},
            "count": {"type": "int", "default": 1},
        },
    },
    **CONTENTS,
    configuration={"type": "str"},
    restart={"type": "str", "choices": ["never", "required", "always"], "default": "never"},
    replace={"type": "list", "elements": "str"},
    force={"type": "bool", "default": False},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "float", "default": 1800.0},
)
MUTUALLY_EXCLUSIVE = [("size", "members"), ("arbiters", "members")]


def run(context: Context) -> Result:
    params = context.params
    _judge_numbers(params)
    now, names = one_of(context.datastores.clusters(), params["name"], params["id"]), Names(context.datastores)
    _judge(context, now)
    wanted = _wanted(context, now, names)
    judge(wanted, now)
    steps, then = plan(wanted, now)
    if context.check:
        return _result(context, now, then, [step.text for step in steps], [], names)
    of_each = {} if now.id else given({"flavorRef": params["flavor"]})
    of_data = {} if params["volume"] is None else {"volume": {"size": params["volume"]}}
    waiting = Waiting(params["wait_timeout"], context.say) if params["wait"] else None
    work = WorkOnGroup(
        context.datastores, _looks(context, now), wanted, params["force"], _new(params, wanted), of_each, of_data, waiting
    )  # fmt: skip
    try:
        after, left = work.run(now)
        _judge_formed(after)
    except ClientError as error:
        return {"failed": True, "changed": bool(work.done), "steps": work.done, **error.result()}
    return _result(context, now, after, work.done, [step.text for step in left], names)


# --- what is wanted -------------------------------------------------------------------------------------------------------


def _judge_numbers(params: Mapping[str, Any]) -> None:
    counts = {"count of members": min([each["count"] for each in params["members"] or ()], default=0)}
    for option, many in {"size": params["size"], "arbiters": params["arbiters"], **counts}.items():
        if many is not None and many < 0:
            raise ClientError("usage", f"{option} is a number from 0, not {many}")


def _judge(context: Context, now: Group) -> None:
    """Raise ClientError for what can't be, before anything is begun."""
    params = context.params
    if params["state"] == "absent":
        return
    if now.id:
        _judge_formed(now)
        _judge_what_stays(context, now)
        _judge_version(context, now)
        return
    if params["id"]:
        raise ClientError("not_found", f"there is no cluster with the id {params['id']}")
    if params["size"] is None and params["members"] is None:
        raise ClientError("usage", "size is missing: say how many members with data there shall be, or list all with members")
    if not params["flavor"]:
        raise ClientError("usage", "flavor is missing: say what its members need; baton.ha.datastore_info has what there is")
    flavor_of(context.datastores, params["flavor"])
    version_of(context.datastores, params["datastore"] or GALERA, params["version"])


def _judge_formed(now: Group) -> None:
    """Refuse a cluster that never came to be."""
    if now.was_never_formed:
        remedy = "see to that, take it away with state absent, and make it again"
        raise ClientError("conflict", f"{now.name} could not be made ({now.fault}): {remedy}")


def _judge_what_stays(context: Context, now: Group) -> None:
    """Refuse what a cluster keeps as it was made."""
    params, datastore = context.params, now.raw["datastore"]["type"]
    if now.name != params["name"]:
        raise ClientError("usage", f"cluster {now.id} is called {now.name}, and keeps its name: say name {now.name}")
    asked = params["datastore"]
    if asked not in (None, datastore) and version_of(context.datastores, asked, None)[0] != datastore:
        raise _stays("datastore", now.name, datastore, asked)
    flavor = None if params["flavor"] is None else flavor_of(context.datastores, params["flavor"])
    for each in now.members:
        has = {"flavor": str(each.raw["flavor"]["id"]), "volume": (each.raw.get("volume") or {}).get("size")}
        for option, value in (("flavor", flavor), ("volume", params["volume"])):
            if value not in (None, has[option]) and each.type == DATA:
                raise _stays(option, each.name, has[option], params[option])


def _stays(option: str, name: str, has: Any, asked: Any) -> ClientError:
    lead = f"{option} of {name} is {has}, and stays so"
    return ClientError("usage", f"{lead}: leave it out, or make another cluster with {option} {asked} and move the data")


def _judge_version(context: Context, now: Group) -> None:
    """A version that is newer than that of the cluster is an upgrade, which a task must say it wants."""
    asked = context.params["version"]
    if asked in (None, now.version):
        return
    version = _version(context, now)
    if version == now.version:
        return
    lead = f"version of {now.name} is {now.version}"
    if _numbers(version) < _numbers(now.version):
        raise ClientError("usage", f"{lead}, and there is no way back to {version}: leave version out, or say a newer one")
    if not context.params["rolling"]:
        remedy = "say rolling to have its members upgraded one after the other, or leave version out"
        raise ClientError("usage", f"{lead}, and not {version}: {remedy}")


def _version(context: Context, now: Group) -> str:
    return version_of(context.datastores, now.raw["datastore"]["type"], context.params["version"])[1]


def _numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", version))


def _wanted(context: Context, now: Group, names: Names) -> Wanted:
    params = context.params
    if params["state"] == "absent":
        return Wanted(params["name"], is_present=False)
    datastore = str(now.raw["datastore"]["type"]) if now.id else params["datastore"] or GALERA
    offered = "" if now.id else version_of(context.datastores, datastore, params["version"])[1]
    version = _version(context, now) if now.id and params["version"] is not None else None
    configuration, restarting = _configuration(context, now, names, datastore, version or now.version or offered)
    replaced, members = _replaced(context, now), _members(params)
    if members is None and params["size"] is None and params["arbiters"] is None and not all(each.is_made for each in replaced):
        members = Counter((each.type, each.region) for each in now.members)  # who could not be made leaves, and another one comes
    return Wanted(
        params["name"], True, params["size"], params["arbiters"], members, configuration, version, params["rolling"], params["restart"],
        frozenset(each.id for each in replaced), max([number_of(key, params["name"]) for key in params["replace"] or ()], default=0),
        restarting, offered, params["copy_limit"],
    )  # fmt: skip


def _members(params: Mapping[str, Any]) -> Optional[Mapping[Place, int]]:
    if params["members"] is None:
        return None
    found: Dict[Place, int] = Counter()
    for each in params["members"]:
        found[(each["type"], each["region"])] += each["count"]
    return found


def _configuration(
    context: Context, now: Group, names: Names, datastore: str, version: str
) -> Tuple[Optional[str], FrozenSet[Tuple[str, str]]]:
    """Return the id of the configuration that is wanted, and which change of it takes effect with a restart, if check mode asks."""
    asked = context.params["configuration"]
    if asked is None:
        return None, frozenset()
    wanted = names.one(asked) if asked else {"id": ""}
    key = str(wanted["id"])
    if key == now.configuration:
        return key, frozenset()
    if key and (wanted["datastore_name"], wanted["datastore_version_name"]) != (datastore, version):
        has = f"{wanted['datastore_name']} {wanted['datastore_version_name']}"
        raise ClientError("usage", f"configuration {wanted['name']} is for {has}, and not for {datastore} {version}: make one for that")
    is_change = context.check and bool(now.id)
    return key, waits_for_a_restart(context.datastores, [now.configuration], key) if is_change else frozenset()


def _replaced(context: Context, now: Group) -> List[Member]:
    """Return those whose place another one is to take. Who is none of the members has been replaced, as far as anybody knows."""
    found: List[Member] = []
    for key in context.params["replace"] or ():
        named = now.find(key)
        if named is None and key != LOST:
            context.warnings.append(f"replace: {key} is none of the members of {context.params['name']}, and so is not replaced")
        found += [each for each in now.members if each.is_lost] if named is None and key == LOST else []
        found += [named] if named is not None else []
    return found


def _new(params: Mapping[str, Any], wanted: Wanted) -> Dict[str, Any]:
    """Return what a cluster is made with, besides its name and members."""
    datastore = {"type": params["datastore"] or GALERA, **given({"version": params["version"]})}
    more = given({"configuration": wanted.configuration or None, "copy_limit": params["copy_limit"]})
    return {"datastore": datastore, **contents(params), **more}


def _looks(context: Context, now: Group) -> Callable[[], Group]:
    """Return what looks at the cluster: that of the beginning, else the one that is there by now."""
    known = {"id": now.id or None}

    def look() -> Group:
        found = one_of(context.datastores.clusters(), context.params["name"], known["id"])
        known["id"] = known["id"] or found.id or None
        return found

    return look


# --- the result -----------------------------------------------------------------------------------------------------------


def _result(context: Context, before: Group, after: Group, steps: List[str], left: List[str], names: Names) -> Result:
    context.warnings.extend(
        fault_of(each) for each in after.members if not each.is_well and (each.fault or context.params["wait"])
    )  # fmt: skip
    if after.fault and after.task is None:
        context.warnings.append(f"{after.name} is {after.raw['status']}: {after.fault}")
    return {
        "changed": bool(steps),
        **shown(after, names.name(after.configuration)),
        "restart_required": after.waiting,
        "steps": steps,
        "pending": left,
        "diff": {"before": _summary(context, before, names), "after": _summary(context, after, names)},
    }


def _summary(context: Context, now: Group, names: Names) -> Any:
    """Return a cluster for a diff. Regions that nobody names are known once the members are there, and so are not told."""
    if not now.id:
        return ""
    members = {}
    for each in now.members:
        region = {"region": each.region} if context.params["members"] is not None else {}
        members[each.name or each.id] = {"type": each.type, **region, "restart_required": each.status == "RESTART_REQUIRED"}
    limit = {"copy_limit": now.copy_limit} if context.params["copy_limit"] is not None else {}
    return {"version": now.version, "configuration": names.name(now.configuration), **limit, "members": members}


def shown(now: Group, configuration: Optional[str]) -> Dict[str, Any]:
    """Return a cluster as results have it. ``configuration``: its name."""
    raw, up = now.raw, [each for each in now.members if each.is_up and each.raw]
    return {
        "id": raw.get("id"),
        "name": now.name or None,
        "status": raw.get("status"),
        "fault": now.fault or None,
        "datastore": (raw.get("datastore") or {}).get("type"),
        "version": now.version or None,
        "configuration": configuration,
        "serving": len(up),
        "addresses": [_address(each.raw) for each in up if each.type == DATA],
        "members": [shown_member(each, now, configuration) for each in now.members],
        "task": doing(now.task) if now.task is not None else None,
    }


def _address(raw: Mapping[str, Any]) -> str:
    host = str(next(iter(raw.get("ip") or ()), ""))
    return f"[{host}]:{raw.get('port')}" if ":" in host else f"{host}:{raw.get('port')}"


def shown_member(each: Member, of: Group, configuration: Optional[str]) -> Dict[str, Any]:
    """Return a member as results have it. ``configuration``: the name of that of the cluster, which those with data have."""
    raw = each.raw
    return {
        "id": raw.get("id"),
        "name": each.name or None,
        "type": each.type,
        "status": each.status if raw else None,
        "fault": each.fault or None,
        "address": next(iter(raw.get("ip") or ()), None),
        "port": raw.get("port"),
        "host": raw.get("hostname"),
        "region": each.region or None,
        "datastore": (raw.get("datastore") or {}).get("type"),
        "version": (raw.get("datastore") or {}).get("version"),
        "flavor": (raw.get("flavor") or {}).get("id"),
        "volume": (raw.get("volume") or {}).get("size"),
        "configuration": configuration if each.type == DATA else None,
        "cluster": of.raw.get("id"),
        "task": doing(raw["task"]) if raw.get("task") else None,
    }
