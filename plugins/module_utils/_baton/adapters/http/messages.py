# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests read and answers written: bodies, headers, problem documents. Knows HTTP, not Baton's resources."""
from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence
from urllib.parse import unquote

from ...core.model.document import Document
from ...core.model.documents import Change, valid_name
from ...core.model.requests import Idempotency, Outcome
from ...ground.problem import Problem
from ...ground.values import PIECE, dumps, is_small, parse, pieces
from .. import turns
from ..aio import web

MOST_BODY = 4 << 20
JSON, PROBLEM = "application/json", "application/problem+json"
REMOVE = [{"op": "remove", "path": ""}]  # as a change of a param
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?\Z", re.ASCII)  # as JSON has them, and with zeros before
SMALL_ANSWER = 32 << 10  # a change is answered with the document up to this size, so that an answer costs no more than a patch


def respond(value: Any, status: int = 200, headers: Optional[Dict[str, str]] = None) -> Any:
    """Return a JSON answer that is small."""
    return web.Response(body=dumps(value).encode(), status=status, content_type=JSON, headers=headers)


async def answer(request: Any, value: Any, status: int = 200, headers: Optional[Dict[str, str]] = None) -> Any:
    """Return a JSON answer; a large one goes out piece by piece."""
    if is_small(value, turns.LARGE):
        return respond(value, status, headers)
    return await _stream(request, pieces(value), status, JSON, headers)


async def answer_document(request: Any, document: Document, headers: Dict[str, str]) -> Any:
    """Return an answer with a whole document."""
    if document.size > turns.LARGE and not document.packable:
        return await answer(request, document.value, 200, headers)
    text = document.known_text
    if text is None:
        text = await turns.brief(lambda: document.text)
    return web.Response(body=text.encode(), content_type=JSON, headers=headers)


async def answer_list(
    request: Any, documents: Sequence[Document], show: Optional[Callable[[Document], Any]] = None, headers: Optional[Dict[str, str]] = None
) -> Any:
    """Return an answer with documents, as ``show`` has them."""
    texts = _list(documents, show)
    if sum(document.size for document in documents) <= turns.LARGE:
        return web.Response(body="".join(texts).encode(), content_type=JSON, headers=headers)
    return await _stream(request, texts, 200, JSON, headers)


def _list(documents: Sequence[Document], show: Optional[Callable[[Document], Any]] = None) -> Iterator[str]:
    """Yield the text of a JSON array of documents."""
    gathered, size, comma = ["["], 0, ""
    for document in documents:
        gathered.append(comma)
        comma = ","
        size += document.size
        if document.size > PIECE:
            yield "".join(gathered)
            yield from pieces(document.value if show is None else show(document))
            gathered, size = [], 0
            continue
        gathered.append(document.text if show is None else dumps(show(document)))
        if size > PIECE:
            yield "".join(gathered)
            gathered, size = [], 0
    yield "".join([*gathered, "]"])


async def _stream(request: Any, texts: Iterator[str], status: int, kind: str, headers: Optional[Dict[str, str]]) -> Any:
    if request.method == "HEAD":
        length = 0
        async for text in turns.each(texts):
            length += len(text)
        return web.Response(status=status, content_type=kind, headers={**(headers or {}), "Content-Length": str(length)})
    response = web.StreamResponse(status=status, headers=headers)
    response.content_type = kind
    await response.prepare(request)
    async for text in turns.each(texts):
        await response.write(text.encode())
    await response.write_eof()
    return response


async def refuse_any(problem: Problem, request: Any) -> Any:
    """Return a Problem, piece by piece if what it has found is large, or documents."""
    found = problem.extra.get("found")
    if isinstance(found, list) and any(isinstance(item, Document) for item in found):
        return await _stream(request, _found(problem, found), problem.status, PROBLEM, None)
    if is_small(problem.extra, turns.LARGE):
        return refuse(problem, request)
    return await _stream(request, pieces(problem.to_json()), problem.status, PROBLEM, None)


def _found(problem: Problem, documents: Sequence[Document]) -> Iterator[str]:
    """Yield the text of a Problem that has found documents."""
    comma = "{"
    for name, value in problem.to_json().items():
        yield f"{comma}{dumps(name)}:"
        yield from _list(documents) if value is documents else (dumps(value),)
        comma = ","
    yield "}"


