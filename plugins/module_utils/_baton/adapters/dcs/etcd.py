# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster record in etcd: one key, changed by compare-and-swap on its mod_revision.

Decides nothing, and writes nothing but swaps: no lease, no heartbeat, so that one etcd serves
thousands of clusters. A watch tells of a change at once; a read every ``LOOK_SECONDS`` in which
nothing else was answered proves that etcd is there, and tells what no watch would: that the key is
gone, or that a backup was restored. See etcd_gateway.py for calls, etcd_watch.py for the watch, and
etcd_health.py for what proves that a swap would be taken.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
from typing import Any, Callable, Dict, List, Optional, Tuple

from ...core.model.record import Record
from ..aio import aiohttp, within
from ..resolver import Resolver
from .etcd_gateway import Found, Gateway, Options, Refused, revision, understood
from .etcd_health import Ends, Prover
from .etcd_watch import Watch
from .store import Changed, Health, Told, WontTake

LOG = logging.getLogger("baton.etcd")
LOOK_SECONDS = 2.0  # without an answer; with a call's limit, an outage is known 3 s after it began
RETRY_SECONDS = 1.0  # between two looks at an etcd that does not answer
APART_SECONDS = 0.2  # between two looks, whatever the watch says
BACKOFF = 0.5  # seconds before a watch that failed is made anew, doubled each time
MOST_BACKOFF = 5.0
LASTED = 5.0  # seconds after which the end of a watch is no failure: proxies do that
BLIND = 3  # failures in a row before the journal says that etcd can't be watched
NEVER = {"target": "VERSION", "result": "LESS", "version": "0"}  # how often the key was changed


