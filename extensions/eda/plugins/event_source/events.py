# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source for rulebooks: every change in a Baton cluster, once and in order, over changes of the active and restarts.

ansible-rulebook loads this file alone, so it imports nothing of the collection. Of third parties it needs aiohttp, which ansible-rulebook
brings. Run as a program it prints what a rulebook would get, one event a line, from the cluster that the environment names.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import random
import ssl
import uuid
from typing import Any, AsyncIterator, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

import aiohttp

DOCUMENTATION = r"""
---
short_description: Changes in a Baton cluster, once and in order
description:
  - Every committed change of a profile, machine, param schema, lease, lock, barrier or file of the cluster, as it happens. And of a reign,
    of which one begins with each change of the active (kind C(history)). To an admin also of what datastores are made of, a set
    of servers or a host for them.
  - The source reconnects by itself, goes to whatever node is active, and goes on after the last event that the rulebook got.
    No event is lost or repeated while the cluster has it in its log (at least the last 8,192 changes).
  - An event has the members that the API's C(GET /events) gives it, with names in lower case - C(kind), C(key), C(action) (C(put), C(patch)
    or C(delete)), C(value) of a put, C(patch) with the operations of a patch, C(document) (the whole document as it is when the event is
    read, null once it is deleted), C(revision), C(at) (unix seconds) and C(cursor). What is inside of documents is as it was stored,
    so a condition reads C(event.kind == "machines" and event.document.Meta.color == "red").
  - C(meta.uuid) is of the change, not of its delivery. It is the same whenever the change is delivered.
  - When events were lost, because the log does not go back that far or the cluster was restored, there is one event with C(kind) C(gap).
    It has C(action) C(lost), C(after) (the cursor of the last event before the gap), C(cursor) and C(detail). Who keeps something in step
    with the cluster reads it anew then; every later change is another event.
options:
  url:
    description:
      - Where the nodes are, as a list or as text with commas. They are asked in this order. Without a scheme it is https.
      - Plain http is for loopback only, since the token would be readable.
      - E(BATON_URL) if this is not given.
    type: list
    elements: str
  token:
    description:
      - The secret that says who asks. A token of a profile sees the events of this profile only.
      - E(BATON_TOKEN) if neither this nor O(token_file) is given.
    type: str
  token_file:
    description:
      - A file with the token in its first line. It is read at each connection, so a token can be renewed.
      - E(BATON_TOKEN_FILE) if nothing else is given.
    type: path
  ca:
    description:
      - A PEM file with the CA of the cluster. Without it, those of the system are trusted.
      - E(BATON_CA) if this is not given.
    type: path
  kinds:
    description:
      - Only events of these kinds, such as C(machines) and C(locks). A list, or a text with commas. A kind that there is not is refused
        with those that there are.
    type: list
    elements: str
  key:
    description:
      - Only events of documents with this key, which is the name of a profile, the Uuid of a machine and so on.
    type: str
  documents:
    description:
      - Whether an event has the whole document.
    type: bool
    default: true
  since:
    description:
      - Where to begin. The C(cursor) of an event begins after it, V(now) with what happens from now on.
    type: str
    default: now
  cursor_file:
    description:
      - A file of this source alone. It keeps the cursor of the last event that the rulebook took, so that nothing is lost or repeated when
        the rulebook is restarted.
      - Once it is there, it counts and O(since) does not. Remove it to begin anew.
    type: path
notes:
  - A token that the nodes do not know, and options that they refuse, end the source, and with it the rulebook. Nodes that do not answer are
    asked again, after 0.1 to 5 seconds.
  - An event counts as taken when the rules have it. Actions that were cut short because the rulebook was killed are not run again.
  - With O(cursor_file) it waits after each event until the rulebook has taken all that its sources gave it.
"""

