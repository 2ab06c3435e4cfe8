# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a client asks: as ours do, every attempt at whichever node is active, with one key a request; and notes when and what."""

import asyncio
import itertools
import json
import time

import aiohttp

from histories.record import Operation

PATIENCE = 6.0  # seconds until a client gives up; what it asked is unknown then
ATTEMPT = 0.8  # seconds for one attempt, besides the time that it asks to wait
PAUSE = 0.05
LOST, NOT_SENT = "no answer ({})", "not reached"
clock = time.monotonic
_keys = itertools.count(1)


class Caller:
    """One client's connection to all nodes."""

    def __init__(self, name, world):
        self.name, self.world = name, world
        self.url = world.urls()[0]

    def now(self):
        return clock() - self.world.began

    async def ask(
        self,
        what,
        on,
        method,
        path,
        body=None,
        *,
        ask=None,
        headers=None,
        wait=0.0,
        patience=PATIENCE,
        key=True,
    ):
        """Ask until there is an answer, or ``patience`` seconds (and ``wait``) are over; return the Operation."""
        data = (
            None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        sending = {"Authorization": f"Bearer {self.world.token}", **(headers or {})}
        if key and method != "GET":
            sending["Idempotency-Key"] = f"{self.world.seed}-{self.name}-{next(_keys)}"
        noted = {**(body if isinstance(body, dict) else {}), **(ask or {})}
        operation = Operation(
            self.name, what, on, noted, self.now(), (method, path, data, sending, wait)
        )
        self.world.history.add(operation)
        return await self._until_answered(operation, patience)

    async def again(self, first, patience=PATIENCE):
        """Send the very same request again; return its Operation."""
        operation = Operation(
            self.name, first.what, first.on, first.ask, self.now(), first.request, repeats=first
        )
        self.world.history.add(operation)
        return await self._until_answered(operation, patience)

    async def _until_answered(self, operation, patience):
        method, _path, _data, _headers, wait = operation.request
        writes = method != "GET"
        end = self.now() + patience + wait
        url = self.url  # not self.url all the time: another request of this client may change it
        while True:
            operation.sent = self.now()
            operation.call = operation.call if writes else operation.sent
            status, headers, body = await self._attempt(url, *operation.request)
            problem = body if isinstance(body, dict) else {}
            if status not in (0, 307, 429, 503):
                operation.back, operation.status, operation.answer = self.now(), status, body
                operation.outcome = "ok" if status < 300 else "refused"
                operation.etag, operation.node = headers.get("ETag", ""), self.world.name_of(url)
                self.url = url
                return operation
            why = body if status == 0 else f"{status} {problem.get('type', '').rpartition(':')[2]}"
            operation.tries.append(f"{operation.sent:.3f} {self.world.name_of(url)} {why}")
            if writes and is_doubtful(status, body, problem, wait):
                operation.doubtful = True
            self._note_refusal(operation, problem, url)
            if self.now() > end:
                operation.outcome = "unknown" if operation.doubtful else "not_applied"
                return operation
            if status == 307:
                url = headers["Location"].partition("/api/")[0]
            else:
                url = self._after(url)
                await asyncio.sleep(PAUSE)

    def _note_refusal(self, operation, problem, url):
        """Note when a write was refused for too few copies: how long that lasts is the judges' to see."""
        code, outcome = str(problem.get("type", "")), problem.get("outcome")
        if code.endswith("too_few_copies") and outcome == "not_applied":
            node, now = self.world.name_of(url), self.now()
            noted = Operation(self.name, "refused_write", "cluster", {}, operation.sent, node=node)
            noted.sent, noted.back, noted.outcome = operation.sent, now, outcome
            self.world.history.add(noted)

    def _after(self, url):
        """Return the next node's URL."""
        urls = self.world.urls()
        return urls[(urls.index(url) + 1) % len(urls)] if url in urls else urls[0]

    async def _attempt(self, url, method, path, data, headers, wait):
        """Return (status, headers, body); status 0 with LOST or NOT_SENT when there was no answer."""
        limit, trace = aiohttp.ClientTimeout(total=ATTEMPT + wait), {}
        try:
            async with self.world.session.request(
                method,
                f"{url}/api/v3{path}",
                data=data,
                headers=headers,
                timeout=limit,
                allow_redirects=False,
                trace_request_ctx=trace,
            ) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            # aiohttp repeats by itself what it thinks harmless, so the error alone does not tell.
            return 0, {}, LOST.format(type(error).__name__) if trace else NOT_SENT
        try:
            return answer.status, answer.headers, json.loads(raw) if raw else None
        except ValueError:
            return answer.status, answer.headers, raw.decode("utf-8", "replace")


def is_doubtful(status, body, problem, wait):
    """Return whether an attempt of a write that failed so may have taken effect all the same."""
    if status == 307:
        return bool(wait)  # it may have waited there for a while, and been sent on then
    return (status == 0 and body != NOT_SENT) or problem.get("outcome") == "unknown"


def traced():
    """Return what notes in a request's context that some of it was sent."""

    async def note(_session, context, _parameters):
        if context.trace_request_ctx is not None:
            context.trace_request_ctx["sent"] = True

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(note)
    return config
