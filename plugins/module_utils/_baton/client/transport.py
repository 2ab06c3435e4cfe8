# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to a cluster: which node to ask, when to ask again, when to give up. Knows HTTP, not Baton's resources.

A change is repeated only with the same Idempotency-Key and the same Baton-Deadline: it takes effect at most once, and
not after we gave up. Proxies and .netrc of the environment are not used. One Transport belongs to one thread.
"""
from __future__ import annotations

import json
import random
import secrets
import socket
import ssl
import time
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from ..ground.tls import client_context
from .connection import DEFAULT_TIMEOUT, Connection, base_url
from .error import ClientError, from_problem, one_line
from .failures import ServerClock, explain, is_hopeless, was_sent

REQUESTS_ERROR: Optional[str] = None
try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter
except ImportError as error:
    requests = None  # type: ignore[assignment]
    HTTPAdapter = None  # type: ignore[assignment,misc]
    REQUESTS_ERROR = f"{error}: install python3-requests (Debian, Fedora) or `pip install requests`"

API = "/api/v3"
CONNECT_TIMEOUT = 3.0
ATTEMPT_TIMEOUT = 10.0  # one node's silence; then the next is asked with the same key
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
MOST_REDIRECTS = 5
READS = ("GET", "HEAD")
BUSY = (429, 502, 503, 504)


@dataclass(frozen=True)
class Call:
    """A request: ``path`` is quoted and stands below /api/v3; ``open_body`` gives the body anew for each attempt.

    ``total``: seconds for all attempts; ``attempt``: seconds of silence for one. ``base``: ask this node only.
    ``follow``: go where a 307 points. ``repeat``: repeat even if a lost request may have been carried out.
    ``stream``: return as soon as the head of the answer is here. ``keyed``: whether a change is remembered for its repeat; what only
    asks again how something stands, again and again, need not be.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    open_body: Optional[Callable[[], Any]] = None
    key: Optional[str] = None
    total: Optional[float] = None
    attempt: float = ATTEMPT_TIMEOUT
    base: Optional[str] = None
    follow: bool = True
    repeat: bool = True
    stream: bool = False
    keyed: bool = True


@dataclass(frozen=True)
class Answer:
    """``body``: the JSON value (None when there was none); ``revision``: the ETag without quotes; ``url``: who answered."""

    status: int
    body: Any
    revision: Optional[str]
    replayed: bool
    url: str
    raw: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Failure:
    """Why one node gave no answer. ``sent``: it may have carried the request out; ``named_by``: who pointed to it."""

    url: str
    reason: str
    hopeless: bool = False
    sent: bool = False
    error: Optional[ClientError] = None
    named_by: str = ""