EXAMPLES = r"""
- baton.ha.events:
    url: https://192.0.2.10:8092,https://192.0.2.11:8092
    ca: .baton/ca.pem
    token_file: .baton/admin.token
    kinds: [machines]
    cursor_file: /var/lib/rulebook/machines.cursor

# One profile, without its documents; address and token are in the environment.
- baton.ha.events:
    kinds: profiles
    key: web
    documents: false
"""

LOGGER = logging.getLogger(__name__)
OPTIONS = ("url", "token", "token_file", "ca", "kinds", "key", "documents", "since", "cursor_file")
WORDS = {"true": True, "yes": True, "false": False, "no": False}  # what a template makes of a bool
API = "/api/v3"
ANSWER = 5.0  # seconds until a node has answered
SILENCE = 20.0  # seconds after which a stream is given up; a node says something every 15
SHORTEST, LONGEST = 0.1, 5.0  # seconds between two rounds of all nodes
REDIRECTS = 5
WIDTH = 256  # bytes of a cursor file; a cursor has at most 200


class EventsError(Exception):
    """Why the source ends, in one line."""


class _Failure(Exception):
    """Why one node gives no events; ``final``: asking it again won't help."""

    def __init__(self, url: str, reason: str, final: bool = False) -> None:
        super().__init__(f"{url}: {reason}")
        self.final = final


async def main(queue: asyncio.Queue[Any], args: Dict[str, Any]) -> None:
    """Put events into ``queue`` until cancelled; raises EventsError when that is hopeless."""
    options = _Options(args, os.environ)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER, sock_read=SILENCE)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        await _Follower(queue, options, session).follow()


