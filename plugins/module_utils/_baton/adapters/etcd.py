# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster record in etcd, through its JSON gateway: one key, changed by compare-and-swap on its mod_revision.

Decides nothing, and writes nothing but swaps: no lease, no heartbeat, so that one etcd serves thousands of clusters. Every
call ends within ``CALL_SECONDS`` for each endpoint that it tries; the one that answered last is asked first.
"""
from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..core.record import Record
from .aio import aiohttp

LOG = logging.getLogger("baton.etcd")
CALL_SECONDS = 0.3
PASSWORD_SECONDS = 2.0  # etcd makes checking a password slow on purpose
WATCH_SECONDS = 10.0  # a watch is made anew after this, with a read before it: a frozen member can't keep us in the dark
BACKOFF = 0.5
UNAUTHENTICATED = 16  # gRPC's code: the token has expired, or the member has not heard of it


class Unreachable(ConnectionError):
    """No endpoint answered, or the one that was asked did not say what became of a swap."""


class Refused(ConnectionError):
    """etcd answered and won't: wrong user, no permission, no leader."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Options:
    """``key``: where the record lives. ``user`` "": no authentication; ``password`` is secret and never shown."""

    endpoints: Tuple[str, ...]
    key: str
    user: str = ""
    password: str = ""


class EtcdStore:
    """See adapters/dcs.py RecordStore. A version is etcd's mod_revision of the key, -1 where there is none."""

    shared = True

    def __init__(self, options: Options, tls: Optional[ssl.SSLContext]) -> None:
        self._options = options
        self._tls: Any = tls if tls is not None else True
        self._endpoints: List[str] = list(options.endpoints)
        self._key = _encoded(options.key)
        self._session: Any = None
        self._token = ""
        self._watch: Optional["asyncio.Task[None]"] = None
        self.reachable = True

    async def start(self, changed: Callable[[int, Optional[Record]], None]) -> None:
        """Begin to watch: ``changed`` gets (version, record) when the key has changed, and now and then when it has not."""
        self._session = aiohttp.ClientSession()
        self._watch = asyncio.get_running_loop().create_task(self._keep_watching(changed))

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def read(self) -> Tuple[int, Optional[Record]]:
        return _record_of((await self._call("/v3/kv/range", {"key": self._key}, repeat=True)).get("kvs", []))

    async def swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        value = json.dumps(record.to_json(), separators=(",", ":"))
        compare = {"key": self._key, "target": "MOD", "result": "EQUAL", "mod_revision": str(max(expected, 0))}
        body = {
            "compare": [compare],
            "success": [{"request_put": {"key": self._key, "value": _encoded(value)}}],
            "failure": [{"request_range": {"key": self._key}}],
        }
        answer = await self._call("/v3/kv/txn", body, repeat=False)
        if answer.get("succeeded"):
            return True, int(answer["header"]["revision"])
        return False, _record_of(answer["responses"][0]["response_range"].get("kvs", []))[0]

    async def adopt(self, version: int, record: Record) -> None:
        """A shared store is read, not told."""

    async def forget(self) -> None:
        """A shared store is not ours to drop."""

    # --- calls ---

    async def _call(self, path: str, body: Dict[str, Any], repeat: bool) -> Dict[str, Any]:
        """Ask one endpoint after the other. Without ``repeat`` only those that certainly did not get the request are left."""
        try:
            answer = await self._ask_any(path, body, repeat)
        except ConnectionError as error:
            self._say(False, str(error))
            raise
        self._say(True, "")
        return answer

    async def _ask_any(self, path: str, body: Dict[str, Any], repeat: bool) -> Dict[str, Any]:
        failures: List[str] = []
        for endpoint in list(self._endpoints):
            try:
                return await self._authenticated(endpoint, path, body)
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
                failures.append(f"{endpoint}: {_short(error)}")
                self._endpoints.remove(endpoint)
                self._endpoints.append(endpoint)
                never_sent = isinstance(error, (aiohttp.ClientConnectorError, Refused))
                if not repeat and not never_sent:
                    break
        raise Unreachable("; ".join(failures))

    async def _authenticated(self, endpoint: str, path: str, body: Dict[str, Any]) -> Dict[str, Any]:
        if not self._options.user:
            return await self._post(endpoint, path, body)
        if self._token:
            try:
                return await self._post(endpoint, path, body)
            except Refused as error:
                if error.code != UNAUTHENTICATED:
                    raise
        credentials = {"name": self._options.user, "password": self._options.password}
        self._token = ""
        self._token = str((await self._post(endpoint, "/v3/auth/authenticate", credentials, PASSWORD_SECONDS))["token"])
        return await self._post(endpoint, path, body)

    async def _post(self, endpoint: str, path: str, body: Dict[str, Any], seconds: float = CALL_SECONDS) -> Dict[str, Any]:
        headers = {"Authorization": self._token} if self._token else {}
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with self._session.post(endpoint + path, json=body, headers=headers, ssl=self._tls, timeout=timeout) as response:
            answer = await response.json(content_type=None)
            if response.status != 200 or not isinstance(answer, dict):
                raise _refusal(response.status, answer)
            return answer

    def _say(self, reachable: bool, why: str) -> None:
        if reachable != self.reachable:
            self.reachable = reachable
            if reachable:
                LOG.info("etcd answers again")
            else:
                LOG.error("etcd is unreachable (%s): the cluster goes on, but its record can't be changed", why)

    # --- watching ---

    async def _keep_watching(self, changed: Callable[[int, Optional[Record]], None]) -> None:
        while True:
            try:
                answer = await self._call("/v3/kv/range", {"key": self._key}, repeat=True)
                changed(*_record_of(answer.get("kvs", [])))
                await self._watch_once(int(answer["header"]["revision"]) + 1, changed)
            except asyncio.TimeoutError:
                continue  # no sign of life for long enough: look again
            except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
                LOG.debug("watch: %s", _short(error))
                await asyncio.sleep(BACKOFF)

    async def _watch_once(self, revision: int, changed: Callable[[int, Optional[Record]], None]) -> None:
        body = {"create_request": {"key": self._key, "start_revision": str(revision)}}
        headers = {"Authorization": self._token} if self._token else {}
        timeout = aiohttp.ClientTimeout(total=WATCH_SECONDS, sock_connect=CALL_SECONDS)
        url = self._endpoints[0] + "/v3/watch"
        async with self._session.post(url, json=body, headers=headers, ssl=self._tls, timeout=timeout) as response:
            async for line in response.content:
                result = json.loads(line).get("result", {})
                kvs = [event["kv"] for event in result.get("events", []) if event.get("type", "PUT") == "PUT"]
                if kvs:
                    changed(*_record_of(kvs[-1:]))
                if result.get("canceled"):
                    raise ValueError(result.get("cancel_reason", "the watch was cancelled"))


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _record_of(kvs: List[Dict[str, Any]]) -> Tuple[int, Optional[Record]]:
    if not kvs:
        return -1, None
    try:
        record = Record.from_json(json.loads(base64.b64decode(kvs[0]["value"])))
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"the key holds something that is not a cluster record: {error}") from error
    return int(kvs[0]["mod_revision"]), record


def _refusal(status: int, answer: Any) -> Refused:
    text = str(answer.get("error") or answer.get("message") or answer) if isinstance(answer, dict) else str(answer)
    code = int(answer.get("code", 0)) if isinstance(answer, dict) else 0
    if "invalid auth token" in text or "user name is empty" in text:
        code = UNAUTHENTICATED
    return Refused(code, f"it says {text!r} (HTTP {status})")


def _short(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return f"no answer within {CALL_SECONDS:g} s"
    return str(error) or type(error).__name__
