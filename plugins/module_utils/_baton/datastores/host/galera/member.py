# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a member of a cluster is to the guest, with data or without: nothing is opened or closed, and orders alone start it."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

from ...model.channel import Report
from ..carrying import Stands, carry_out
from ..mariadb.instance import Instance
from ..trouble import Trouble
from .settings import members_of


def announce(instance: Instance, args: Mapping[str, Any]) -> None:
    """Take note of the group's name and who has its data, for the next start, and of who must not come in."""
    news = {"members": members_of(args), **({"cluster": str(args["cluster"])} if args.get("cluster") else {})}
    news.update({"gone": [str(name) for name in args["gone"]]} if "gone" in args else {})
    if news != {name: instance.spec.get(name) for name in news}:
        instance.remember(spec={**instance.spec, **news})
    instance.files.write_settings(instance.spec)


class Member:
    """``verbs``: the orders that it knows, each a method; ``repeats``: those that are asked again when the server has not answered."""

    by_quorum, fence, has_answered = True, 0.0, False
    verbs: Tuple[str, ...] = ()
    repeats: Tuple[str, ...] = ()

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def is_ours(self) -> bool:
        """Whether its folder was made for this instance."""
        return self._instance.files.is_ours()

    def pid(self) -> Optional[int]:
        return self._instance.pid()

    def start(self) -> None:
        raise Trouble(f"{self._instance.id} is a member of a cluster: an order starts it")

    def stop(self) -> None:
        self._instance.stop()

    def kill(self) -> None:
        self._instance.kill()

    def open(self, _counted: Sequence[str], _may: Callable[[], bool]) -> None:
        raise Trouble(f"{self._instance.id} is a member of a cluster: nobody grants it anything")

    def mark(self, _term: int, _number: int) -> None:
        """There are no terms."""

    def close(self, _timeout: float) -> None:
        """It takes writes as its cluster says, whoever hears its guest."""

    def position(self) -> str:
        return ""

    def tend(self) -> bool:
        return False

    def do(self, verb: str, args: Mapping[str, Any], stands: Stands) -> Optional[Report]:
        """Carry an order out: return what came of it, None if it is not done and must be asked again."""

        def act(args: Mapping[str, Any], stands: Stands) -> Optional[Report]:
            if verb not in ("prepare", "wipe") and not self.is_ours():
                return Report(f"{self._instance.id} was not prepared on this host")
            return getattr(self, f"_{verb}")(args, stands)  # type: ignore[no-any-return]

        return carry_out(act, self.verbs, verb, args, stands, verb not in self.repeats)

    def _announce(self, args: Mapping[str, Any], _stands: Stands) -> Report:
        announce(self._instance, args)
        return Report()

    def _wipe(self, _args: Mapping[str, Any], _stands: Stands) -> Report:
        instance = self._instance
        if instance.files.is_ours() and instance.pid() is not None:
            instance.kill()
        instance.files.remove()
        instance.remember(spec=None, forget=("group", "formed", "at", "copied", "halted", "nodes", "tables"))
        return Report()

    def _why_down(self) -> str:
        """Return why it does not run."""
        instance = self._instance
        if not instance.files.is_ours():
            return "it was not prepared on this host"
        return "it was halted" if instance.memory.get("halted") else f"it does not run: {instance.files.last_error() or 'look at its log'}"
