# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's side of what is done once: who comes first does it under a lock, and its outcome is a param that all read.

Only who holds the lock records, by its fencing token; then the lock is deleted, so that all who wait are woken at once. Every
method raises ClientError and nothing else. Times are in seconds.
"""
from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from .api import POLL, Client, leased, quoted
from .error import ClientError
from .locks import Keep, Locks
from .patience import Patience
from .progress import Progress

Record = Dict[str, Any]
USUAL_PROFILE = "once"
MOST_RESULT = 64 << 10  # bytes of JSON
MOST_TEXT = 200  # characters of a text that stays in a result which is too large
NOT_KEPT = ("invocation", "exception", "warnings", "deprecations", "diff", "ansible_facts")  # of the host that did it, or of no use


@dataclass(frozen=True)
class Turn:
    """It is ours: the lease and the fencing token under which we hold the lock. ``new``: since now."""

    lease: str
    token: int
    new: bool


class Once:
    """One piece of work, by name. ``owner``: who we are; ``keep``: sees to the lease under which we hold the lock."""

    def __init__(self, client: Client, profile: str, name: str, owner: str, keep: Keep) -> None:
        self._client, self._locks, self.owner, self._keep = client, Locks(client), owner, keep
        self.profile, self.name = profile, name
        self.param = name if profile == USUAL_PROFILE else f"once/{name}"
        self.lock = f"{profile}/{self.param}"  # below the profile's name, where the profile's tokens may take locks

    # --- what stands ---

    def read(self) -> Optional[Record]:
        """Return {State: done|failed, Result, Why, By, At, Token}, or None while nobody has come to an end."""
        try:
            found = self._client.get_param("profiles", self.profile, self.param, default=False).body
        except ClientError as error:
            if error.kind != "not_found":
                raise
            return None
        if not isinstance(found, dict) or found.get("State") not in ("done", "failed"):
            raise ClientError("conflict", f"param {self.param!r} of profile {self.profile!r} holds something else: use another name")
        return found

    def holder(self) -> Optional[Dict[str, Any]]:
        """Return {Owner, Token, Lease, At} of who does it now, or None."""
        return next(iter(self._locks.show(self.lock)["Holders"]), None)

    def ours(self) -> Optional[Turn]:
        """Return our turn, if it is still ours."""
        found = self.holder()
        return Turn(found["Lease"], found["Token"], False) if found is not None and found["Owner"] == self.owner else None

    # --- taking part ---

    def claim(
        self, settled: Callable[[Record], bool], timeout: float, say: Callable[[str], None], check: Callable[[], None] = lambda: None,
    ) -> Tuple[Optional[Record], Optional[Turn]]:  # fmt: skip
        """Return the outcome, as soon as there is one that is ``settled``, or our turn to do it.

        Others are waited for for ``timeout``; 0: not at all, and both are None while another does it. ``check`` is called now and
        then and may raise.
        """
        patience = Patience(timeout)
        told = Progress(say, patience)
        lease, lasts = self._keep()
        while True:
            record = self.read()
            if record is not None and settled(record):
                return record, None
            try:
                check()
                got = self._locks.try_acquire(self.lock, self.owner, lease, 1, min(POLL, lasts / 3, patience.left))
                break
            except ClientError as error:
                if error.code == "locked" and not timeout:
                    return None, None
                if error.code not in ("locked", "out_of_line", "no_lease") and not error.retriable:
                    self._locks.release(self.lock, self.owner)
                    raise
                if not patience.left:
                    message = f"{error.message} (waited {patience.spent})"
                    self._locks.release(self.lock, self.owner)
                    raise ClientError(error.kind, message, error.status, error.problem) from None
                if error.code != "out_of_line":
                    told.tell(error.message)
            lease, lasts = self._keep()
        turn, record = Turn(lease, got["Token"], bool(got["Changed"])), self.read()
        if record is not None and settled(record):  # recorded after we looked and before it was our turn
            self.leave()
            return record, None
        return None, turn

    def leave(self) -> None:
        """Let the next one do it."""
        self._locks.release(self.lock, self.owner)

    def record(self, turn: Turn, state: str, result: Any, why: str) -> Record:
        """Say how it ended, if it is still our turn ("conflict" otherwise), and wake all who wait."""
        record = {"State": state, "Result": result, "Why": why[:2000], "By": self.owner, "At": int(time.time()), "Token": turn.token}
        under = leased(lease=turn.lease, token=turn.token)
        write = {"op": "add", "path": "", "value": record}
        try:
            self._client.patch_param("profiles", self.profile, self.param, [write], under=under)
        except ClientError as error:
            if error.kind == "not_found":
                self._make_profile()
                self._client.patch_param("profiles", self.profile, self.param, [write], under=under)
            elif error.code == "lease_lost":
                why = f"{self.owner} has lost {self.name!r} while it did it, so how it ended is not recorded: another may have begun it"
                raise ClientError("conflict", why, error.status, error.problem) from None
            else:
                raise
        self._wake(under)
        return record

    def _make_profile(self) -> None:
        """Make it, unless another has; by its name, which the token of a profile may do, too."""
        path, only_new = f"/profiles/{quoted(self.profile)}", {"If-None-Match": "*"}
        try:
            self._client.request("PUT", path, {"Name": self.profile}, want=False, headers=only_new)
        except ClientError as error:
            if error.status not in (409, 412):
                raise

    def _wake(self, under: Mapping[str, str]) -> None:
        """Wake all who wait at once. With a profile's token, which can't break a lock, they come one after the other."""
        try:
            self._client.request("DELETE", f"/locks/{quoted(self.lock)}", want=False, headers=under)
        except ClientError as error:
            if error.status == 403:
                self.leave()
            elif error.code not in ("lease_lost", "not_found") and error.status != 404:
                raise

    def forget(self) -> bool:
        """Remove the outcome, so that it is done again; return whether there was one."""
        try:
            self._client.delete_param("profiles", self.profile, self.param)
        except ClientError as error:
            if error.kind != "not_found":
                raise
            return False
        return True


def plain(result: Any) -> Any:
    """Return a result as JSON, without what says nothing to another host and what Ansible adds for itself."""
    if isinstance(result, dict):
        result = {str(k): v for k, v in result.items() if not str(k).startswith("_ansible") and k not in NOT_KEPT}
    return json.loads(json.dumps(result, default=str))


def kept(plain: Any) -> Tuple[Any, bool]:
    """Return what is kept of such a result, and whether it is cut: without its texts, since it is too large."""
    if len(json.dumps(plain)) <= MOST_RESULT:
        return plain, False
    if isinstance(plain, dict):
        small = {k: v for k, v in plain.items() if v is None or isinstance(v, (bool, int, float))}
        small.update({k: v[:MOST_TEXT] for k, v in plain.items() if isinstance(v, str) and len(v) <= MOST_TEXT})
        if len(json.dumps(small)) <= MOST_RESULT:
            return small, True
    return None, True