def refuse(problem: Problem, request: Any) -> Any:
    """Return a Problem as ``application/problem+json``; a 307 points to the same path at the active."""
    headers = {}
    if problem.status == 307:
        headers["Location"] = problem.extra["location"].rstrip("/") + request.path_qs
    elif problem.status in (429, 503):
        headers["Retry-After"] = "1"
    elif problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    elif problem.status == 405:
        headers["Allow"] = ", ".join(problem.extra.get("allow", ()))
    body = b"" if request.method == "HEAD" else dumps(problem.to_json()).encode()
    return web.Response(body=body, status=problem.status, content_type=PROBLEM, headers=headers)


def as_bytes(problem: Problem) -> bytes:
    """Return a refusal as it goes over the wire, for where aiohttp has no request to answer; the connection is closed after it."""
    body = dumps(problem.to_json()).encode()
    head = f"HTTP/1.1 {problem.status} {problem.to_json()['title']}\r\nContent-Type: application/problem+json\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


async def expected(request: Any) -> Any:
    """Answer an Expect: that the body may come, or with a refusal (which aiohttp's own words can't always be written in)."""
    if request.headers["Expect"].lower() != "100-continue":
        return refuse(Problem(417, "bad_expect", "Expect is 100-continue; leave anything else out"), request)
    if request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer has not begun
    return None


async def read_body(request: Any) -> bytes:
    """Return the body; Problem 413 without reading more than the limit, 503 when there are too many others in memory."""
    if (request.content_length or 0) > MOST_BODY:
        raise _body_too_large()
    size = request.content_length
    request.protocol.hold(MOST_BODY if size is None and request.body_exists else size or 0)
    try:
        data: bytes = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _body_too_large() from None
    return data


def _body_too_large() -> Problem:
    return Problem(413, "body_too_large", f"the body is larger than {MOST_BODY >> 20} MiB; large contents go to /api/v3/files")


async def read_json(request: Any) -> Any:
    """Return the body as JSON."""
    data = await read_body(request)
    if not data.strip():
        raise Problem(400, "malformed_json", "the body is empty; a JSON value was expected")
    return await _parsed(data)


async def _parsed(data: bytes) -> Any:
    return parse(data) if len(data) <= turns.LARGE_BODY else await turns.take(lambda: parse(data))


async def is_large(request: Any) -> bool:
    """Return whether what a request asks for is to take turns."""
    return len(await read_body(request)) > turns.LARGE_BODY


async def read_object(request: Any) -> Dict[str, Any]:
    """Return the body as a JSON object; an empty body is an empty object."""
    data = await read_body(request)
    value = await _parsed(data) if data.strip() else {}
    if not isinstance(value, dict):
        raise Problem(422, "not_an_object", "the body must be a JSON object")
    return value


def segment(raw: str) -> str:
    """Return one path segment, decoded; Problem 400 for an encoding that is none."""
    try:
        text = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        raise Problem(400, "bad_path", "the path is not percent-encoded UTF-8") from None
    if _CONTROL.search(text):
        raise Problem(400, "bad_path", "the path has a control character")
    return text


def number(request: Any, name: str, default: int, most: int) -> int:
    """Return a whole number of the query."""
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) > most:
        raise Problem(400, "bad_query", f"{name} is a whole number from 0 to {most}, not {text[:40]!r}")
    return int(text)


def is_stale(request: Any) -> bool:
    """Return whether a passive may answer a read."""
    return bool(request.query.get("stale") == "ok")


def real(text: str) -> Optional[float]:
    """Return a number that is not below 0, None for a text that is none: Python alone would take "nan", "1_0" and "\u0663", too."""
    return float(text) if _REAL.match(text) else None


def etag_of(document: Document) -> str:
    return f'"{document.revision}"'


def if_match(request: Any) -> Optional[str]:
    """Return the revision of If-Match, "*", or None."""
    text = request.headers.get("If-Match")
    if text is None:
        return None
    text = text.strip()
    if text == "*":
        return "*"
    if len(text) < 2 or text[0] != '"' or text[-1] != '"' or '"' in text[1:-1]:
        raise Problem(400, "bad_if_match", 'If-Match is one ETag such as "3.42", or *')
    return str(text[1:-1])


