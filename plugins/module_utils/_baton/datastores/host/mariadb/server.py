# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest does with one MariaDB server: its life, its tenure, and the orders that concern it.

All of it is synchronous, for threads of the guest. What is asked again and again blocks for no more than a second or two.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from ...model.channel import Report, Server
from ..carrying import carry_out
from ..checks import Need
from ..runner import Runner
from ..trouble import Trouble, one_line
from . import sql
from .copies import Copies
from .instance import Instance
from .prepare import prepare
from .replica import Replica, Standing
from .settings import Settings
from .source import Source, position

LOG = logging.getLogger("baton.guest")
CLOSES_WITHIN = 5.0  # seconds in which a server that is shut down has ended its clients' sessions
LETS_GO_WITHIN = 10.0  # seconds in which a replica that is opened has applied what it has received
MOST_QUIESCE_TRIES = 5  # of a second each
NEEDS_NO_SERVER = ("prepare", "receive", "wipe", "restart")


class MariaDB:
    """``folder``: of this instance alone; ``memory``: see Instance. Its methods raise Trouble."""

    by_quorum, fence, has_answered = False, 0.0, False

    def __init__(
        self, folder: Path, instance: str, runner: Runner, memory: Dict[str, Any], save: Callable[[], None], need: Need, user: str = ""
    ) -> None:
        """``need``: see prepare.py."""
        self._instance, self._need = Instance(folder, instance, runner, memory, save, user), need
        self._source, self._replica, self._copies = Source(self._instance), Replica(self._instance), Copies(self._instance, need)
        self._settings = Settings(self._instance)
        self._tries = 0
        self._copies.roll_back()

    # --- life ---------------------------------------------------------------------------------------------------------------

    def is_ours(self) -> bool:
        """Whether its folder was made for this instance."""
        return self._instance.files.is_ours()

    def pid(self) -> Optional[int]:
        return self._instance.pid()

    def start(self) -> None:
        """Start it, read-only, and return once it answers; a replica follows again."""
        refused = self._start()
        if refused:
            LOG.warning("%s", refused)

    def _start(self) -> str:
        """Start it, and return why it does not with its new parameters: then it has those before them."""
        refused = ""
        try:
            self._instance.start()
        except Trouble as trouble:
            refused = self._settings.go_back(trouble)
            self._instance.start()
        self._settings.proven()
        self._replica.again()
        return refused

    def stop(self) -> None:
        """Shut it down; it is gone on return."""
        self._copies.cut_off()
        if self._instance.pid() is not None:
            with contextlib.suppress(Trouble):
                self._source.close(CLOSES_WITHIN)
        self._instance.stop()

    def kill(self) -> None:
        """Kill it; it is gone on return."""
        self._instance.kill()

    def look(self) -> Server:
        """Return how it is, within a second."""
        stands = Standing()
        try:
            if not self.is_ours():
                raise Trouble("it was not prepared on this host")
            with self._instance.session() as session:
                stands = self._replica.standing(session)
            trouble = f"it does not follow any more: {stands.broken}" if stands.broken else self._instance.files.too_full()
        except sql.SqlTrouble as error:
            trouble = self._instance.why_silent(error)
        except (Trouble, OSError) as error:
            trouble = str(error)
        self.pid()  # after we have asked it: which life that was
        is_whole = self._instance.follow is None or bool(self._instance.memory.get("whole"))
        return Server(not trouble, one_line(trouble), whole=is_whole, lag_bytes=stands.lag_bytes, lag_seconds=stands.lag_seconds)

    def tend(self) -> bool:
        """See to what goes on by itself, every few tenths of a second while it runs; return whether that is due again at once."""
        is_hasty = self._replica.tend()
        if self._instance.follow is None:
            self._source.nudge()
        return is_hasty

    # --- tenure -------------------------------------------------------------------------------------------------------------

    def open(self, counted: Sequence[str], may: Callable[[], bool]) -> None:
        """Take writes; from when this returns, a commit returns once one of those that count has it, or at once if there are none.

        ``may``: whether it is right still, looked at in the moment in which it is done: whoever closes it comes before or after that.
        """
        self._source.open(counted, lambda: self._replica.let_go(LETS_GO_WITHIN), may)

    def mark(self, term: int, number: int) -> None:
        """Write something, and return once it is acknowledged; Trouble if that is given up by unmark or close."""
        self._source.mark(term, number)

    def unmark(self) -> None:
        self._source.unmark()

    def close(self, timeout: float) -> None:
        """Take no writes and end the clients' sessions; Trouble if that takes longer: then it must be killed."""
        self._copies.cut_off()
        self._source.close(timeout)

    def position(self) -> str:
        """Return how far it has come."""
        with self._instance.session() as session:
            return position(session)

    # --- orders -------------------------------------------------------------------------------------------------------------

    def do(self, verb: str, args: Mapping[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
        """Carry an order out: return what came of it, None if it is not done and must be asked again."""

        def act(args: Mapping[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
            if verb not in NEEDS_NO_SERVER and self.pid() is None:
                return None if verb in ("follow", "send") else Report("its server does not run")
            return getattr(self, f"_{verb}")(args, stands)  # type: ignore[no-any-return]

        return carry_out(act, VERBS, verb, args, stands, verb in ("prepare", "receive", "send"))

    def _prepare(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        prepare(self._instance, args, self._need)
        self._replica.again()
        return Report()

    def _wipe(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        files = self._instance.files
        if files.is_ours() and self._instance.pid() is not None:
            self._copies.cut_off()
            self._instance.kill()
        files.remove()
        self._instance.remember(spec=None, follow=None, whole=True, forget=("had", "copied"))
        return Report()

    def _restart(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        """Have it started anew, with these parameters if it can."""
        if args.get("parameters") is not None:
            self._settings.take(args["parameters"])
        self.stop()
        return Report(self._start())

    def _configure(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        return self._settings.configure(args["parameters"])

    def _adopt(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        """It is of another set now, of which it knows the secrets."""
        if self._instance.follow is not None:
            return Report(f"{self._instance.id} follows {self._instance.follow['source']} still: it must be sealed first")
        self._source.adopt(args["secrets"])
        return Report()

    def _send(self, args: Mapping[str, Any], stands: Callable[[], bool]) -> Report:
        self._copies.send(args, stands)
        return Report()

    def _admit(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        self._copies.let_in(str(args["to"]))
        return Report()

    def _receive(self, args: Mapping[str, Any], stands: Callable[[], bool]) -> Report:
        self._copies.receive(args, stands)
        return Report()

    def _follow(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        return self._replica.follow(args)

    def _seal(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        life = self._instance.life
        report = self._replica.seal()
        if self.pid() is None or self._instance.life != life:
            self._instance.remember(had=None)  # nobody knows which process has answered
            return None
        return report

    def _drain(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        return self._replica.drain(str(args["position"]))

    def _reach(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        return self._replica.reach(str(args["position"]))

    def _quiesce(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        came_to = self._source.quiesce()
        if came_to is not None:
            self._tries = 0
            return Report(found={"position": came_to})
        self._tries += 1
        if self._tries < MOST_QUIESCE_TRIES:
            return None
        self._tries = 0
        return Report("a statement or a table lock of a client keeps it from taking no writes: end it, and ask again")

    def _resume(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        return Report()


VERBS = (
    "prepare", "wipe", "restart", "configure", "adopt", "admit", "send", "receive", "follow", "seal", "drain", "reach", "quiesce", "resume",
)  # fmt: skip
