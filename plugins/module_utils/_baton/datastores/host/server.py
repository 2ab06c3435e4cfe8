# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest does with one server of a set, whatever its datastore: its life, its tenure, and the orders that concern it.

All of it is synchronous, for threads of the guest. What is asked again and again blocks for no more than a second or two. How a datastore
takes writes, follows, is copied and takes other parameters stands beside its own server.py, in Source, Replica, Copies and Settings.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..model.channel import Report, Server
from .carrying import carry_out
from .trouble import ServerTrouble, Trouble, one_line

LOG = logging.getLogger("baton.guest")
NEEDS_NO_SERVER = ("prepare", "receive", "wipe", "restart")
IS_ASKED_AGAIN = ("follow", "send")  # where the server does not run: it is started
ARE_LAST = ("prepare", "receive", "send")  # what they began is over when they fail, also where the server has only not answered
VERBS = (
    "prepare", "wipe", "restart", "configure", "adopt", "admit", "send", "receive", "follow", "seal", "drain", "reach", "quiesce", "resume",
)  # fmt: skip


class Standing(NamedTuple):
    """``broken``: why it has stopped to follow, "" while it follows, or should not. The others: as of a Server."""

    broken: str = ""
    lag_bytes: Optional[int] = None
    lag_seconds: Optional[int] = None


class SetServer:
    """Its methods raise Trouble. ``verbs``: the orders that it knows, each a method; ``closes_within``: seconds in which one that is shut
    down has ended its clients' sessions, 0 where its end does that; ``unmade``, ``forgets``: what its memory has, and has not, of one that
    is not there any more.
    """

    by_quorum, fence, has_answered = False, 0.0, False
    verbs: Tuple[str, ...] = VERBS
    closes_within = 5.0
    unmade: Mapping[str, Any] = {}
    forgets: Sequence[str] = ()

    def __init__(self, instance: Any, source: Any, replica: Any, copies: Any, settings: Any) -> None:
        self._instance, self._source, self._replica = instance, source, replica
        self._copies, self._settings = copies, settings
        self._copies.roll_back()

    # --- life ---------------------------------------------------------------------------------------------------------------

    def is_ours(self) -> bool:
        """Whether its folder was made for this instance."""
        return bool(self._instance.files.is_ours())

    def pid(self) -> Optional[int]:
        found: Optional[int] = self._instance.pid()
        return found

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
        if self.closes_within and self._instance.pid() is not None:
            with contextlib.suppress(Trouble):
                self._source.close(self.closes_within)
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
        except ServerTrouble as error:
            trouble = self._instance.why_silent(error)
        except (Trouble, OSError) as error:
            trouble = str(error)
        self.pid()  # after we have asked it: which life that was
        is_whole = self._instance.follow is None or bool(self._instance.memory.get("whole"))
        return Server(not trouble, one_line(trouble), whole=is_whole, lag_bytes=stands.lag_bytes, lag_seconds=stands.lag_seconds)

    def tend(self) -> bool:
        """See to what goes on by itself, every few tenths of a second while it runs; return whether that is due again at once."""
        raise NotImplementedError

    # --- tenure -------------------------------------------------------------------------------------------------------------

    def open(self, counted: Sequence[str], may: Callable[[], bool]) -> None:
        """Take writes; from when this returns, one is acknowledged once one of those that count has it, or at once if there are none.

        ``may``: whether it is right still, looked at in the moment in which it is done: whoever closes it comes before or after that.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    # --- orders -------------------------------------------------------------------------------------------------------------

    def do(self, verb: str, args: Mapping[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
        """Carry an order out: return what came of it, None if it is not done and must be asked again."""

        def act(args: Mapping[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
            if verb not in NEEDS_NO_SERVER and self.pid() is None:
                return None if verb in IS_ASKED_AGAIN else Report("its server does not run")
            return getattr(self, f"_{verb}")(args, stands)  # type: ignore[no-any-return]

        return carry_out(act, self.verbs, verb, args, stands, verb in ARE_LAST)

    def _prepare(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        self._make(args)
        return Report()

    def _make(self, args: Mapping[str, Any]) -> None:
        """Make the server and start it; Trouble: nothing is left of it."""
        raise NotImplementedError

    def _wipe(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        files = self._instance.files
        if files.is_ours() and self._instance.pid() is not None:
            self._copies.cut_off()
            self._end()
        files.remove()
        self._instance.remember(forget=self.forgets, **{"spec": None, "follow": None, "whole": True, **self.unmade})
        return Report()

    def _end(self) -> None:
        """End it, whose data goes."""
        self._instance.kill()

    def _restart(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        """Have it started anew, with these parameters if it can."""
        if args.get("parameters") is not None:
            self._settings.take(args["parameters"])
        self.stop()
        return Report(self._start())

    def _configure(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        report: Report = self._settings.configure(args["parameters"])
        return report

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

    def _follow(self, args: Mapping[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
        report: Optional[Report] = self._replica.follow(args, stands)
        return report

    def _seal(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        life = self._instance.life
        report: Optional[Report] = self._replica.seal()
        if self.pid() is None or self._instance.life != life:
            self._replica.is_unsure()  # nobody knows which process has answered
            return None
        return report

    def _drain(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        report: Optional[Report] = self._replica.drain(str(args["position"]))
        return report

    def _reach(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        report: Optional[Report] = self._replica.reach(str(args["position"]))
        return report

    def _quiesce(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        return Report(found={"position": self._source.quiesce()})

    def _resume(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        return Report()