class Transport:
    """A requests session with a cluster. ``notice`` is told one line each time all nodes failed and we try again.

    ``session``: what sends in its place; it has headers, verify, request and close. ``prefix``: where all paths begin.
    """

    prefix = API

    def __init__(
        self, connection: Connection, user_agent: str, notice: Optional[Callable[[str], None]] = None, session: Any = None
    ) -> None:
        if REQUESTS_ERROR is not None:
            raise ClientError("usage", REQUESTS_ERROR)
        self.connection = connection
        self._notice = notice
        self._good: Optional[str] = None
        self._clock = ServerClock()
        self._session: Any = _session(connection) if session is None else session
        self._session.verify = connection.ca or True
        self._session.cert = connection.cert
        self._session.headers.update({"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"})
        if connection.token:
            self._session.headers["Authorization"] = f"Bearer {connection.token}"

    def close(self) -> None:
        self._session.close()

    def trouble(self, text: str) -> None:
        """Tell whoever waits why it takes long."""
        if self._notice is not None:
            self._notice(text)

    # --- asking until somebody answers --------------------------------------------------------------------------------

    def send(self, call: Call) -> Answer:
        """Return the answer (status below 400). Raises ClientError."""
        total = DEFAULT_TIMEOUT if call.total is None else call.total
        end = time.monotonic() + total
        headers = self._headers(call)
        deadline = time.time() + total
        pause, unknown = FIRST_PAUSE, False
        while True:
            failures: List[Failure] = []
            for url in self._candidates(call):
                self._set_deadline(call, headers, deadline)
                outcome = self._follow(url, call, headers, end)
                if isinstance(outcome, Answer):
                    return outcome
                failures.append(outcome)
                unknown = unknown or (outcome.sent and call.method not in READS)
                if outcome.sent and not call.repeat:
                    raise _gave_up(failures, unknown, 0.0)
            hopeless = all(failure.hopeless for failure in failures)
            if hopeless or time.monotonic() >= end:
                raise _gave_up(failures, unknown, 0.0 if hopeless else total)
            self.trouble(f"{_reasons(failures)}; trying again for {max(0, round(end - time.monotonic()))} s")
            time.sleep(max(0.0, min(pause * random.uniform(0.5, 1.0), end - time.monotonic())))
            pause = min(pause * 2, LONGEST_PAUSE)

    def _candidates(self, call: Call) -> List[str]:
        if call.base is not None:
            return [call.base]
        first = [self._good] if self._good is not None else []
        return first + [url for url in self.connection.urls if url != self._good]

    def _headers(self, call: Call) -> Dict[str, str]:
        headers = dict(call.headers)
        if call.method not in READS and call.keyed:
            headers["Idempotency-Key"] = call.key or secrets.token_hex(16)
        return headers

    def _set_deadline(self, call: Call, headers: Dict[str, str], deadline: float) -> None:
        if call.method not in READS:
            headers["Baton-Deadline"] = f"{deadline + self._clock.offset:.3f}"

    def _follow(self, url: str, call: Call, headers: Mapping[str, str], end: float) -> Union[Answer, Failure]:
        """Ask one node, and whom it points to. The token goes along: a node of the cluster, verified, named that address."""
        start = url
        for _hop in range(MOST_REDIRECTS + 1):
            outcome = self._attempt(url, call, headers, end)
            if isinstance(outcome, Failure):
                if url == self._good:
                    self._good = None
                return outcome if url == start else replace(outcome, named_by=start)
            if outcome.status not in (307, 308) or not call.follow:
                if call.base is None:
                    self._good = url
                return outcome
            location = str(outcome.raw.headers.get("Location", ""))
            try:
                target = base_url(location.partition(f"{self.prefix}/")[0])
            except ClientError as error:
                return Failure(url, f"points to another node, which can't be followed: {error.message}", hopeless=True)
            if url.startswith("https://") and not target.startswith("https://"):
                return Failure(url, f"points to {target}, which is not encrypted: not followed", hopeless=True)
            url = target
        return Failure(start, "the nodes do not agree on who is active")

    # --- one attempt --------------------------------------------------------------------------------------------------

    def _attempt(self, url: str, call: Call, headers: Mapping[str, str], end: float) -> Union[Answer, Failure]:
        left = max(0.2, end - time.monotonic())
        began = time.time()
        try:
            response = self._session.request(
                call.method, f"{url}{self.prefix}{call.path}", params=dict(call.query), headers=dict(headers),
                data=None if call.open_body is None else call.open_body(), allow_redirects=False,
                timeout=(min(CONNECT_TIMEOUT, call.attempt, left), min(call.attempt, left)), stream=call.stream,
            )  # fmt: skip
        except requests.RequestException as error:
            return Failure(url, explain(error), hopeless=is_hopeless(error), sent=was_sent(error))
        self._clock.saw(response.headers.get("Date"), began, time.time())
        if not call.stream and _cut_off(call, response):
            return Failure(url, "the answer was cut off", sent=True)
        return self._read(url, call, response)

    def _read(self, url: str, call: Call, response: Any) -> Union[Answer, Failure]:
        """Sort an answer: done, ask elsewhere, or a final no (raised)."""
        status, stream = int(response.status_code), call.stream and response.status_code < 300
        revision = response.headers.get("ETag", "").strip('"') or None
        replayed = response.headers.get("Idempotency-Replayed") == "true"
        if stream or status in (204, 304) or (call.method == "HEAD" and status < 400):
            return Answer(status, None, revision, replayed, url, response)
        if status in (307, 308) and call.follow:
            return Answer(status, None, None, False, url, response)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        found = _json(response) if call.method != "HEAD" and kind in ("application/json", "application/problem+json") else None
        if status < 300 and found is not None:
            return Answer(status, found[0], revision, replayed, url, response)
        if call.method == "HEAD":
            error: Optional[ClientError] = from_problem(status, {"detail": f"HTTP status {status} for {call.path}"})
        else:
            error = None if found is None else self.refusal(status, kind, found[0])
        if error is None:
            return _stranger(url, status, kind, response)
        if status in BUSY and (call.repeat or error.outcome == "not_applied"):
            return Failure(url, error.message, sent=error.outcome != "not_applied", error=error)
        if status == 401:
            return Failure(url, error.message, hopeless=True, error=error)
        raise error

    def refusal(self, status: int, kind: str, value: Any) -> Optional[ClientError]:
        """Return the error that an answer of content type ``kind`` tells of, None for one that is no answer of ours."""
        return from_problem(status, value) if kind == "application/problem+json" and isinstance(value, dict) else None


