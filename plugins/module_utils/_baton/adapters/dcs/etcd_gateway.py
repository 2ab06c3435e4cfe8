# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd's JSON gateway: a request to whichever member answers, as a user if need be.

Decides nothing. Every call ends within ``CALL_SECONDS`` for each endpoint that it tries; the one
that answered last is asked first. Whether etcd can be reached is what the last call found.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

from ..aio import aiohttp
from ..resolver import Resolver, reason

LOG = logging.getLogger("baton.etcd")
CALL_SECONDS = 0.3
PASSWORD_SECONDS = 2.0  # etcd makes checking a password slow on purpose
MOST_BYTES = 1 << 20  # of one answer, or of one watch: a record has a few thousand
MOST_TEXT = 200  # characters of what somebody else says that reach the journal
UNAUTHENTICATED = 16  # gRPC's code: the token has expired, or the member has not heard of it
NOT_LOGGED_IN = ("invalid auth token", "user name is empty", "revision of auth store is old")

Found = TypeVar("Found")


class Unreachable(ConnectionError):
    """No endpoint answered, or the one that was asked did not say what became of a swap."""


class Refused(ConnectionError):
    """etcd answered and won't: wrong user, no permission, no leader. ``code`` is gRPC's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Options:
    """``key``: where the record lives. ``user`` "": no authentication; ``password`` is secret."""

    endpoints: Tuple[str, ...]
    key: str
    user: str = ""
    password: str = ""


class Gateway:
    """``answered``: when a call was answered last, in seconds on the loop's clock."""

    def __init__(
        self,
        options: Options,
        tls: Optional[ssl.SSLContext],
        resolver: Resolver,
    ) -> None:
        self._options = options
        self._tls: Any = tls if tls is not None else True
        self._resolver = resolver
        self._loop = asyncio.get_running_loop()
        self._endpoints: List[str] = list(options.endpoints)
        self._session: Any = None
        self._token = ""
        self._logging_in = asyncio.Lock()  # checking a password costs etcd a lot: once for all calls
        self._said: Optional[bool] = None
        self.answered = float("-inf")

    @property
    def reachable(self) -> bool:
        """Whether the last call was answered; False before there was one."""
        return bool(self._said)

    @property
    def first(self) -> str:
        """The endpoint that is to be asked first."""
        return self._endpoints[0]

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=self._resolver.connector(),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,  # or a few bytes might become many
        )
        for endpoint in self._endpoints:
            self._resolver.ahead(endpoint)

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    def demote(self, endpoint: str) -> None:
        """Ask this endpoint last, and at another address if it has several."""
        self._endpoints.remove(endpoint)
        self._endpoints.append(endpoint)
        self._resolver.another(endpoint)

    async def call(
        self,
        path: str,
        body: Dict[str, Any],
        read: Callable[[Dict[str, Any]], Found],
        repeat: bool,
        refuses: Callable[["Refused"], object] = lambda _error: False,
    ) -> Found:
        """Ask one endpoint after the other; return what ``read`` makes of the first good answer.

        Without ``repeat``, for a write, only those that certainly did not get the request are passed
        over. Raises Unreachable; and Refused for what ``refuses`` takes for the answer of all.
        """
        began = self._loop.time()
        failures: List[str] = []
        for endpoint in list(self._endpoints):
            try:
                found = understood(read, await self._ask(endpoint, path, body))
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
                if isinstance(error, Refused) and refuses(error):
                    self._heard()
                    raise
                failures.append(f"{endpoint}: {_short(error)}")
                self.demote(endpoint)
                never_sent = isinstance(error, (aiohttp.ClientConnectorError, Refused))
                if not repeat and not never_sent:
                    raise Unreachable("; ".join(failures)) from None  # the others may well answer
            else:
                self._heard()
                return found
        why = "; ".join(failures)
        if self.answered < began:  # else another call was answered while this one waited
            self._say(False, why)
        raise Unreachable(why)

    async def peek(self, path: str, body: Dict[str, Any], read: Callable[[Dict[str, Any]], Found]) -> Found:
        """Ask the first endpoint alone what does not tell whether etcd can be reached.

        Raises Refused, aiohttp.ClientError, asyncio.TimeoutError, OSError or ValueError.
        """
        return understood(read, await self._ask(self.first, path, body))

    def _heard(self) -> None:
        self.answered = self._loop.time()
        self._say(True, "")

    def _say(self, reachable: bool, why: str) -> None:
        said, self._said = self._said, reachable
        if not reachable and said is not False:
            goes_on = "the cluster goes on, but its record can't be changed"
            LOG.error("etcd is unreachable (%s): %s", why, goes_on)
        elif reachable and said is False:
            LOG.info("etcd answers again")

    # --- one endpoint ---

    def send(self, endpoint: str, path: str, body: Any, token: str, timeout: Any) -> Any:
        """Return a request as aiohttp makes it: to be awaited, or entered."""
        headers = {"Authorization": token} if token else {}
        return self._session.post(
            endpoint + path,
            json=body,
            headers=headers,
            ssl=self._tls,
            timeout=timeout,
            allow_redirects=False,
        )

    async def token(self, endpoint: str) -> str:
        """Return the user's token, a new one if there is none; "" where there is no user."""
        async with self._logging_in:
            if self._options.user and not self._token:
                body = {"name": self._options.user, "password": self._options.password}
                path = "/v3/auth/authenticate"
                answer = await self._post(endpoint, path, body, "", PASSWORD_SECONDS)
                self._token = understood(lambda found: str(found["token"]), answer)
            return self._token

    def refused(self, token: str) -> None:
        """Etcd does not take this token: the next one to need a token gets a new one."""
        if token == self._token:
            self._token = ""

    async def _ask(self, endpoint: str, path: str, body: Dict[str, Any]) -> Dict[str, Any]:
        token = await self.token(endpoint)
        try:
            return await self._post(endpoint, path, body, token)
        except Refused as error:
            if not token or error.code != UNAUTHENTICATED:
                raise
        self.refused(token)
        return await self._post(endpoint, path, body, await self.token(endpoint))

    async def _post(
        self,
        endpoint: str,
        path: str,
        body: Any,
        token: str,
        seconds: float = CALL_SECONDS,
    ) -> Dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with self.send(endpoint, path, body, token, timeout) as response:
            return answer_of(response.status, await bounded(response))