def only_new(request: Any) -> bool:
    """Return whether If-None-Match says that what is put must not be there yet."""
    text = request.headers.get("If-None-Match")
    if text is not None and text.strip() != "*":
        raise Problem(400, "bad_if_none_match", "If-None-Match of what is put is *: only if there is nothing yet")
    return text is not None


CONDITIONS = ("If-Match", "If-None-Match", "If-Lease", "Baton-Lease")  # headers on which it depends what a change does


def idempotency_key(request: Any) -> Optional[str]:
    """Return the request's Idempotency-Key, or None; Problem 400 for one that can't be kept."""
    key: Optional[str] = request.headers.get("Idempotency-Key")
    if key is not None and (not 1 <= len(key) <= 128 or not key.isascii() or not key.isprintable()):
        raise Problem(400, "bad_key", "Idempotency-Key has 1 to 128 printable ASCII characters")
    return key


async def idempotency(request: Any) -> Optional[Idempotency]:
    """Return the request's key and what it stands for, or None when it has no key."""
    key = idempotency_key(request)
    return None if key is None else identified(request, key, await read_body(request))


def identified(request: Any, key: str, body: bytes, fingerprint: str = "") -> Idempotency:
    """Return what ``key`` stands for: this request, by this token, on these conditions, with this ``body`` (or what stands for it).

    ``fingerprint``: as older versions make it, where that is not of method, path and body.
    """
    target = f"{request.method} {request.raw_path}\n".encode("utf-8", "surrogateescape")
    digest = hashlib.sha256()
    conditions = [f"{name}: {request.headers.get(name, '')}" for name in ("Authorization", *CONDITIONS)]
    for part in (target, *(text.encode("utf-8", "surrogateescape") for text in conditions), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    plain = fingerprint or hashlib.sha256(target + body).hexdigest()[:32]
    return Idempotency(key, plain, digest.hexdigest()[:32])


def deadline(request: Any) -> Optional[float]:
    """Return the Baton-Deadline in unix seconds, or None."""
    text = request.headers.get("Baton-Deadline")
    if text is None:
        return None
    value = real(text)
    if value is None or value >= 1e12:
        raise Problem(400, "bad_deadline", "Baton-Deadline is a time in unix seconds, such as 1700000000.5")
    return value


def fence(request: Any) -> List[Change]:
    """Return what If-Lease asks to be so before anything is changed: that a lease holds what has the token."""
    text = request.headers.get("If-Lease")
    if text is None:
        return []
    lease, _semicolon, token = (part.strip() for part in text.partition(";"))
    if not (valid_name(lease) and token.isascii() and token.isdigit() and len(token) < 20):
        raise Problem(400, "bad_if_lease", "If-Lease is the lease's id and the fencing token, such as deploy-1;4294967297")
    return [Change("leases", lease, "check", {"Token": int(token)})]


def tied(request: Any, change: Change) -> Change:
    """Return the change of a param such that what it sets goes with the lease of Baton-Lease, if there is one."""
    text = request.headers.get("Baton-Lease")
    if text is None:
        return change
    lease = text.strip()
    if not valid_name(lease):
        raise Problem(400, "bad_lease", "Baton-Lease is the id of a lease, such as deploy-1")
    if len(change.at) < 2:
        raise Problem(400, "bad_lease", "Baton-Lease ties params of a profile or machine to a lease, each named by itself")
    if change.action != "patch" or change.body == REMOVE:
        return change
    return replace(change, lease=lease)


def document_of(outcome: Outcome, change: Change) -> Optional[Document]:
    """Return the document that a change left, among those of its request."""
    found = [item for item in outcome.documents if item is not None and (item.kind, item.key) == (change.kind, change.key)]
    return found[0] if found else None


def replayed(outcome: Outcome) -> Dict[str, str]:
    """Return the header of an answer to a repeat."""
    return {"Idempotency-Replayed": "true"} if outcome.replayed else {}


async def changed(request: Any, value: Any, document: Optional[Document], status: int, replayed: bool) -> Any:
    """Answer a change: with what it left, unless that is large or the client said that it does not care."""
    headers = {"ETag": etag_of(document)} if document is not None else {}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    prefer = request.headers.get("Prefer", "")
    minimal = "return=minimal" in prefer
    if "return=representation" not in prefer:
        minimal = minimal or not is_small(value, SMALL_ANSWER)
    if document is None or minimal:
        return web.Response(status=204, headers=headers)
    return await answer(request, value, status, headers)
