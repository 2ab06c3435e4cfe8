# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the steps of a plan for a cluster of databases are asked for, and how one sees that they have ended."""
from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional

from ..client.datastores import Datastores
from .datastore_group import DATA, Group, Member, Wanted, plan
from .datastore_steps import Step
from .datastore_work import Waiting, Work, key_of

SHOWN_BY_HISTORY = ("replace", "upgrade", "restart", "shrink")  # programs of which members do not say that they have failed


class WorkOnGroup(Work[Group]):
    """``new``: what a cluster that is made gets; ``of_each``, ``of_data``: what each of its members gets, and each that has data."""

    def __init__(
        self, client: Datastores, look: Callable[[], Group], wanted: Wanted, force: bool, new: Mapping[str, Any],
        of_each: Mapping[str, Any], of_data: Mapping[str, Any], waiting: Optional[Waiting],
    ) -> None:  # fmt: skip
        super().__init__(look, f"cluster {wanted.name}", waiting)
        self._client, self._wanted, self._force = client, wanted, force
        self._new, self._of_each, self._of_data = new, of_each, of_data

    def steps(self, now: Group, restarted: FrozenSet[str]) -> List[Step]:
        return plan(self._wanted, now, restarted)[0]

    def send(self, step: Step) -> None:
        client, name = self._client, self._wanted.name
        if step.verb == "create":
            members = [{**self._of_each, **(self._of_data if each["type"] == DATA else {}), **each} for each in _members(step)]
            client.create_cluster({"name": name, "instances": members, **self._new}, key_of("cluster", name))
        elif step.verb == "remove":
            if self._force:
                client.act_on_cluster(step.of, "reset-status")
            client.delete_cluster(step.of)
        elif step.verb == "configure":
            action = "configuration_attach" if step.value else "configuration_detach"
            client.act_on_cluster(step.of, action, {"configuration_id": step.value} if step.value else {})
        elif step.verb == "limit":
            client.act_on_cluster(step.of, "copy_limit", int(step.value))
        else:
            action = "replace_node" if step.verb == "replace" else step.verb
            client.act_on_cluster(step.of, action, _what(step))

    def about(self, step: Step, before: Group, now: Group) -> List[Member]:
        if step.verb == "replace":
            return [each for each in now.members if before.find(each.id) is None]
        return [each for each in now.members if each.name in step.names]

    def is_under_way(self, _step: Step, _task: Mapping[str, Any]) -> bool:
        """What nobody asked for may be done first: what was asked for begins behind it."""
        return True

    def failure(self, now: Group, step: Step) -> str:
        if step.verb not in SHOWN_BY_HISTORY or not now.id:
            return ""
        told = [each for each in self.history(now, step) if str(each["what"]).startswith(f"{step.verb} ")]
        return f"{told[-1]['what']}: {told[-1]['why']}" if told and str(told[-1]["what"]).endswith("has failed") else ""

    def history(self, now: Group, _step: Step) -> List[Dict[str, Any]]:
        return self._client.history_of_cluster(now.id) if now.id else []


def _members(step: Step) -> List[Dict[str, Any]]:
    """Return those that a step makes. Where no region is named, the API chooses one."""
    return [
        {"name": name, "type": kind, **({"region": region} if region else {})} for name, (kind, region) in zip(step.names, step.new)
    ]  # fmt: skip


def _what(step: Step) -> Any:
    """Return what an action says besides its name."""
    if step.verb == "grow":
        return _members(step)
    if step.verb == "shrink":
        return [{"id": key} for key in step.old]
    if step.verb == "replace":
        return {"id": step.old[0]}
    return {"datastore_version": step.value} if step.verb == "upgrade" else {}