async def bounded(response: Any) -> bytes:
    """Return the body of a response; ValueError when it is longer than any of etcd's."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > MOST_BYTES:
            raise ValueError(f"it answers with more than {MOST_BYTES} bytes: is that etcd?")
    return bytes(data)


def answer_of(status: int, data: bytes) -> Dict[str, Any]:
    """Return an answer of etcd; Refused when it says no, ValueError when it is none of etcd's."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"it does not answer in JSON (HTTP {status}): is that etcd?") from None
    if status != 200 or not isinstance(answer, dict) or "error" in answer:
        raise refusal(status, answer)
    return answer


def refusal(status: int, answer: Any) -> Refused:
    """Return the error in an answer, whichever of its forms etcd chose: they differ by version."""
    found = answer if isinstance(answer, dict) else {}
    if isinstance(found.get("error"), dict):
        found = found["error"]
    text = str(found.get("error") or found.get("message") or answer)[:MOST_TEXT]
    code = found.get("grpc_code", found.get("code"))
    if any(words in text for words in NOT_LOGGED_IN):
        code = UNAUTHENTICATED
    return Refused(code if isinstance(code, int) else 0, f"it says {text!r} (HTTP {status})")


def understood(read: Callable[[Dict[str, Any]], Found], answer: Dict[str, Any]) -> Found:
    """Return what ``read`` makes of an answer; ValueError when it is not made as etcd's are."""
    try:
        return read(answer)
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        raise ValueError(f"it says {str(answer)[:MOST_TEXT]}: is that etcd?") from None


def revision(answer: Dict[str, Any]) -> int:
    """Return the store's revision, which every answer of etcd has, and nobody else's."""
    return int(answer["header"]["revision"])


def _short(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return f"no answer within {CALL_SECONDS:g} s"
    return reason(error)
