# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``webhook``: an HTTP request with a JSON body when the node becomes active or stops being so."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from pathlib import Path
from typing import Any, Dict, Optional

from ...adapters.aio import aiohttp
from ...ground.tls import client_context
from ..built_in import BuiltIn, secret_file
from ..config import Config
from ..session import Failed

LOG = logging.getLogger("baton.driver")
AGAIN = (1.0, 2.0, 4.0, 8.0)  # seconds
LAST_WORD = 0.5  # seconds that a driver which ends waits for an answer that nobody needs


class WebhookDriver(BuiltIn):
    """Only with ``required`` does an order wait for the answer, and a hook that fails fail the start; it never fails a stop.

    A start may wait for as long as ``timeout`` says: it is cancelled when the lease ends, which is renewed meanwhile.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._telling: Optional["asyncio.Task[None]"] = None

    async def trigger(self, is_active: bool) -> Optional[str]:
        if self._telling is not None:
            self._telling.cancel()  # it is about a state of the past
        members = self.config.members
        body = {"id": self.id, "node": self.node, "active": is_active, "epoch": self.epoch, "at": int(time.time())}
        if not members["required"]:
            self._telling = asyncio.get_running_loop().create_task(self._tell(body))
            if self.ending:
                await asyncio.wait([self._telling], timeout=min(LAST_WORD, max(0.0, self.remaining())))
            return "the webhook is called"
        if is_active:
            return await self._call(body, members["timeout"])
        try:
            return await self._call(body, max(0.1, min(members["timeout"], self.remaining() - 0.2)))
        except Failed as failed:
            self._telling = asyncio.get_running_loop().create_task(self._tell(body, failed))
            return f"{failed}; it is tried again"

    async def _tell(self, body: Dict[str, Any], why: object = None) -> None:
        """Call until it is answered well, a few times; ``why``: it was called in vain already."""
        for pause in AGAIN if why else (0.0, *AGAIN):
            await asyncio.sleep(pause)
            try:
                LOG.info("%s", await self._call(body, self.config.members["timeout"]))
                return
            except Failed as failed:
                why = failed
                LOG.warning("%s", failed)
        LOG.error("the webhook is not called again: %s", why)

    async def _call(self, body: Dict[str, Any], timeout: float) -> str:
        members = self.config.members
        headers, options = dict(members["headers"]), {}
        try:
            if members["token_file"]:
                headers["Authorization"] = f"Bearer {Path(secret_file(self.config, 'token_file')).read_text().strip()}"
            if members["ca"]:
                options["ssl"] = _trust(members["ca"])
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as http:
                request = http.request(members["method"], members["url"], json=body, headers=headers, allow_redirects=False, **options)
                async with request as response:
                    if not 200 <= response.status < 300:
                        raise Failed(f"the webhook answered {response.status}")
                    return f"the webhook answered {response.status}"
        except asyncio.TimeoutError:
            raise Failed(f"the webhook did not answer within {timeout:.1f} s") from None
        except (OSError, aiohttp.ClientError, ValueError) as error:
            # Its text may hold the URL, and that a secret.
            raise Failed(f"the webhook was not reached: {_why(error)}") from None


def _trust(ca: str) -> ssl.SSLContext:
    try:
        return client_context(ca)
    except OSError as error:
        raise Failed(f"the webhook can't be called: {error}") from None


def _why(error: Exception) -> str:
    """Return what an error says without its text."""
    refused = getattr(error, "certificate_error", None)
    if isinstance(refused, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {refused.verify_message}"
    return getattr(error, "strerror", None) or type(error).__name__


DRIVER = WebhookDriver
