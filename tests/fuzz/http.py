# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw HTTP for a real batond: paths, queries, headers and bodies that no client of ours would send.

What must come of each: an answer below 500 (503 where it says why), a problem document if it is a refusal, within seconds; nothing
changed by what was refused; and neither a traceback nor a secret in the journal.
"""

from __future__ import annotations

import json
import random
import socket
import tempfile
from pathlib import Path
from typing import Any, List, Optional, Tuple

from baton.core.model.conditions import CONDITIONS
from support.cluster import Cluster

SECONDS = 10.0  # in which an answer has to come


def _words(text: str) -> Tuple[str, ...]:
    return tuple(text.split())


NAMES = (
    "web",
    "p1",
    "a" * 127,
    "a" * 128,
    "%00",
    "%2f",
    "..",
    ".",
    "%2e%2e",
    "%ff",
    "%c3%28",
    "é",
    "%ed%a0%80",
    "a%0d%0ab",
    "-a",
    "",
    "%",
    "%zz",
    "~",
    "*",
    ";x",
)
NUMBERS = (
    "0", "1", "-1", "-0", "1e400", "nan", "inf", "-inf", "1_0", "0x10", "²", "%C2%B2", "%D9%A3",
    "9" * 5000, "1e5000", "1.5", "", "+1", "true", "null", "%00", "1%00", " 1", "0" * 100,
)  # fmt: skip
VALUES = (
    b"", b"\xff", b"\xc2\xb2", b"a;\xc2\xb2", b"a;" + b"9" * 5000, b"a;1", b"a;-1", b";", b"a",
    b"*", b'"3.1"', b'"', b"nan", b"1e400", b"inf", b"\xe2\x82\xac", b"x" * 8000, b"\x80" * 50,
    b"gzip", b"identity", b"100-continue", b"Bearer \xff", b"Basic x", b"bytes=0-" + b"9" * 30,
    b"bytes=-", b"sha-256=:x:", b"sha-256=:\xff:", b"text/html; charset=\xff",
    b"application/json; charset=utf-16", b"a=b; q", b"websocket", b"chunked", b"=", b", ,",
    b"1.x.2.3", b"1.x.\xc2\xb2.3",
)  # fmt: skip
HEADERS = _words("""
    If-Lease Baton-Lease If-Match If-None-Match Idempotency-Key Baton-Deadline Expect Range
    If-Range Content-Type Content-Encoding Content-Digest X-Baton-Sha256 Prefer Last-Event-ID
    Authorization Accept Cookie X-Baton-Node Host Upgrade Sec-WebSocket-Version Sec-WebSocket-Key
    Sec-WebSocket-Protocol Connection Accept-Encoding Origin If-Modified-Since
""")
SCALARS = (
    None, True, False, 0, 1, -1, 1.5, 1e308, 10**400, "", "x", "web", "²", "\u0000", "x" * 5000,
    [], {}, [[]], ["x"], {"a": 1}, [None], {"": {}}, "30s", "9" * 500 + "s", "none", [1, 1],
    "http://x", "a/b", ["a", "a"],
)  # fmt: skip
MEMBERS = _words("""
    Name Uuid Params Meta Schema Scope Ttl Description Id Owner Lease Slots Wait Queue Shared Data
    Token Count Members Generation Age Why Escape Param Candidate Seats Vacant Run Changes force to
    at reason paused by cluster_id node epoch drivers kind op path value from Kind Key Action Body
    IfMatch IfUnset
""")
RAW_BODIES = (
    b"", b"{", b"[", b"nul", b"NaN", b"Infinity", b"-Infinity", b"1e999", b'"\\ud800"',
    b'{"Name": "\\udfff"}', b"\xff", b"\xef\xbb\xbf{}", b"[" * 5000, b'{"a":' * 3000,
    b'{"Name": "a", "Name": "b"}', b"9" * 5000, b'"' + b"x" * 70000 + b'"', b"{}x", b"\x00",
    b'{"Params": {"\\u0000": 1}}', b"-", b"0x1",
)  # fmt: skip
PATHS = _words("""
    profiles profiles/{} profiles/{}/params profiles/{}/params/{} profiles/{}/token
    profiles/{}/elect profiles/{}/resign machines machines/{} machines/{}/params/{} params
    params/{} params/{}/{} tokens tokens/{} files files/{} files/{}/{} info leases leases/{}
    leases/{}/keepalive locks locks/{} locks/{}/acquire locks/{}/release barriers barriers/{}
    barriers/{}/arrive barriers/{}/break barriers/{}/reset batch events system/ha system/switch
    system/create system/pause system/history system/drivers system/nodes/{} openapi.json
    nothing/{}
""")
OUTSIDE = _words("""
    /active /passive /in-sync /health /metrics /peer/v1/link /peer/v1/blobs/{} /peer/v1/snapshot
    /peer/v1/released /driver/v1 / // /{} * http://x/health http://[::1/
""")
QUERIES = _words("""
    wait value revision timeout settled escape escape_profile path limit offset stale default ttl
    prefix since kinds key documents Name force
""")
METHODS = _words("""
    GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT BREW get
