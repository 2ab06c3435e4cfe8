# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's side of leases and locks: taking one's turn, by long-polls that survive a change of active.

Every method raises ClientError and nothing else. Times are in seconds.
"""
from __future__ import annotations

import hashlib
import time
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from .api import POLL, Client, quoted
from .contender import since
from .error import ClientError, one_line
from .patience import Patience
from .progress import Progress

Lock = Dict[str, Any]
Ttl = Union[float, str]
MOST_NAMED = 5
Keep = Callable[[], Tuple[str, float]]  # sees to it that a lease stands; returns its id and TTL in seconds


def own_lease(what: str, name: str, owner: str) -> str:
    """Return the id of the lease under which ``owner`` has a lock, seat or place when none is named: the same in every run."""
    return f"{what}-" + hashlib.sha256(f"{name}\n{owner}".encode()).hexdigest()[:24]


def held_by(problem: Mapping[str, Any], lock: str) -> str:
    """Say who holds a lock, since when, and how long the line is; ``problem``: what the server answered, with holders and ahead."""
    found = sorted(problem.get("holders") or [], key=lambda entry: int(entry["Token"]))
    named = "; ".join(one_line(f"{entry['Owner']}, since {since(entry['At'], time.time())}") for entry in found[:MOST_NAMED])
    more = f" and {len(found) - MOST_NAMED} others" if len(found) > MOST_NAMED else ""
    ahead = problem.get("ahead")
    line = "" if ahead is None else f"; {ahead} wait before us" if ahead else "; we are next"
    return f"lock {lock!r} is held by {named or 'nobody'}{more}{line}"


def _path(lease: str) -> str:
    if "/" in lease:
        raise ClientError("usage", f"{lease!r} can't name a lease: use letters, digits and _ . : @ -")
    return f"/leases/{quoted(lease)}"


class Locks:
    """Leases and locks of one cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client

    # --- leases ---------------------------------------------------------------------------------------------------------

    def grant(self, lease: str, ttl: Ttl, owner: str = "") -> Dict[str, Any]:
        """Make a lease, or keep the one that is there alive; return it. ``ttl``: seconds, or a text such as 90s or 10m."""
        return dict(self._client.post("/leases", {"Id": lease, "Ttl": ttl, "Owner": owner}).body)

    def revoke(self, lease: str) -> bool:
        """End a lease and all that is tied to it; return whether there was one."""
        try:
            self._client.request("DELETE", _path(lease), want=False)
        except ClientError as error:
            if error.code != "no_lease":
                raise
            return False
        return True

    def drop_unused(self, lease: str, why: Optional[ClientError] = None) -> None:
        """End a lease that nothing is tied to: what it was made for was refused. Where nobody answers, it ends by itself."""
        if why is not None and why.kind != "usage" and (why.status is None or why.retriable):
            return
        try:
            if not self.lease(lease)["Ties"]:
                self.revoke(lease)
        except ClientError:
            return

    def lease(self, lease: str) -> Dict[str, Any]:
        """Return {Id, Ttl, Owner, Ties, Left}; "not_found" when there is none (any more)."""
        return dict(self._client.request("GET", _path(lease)).body)

    def leases(self) -> List[Dict[str, Any]]:
        return [*self._client.request("GET", "/leases").body]

    # --- locks ----------------------------------------------------------------------------------------------------------

    def show(self, lock: str) -> Lock:
        """Return {Name, Slots, Holders, Queue}; Slots is None while nobody holds or wants it."""
        return dict(self._client.request("GET", f"/locks/{quoted(lock)}").body)

    def list(self) -> List[Lock]:
        return [*self._client.request("GET", "/locks").body]

    def try_acquire(
        self, lock: str, owner: str, lease: Optional[str], slots: Optional[int], wait: float, data: Any = None, shared: bool = False
    ) -> Lock:
        """Ask once, waiting in line for ``wait`` seconds at most; ClientError "locked" when it was not our turn."""
        body = {"Owner": owner, "Lease": lease, "Slots": slots, "Wait": wait, "Data": data, **({"Shared": True} if shared else {})}
        path, total = f"/locks/{quoted(lock)}/acquire", max(self._client.connection.timeout, wait + 5.0)
        try:
            return dict(self._client.post(path, body, total=total, attempt=wait + 10.0).body)
        except ClientError as error:
            if error.code != "locked":
                raise
            raise ClientError(error.kind, held_by(error.problem, lock), error.status, error.problem) from None

    def acquire(
        self, lock: str, owner: str, ttl: Optional[Ttl], slots: Optional[int] = None, timeout: float = 300.0, data: Any = None,
        lease: Optional[str] = None, progress: Optional[Callable[[str], None]] = None, keep: Optional[Keep] = None,
        shared: bool = False,
    ) -> Lock:  # fmt: skip
        """Take a lock, waiting for our turn for ``timeout`` seconds; return Held, Token, Position, Holders, Lease, Changed.

        ``ttl``: it is held under a lease of its own that lasts so long unless it is kept alive, by acquiring it again for
        instance; None: under the lease that ``keep`` sees to, or ``lease``, or until it is released. Who gives up leaves the line.
        ``shared``: together with others who share it, and beside nobody else.
        """
        patience = Patience(timeout)
        told = Progress(progress, patience)
        own = own_lease("lock", lock, owner) if ttl is not None else None
        if own is not None and ttl is not None:
            keep = partial(self._keep, own, ttl, owner)
        longest, waited = POLL, False
        if keep is not None:
            lease, lasts = keep()
            longest = min(POLL, lasts / 3)
        while True:
            try:
                got = self.try_acquire(lock, owner, lease, slots, min(longest, patience.left), data, shared)
                return {**got, "Lease": lease, "Changed": got["Changed"] or waited}
            except ClientError as caught:
                error, waited = caught, True
                lost = error.code in ("no_lease", "out_of_line") and keep is not None  # it ended meanwhile: into the line again
                if error.code != "locked" and not lost and not error.retriable:
                    if own is not None:
                        self.drop_unused(own, error)
                    raise
                if not patience.left:
                    tail = f" (waited {patience.spent})" if timeout else ""
                    self._leave(lock, owner, own)
                    raise ClientError(error.kind, error.message + tail, error.status, error.problem) from None
            told.tell(error.message)
            if keep is not None:
                lease, _lasts = keep()

    def _keep(self, lease: str, ttl: Ttl, owner: str) -> Tuple[str, float]:
        return lease, float(self.grant(lease, ttl, owner)["Ttl"])

    def _leave(self, lock: str, owner: str, lease: Optional[str]) -> None:
        if lease is not None:
            self.revoke(lease)
        else:
            self.release(lock, owner)

    def release(self, lock: str, owner: str, token: Optional[int] = None) -> Optional[List[Dict[str, Any]]]:
        """Give a lock up, or leave its line; return who holds it now, or None if ``owner`` was not there.

        "conflict" when it has another token. A lease of its own, which ``acquire`` made, goes as well.
        """
        try:
            left = self._client.post(f"/locks/{quoted(lock)}/release", {"Owner": owner, "Token": token}).body
        except ClientError as error:
            if error.code != "not_held":
                raise
            return None
        self.revoke(own_lease("lock", lock, owner))
        return [] if left is None else [*left["Holders"]]

    def break_lock(self, lock: str) -> None:
        """Take a lock from everybody who holds it or waits for it."""
        self._client.request("DELETE", f"/locks/{quoted(lock)}", want=False)
