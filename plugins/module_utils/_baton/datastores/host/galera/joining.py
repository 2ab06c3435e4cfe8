# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a member with data comes to its cluster and leaves it. Each start is an order: a server never comes to one by itself.

Who forms a cluster stands where the manager has seen it stand, and nowhere else. Who joins one that was formed anew must not have been
ahead of that: two servers with different data under the same number would not notice.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, List, Mapping, NamedTuple, Optional

from ...model.channel import OUT, Report
from ..mariadb import sql
from ..mariadb.config import errors
from ..mariadb.source import text
from ..trouble import Trouble
from . import own_tables, position
from .member import announce
from .node import Node
from .position import NOBODY, Position, has_data

LOG = logging.getLogger("baton.guest")
LOOK = 0.05  # seconds between looks at a server that joins
NO_INCREMENTS = "Will never receive state"
AHEAD = "states diverged"
TAKEN = "already in use"
NOBODY_THERE = "failed to reach primary view"
SERVES = ("Synced", "Donor/Desynced")
STATUS = (
    "wsrep_cluster_status", "wsrep_local_state_comment", "wsrep_cluster_size", "wsrep_cluster_state_uuid", "wsrep_ready",
    "wsrep_cluster_conf_id",
)  # fmt: skip
Stands = Callable[[], bool]


class View(NamedTuple):
    """What a server says of its cluster. ``serves``: it lets clients read and write; ``number``: of the view, one more than that of the
    one before, 0 outside of the primary component.
    """

    primary: bool
    size: int
    state: str
    uuid: str
    serves: bool
    number: int = 0

    @property
    def said(self) -> Mapping[str, Any]:
        return {"primary": self.primary, "size": self.size, "state": self.state, "uuid": self.uuid, "number": self.number}


def view(session: sql.Session) -> View:
    names = ", ".join(f"'{name}'" for name in STATUS)
    found = {str(row["Variable_name"]).lower(): text(row["Value"]) for row in _status(session, names)}
    status, state = found.get("wsrep_cluster_status"), found.get("wsrep_local_state_comment", "")
    is_primary, state = status == "Primary", OUT if status == OUT else state
    size, number = (_number(found.get(name, "")) for name in ("wsrep_cluster_size", "wsrep_cluster_conf_id"))
    serves = is_primary and state in SERVES and found.get("wsrep_ready") == "ON"
    return View(is_primary, size, state, found.get("wsrep_cluster_state_uuid", ""), serves, number if is_primary else 0)


def _number(text_of_it: str) -> int:
    return int(text_of_it) if text_of_it.isdigit() else 0


def _status(session: sql.Session, names: str) -> List[sql.Row]:
    return session.ask(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})")


