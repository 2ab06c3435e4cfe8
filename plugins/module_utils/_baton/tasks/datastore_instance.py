# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a set of databases as a task wants it: its source, so many replicas, their configuration, who is the source; or have it gone."""
from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

from ..client.error import ClientError
from ..client.patience import Patience
from .common import Context, Result, datastores_spec
from .datastore_catalogue import Names, flavor_of, version_of, waits_for_a_restart
from .datastore_contents import CONTENTS, contents, given
from .datastore_set import Instance, Seen, Wanted, of_a_set, plan, remains, seen
from .datastore_set_work import WorkOnSet
from .datastore_work import Waiting, doing, fault_of

SPEC = datastores_spec(
    name={"type": "str", "required": True},
    id={"type": "str"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    datastore={"type": "str"},
    version={"type": "str"},
    flavor={"type": "str"},
    volume={"type": "int"},
    region={"type": "str"},
    replicas={"type": "int"},
    copy_limit={"type": "int"},
    **CONTENTS,
    configuration={"type": "str"},
    source={"type": "str"},
    restart={"type": "str", "choices": ["never", "required", "always"], "default": "never"},
    whole_set={"type": "bool", "default": False},
    force={"type": "bool", "default": False},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "float", "default": 900.0},
)
MOST_REPLICAS = 14
GOING = 5.0  # seconds until what is left of a set is taken for left, and not for what somebody is taking away


def run(context: Context) -> Result:
    params = context.params
    if params["replicas"] is not None and not 0 <= params["replicas"] <= MOST_REPLICAS:
        raise ClientError("usage", f"replicas is a number from 0 to {MOST_REPLICAS}, not {params['replicas']}")
    every = _every(context)
    here = of_a_set(every, params["name"], params["id"])
    now, names = seen(here), Names(context.datastores)
    _judge(context, every, now)
    wanted = _wanted(context, every, now, names)
    steps, then = plan(wanted, now)
    if context.check:
        return _result(context, now, then, [step.text for step in steps], [], names)
    new: Dict[str, Any] = {}
    if params["state"] == "present":
        new = {"region": params["region"]} if params["region"] else {}
        new = new if now.instances else {**new, **_new(context, wanted)}
    waiting = Waiting(params["wait_timeout"], context.say) if params["wait"] else None
    work = WorkOnSet(context.datastores, _looks(context, here), wanted, new, waiting)
    try:
        after, left = work.run(now)
    except ClientError as error:
        return {"failed": True, "changed": bool(work.done), "steps": work.done, **error.result()}
    return _result(context, now, after, work.done, [step.text for step in left], names)


def _every(context: Context) -> List[Dict[str, Any]]:
    """Return all instances. The set that is to go may be going already, its source last, whatever that is called: that is waited for."""
    params = context.params
    every, quiet = context.datastores.instances(), Patience(GOING)
    if params["state"] == "present" or not params["whole_set"] or not params["wait"] or params["id"] or context.check:
        return every
    waiting, left = Waiting(params["wait_timeout"], context.say), remains(every, params["name"])
    while left and quiet.left and not of_a_set(every, params["name"], None):
        waiting.pause(f"{', '.join(left)} may be going")
        every, before = context.datastores.instances(), left
        left = remains(every, params["name"])
        if left != before or any(each["name"] in left and each.get("task") for each in every):
            quiet = Patience(GOING)
    return every


# --- what is wanted -------------------------------------------------------------------------------------------------------


def _judge(context: Context, every: List[Dict[str, Any]], now: Seen) -> None:
    """Raise ClientError for what can't be, before anything is begun."""
    params = context.params
    is_present = params["state"] == "present"
    if now.instances:
        if is_present:
            _judge_what_stays(context, now)
        return
    if params["id"] and is_present:
        raise ClientError("not_found", f"there is no instance with the id {params['id']}")
    left = remains(every, params["name"])
    if left and (is_present or params["whole_set"]):
        lead = f"no instance is called {params['name']}, but {', '.join(left)} may be what is left of its set"
        raise ClientError("conflict", f"{lead}: name one of them with id, which renames it, or choose another name")
    if is_present:
        if not params["flavor"]:
            raise ClientError("usage", "flavor is missing: say what the instance needs; baton.ha.datastore_info has what there is")
        flavor_of(context.datastores, params["flavor"])
        version_of(context.datastores, params["datastore"], params["version"])


def _judge_what_stays(context: Context, now: Seen) -> None:
    """Refuse what an instance keeps as it was made."""
    params = context.params
    named = now.find(params["id"] or params["name"]) or now.instances[0]
    raw, datastore = named.raw, named.raw["datastore"]
    has = {
        "datastore": datastore["type"],
        "version": datastore["version"],
        "flavor": str(raw["flavor"]["id"]),
        "volume": (raw.get("volume") or {}).get("size"),
    }
    for option, value in has.items():
        asked = params[option]
        if asked is None or asked == value or _means(context, option, datastore["type"]) == value:
            continue
        lead = f"{option} of {named.name} is {value}, and stays so"
        raise ClientError("usage", f"{lead}: leave it out, or make another instance with {option} {asked} and move the data")