""")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
Request = Tuple[str, bytes, bool]  # method, bytes, whether it is whole and well-formed, so that it must be answered


class Kind:
    """Plays requests to one daemon of its own."""

    def start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="baton-fuzz-")
        self._cluster = Cluster(Path(self._folder.name), 1, "local")
        self._cluster.__enter__()
        self._node = self._cluster.n1
        self._read = 0
        for kind, body in (("profiles", {"Name": "web"}), ("profiles", {"Name": "p1"}), ("leases", {"Id": "a", "Ttl": "1h"})):
            assert self._cluster.call(self._node, "POST", f"/{kind}", json=body).status_code == 201

    def stop(self) -> None:
        self._cluster.__exit__()
        self._folder.cleanup()

    def play(self, seed: int) -> Optional[str]:
        """Send one request; return what is wrong with what came of it, or None."""
        chance = random.Random(seed)
        request = request_of(chance, self._cluster.token)
        before = self._end() if request[0] in UNSAFE else ""
        found = self._ask(request)
        wrong = wrong_with(request, found)
        if wrong is None and before and 400 <= found[0] < 500 and found[0] not in (408, 409) and self._end() != before:
            wrong = f"{found[0]}, and yet the log has grown"
        if wrong is None or found[0] == 500:
            wrong = self._journal() or wrong
        return f"{wrong}; sent {request[1][:600]!r}" if wrong is not None else None

    def _end(self) -> str:
        """Return the last entry of the log."""
        head, body = self._say(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False)[1:]
        return next((line for line in body.decode().splitlines() if line.startswith("baton_log_end ")), "")

    def _journal(self) -> Optional[str]:
        """Return what the journal has that it should not have, of what is new in it."""
        with open(self._node.log, errors="replace") as file:
            file.seek(self._read)
            text = file.read()
            self._read = file.tell()
        for word in ("Traceback", "Error", self._cluster.token):
            if word in text:
                at = text.index(word)
                return f"the journal has {word!r}: …{text[max(0, at - 200) : at + 1200]!r}"
        return None if self._node.process.poll() is None else "the daemon has ended"

    def _ask(self, request: Request) -> Tuple[int, bytes, bytes]:
        return self._say(request[1], not request[2])

    def _say(self, data: bytes, end: bool) -> Tuple[int, bytes, bytes]:
        """Send bytes (and that there are no more); return status, head and body, or (0, …) when the connection was closed instead."""
        found = b""
        with socket.create_connection(("127.0.0.1", self._node.port), SECONDS) as client:
            try:
                client.sendall(data)
                if end:
                    client.shutdown(socket.SHUT_WR)
                while not _whole(found, data[:4] == b"HEAD"):
                    chunk = client.recv(65536)
                    if not chunk:
                        break
                    found += chunk
            except socket.timeout:
                return -1, found, b""
            except ConnectionError:
                pass
        while found.startswith(b"HTTP/1.1 100"):
            found = found.partition(b"\r\n\r\n")[2]
        head, _line, body = found.partition(b"\r\n\r\n")
        words = head.split(None, 2)
        return (int(words[1]) if len(words) > 1 and words[1].isdigit() else 0), head, body


def _whole(found: bytes, bare: bool) -> bool:
    """Return whether an answer is here; of one without an end in sight, such as a stream of events, its beginning."""
    while found.startswith(b"HTTP/1.1 100"):
        found = found.partition(b"\r\n\r\n")[2]
    head, line, body = found.partition(b"\r\n\r\n")
    if not line:
        return False
    for field in head.lower().split(b"\r\n"):
        if field.startswith(b"content-length:") and not bare:
            return len(body) >= int(field.partition(b":")[2])
    return b"text/event-stream" in head or b" 101 " in head[:15] or bare


def wrong_with(request: Request, found: Tuple[int, bytes, bytes]) -> Optional[str]:
    """Return in one line what is wrong with an answer, or None."""
    status, head, body = found
    if status < 0:
        return f"no answer within {SECONDS:g} s"
    if status == 0:
        return "closed without an answer" if request[2] else None
    if status >= 500 and status != 503:
        return f"{status}: {body[:200]!r}"
    if status < 400 or request[0] == "HEAD" or (status == 503 and b"application/json" in head):
        return None
    if b"/peer/" in request[1][:60] or b"/driver/" in request[1][:60]:
        return None  # for programs of ours, which are told in a line of text
    try:
        problem = json.loads(body)
        known = b"application/problem+json" in head and problem["status"] == status and problem["type"].startswith("urn:baton:")
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        return f"{status} is no problem document: {head[:300]!r} {body[:200]!r}"
    if status == 405:
        allowed = [word.split(b":")[1].strip() for word in head.split(b"\r\n") if word.lower().startswith(b"allow:")]
        if not allowed or request[0].encode() in allowed[0].split(b", "):
            return f"405 for {request[0]}, and Allow is {allowed}"
    return None


# --- making requests ------------------------------------------------------------------------------------------------------


def request_of(chance: random.Random, token: str) -> Request:
    """Return a request made of what is right and what is wrong."""
    method = chance.choice(METHODS[:6]) if chance.random() < 0.8 else chance.choice(METHODS)
    outside = chance.random() < 0.12
    path = _filled(chance, chance.choice(OUTSIDE) if outside else "/api/v3/" + chance.choice(PATHS))
    target = path + _query(chance)
    body = _body(chance)
    lines: List[bytes] = [f"{method} {target} HTTP/1.1".encode("utf-8", "surrogateescape"), b"Host: x", b"Connection: close"]
    names = chance.choices(HEADERS, k=chance.choice((0, 0, 1, 1, 2, 3)))
    lines += [name.encode() + b": " + chance.choice(VALUES) for name in names]
    if "Authorization" not in names:
        lines.append(f"Authorization: Bearer {token if chance.random() < 0.95 else 'wrong'}".encode())
    chunked = chance.random() < 0.1
    lines.append(b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body))
    data = (
        b"\r\n".join(lines)
        + b"\r\n\r\n"
        + (b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked and body else b"0\r\n\r\n" if chunked else body)
    )
    if chance.random() < 0.1:
        return method, _spoilt(chance, data), False
    upgraded = any(name in ("Connection", "Upgrade", "Expect", "Host", "Content-Encoding") for name in names) or method in (
        "CONNECT",
        "HEAD",
    )
    return method, data, not (upgraded or outside or " " in target or not target.isascii())


def _filled(chance: random.Random, path: str) -> str:
    while "{}" in path:
        path = path.replace("{}", chance.choice(NAMES[:3] if chance.random() < 0.6 else NAMES + NUMBERS[:16]), 1)
    return path


def _query(chance: random.Random) -> str:
    if chance.random() < 0.5:
        return ""
    given = []
    for name in chance.choices(QUERIES, k=chance.choice((1, 1, 2, 3))):
        if name == "wait":
            waits = (*CONDITIONS, "x", "")
            given.append(f"wait={chance.choice(waits + NUMBERS[:1] + NUMBERS[2:])}")
            continue
        given.append(f"{name}={chance.choice(NUMBERS + NAMES + ('%5B%5D', '%7B', '%22a%22', '/a/b', '/~', '[' * 900))}")
    if not any(item.startswith("timeout=") for item in given):
        given.append("timeout=0")
    return "?" + "&".join(given)


def _value(chance: random.Random, depth: int = 0) -> Any:
    if depth < 3 and chance.random() < 0.4:
        if chance.random() < 0.3:
            return [_value(chance, depth + 1) for _number in range(chance.choice((1, 1, 2, 3)))]
        return {name: _value(chance, depth + 1) for name in chance.choices(MEMBERS, k=chance.choice((1, 2, 4)))}
    return chance.choice(SCALARS)


CHANGE = ("Kind", "Key", "Param", "Action", "Body", "IfMatch", "IfUnset")
GOOD = {
    "Kind": "profiles",
    "Key": "web",
    "Action": "patch",
    "Body": [],
    "Owner": "me",
    "Ttl": "1h",
    "Name": "web",
    "Candidate": "me",
    "Param": "x",
    "Wait": 0,
}


def _body(chance: random.Random) -> bytes:
    """Return a body: none, bytes, JSON of any shape, or members that belong together with one that is wrong."""
    draw = chance.random()
    if draw < 0.2:
        return b""
    if draw < 0.35:
        return chance.choice(RAW_BODIES)
    if draw < 0.5:
        change = {name: GOOD.get(name) for name in CHANGE}
        change[chance.choice(CHANGE)] = chance.choice(SCALARS)
        return json.dumps({"Changes": [change] if chance.random() < 0.9 else chance.choice(SCALARS)}).encode()
    if draw < 0.6:
        operation = {
            "op": chance.choice(("add", "remove", "replace", "move", "copy", "test", 1, None, [])),
            "path": chance.choice(("", "/Params/x", "/~2", 3, None)),
        }
        operation["value"] = _value(chance)
        return json.dumps([operation]).encode()
    value = _value(chance)
    if draw < 0.85:
        value = {**GOOD, **(value if isinstance(value, dict) else {"Params": value})}
        for name in chance.choices(MEMBERS, k=2):
            value[name] = chance.choice(SCALARS)
    if isinstance(value, dict) and value.get("Wait") == 1 or isinstance(value, dict) and value.get("Wait") == 1.5:
        value["Wait"] = 0  # patience is for tests of patience
    try:
        return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode()
    except ValueError:
        return b"{}"


def _spoilt(chance: random.Random, data: bytes) -> bytes:
    """Return bytes that are hardly HTTP any more."""
    spoilt = bytearray(data)
    for _number in range(chance.choice((1, 1, 3, 10))):
        at = chance.randrange(len(spoilt))
        how = chance.random()
        if how < 0.4:
            spoilt[at] = chance.randrange(256)
        elif how < 0.6:
            del spoilt[at : at + chance.randrange(1, 20)]
        elif how < 0.8:
            spoilt[at:at] = chance.choice(
                (b"\r\n", b"\x00", b"\r", b"\n", b":", b" ", b"\xff", b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n")
            )
        else:
            del spoilt[at:]
        if not spoilt:
            break
    return bytes(spoilt)