class Joining:
    """Of one server. What has to wait for it takes as long as the order stands. ``unfit``: why its own tables are of an older version than
    it is, "" if they are not.
    """

    def __init__(self, node: Node) -> None:
        self._node, self.unfit = node, ""

    # --- orders -------------------------------------------------------------------------------------------------------------

    def form(self, args: Mapping[str, Any], stands: Stands) -> Optional[Report]:
        """Form the cluster: alone, for the first time or with what it has; nobody else may be a member of it."""
        node, where = self._node, position.asked(args["position"])
        attempt = {"group": str(args["cluster"]), "at": where.found if where else None}
        is_ours = node.memory.get("formed") == attempt
        if node.pid() is None:
            begun = self._may_form(where, is_ours)
            announce(node, args)
            node.remember(formed=attempt, forget=("copied",))
            position.save(node, begun, first=True)
            self._begin(begun, "--wsrep-new-cluster")
        elif not is_ours:
            return Report(f"{node.id} runs already, and has not formed the cluster by this order: halt it first")
        found = self._wait(stands)
        return None if found is None else Report(found=Position(found.uuid, where.seqno if where else 0).found)

    def _may_form(self, where: Optional[Position], is_again: bool) -> Position:
        """Return where the server starts; Trouble if that is not where it must. ``is_again``: an attempt of this order was cut off, since
        when nobody has written but the server itself.
        """
        node, ours = self._node, position.own(self._node)
        if not has_data(node):
            raise Trouble(f"{node.id} has no data: prepare it to be the first, or choose another to form the cluster")
        if is_again and (where is None or ours.uuid == where.uuid and ours.seqno >= where.seqno):
            return ours
        if where is None and ours.uuid != NOBODY:
            raise Trouble(f"{node.id} has the data of a cluster, at {ours}: form it at that position, or wipe it")
        if where is not None and ours != where:
            raise Trouble(f"{node.id} is at {ours}, and not at {where}: nothing was started; look who is furthest once more")
        return ours

    def join(self, args: Mapping[str, Any], stands: Stands) -> Optional[Report]:
        """Become a member of a cluster that is there; ``apart`` says why that can't be with the data that it has."""
        node, formed = self._node, position.asked(args.get("formed"))
        if node.pid() is not None and (node.is_alone or node.memory.get("group") != args["cluster"] or self._look().state == OUT):
            node.stop()  # it is in none, or the group that it is in is no more, or has put it out
        if node.pid() is None:
            node.remember(forget=("copied", "formed"))  # where what was copied is of no use, the next copy is another one
            ours = position.own(node)
            apart = _why_apart(ours, formed)
            if apart:
                return Report(found={"apart": apart})
            announce(node, args)
            self._begin(ours, f"--wsrep_start_position={ours}")
        try:
            return Report() if self._wait(stands) is not None else None
        except Apart as apart_after_all:
            self._was_not_let_in()
            return Report(found={"apart": str(apart_after_all)})

    def halt(self, args: Mapping[str, Any]) -> Report:
        """Leave, and say how far the data is. ``idle``: only one that does not serve."""
        if args.get("idle") and self._look().serves:
            return Report("it serves")
        self._node.stop()
        self._node.remember(halted=True, forget=("formed",))
        memory = self._node.memory
        group = "" if memory.get("copied") else memory.get("group", "")  # of what it has, not of what it had before
        return Report(found={**position.own(self._node).found, "group": group})

    def _look(self) -> View:
        try:
            with self._node.session() as session:
                return view(session)
        except sql.SqlTrouble:
            return View(False, 0, "", "", False)

    def again(self, stands: Stands) -> bool:
        """Leave and come back; return whether it has. Trouble says why it can't."""
        node = self._node
        if node.memory.get("group") != node.spec["cluster"]:
            raise Trouble(f"{node.id} was of another group last, and is not judged by a restart: have it join first")
        node.stop()
        ours = position.own(node)
        if not ours.is_known:
            raise Apart(f"{node.id} can't say how far its data is: have it copied anew")
        node.remember(forget=("formed",))
        self._begin(ours, f"--wsrep_start_position={ours}")
        return self._wait(stands) is not None

    # --- a start ------------------------------------------------------------------------------------------------------------

    def _begin(self, ours: Position, *options: str) -> None:
        files = self._node.files
        self.unfit = own_tables.fit(self._node)
        files.make_run()
        files.give(files.position, f"{ours}\n")
        node, at = self._node, {"at": str(ours)} if ours.is_known else {}
        node.remember(group=node.spec["cluster"], came_from=node.memory.get("group", ""), forget=("halted",), **at)
        LOG.info("%s is started at %s", node.id, ours)
        try:
            node.begin(*options)
        except Trouble:
            self._was_not_let_in()
            raise

    def _was_not_let_in(self) -> None:
        """What it has is of the group before: nobody may take it for one that has what was written in this one."""
        self._node.remember(group=self._node.memory.get("came_from", ""))

    def _wait(self, stands: Stands) -> Optional[View]:
        """Wait until it serves; None if that is not wanted any more. Trouble when it has ended."""
        node = self._node
        while stands():
            try:
                with node.session() as session:
                    found = view(session)
                if found.serves and node.pid() is not None:
                    if "at" in node.memory:
                        node.remember(forget=("at",))
                    return found
            except sql.SqlTrouble:
                if node.pid() is None:
                    raise self._why_ended() from None
            time.sleep(LOOK)
        return None

    def _why_ended(self) -> Trouble:
        node = self._node
        said = node.files.said()
        if any(NO_INCREMENTS in line for line in said):
            return Apart("the other members have not kept all that it lacks")
        if any(AHEAD in line for line in said):
            return Apart("it has what the other members have not")
        taken = next((line for line in said if TAKEN in line), "")
        if taken:
            why = next(iter(errors([taken])), taken)
            return Trouble(f"{node.id} can't listen where it has to: free its ports, or halt who has them: {why}")
        if any(NOBODY_THERE in line for line in said):
            return Trouble(f"{node.id} has found no member of the cluster that serves: see that one does, and that ports are open to it")
        return Trouble(f"{node.id} has ended: {next(iter(errors(said)), 'look at its log')}")


class Apart(Trouble):
    """It can't be a member with the data that it has."""


def _why_apart(ours: Position, formed: Optional[Position]) -> str:
    if not ours.is_known:
        return "it has no data of the cluster that it could use"
    if formed is not None and ours.uuid != formed.uuid:
        return f"its data is of another cluster, {ours.uuid}"
    if formed is not None and ours.seqno > formed.seqno:
        return f"it was ahead when the cluster was formed: it is at {ours.seqno}, and that began at {formed.seqno}"
    return ""