def _means(context: Context, option: str, datastore: str) -> Any:
    """Return what an option stands for, where it is not what it says: an id of a datastore or version, the name of a flavor."""
    params = context.params
    if option == "flavor":
        return flavor_of(context.datastores, params["flavor"])
    if option == "volume":
        return params["volume"]
    there = version_of(context.datastores, params["datastore"] or datastore, params["version"])
    return there[0] if option == "datastore" else there[1]


def _wanted(context: Context, every: List[Dict[str, Any]], now: Seen, names: Names) -> Wanted:
    params = context.params
    configuration: Optional[str] = None
    restarting: FrozenSet[Tuple[str, str]] = frozenset()
    if params["configuration"] is not None and params["state"] == "present":
        configuration = names.id(params["configuration"]) if params["configuration"] else ""
        if context.check:
            had = {each.configuration for each in now.instances} - {configuration}
            restarting = waits_for_a_restart(context.datastores, had, configuration)
    return Wanted(
        params["id"] or params["name"],
        params["name"],
        params["state"] == "present",
        params["replicas"],
        configuration,
        params["source"],
        params["restart"],
        params["whole_set"],
        params["force"],
        restarting,
        frozenset(each["name"] for each in every if now.find(each["id"]) is None),
        params["copy_limit"],
    )


def _new(context: Context, wanted: Wanted) -> Dict[str, Any]:
    """Return what an instance is made with, besides its name."""
    params = context.params
    datastore = {member: params[option] for member, option in (("type", "datastore"), ("version", "version")) if params[option]}
    return given(
        {
            **contents(params),
            "flavorRef": params["flavor"],
            "volume": None if params["volume"] is None else {"size": params["volume"]},
            "datastore": datastore or None,
            "configuration": wanted.configuration or None,
            "region": params["region"] or None,
            "copy_limit": params["copy_limit"],
        }
    )


def _looks(context: Context, here: List[Mapping[str, Any]]) -> Any:
    """Return what looks at the set: that of the beginning, else the one that is there by now."""
    known = {each["set"] for each in here}

    def look() -> Seen:
        every = context.datastores.instances()
        found = [each for each in every if each["set"] in known] if known else of_a_set(every, context.params["name"], None)
        known.update(each["set"] for each in found)
        return seen([*found])

    return look


# --- the result -----------------------------------------------------------------------------------------------------------


def _result(context: Context, before: Seen, after: Seen, steps: List[str], left: List[str], names: Names) -> Result:
    named = after.find(context.params["id"] or context.params["name"])
    instances = sorted(after.instances, key=lambda each: not each.is_source)
    context.warnings.extend(
        fault_of(each) for each in instances if not each.is_well and (each.fault or context.params["wait"])
    )
    source = after.source
    return {
        "changed": bool(steps),
        "id": named.raw.get("id") if named is not None else None,
        "source": source.name if source is not None else None,
        "instances": [shown(each, names.name(each.configuration)) for each in instances],
        "restart_required": [each.name for each in instances if each.status == "RESTART_REQUIRED"],
        "steps": steps,
        "pending": left,
        "diff": {"before": _summary(context, before, names), "after": _summary(context, after, names)},
    }


def _summary(context: Context, now: Seen, names: Names) -> Any:
    if not now.instances:
        return ""
    is_limit_said = context.params["copy_limit"] is not None
    return {
        each.name: {
            "role": "source" if each.is_source else "replica",
            "configuration": names.name(each.configuration),
            "restart_required": each.status == "RESTART_REQUIRED",
            **({"copy_limit": each.copy_limit} if is_limit_said else {}),
        }
        for each in now.instances
    }


def shown(each: Instance, configuration: Optional[str]) -> Dict[str, Any]:
    """Return an instance as results have it. ``configuration``: its name."""
    raw = each.raw
    return {
        "id": raw.get("id"),
        "name": each.name,
        "role": "source" if each.is_source else "replica",
        "status": each.status if raw else None,
        "lag_bytes": (raw.get("slave") or {}).get("lag_bytes"),
        "lag_seconds": (raw.get("slave") or {}).get("lag_seconds"),
        "fault": each.fault or None,
        "address": next(iter(raw.get("ip") or ()), None),
        "port": raw.get("port"),
        "host": raw.get("hostname"),
        "region": raw.get("region"),
        "datastore": (raw.get("datastore") or {}).get("type"),
        "version": (raw.get("datastore") or {}).get("version"),
        "flavor": (raw.get("flavor") or {}).get("id"),
        "volume": (raw.get("volume") or {}).get("size"),
        "configuration": configuration,
        "set": raw.get("set"),
        "task": doing(raw["task"]) if raw.get("task") else None,
    }
