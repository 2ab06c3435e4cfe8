# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest does with one member of a cluster that has data: its life, how it is, and the orders that concern it.

A member that was frozen goes on to answer what it knew, long after the others have gone on without it. So it may go on for a little
longer than the last look that it has answered, and is killed after that by the guest's guard: before the others can have gone on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

from ...model.channel import OUT, Report, Server
from ..carrying import Stands
from ..checks import Need
from ..mariadb import sql
from ..mariadb.settings import Settings
from ..runner import Runner
from ..trouble import Trouble, one_line
from .copies import MemberCopies
from .joining import Joining, View, view
from .keeping_out import KeepingOut
from .member import Member, announce
from .node import Node
from .prepare import prepare
from .room import Room
from .settings import DATASTORE, HEARD, SUSPECTED

FENCE = SUSPECTED - HEARD  # seconds; not before that may others go on without one that froze after a look had begun
BELIEVED = 10.0  # seconds that it is believed to be as it was, while it has too much to do to say it


class Galera(Member):
    """``folder``: of this instance alone; ``memory``: see Instance and Node. Its methods raise Trouble."""

    fence = FENCE
    verbs = ("prepare", "form", "send", "receive", "join", "halt", "announce", "restart", "configure", "wipe")
    repeats = ("configure",)

    def __init__(
        self, folder: Path, instance: str, runner: Runner, memory: Dict[str, Any], save: Callable[[], None], need: Need, user: str = ""
    ) -> None:
        """``need``: has a version of a datastore here."""
        node = Node(folder, instance, runner, memory, save, user)
        super().__init__(node)
        self._node = node
        self._need, self._joining, self._copies, self._settings = need, Joining(node), MemberCopies(node, need), Settings(node)
        self._keeping_out = KeepingOut(node)
        self._seen: Optional[View] = None  # by the last look that said it
        self._seen_at = 0.0
        self._room = Room(node.files)
        self._copies.roll_back()

    def look(self) -> Server:
        """Return how it is, within a second. It has answered if it said anything, if only that it has too much to do to talk to us: then
        what it said before is believed for a while. Nothing here waits for a disk where it has answered.
        """
        found, trouble, self.has_answered = None, "", False
        try:
            with self._instance.session() as session:
                found = self._seen = view(session)
            self._seen_at = time.monotonic()
            self.has_answered = not self._node.is_alone  # then it is looked after by who has started it
        except sql.SqlTrouble as error:
            self.has_answered = not error.silent
            is_fresh = time.monotonic() - self._seen_at < BELIEVED
            found = self._seen if error.number == sql.TOO_MANY_CONNECTIONS and is_fresh else None
            trouble = "" if found else self._why_silent(error)
        except (Trouble, OSError) as error:
            trouble = one_line(error)
        if found and self._node.is_alone:
            return Server(False, "its own tables are made to fit its version")  # it is of no cluster
        if found:
            trouble = _why_it_does_not_serve(found) or self._room.trouble()
        return Server(not trouble, one_line(trouble), view=found.said if found else {})

    def _why_silent(self, error: sql.SqlTrouble) -> str:
        if self.has_answered:
            return f"it runs, and does not say how it is: {error}; see that its clients leave it connections"
        return self._why_down() if self.pid() is None else f"it runs, and does not answer: {error}"

    def tend(self) -> bool:
        """Keep out who is no member any more; it is looked at when something is another."""
        if self._seen is not None:
            self._keeping_out.tend(self._seen)
        return False

    def stop(self) -> None:
        self._copies.cut_off()
        super().stop()

    # --- orders -------------------------------------------------------------------------------------------------------------

    def _prepare(self, args: Mapping[str, Any], _stands: Stands) -> Report:
        prepare(self._instance, args, self._need)
        return Report()

    def _form(self, args: Mapping[str, Any], stands: Stands) -> Optional[Report]:
        return self._joining.form(args, stands)

    def _join(self, args: Mapping[str, Any], stands: Stands) -> Optional[Report]:
        return self._joining.join(args, stands)

    def _halt(self, args: Mapping[str, Any], _stands: Stands) -> Report:
        return self._joining.halt(args)

    def _send(self, args: Mapping[str, Any], stands: Stands) -> Report:
        if self.pid() is None:
            return Report("its server does not run: choose another to copy from")
        self._copies.send(args, stands)
        return Report()

    def _receive(self, args: Mapping[str, Any], stands: Stands) -> Report:
        self._copies.receive(args, stands)
        return Report()

    def _configure(self, args: Mapping[str, Any], _stands: Stands) -> Report:
        if self.pid() is None:
            return Report("its server does not run")
        return self._settings.configure(args["parameters"])

    def _restart(self, args: Mapping[str, Any], stands: Stands) -> Optional[Report]:
        """Leave and come back: of another version if one is named, with these parameters if it can."""
        version = str(args.get("version") or "")
        if version:
            self._need(DATASTORE, version)
        if args.get("parameters") is not None:
            self._settings.take(args["parameters"])
        announce(self._instance, args)
        self._copies.cut_off()
        refused = ""
        try:
            is_back = self._joining.again(stands)
        except Trouble as trouble:
            refused = self._settings.leave_out(trouble) if version else self._settings.go_back(trouble)
            is_back = self._joining.again(stands)
        if not is_back:
            return None
        self._settings.proven()
        refused = refused or (self._joining.unfit if version else "")
        if version and not refused:
            self._instance.remember(spec={**self._instance.spec, "version": version})
        return Report(refused)

    def _wipe(self, args: Mapping[str, Any], stands: Stands) -> Report:
        self._copies.cut_off()
        return super()._wipe(args, stands)


def _why_it_does_not_serve(found: View) -> str:
    if found.serves:
        return ""
    if found.state == OUT:
        return "it runs, and was put out of the cluster, since its data differs or can't be written: see its disk; it is copied anew"
    if not found.primary:
        return "it runs, and is not in the primary component: it hears too few of the others, or none has formed the cluster"
    return f"it runs, and is {found.state or 'not a member yet'}: wait until it is synced"
