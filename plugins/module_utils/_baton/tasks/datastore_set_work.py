# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the steps of a plan for a set of databases are asked for, and how one sees that they have ended."""
from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional

from ..client.datastores import Datastores
from .datastore_set import Instance, Seen, Wanted, plan
from .datastore_steps import Step
from .datastore_work import Waiting, Work, key_of

PROGRAMS = {
    "create": "CREATE", "replicate": "REPLICATE", "configure": "CONFIGURE", "restart": "RESTART", "promote": "PROMOTE", "remove": "DELETE",
}  # fmt: skip


class WorkOnSet(Work[Seen]):
    """``new``: what an instance that is made gets."""

    def __init__(
        self, client: Datastores, look: Callable[[], Seen], wanted: Wanted, new: Mapping[str, Any], waiting: Optional[Waiting],
    ) -> None:  # fmt: skip
        super().__init__(look, f"the set of {wanted.name}", waiting)
        self._client, self._wanted, self._new = client, wanted, new

    def steps(self, now: Seen, restarted: FrozenSet[str]) -> List[Step]:
        return plan(self._wanted, now, restarted)[0]

    def send(self, step: Step) -> None:
        client, wanted = self._client, self._wanted
        if step.verb == "create":
            client.create({"name": wanted.name, **self._new}, key_of("instance", wanted.name))
        elif step.verb == "replicate":
            name = step.names[0] if len(step.names) == 1 else wanted.name
            body = {"name": name, "replica_of": step.of, "replica_count": len(step.names)}
            region = {"region": self._new["region"]} if "region" in self._new else {}
            client.create({**body, **region}, key_of("replicas", step.of, *step.names))
        elif step.verb == "rename":
            client.change(step.of, name=step.names[0])
        elif step.verb == "limit":
            client.change(step.of, copy_limit=int(step.value))
        elif step.verb == "configure":
            client.change(step.of, configuration=step.value or None)
        elif step.verb == "remove":
            if wanted.force:
                client.act(step.of, "reset_status")
            client.delete(step.of)
        else:
            client.act(step.of, {"restart": "restart", "promote": "promote_to_replica_source"}[step.verb])

    def about(self, step: Step, before: Seen, now: Seen) -> List[Instance]:
        if step.verb in ("create", "replicate"):
            return [each for each in now.instances if before.find(each.id) is None]
        is_well_anyway = step.verb in ("remove", "rename", "limit")
        return [each for each in now.instances if each.id == step.of and not is_well_anyway]

    def is_under_way(self, step: Step, task: Mapping[str, Any]) -> bool:
        return bool(task["name"] == PROGRAMS.get(step.verb))

    def history(self, now: Seen, step: Step) -> List[Dict[str, Any]]:
        key = step.of or next((each.id for each in now.instances), "")
        return self._client.history(key) if key else []
