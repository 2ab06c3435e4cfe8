# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed attempt means: exceptions of requests in plain words, and how far the server's clock is from ours. No I/O."""
from __future__ import annotations

import email.utils
import errno
import os
import socket
import ssl
from typing import Iterator, Optional

from .error import one_line

CA_HINT = "give the cluster's CA with --ca or BATON_CA"
_UNSENT = ("NewConnectionError", "ConnectTimeoutError", "NameResolutionError")


class ServerClock:
    """How far the servers' wall clock is ahead of ours, in seconds, as far as Date headers (whole seconds) tell.

    The estimate is the lowest that fits, so that a deadline sent to a server never lies after the one we mean.
    """

    def __init__(self) -> None:
        self.offset = 0.0

    def saw(self, date: Optional[str], began: float, ended: float) -> None:
        """Learn from an answer's Date header; the request was sent at ``began``, the answer came at ``ended``."""
        try:
            server = email.utils.parsedate_to_datetime(date or "").timestamp()
        except (TypeError, ValueError, IndexError):
            return
        least, most = server - ended, server + 1.0 - began
        self.offset = 0.0 if least <= 0.0 <= most else least


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it wraps, outermost first."""
    seen = set()
    todo = [error]
    while todo:
        item = todo.pop(0)
        if id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        inner = [getattr(item, "reason", None), *item.args, item.__cause__, item.__context__]
        todo.extend(part for part in inner if isinstance(part, BaseException))


def explain(error: BaseException) -> str:
    """Return in a few words why an attempt failed."""
    parts = list(chain(error))
    names = [type(part).__name__ for part in parts]
    for part in parts:
        if isinstance(part, ssl.SSLError):
            return _explain_tls(part)
    if any(isinstance(part, socket.gaierror) for part in parts):
        return "unknown host"
    if "ConnectTimeout" in names or "ConnectTimeoutError" in names:
        return "no connection (timed out)"
    if "ReadTimeout" in names or "ReadTimeoutError" in names:
        return "no answer in time"
    if "RemoteDisconnected" in names:
        return "closed the connection without an answer"
    if "IncompleteRead" in names or "ChunkedEncodingError" in names:
        return "the answer was cut off"
    for part in reversed(parts):
        if isinstance(part, OSError) and isinstance(part.errno, int) and part.errno in errno.errorcode:
            return os.strerror(part.errno).lower()
    return one_line(str(error))[:200]


def _explain_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        # urllib3 1.26 raises one of its own, with less in it, for a name that is not in the certificate.
        why = one_line(getattr(error, "verify_message", "") or str(error.args[-1] if error.args else error)).rstrip(".")
        hint = "use an address that the certificate is for" if "match" in why else CA_HINT
        return f"its certificate is not trusted: {why}; {hint}"
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "closed the connection (TLS)"
    reason = (error.reason or "").replace("_", " ").lower()
    if reason in ("wrong version number", "http request", "record layer failure"):
        return "does not speak TLS; is it http:// on loopback?"
    return f"TLS failed: {reason or one_line(str(error))[:120]}; {CA_HINT}"


def is_hopeless(error: BaseException) -> bool:
    """Return whether repeating can't help: no trust, no TLS, or a malformed request. Such a request was not sent."""
    return any(isinstance(part, (ssl.SSLError, ValueError)) for part in chain(error)) and not was_cut(error)


def was_cut(error: BaseException) -> bool:
    """Return whether an established connection ended early (requests wraps some of these as ValueErrors)."""
    return any(isinstance(part, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)) for part in chain(error))


def was_sent(error: BaseException) -> bool:
    """Return whether the server may have received the request."""
    names = {type(part).__name__ for part in chain(error)}
    return not is_hopeless(error) and not names.intersection(_UNSENT)
