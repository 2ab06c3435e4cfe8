# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest does with one PostgreSQL server: its life, its tenure, and the orders that concern it.

All of it is synchronous, for threads of the guest. What is asked again and again blocks for no more than a second or two.
"""

from __future__ import annotations

import logging
import time
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
from .source import Source

LOG = logging.getLogger("baton.guest")
TENDS_EVERY = 1.0  # seconds
LETS_GO_WITHIN = 10.0  # seconds in which a replica that is opened has applied what it has received
CLEARS_WITHIN = 5.0  # seconds for one that is wiped to end by itself: one that is killed leaves shared memory behind, for ever
NEEDS_NO_SERVER = ("prepare", "receive", "wipe", "restart")
IS_ASKED_AGAIN = ("follow", "send")  # where the server does not run: it is started


class PostgreSQL:
    """``folder``: of this instance alone; ``memory``: see Instance. Its methods raise Trouble."""

    by_quorum, fence, has_answered = False, 0.0, False

    def __init__(
        self, folder: Path, instance: str, runner: Runner, memory: Dict[str, Any], save: Callable[[], None], need: Need, user: str = ""
    ) -> None:
        """``need``: see prepare.py."""
        self._instance, self._need = Instance(folder, instance, runner, memory, save, user), need
        self._source, self._replica, self._copies = Source(self._instance), Replica(self._instance), Copies(self._instance, need)
        self._settings = Settings(self._instance)
        self._tended_at = float("-inf")
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
        return refused

    def stop(self) -> None:
        """Shut it down; it is gone on return."""
        self._copies.cut_off()
        self._instance.stop()

    def kill(self) -> None:
        """Kill it, with all of its processes; they are gone on return."""
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
        if time.monotonic() - self._tended_at < TENDS_EVERY:
            return False
        self._tended_at = time.monotonic()
        if self._instance.memory.get("opening"):
            self._source.tend()
        elif self._replica.tend():
            LOG.warning("%s applies nothing more until it has as much of all as its source: it is started anew", self._instance.id)
            self._instance.stop()
            self._instance.start()
        return False

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
        """Take no writes and end the clients' sessions, which is to end it; Trouble if that takes longer: then it must be killed."""
        self._copies.cut_off()
        self._source.close(timeout)

    def position(self) -> str:
        """Return how far it has come, whether it runs or has ended in order."""
        return self._source.position()

    # --- orders -------------------------------------------------------------------------------------------------------------

    def do(self, verb: str, args: Mapping[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
        """Carry an order out: return what came of it, None if it is not done and must be asked again."""

        def act(args: Mapping[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
            if verb not in NEEDS_NO_SERVER and self.pid() is None:
                return None if verb in IS_ASKED_AGAIN else Report("its server does not run")
            return getattr(self, f"_{verb}")(args, stands)  # type: ignore[no-any-return]

        return carry_out(act, VERBS, verb, args, stands, verb in ("prepare", "receive", "send"))

    def _prepare(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        prepare(self._instance, args, self._need)
        return Report()

    def _wipe(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        files = self._instance.files
        if files.is_ours() and self._instance.pid() is not None:
            self._copies.cut_off()
            if not self._instance.end_at_once(CLEARS_WITHIN):
                self._instance.kill()
        files.remove()
        self._instance.remember(spec=None, follow=None, whole=True, forget=("copied", "reign", "adopting", "spoilt", "counted", "opening"))
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

    def _receive(self, args: Mapping[str, Any], stands: Callable[[], bool]) -> Report:
        self._copies.receive(args, stands)
        return Report()

    def _follow(self, args: Mapping[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
        return self._replica.follow(args, stands)

    def _seal(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        life = self._instance.life
        report = self._replica.seal()
        if self.pid() is None or self._instance.life != life:
            return None  # nobody knows which process has answered
        return report

    def _drain(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        return self._replica.drain(str(args["position"]))

    def _reach(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        return self._replica.reach(str(args["position"]))

    def _quiesce(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        return Report(found={"position": self._source.quiesce()})

    def _resume(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        return Report()


VERBS = (
    "prepare", "wipe", "restart", "configure", "adopt", "send", "receive", "follow", "seal", "drain", "reach", "quiesce", "resume",
)  # fmt: skip
