# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's side of elections: a seat, or one of N, on a param of a profile. One request a candidate.

Every method raises ClientError and nothing else.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Optional

from .api import Client, quoted_key
from .error import ClientError
from .locks import Locks, Ttl, own_lease


@dataclass(frozen=True)
class Seats:
    """Where leaders sit. ``seats`` None: the param holds one candidate; a number: a list of at most so many."""

    client: Client
    profile: str
    param: str
    seats: Optional[int] = None
    vacant: Any = "none"
    run: Optional[str] = None  # in which run a seat is won, for people

    def elect(self, candidate: Any, ttl: Optional[Ttl] = None, lease: Optional[str] = None) -> Dict[str, Any]:
        """Take a seat if one is free; return {Leaders, Elected, Position, Token, Run, Changed, Lease}, and Since if not Elected.

        ``ttl``: it is kept for so long under a lease of its own, which each election gives its full time again; ``lease``: as long as
        that stands; neither: until resigned. The profile is made if there is none.
        """
        own = self.own_lease(candidate) if ttl is not None else None
        if own is not None and ttl is not None:
            Locks(self.client).grant(own, ttl, self._text(candidate)[:100])
        try:
            answer = self._ask("elect", candidate, own or lease)
        except ClientError as error:
            if own is None or ttl is None:
                raise
            if error.code != "no_lease":
                Locks(self.client).drop_unused(own, error)
                raise
            Locks(self.client).grant(own, ttl, self._text(candidate)[:100])  # it ended before we were elected under it
            answer = self._ask("elect", candidate, own)
        if own is not None and not answer["Elected"]:
            Locks(self.client).revoke(own)
        return {**answer, "Lease": (own or lease) if answer["Elected"] else None}

    def resign(self, candidate: Any) -> Dict[str, Any]:
        """Give a seat back; return {Leaders, Elected, Position, Token, Changed}. Who has none changes nothing."""
        answer = self._ask("resign", candidate, None)
        if answer["Changed"]:
            Locks(self.client).revoke(self.own_lease(candidate))
        return answer

    def own_lease(self, candidate: Any) -> str:
        return own_lease("seat", f"{self.profile}/{self.param}", self._text(candidate))

    @staticmethod
    def _text(candidate: Any) -> str:
        if isinstance(candidate, dict) and "Uuid" in candidate:
            candidate = candidate["Uuid"]
        return candidate if isinstance(candidate, str) else json.dumps(candidate, sort_keys=True)

    def _ask(self, action: str, candidate: Any, lease: Optional[str]) -> Dict[str, Any]:
        body = {"Param": self.param, "Candidate": candidate, "Seats": self.seats, "Vacant": self.vacant, "Lease": lease}
        if self.run is not None:
            body["Run"] = self.run
        return dict(self.client.post(f"/profiles/{quoted_key('profiles', self.profile)}/{action}", body).body)