class _Options:
    """What the rulebook and the environment say, checked."""

    def __init__(self, args: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        unknown = [name for name in args if name not in OPTIONS]
        if unknown:
            raise EventsError(f"there is no option {unknown[0]!r}; there are {', '.join(OPTIONS)}")
        self.urls = [_base_url(url) for url in _listed("url", args.get("url") or environ.get("BATON_URL"))]
        if not self.urls:
            raise EventsError("no address: set the option url, or BATON_URL")
        self._tokens = [(args.get("token"), args.get("token_file")), (environ.get("BATON_TOKEN"), environ.get("BATON_TOKEN_FILE"))]
        self.token()
        self.ssl = _trust(args.get("ca") or environ.get("BATON_CA"))
        self.query: Dict[str, str] = {}
        kinds = _listed("kinds", args.get("kinds"))
        if kinds:
            self.query["kinds"] = ",".join(kinds)
        if args.get("key") is not None:
            self.query["key"] = str(args["key"])
        documents = args.get("documents", True)
        if WORDS.get(str(documents).lower()) is None:
            raise EventsError(f"documents is true or false, not {documents!r}")
        if WORDS[str(documents).lower()]:
            self.query["documents"] = "yes"
        since = str(args.get("since") or "now")
        self.since = None if since == "now" else since
        self.cursor_file = os.path.expanduser(str(args["cursor_file"])) if args.get("cursor_file") else None

    def token(self) -> str:
        """Return the token as it is now."""
        for token, path in self._tokens:
            if path and not token:
                token = _content(str(path), "the token file")
            if token:
                if not str(token).isascii() or not str(token).isprintable() or " " in str(token):
                    raise EventsError("the token has characters that no token has (a space, a line break?)")
                return str(token)
        return ""


class _Follower:
    """Follows the active, and knows the cursor of the last event that the rulebook has."""

    def __init__(self, queue: Any, options: _Options, session: aiohttp.ClientSession) -> None:
        self._queue, self._options, self._session = queue, options, session
        self._cursor = options.since
        self._before_gap: Optional[str] = None
        self._said = ""
        if options.cursor_file and os.path.exists(options.cursor_file):
            self._cursor = _content(options.cursor_file, "the cursor file") or options.since

    async def follow(self) -> None:
        """Ask the nodes in their order, again and again."""
        pause = SHORTEST
        while True:
            if await self._round(hopeless=pause >= LONGEST):
                pause = SHORTEST
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST)

    async def _round(self, hopeless: bool) -> bool:
        """Return whether a node had a stream for us; it has ended then.

        One node may not know a token, because it has yet to fetch the data. So only what all nodes refuse ends the source, or what some
        refuse when the others have not answered for a while (``hopeless``).
        """
        failures: List[_Failure] = []
        for url in self._options.urls:
            try:
                await self._stream(url)
                return True
            except _Failure as failure:
                failures.append(failure)
        final = [failure for failure in failures if failure.final]
        if final and (hopeless or len(final) == len(failures)):
            raise EventsError(str(final[0]))
        self._say("; ".join(map(str, failures)))
        return False

    def _say(self, reason: str) -> None:
        if reason != self._said:
            LOGGER.warning("baton.ha.events: no events: %s; trying again", reason)
        self._said = reason

    # --- one stream ---------------------------------------------------------------------------------------------------

    async def _stream(self, url: str) -> None:
        """Read a stream to its end; raise _Failure if there is none."""
        response, url = await self._open(url)
        try:
            if response.status == 410 and self._cursor is not None:
                self._before_gap, self._cursor = self._cursor, None  # the next stream begins now
                return
            if response.status != 200 or response.content_type != "text/event-stream":
                raise await _refusal(url, response)
            LOGGER.info("baton.ha.events: %s has events", url)
            self._said = ""
            async for name, event in _events(response.content):
                if name == "end":
                    LOGGER.info("baton.ha.events: %s has no more events: %s", url, _line(event.get("detail")))
                    return
                await self._hand_over(name, event)
        except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError) as error:
            LOGGER.info("baton.ha.events: the stream of %s broke off: %s", url, _reason(error))
        finally:
            response.close()

    async def _open(self, url: str) -> Tuple[aiohttp.ClientResponse, str]:
        """Ask a node, and whom it points to; return who answered."""
        query = dict(self._options.query, **({"since": self._cursor} if self._cursor else {}))
        headers = {"Authorization": f"Bearer {self._options.token()}", "Accept": "text/event-stream"}
        for _hop in range(REDIRECTS):
            request = self._session.get(f"{url}{API}/events", params=query, headers=headers, ssl=self._options.ssl, allow_redirects=False)
            try:
                response = await asyncio.wait_for(request, ANSWER)
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
                raise _Failure(url, _reason(error)) from error
            if response.status not in (307, 308):
                return response, url
            response.close()
            try:
                target = _base_url(response.headers.get("Location", "").partition(f"{API}/")[0])
            except EventsError as error:
                raise _Failure(url, f"points to another node, which can't be followed: {error}", final=True) from error
            if url.startswith("https:") and not target.startswith("https:"):
                raise _Failure(url, f"points to {target}, which is not encrypted: not followed", final=True)
            url = target
        raise _Failure(url, "the nodes do not agree on who is active")

    async def _hand_over(self, name: str, event: Dict[str, Any]) -> None:
        cursor = str(event["Cursor"])
        if name not in ("begin", "alive"):
            await self._put({member.lower(): value for member, value in event.items()}, cursor)
        elif self._before_gap is not None:
            detail = "events were lost: the log does not go back to the cursor, or is another one; read anew what you keep"
            gap = {"kind": "gap", "action": "lost", "after": self._before_gap, "cursor": cursor, "detail": detail}
            LOGGER.warning("baton.ha.events: events after %s were lost", self._before_gap)
            await self._put(gap, cursor)
            self._before_gap = None
        elif cursor != self._cursor:
            self._cursor = cursor
            if self._options.cursor_file:
                _keep(self._options.cursor_file, cursor)

    async def _put(self, event: Dict[str, Any], cursor: str) -> None:
        event["meta"] = {"uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._options.urls[0]}{API}/events#{cursor}"))}
        await self._queue.put(event)
        self._cursor = cursor
        if self._options.cursor_file:
            await self._keep_once_taken(self._options.cursor_file, cursor)

    async def _keep_once_taken(self, path: str, cursor: str) -> None:
        """Keep the cursor of what was put into the queue when it is out of it: what a rulebook leaves there at its end, nobody takes."""
        queue = getattr(self._queue, "queue", self._queue)  # ansible-rulebook has it inside of what applies the filters
        is_taken = getattr(queue, "empty", lambda: True)
        try:
            while not is_taken():  # a queue can't say it
                await asyncio.sleep(0.005)
        finally:
            if is_taken():  # it may have been at last, when we are stopped
                _keep(path, cursor)


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[Tuple[str, Dict[str, Any]]]:
    """Yield name and data of server-sent events, those that are complete; a line may be of any length."""
    rest, name, data, cursor = b"", "", "", ""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            field, _colon, value = line.decode().rstrip("\r").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data = value
            elif field == "id":
                cursor = value
            elif not field:
                if value and cursor:  # a sign of life, with how far the stream has come: what was not asked for is behind it
                    yield "alive", {"Cursor": cursor}
                if data:
                    yield name, json.loads(data)
                name = data = ""


