# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether etcd would take a swap of the cluster record: asked before one is needed. Writes nothing.

Two questions. A *look* at a member's status shows the alarms of all members and costs etcd next to
nothing. A *proof* is the swap itself with a comparison that can't hold: it changes nothing and is
refused as the swap would be. It goes through etcd's log, so it is seldom made; but a user, whose
permissions no look shows, proves each time. All of it is spread, so that thousands of nodes do not
ask at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Callable, Dict, Mapping, Optional

from ..aio import aiohttp
from . import etcd_words
from .etcd_gateway import Gateway, Options, Refused, revision
from .store import Health, Told

FIRST_SECONDS = 2.0  # after the start, at most
ASK_SECONDS = 10.0
PROVE_SECONDS = 300.0  # where looks show all that a proof is likely to
SPREAD = 0.2  # of each pause, up or down

Ends = Callable[[], Mapping[str, float]]


class Prover:
    """``health`` is what is known now; ``told`` hears of each change of it."""

    def __init__(
        self,
        gateway: Gateway,
        options: Options,
        own_ends: Ends,
        swap_body: Callable[[], Dict[str, Any]],
        told: Told,
    ) -> None:
        """``own_ends``: our certificates for etcd and their ends; ``swap_body``: a swap that can't happen."""
        self._gateway = gateway
        self._options = options
        self._own_ends = own_ends
        self._swap_body = swap_body
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._shown: Dict[str, float] = {}  # endpoint → when its certificate ends
        self._ends: Dict[str, float] = {}  # what certificate → when it ends
        self._alarm = self._refusal = ""
        self._proven: Optional[float] = None  # when a proof or a swap was answered last
        self.health = Health()

    async def run(self) -> None:
        await asyncio.sleep(random.uniform(0, FIRST_SECONDS))
        while True:
            self._ends = self._all_ends()
            if not self._options.user:
                await self._look()
            if self._due():
                await self._prove()
            self.tell()
            await asyncio.sleep(ASK_SECONDS * random.uniform(1 - SPREAD, 1 + SPREAD))

    def shown(self, endpoint: str, end: float) -> None:
        """A member has shown a certificate that ends then."""
        self._shown[endpoint] = end

    def answered(self, refusal: str) -> None:
        """A swap or a proof was taken (""), or refused by what every member would say."""
        self._proven, self._refusal = self._loop.time(), refusal
        self.tell()

    def words(self, error: Refused) -> Optional[str]:
        """Return what a refusal of a write means, None when another member may take it."""
        return etcd_words.refused_write(error.code, str(error), self._options.user, self._options.key)

    # --- asking ---

    async def _look(self) -> None:
        """See the alarms; that one is over is to be proven."""
        try:
            alarm = await self._gateway.peek("/v3/maintenance/status", {}, etcd_words.alarms)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError):
            self._proven = None
            return
        if self._alarm and not alarm:
            self._proven = None
        self._alarm = alarm

    def _due(self) -> bool:
        if self._alarm or not self._gateway.reachable:
            return False
        if self._proven is None or self._refusal or self._options.user:
            return True
        return self._loop.time() - self._proven >= PROVE_SECONDS * random.uniform(1 - SPREAD, 1)

    async def _prove(self) -> None:
        try:
            await self._gateway.peek("/v3/kv/txn", self._swap_body(), revision)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            refusal = self.words(error) if isinstance(error, Refused) else None
            if refusal is None:  # what passes, such as no leader, says nothing of what it will take
                self._proven = None
            else:
                self.answered(refusal)
        else:
            self.answered("")

    # --- telling ---

    def tell(self) -> None:
        """Pass on what is known now, if it is not what was known before."""
        found = self._found()
        if found != self.health:
            self.health = found
            self._told(found)

    def _found(self) -> Health:
        refusal = self._alarm or self._refusal
        ending = etcd_words.ending(self._ends, time.time())
        reachable = self._gateway.reachable
        known = reachable and self._proven is not None
        writable = False if refusal else True if known else None  # what refused goes on to, until it is seen to take one
        return Health(writable, "; ".join(text for text in (refusal, ending) if text), reachable)

    def _all_ends(self) -> Dict[str, float]:
        shown = {f"the certificate that {endpoint} shows": end for endpoint, end in self._shown.items()}
        try:
            own = self._own_ends()
        except (OSError, ValueError):  # which the daemon tells
            own = {}
        return {**shown, **{f"the certificate {name}, for etcd,": end for name, end in own.items()}}