class EtcdStore:
    """See on_disk.py RecordStore. A version is etcd's mod_revision, -1 without a record."""

    shared = True

    def __init__(
        self,
        options: Options,
        tls: Optional[ssl.SSLContext],
        resolver: Resolver,
        own_ends: Ends = dict,
    ) -> None:
        """``own_ends`` returns when our certificates for etcd end: file → unix seconds."""
        self._key = _encoded(options.key)
        self._gateway = Gateway(options, tls, resolver)
        self._known = ""  # the record as it would be written, once it was read
        self._told_health: Told = lambda _health: None
        self._prover = Prover(self._gateway, options, own_ends, self._proof, self._tell_health)
        self._loop = asyncio.get_running_loop()
        self._tasks: List["asyncio.Task[None]"] = []
        self._look = asyncio.Event()
        self._seen = -1  # the version that was seen last
        self._told = False  # the present watch has told of a change
        self._blind = False

    def _tell_health(self, found: Health) -> None:
        self._told_health(found)

    @property
    def reachable(self) -> bool:
        """Whether etcd has answered lately; False until it has for the first time."""
        return self._gateway.reachable

    @property
    def last_contact(self) -> Optional[float]:
        """For how many seconds etcd has not answered; None before it has."""
        answered = self._gateway.answered
        return None if answered == float("-inf") else self._loop.time() - answered

    async def start(self, changed: Changed, health: Told = lambda _health: None) -> None:
        """Begin to watch: ``changed`` gets (version, record) now and then, and at every change.

        The version may be an older one: then etcd was restored from a backup.
        """
        self._told_health = health
        await self._gateway.start()
        looking = self._keep_looking(changed), self._keep_watching(changed), self._prover.run()
        for work in looking:
            self._tasks.append(self._loop.create_task(work))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._gateway.stop()

    async def read(self, proven: bool = False) -> Tuple[int, Optional[Record]]:
        if proven:
            found = await self._write(self._proof(), _shown, repeat=True)
        else:
            found = await self._gateway.call("/v3/kv/range", {"key": self._key}, _range, repeat=True)
        self._seen = found[0]
        self._known = _written(found[1]) if found[1] is not None else ""
        return found

    async def swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        standing = {"target": "MOD", "result": "EQUAL", "mod_revision": str(max(expected, 0))}
        try:
            found = await self._write(self._put_if(standing, _written(record)), _swapped, repeat=False)
        except WontTake:
            raise
        except ConnectionError:
            self._look.set()  # one endpoint has failed: see what the others say
            raise
        self._seen = found[1]
        return found

    async def _write(self, body: Dict[str, Any], read: Callable[[Dict[str, Any]], Found], repeat: bool) -> Found:
        """Send a swap, or a proof; that it was refused, or would have been taken, is known from then on."""
        words = self._prover.words
        try:
            found = await self._gateway.call("/v3/kv/txn", body, read, repeat, refuses=words)
        except Refused as error:
            why = words(error) or str(error)
            self._prover.answered(why)
            raise WontTake(why) from None
        self._prover.answered("")
        return found

    def _put_if(self, compared: Dict[str, str], value: str) -> Dict[str, Any]:
        return {
            "compare": [{"key": self._key, **compared}],
            "success": [{"request_put": {"key": self._key, "value": _encoded(value)}}],
            "failure": [{"request_range": {"key": self._key}}],
        }

    def _proof(self) -> Dict[str, Any]:
        """Return a swap as we would send it, which can't happen: so nothing is written."""
        return self._put_if(NEVER, self._known)

    async def adopt(self, version: int, record: Record) -> None:
        """A shared store is read, not told."""

    async def forget(self) -> None:
        """A shared store is not ours to drop."""

    # --- looking ---

    async def _keep_looking(self, changed: Changed) -> None:
        while True:
            self._look.clear()
            try:
                changed(*await self.read())
                pause = APART_SECONDS
            except ConnectionError:  # which the gateway has told the journal
                pause = RETRY_SECONDS
            self._prover.tell()
            await asyncio.sleep(pause)
            await self._until_due()

    async def _until_due(self) -> None:
        """Return when nothing was answered for a while, or when there is something to look at."""
        while not self._look.is_set():
            left = self._gateway.answered + LOOK_SECONDS - self._loop.time()
            if left <= 0:
                return
            try:
                await within(left, self._look.wait())
            except asyncio.TimeoutError:
                continue

    # --- watching ---

    async def _keep_watching(self, changed: Changed) -> None:
        failures = 0
        while True:
            began = self._loop.time()
            watch = Watch(self._gateway, self._key)
            self._told = False
            why = await self._watch(watch, changed)
            lasted = watch.created and self._loop.time() - began > LASTED
            failures = 0 if lasted else 1 if self._told else failures + 1
            self._note_watch(failures, why)
            if failures:
                self._gateway.demote(watch.endpoint)
            if why or failures:
                self._look.set()
                await asyncio.sleep(_pause(failures))

    async def _watch(self, watch: Watch, changed: Changed) -> str:
        """Watch until that ends; return why it did, "" when it is merely time for a new one."""
        try:
            await watch.open()
            if watch.certificate_end is not None:
                self._prover.shown(watch.endpoint, watch.certificate_end)
            self._look.set()  # what changed before is not told by this watch
            while True:
                result = await watch.next()
                if result is None:
                    return f"{watch.endpoint}: it ends the watch"
                found = understood(_newest, result)
                if found is not None:
                    self._pass_on(*found, changed)
        except asyncio.TimeoutError as error:
            return "" if watch.created else watch.why(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return watch.why(error)
        finally:
            watch.close()

    def _pass_on(self, version: int, record: Optional[Record], changed: Changed) -> None:
        """Tell of what a watch has seen; only a read may tell of a version that is not newer."""
        self._told = True
        if version > self._seen:
            self._seen = version
            changed(version, record)
        elif version < self._seen:
            self._look.set()

    def _note_watch(self, failures: int, why: str) -> None:
        """Tell the journal once that changes are seen late, and when they are seen at once."""
        if failures >= BLIND and self.reachable and not self._blind:
            self._blind = True
            LOG.warning(
                "etcd can't be watched (%s): a change of the record is seen after up to %g s",
                why,
                LOOK_SECONDS,
            )
        elif not failures and self._blind:
            self._blind = False
            LOG.info("etcd can be watched again")


def _pause(failures: int) -> float:
    """Return the seconds before a watch is made anew after so many failures in a row."""
    return min(BACKOFF * (1 << min(max(failures - 1, 0), 10)), MOST_BACKOFF)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _written(record: Record) -> str:
    """Return a record as the key holds it."""
    return json.dumps(record.to_json(), separators=(",", ":"))


def _range(answer: Dict[str, Any]) -> Tuple[int, Optional[Record]]:
    revision(answer)
    return _record_of(answer.get("kvs", []))


def _swapped(answer: Dict[str, Any]) -> Tuple[bool, int]:
    now = revision(answer)
    if answer.get("succeeded"):
        return True, now
    return False, _shown(answer)[0]


def _shown(answer: Dict[str, Any]) -> Tuple[int, Optional[Record]]:
    """Return what a proof, which never happens, shows of the record."""
    revision(answer)
    return _record_of(answer["responses"][0]["response_range"].get("kvs", []))


def _newest(result: Dict[str, Any]) -> Optional[Tuple[int, Optional[Record]]]:
    """Return the last of a watch's events as a read would give it, None when it has none."""
    if not result.get("events"):
        return None
    event = result["events"][-1]
    return _record_of([event["kv"]] if event.get("type", "PUT") == "PUT" else [])


def _record_of(kvs: List[Dict[str, Any]]) -> Tuple[int, Optional[Record]]:
    if not kvs:
        return -1, None
    version = int(kvs[0]["mod_revision"])
    try:
        record = Record.from_json(json.loads(base64.b64decode(kvs[0]["value"])))
    except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"the key holds something that is not a cluster record: {error}") from None
    return version, record