async def _refusal(url: str, response: aiohttp.ClientResponse) -> _Failure:
    """Return what an answer without events means."""
    final = response.status < 500 and response.status not in (408, 410, 429)
    try:
        return _Failure(url, f"{response.status}: {_line((await response.json())['detail'])}", final)
    except (aiohttp.ContentTypeError, ValueError, KeyError, TypeError):
        return _Failure(url, f"no Baton server, it answered {response.status} ({response.content_type})", final)


# --- options and files ------------------------------------------------------------------------------------------------


def _listed(name: str, given: Any) -> List[str]:
    if given is not None and not isinstance(given, (str, list, tuple)):
        raise EventsError(f"{name} is a list, or text with commas, not {given!r}")
    parts = given.split(",") if isinstance(given, str) else [str(part) for part in given or ()]
    return [part.strip() for part in parts if part.strip()]


def _base_url(text: str) -> str:
    """Return scheme://host:port. Plain HTTP, which shows the token, is for loopback only."""
    text = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise EventsError(f"{text!r} is not a URL") from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise EventsError(f"{text!r} is not a URL such as https://host:8092")
    if parts.path.rstrip("/") not in ("", API) or parts.query or parts.fragment:
        raise EventsError(f"{text!r} has more than scheme, host and port")
    if parts.scheme == "http" and not _is_loopback(host):
        raise EventsError(f"{text} would send the token unencrypted; use https:// (plain http is for loopback)")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{'' if port is None else f':{port}'}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _trust(ca: Optional[str]) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=os.path.expanduser(ca) if ca else None)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise EventsError(f"can't use the CA file {ca}: {_reason(error)}") from None


def _content(path: str, what: str) -> str:
    """Return the first line of a file, "" if there is none."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read(10_000).strip().partition("\n")[0].strip()
    except (OSError, ValueError) as error:
        raise EventsError(f"can't read {what} {path}: {_reason(error)}") from None


def _keep(path: str, cursor: str) -> None:
    """Write the cursor so that the file has the old or the new one, whatever happens: a single write within a sector of the disk.

    No second file and rename: ansible-rulebook copies the folder of a playbook, and fails if a file in it is gone meanwhile.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(file, f"{cursor:<{WIDTH - 1}}\n".encode(), 0)
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise EventsError(f"can't write the cursor file {path}: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    return _line(getattr(error, "strerror", None) or error) or type(error).__name__


def _line(text: Any) -> str:
    return " ".join(str(text).split())[:300]


if __name__ == "__main__":

    class Printer:
        """In place of a rulebook's queue."""

        async def put(self, event: Dict[str, Any]) -> None:
            """Print an event."""
            print(json.dumps(event), flush=True)

    asyncio.run(main(Printer(), {}))
