# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's side of barriers: coming and waiting for the others, by long-polls that survive a change of active.

Every method raises ClientError and nothing else. Times are in seconds.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

from .api import POLL, Client, quoted
from .error import ClientError
from .locks import Locks, Ttl, own_lease
from .patience import Patience
from .progress import Progress

MOST_NAMED = 5


class Barriers:
    """Barriers of one cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> List[Dict[str, Any]]:
        return [*self._client.request("GET", "/barriers").body]

    def show(self, name: str) -> Dict[str, Any]:
        """Return {Name, Generation, Count, Members, Arrived, Broken, Past}; ClientError "not_found" where nobody has come yet."""
        return dict(self._client.request("GET", f"/barriers/{quoted(name)}").body)

    def arrive(
        self, name: str, owner: str, count: Optional[int] = None, members: Optional[Sequence[str]] = None, ttl: Ttl = 60.0,
        timeout: float = 300.0, progress: Optional[Callable[[str], None]] = None, age: Optional[float] = None,
    ) -> Dict[str, Any]:  # fmt: skip
        """Wait until ``count`` owners or all ``members`` have come; return {Generation, Outcome, Arrived, By, Why, Escape}.

        Outcome: "opened", or "broken" by somebody who said that the others shall continue. ClientError "conflict" when it was broken
        otherwise, and after ``timeout``, which breaks it for all. Who stops asking for ``ttl`` seconds breaks it, too.
        ``age``: seconds since our run began; one that began after a break is not told of it.
        """
        patience = Patience(timeout)
        told = Progress(progress, patience)
        lease, locks = own_lease("barrier", name, owner), Locks(self._client)
        poll = min(POLL, float(locks.grant(lease, ttl, owner)["Ttl"]) / 3)
        size = {"Owner": owner, "Count": count, "Members": None if members is None else list(members), **_age(age)}
        try:
            where = self._ask(name, {**size, "Lease": lease}, 0.0)
        except ClientError as error:
            locks.drop_unused(lease, error)
            raise
        while where["Outcome"] == "waits":
            left = patience.left
            if not left:
                where = self._give_up(name, size, where, patience)
                break
            try:
                where = self._ask(name, {**size, "Lease": lease, "Generation": where["Generation"]}, min(poll, left), again=True)
                locks.grant(lease, ttl, owner)
            except ClientError as error:
                if not error.retriable or not patience.left:
                    raise
            if where["Outcome"] == "waits":
                told.tell(f"barrier {name!r}: {_come(where, size)}")
        locks.revoke(lease)
        return _judged(name, where)

    def _ask(self, name: str, body: Dict[str, Any], wait: float, again: bool = False) -> Dict[str, Any]:
        """Come, or ``again`` ask how the generation stands."""
        path, total = f"/barriers/{quoted(name)}/arrive", max(self._client.connection.timeout, wait + 5.0)
        return dict(self._client.post(path, {**body, "Wait": wait}, total=total, attempt=wait + 10.0, keyed=not again).body)

    def _give_up(self, name: str, size: Dict[str, Any], where: Dict[str, Any], patience: Patience) -> Dict[str, Any]:
        why = f"{size['Owner']} waited {patience.spent} in vain: {_come(where, size)}"
        self._post(name, "break", {**size, "Why": why[:500], "Generation": where["Generation"]})
        return self._ask(name, {**size, "Generation": where["Generation"]}, 0.0)  # it may have opened at the last moment

    def break_barrier(
        self, name: str, owner: str, why: str = "", escape: str = "fail", count: Optional[int] = None,
        members: Optional[Sequence[str]] = None, age: Optional[float] = None,
    ) -> bool:  # fmt: skip
        """Release all who wait and all who are to come; return whether the barrier was whole."""
        body = {"Owner": owner, "Why": why, "Escape": escape, "Count": count, "Members": None if members is None else list(members)}
        return bool(self._post(name, "break", {**body, **_age(age)})["Changed"])

    def reset(self, name: str, owner: str) -> bool:
        """Let the next to come begin anew; return whether that changed anything."""
        return bool(self._post(name, "reset", {"Owner": owner})["Changed"])

    def _post(self, name: str, action: str, body: Dict[str, Any]) -> Any:
        return self._client.post(f"/barriers/{quoted(name)}/{action}", body).body


def _age(age: Optional[float]) -> Dict[str, Any]:
    return {} if age is None else {"Age": round(age, 3)}


def _come(where: Dict[str, Any], size: Dict[str, Any]) -> str:
    """Say who is missing, or how many have come."""
    missing = where.get("Missing")
    if missing:
        rest = f" and {len(missing) - MOST_NAMED} others" if len(missing) > MOST_NAMED else ""
        return f"missing {', '.join(missing[:MOST_NAMED])}{rest}"
    return f"{where['Arrived']}{' of ' + str(size['Count']) if size['Count'] else ''} have come"


def _judged(name: str, where: Dict[str, Any]) -> Dict[str, Any]:
    if where["Outcome"] == "gone":
        raise ClientError("conflict", f"barrier {name!r} was deleted or used many times meanwhile; nobody knows how this one ended")
    if where["Outcome"] == "broken" and where["Escape"] != "continue":
        raise ClientError("conflict", f"barrier {name!r} was broken by {where['By']}: {where['Why']}", 409, where)
    return where
