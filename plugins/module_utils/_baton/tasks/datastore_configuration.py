# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a configuration, a group of parameters of database servers, with its values, at the instances that are named; or have it gone."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..client.error import ClientError
from ..ground.values import equal
from .common import Context, Result, datastores_spec
from .datastore_catalogue import configuration_of, typed, version_of
from .datastore_group import Group, group
from .datastore_work import Waiting, doing, key_of, when_free

SPEC = datastores_spec(
    name={"type": "str", "required": True},
    id={"type": "str"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    description={"type": "str"},
    datastore={"type": "str"},
    version={"type": "str"},
    values={"type": "dict"},
    replace={"type": "bool", "default": False},
    attached_to={"type": "list", "elements": "str"},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "float", "default": 300.0},
)
TAKEN_UP = ("CONFIGURE", "UPDATING_CLUSTER")  # while servers take up what they can
Value = Dict[str, Any]


def run(context: Context) -> Result:
    params = context.params
    job = _Job(context)
    now = job.find()
    if params["state"] == "absent":
        return job.remove(now)
    return job.make() if now is None else job.change(now)


class _Job:
    """One run of the task: configurations and instances as they stand, and what is asked for."""

    def __init__(self, context: Context) -> None:
        self._context, self._client, self._params = context, context.datastores, context.params
        self._waiting = Waiting(context.params["wait_timeout"], context.say) if context.params["wait"] else None
        self._instances: List[Value] = self._client.instances()
        self._clusters: List[Group] = []  # that have it

    # --- looking ----------------------------------------------------------------------------------------------------------

    def find(self) -> Optional[Value]:
        """Return the configuration with its values, None if there is none."""
        there, key = self._client.configurations(), self._params["id"]
        if not any(each["id"] == key if key else each["name"] == self._params["name"] for each in there):
            if key and self._params["state"] == "present":
                raise ClientError("not_found", f"there is no configuration with the id {key}")
            return None
        try:
            return self._client.configuration(str(configuration_of(there, key or self._params["name"])["id"]))
        except ClientError as error:
            if error.kind != "not_found" or key and self._params["state"] == "present":
                raise
            return None  # another has just removed it

    def _having(self, key: str) -> List[Value]:
        return [each for each in self._instances if (each.get("configuration") or {}).get("id") == key]

    def _look_at_clusters(self, key: str) -> None:
        found = [group(each) for each in self._client.clusters()]
        self._clusters = [each for each in found if each.configuration == key]

    def _chosen(self) -> Optional[List[Value]]:
        """Return the instances that are to have it, None if the task does not say."""
        if self._params["attached_to"] is None:
            return None
        found = []
        for key in self._params["attached_to"]:
            same = [each for each in self._instances if each["id"] == key] or [each for each in self._instances if each["name"] == key]
            if len(same) != 1:
                what = f"{len(same)} instances are called {key!r}: name one by its id" if same else f"there is no instance {key!r}"
                raise ClientError("conflict" if same else "not_found", f"attached_to: {what}")
            found.append(same[0])
        return found

    def _values(self, datastore: str, version: str) -> Value:
        values = self._params["values"] or {}
        if not values or not (self._context.check or self._context.text_for_numbers):
            return dict(values)
        return typed(values, self._client.parameters(datastore, version), datastore, self._context.text_for_numbers)

    # --- making, changing, removing ---------------------------------------------------------------------------------------

    def make(self) -> Result:
        params, chosen = self._params, self._chosen()
        datastore, version = version_of(self._client, params["datastore"], params["version"])
        values = self._values(datastore, version)
        wanted = {"name": params["name"], "description": params["description"] or "", "values": values}
        made: Value = {**wanted, "datastore_name": datastore, "datastore_version_name": version}
        if self._context.check:
            return self._result(True, None, [], made, chosen or [])
        made = self._client.create_configuration(
            {**wanted, "datastore": {"type": datastore, "version": version}}, key_of("configuration", params["name"])
        )
        return self._finish(True, None, [], made, chosen)

    def change(self, now: Value) -> Result:
        params, chosen, having = self._params, self._chosen(), self._having(now["id"])
        self._look_at_clusters(now["id"])
        for option, has in (("datastore", now["datastore_name"]), ("version", now["datastore_version_name"])):
            if params[option] not in (None, has):
                raise ClientError("usage", f"{option} of {now['name']} is {has}, and stays so: make another configuration")
        values = self._values(now["datastore_name"], now["datastore_version_name"])
        then = {**now, "name": params["name"], "values": values if params["replace"] else {**now["values"], **values}}
        if params["values"] is None:
            then["values"] = now["values"]
        if params["description"] is not None:
            then["description"] = params["description"]
        news = {member: then[member] for member in ("name", "description", "values") if not equal(then[member], now[member])}
        if self._context.check:
            attached = having if chosen is None else chosen
            return self._result(bool(news) or _differ(chosen, having), now, having, then, attached)
        if news:
            replace = "values" in news and params["replace"]
            self._when_free(lambda: self._client.edit_configuration(now["id"], replace, **news), having)
        return self._finish(bool(news), now, having, then, chosen)

    def remove(self, now: Optional[Value]) -> Result:
        if now is None:
            return self._result(False, None, [], None, [])
        having = self._having(now["id"])
        if having and self._params["attached_to"] != []:
            names = ", ".join(sorted(each["name"] for each in having))
            raise ClientError("usage", f"{now['name']} is attached to {names}: say attached_to [], which takes it off them before")
        self._look_at_clusters(now["id"])
        if self._clusters:
            names = ", ".join(each.name for each in self._clusters)
            raise ClientError("usage", f"{now['name']} is attached to {names}: have baton.ha.datastore_cluster take it off there before")
        if not self._context.check:
            for each in having:
                self._attach(each, None)
            try:
                self._client.delete_configuration(now["id"])
            except ClientError as error:
                if error.kind != "not_found":
                    raise
        return self._result(True, now, having, None, [])

    def _finish(self, changed: bool, before: Optional[Value], having: List[Value], after: Value, chosen: Optional[List[Value]]) -> Result:
        """Attach and take off, and wait until servers have what they are to have."""
        for each in [] if chosen is None else [each for each in having if each not in chosen]:
            self._attach(each, None)
        for each in [each for each in chosen or () if each not in having]:
            self._attach(each, after["id"])
        attached = having if chosen is None else chosen
        self._settle([*having, *attached])
        now = {each["id"]: each for each in self._instances}
        found = [now[each["id"]] for each in attached if each["id"] in now]
        return self._result(changed or _differ(chosen, having), before, having, self._client.configuration(after["id"]), found)

    # --- asking and waiting -----------------------------------------------------------------------------------------------

    def _attach(self, instance: Value, key: Optional[str]) -> None:
        self._when_free(lambda: self._client.change(instance["id"], configuration=key), [instance])

    def _when_free(self, send: Any, instances: List[Value]) -> None:
        when_free(send, lambda: self._task_of(instances), self._waiting)

    def _task_of(self, instances: List[Value]) -> Optional[Mapping[str, Any]]:
        """Return what is done now with the sets of instances, or with a cluster that has it."""
        self._instances = self._client.instances()
        sets = {each["set"] for each in instances}
        if self._clusters:
            self._look_at_clusters(self._clusters[0].configuration)
        tasks = [each["task"] for each in self._instances if each["set"] in sets and each.get("task")]
        return next(iter([*tasks, *(each.task for each in self._clusters if each.task is not None)]), None)

    def _settle(self, instances: List[Value]) -> None:
        """Wait until servers have taken up what they can."""
        while True:
            task = self._task_of(instances)
            if task is None or task["name"] not in TAKEN_UP or self._waiting is None:
                return
            self._waiting.pause(f"{self._params['name']} is taken up: {doing(task)}")

    # --- the result -------------------------------------------------------------------------------------------------------

    def _result(self, changed: bool, before: Optional[Value], having: List[Value], after: Optional[Value], attached: List[Value]) -> Result:
        shown = None if after is None else {"id": after.get("id"), **_described(after, attached)}
        of_clusters = [name for each in self._clusters for name in each.waiting]
        return {
            "changed": changed,
            "configuration": shown,
            "restart_required": sorted([*(each["name"] for each in attached if each["status"] == "RESTART_REQUIRED"), *of_clusters]),
            "diff": {"before": _summary(before, having), "after": _summary(after, attached)},
        }


def _differ(chosen: Optional[List[Value]], having: List[Value]) -> bool:
    return chosen is not None and {each["id"] for each in chosen} != {each["id"] for each in having}


def _described(value: Mapping[str, Any], attached: List[Value]) -> Value:
    members: Tuple[Tuple[str, str], ...] = (
        ("name", "name"), ("description", "description"), ("datastore", "datastore_name"), ("version", "datastore_version_name"),
        ("values", "values"),
    )  # fmt: skip
    return {**{ours: value[theirs] for ours, theirs in members}, "attached_to": sorted(each["name"] for each in attached)}


def _summary(value: Optional[Mapping[str, Any]], attached: List[Value]) -> Any:
    return "" if value is None else _described(value, attached)