def _json(response: Any) -> Optional[Sequence[Any]]:
    try:
        return (json.loads(response.content),)
    except ValueError:
        return None


def _cut_off(call: Call, response: Any) -> bool:
    length = str(response.headers.get("Content-Length", ""))
    return call.method != "HEAD" and response.status_code != 304 and length.isdigit() and len(response.content) < int(length)


def _stranger(url: str, status: int, kind: str, response: Any) -> Failure:
    if status in BUSY:
        return Failure(url, f"a proxy answered {status}", sent=True)
    where = response.headers.get("Location")
    hint = f" pointing to {one_line(where)[:100]}" if where else f" ({one_line(kind) or 'no content type'})"
    return Failure(url, f"not a Baton server: it answered {status}{hint}", hopeless=True)


def _reasons(failures: Sequence[Failure]) -> str:
    said = {f"{failure.url}: {failure.reason}": failure.named_by for failure in reversed(failures)}
    return "; ".join(text + (f" (active according to {by})" if by else "") for text, by in reversed(list(said.items())))


def _gave_up(failures: Sequence[Failure], unknown: bool, waited: float) -> ClientError:
    """Return the error after all nodes failed; what a server said is worth more than a refused connection."""
    outcome = "unknown" if unknown else "not_applied"
    after = f" within {waited:g} s" if waited else ""
    tail = "; the change may or may not have taken effect" if unknown else ""
    said = next((failure for failure in failures if failure.error is not None), None)
    if said is not None and said.error is not None:
        error = said.error
        if error.kind == "auth":
            return ClientError("auth", f"{said.url}: {error.message}{tail}", error.status, error.problem, outcome=outcome)
        message = f"{said.url}: {error.message}" + (f" (tried for {waited:g} s)" if waited else "")
        return ClientError("unavailable", message, error.status, error.problem, outcome=outcome, retriable=True)
    kind = "unavailable" if unknown else "connection"
    lead = "no answer" if any(failure.sent for failure in failures) else "no connection"
    return ClientError(kind, f"{lead}{after}: {_reasons(failures)}{tail}", outcome=outcome, retriable=bool(waited))


def _session(connection: Connection) -> Any:
    session, adapter = requests.Session(), HTTPAdapter()
    session.trust_env = False
    more: Dict[str, Any] = {} if connection.crl is None else {"ssl_context": _context(connection.ca)}
    adapter.init_poolmanager(4, 4, socket_options=_keepalive(), **more)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session


def _context(ca: Optional[str]) -> ssl.SSLContext:
    """Return a TLS context that refuses revoked certificates, too; ClientError where the list is none."""
    try:
        context = client_context(ca)
    except OSError as error:
        raise ClientError("usage", str(error)) from None
    # Before its version 2 urllib3 gives an address to no context, which would refuse that; it compares the name itself then.
    context.check_hostname = not vars(urllib3)["__version__"].startswith("1.")
    return context


def _keepalive() -> List[Any]:
    """Return socket options with which a long-poll notices within seconds that its node is gone or the VIP has moved."""
    options: List[Any] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options
