# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API is and who we are: options and environment become one Connection. Reads the token file, nothing else.

An explicit option wins over BATON_URL, BATON_TOKEN, BATON_TOKEN_FILE and BATON_CA, and these over RS_ENDPOINT and RS_TOKEN.
"""
from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from .client_error import ClientError

DEFAULT_TIMEOUT = 30.0


@dataclass(frozen=True)
class Connection:
    """``urls``: base addresses without a path, tried in order; ``timeout``: seconds for one request with all its retries."""

    urls: Tuple[str, ...]
    token: str
    ca: Optional[str] = None
    timeout: float = DEFAULT_TIMEOUT


def connection_from(options: Mapping[str, Any], environ: Mapping[str, str], default_url: str = "") -> Connection:
    """Resolve ``options``: url (text with commas, or a list), token, token_file, ca, timeout; each may be absent or None.

    Raises ClientError "usage" for what is missing or malformed. An empty token is allowed here: the server says 401.
    """
    given = options.get("url") or environ.get("BATON_URL") or environ.get("RS_ENDPOINT") or default_url
    urls = tuple(base_url(url) for url in _split(given))
    if not urls:
        raise ClientError("usage", "no address: set the option url, or BATON_URL")
    ca = options.get("ca") or environ.get("BATON_CA") or None
    if ca is not None and not os.path.isfile(ca):
        raise ClientError("usage", f"the CA file {ca} does not exist")
    timeout = options.get("timeout")
    return Connection(urls, _token(options, environ), ca, _seconds(DEFAULT_TIMEOUT if timeout is None else timeout))


def _split(given: Any) -> List[str]:
    parts = given.split(",") if isinstance(given, str) else [str(part) for part in given]
    return [part.strip() for part in parts if part.strip()]


def base_url(text: str) -> str:
    """Return scheme://host:port; without a scheme it is https. Plain HTTP, which shows the token, is for loopback only."""
    text = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ClientError("usage", f"{text!r} is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClientError("usage", f"{text!r} is not a URL such as https://host:8092")
    if parts.username is not None or parts.password is not None:
        raise ClientError("usage", f"the URL of {parts.hostname} has a user name in it; give a token instead")
    if parts.path.rstrip("/") not in ("", "/api/v3") or parts.query or parts.fragment:
        raise ClientError("usage", f"{text!r} has more than scheme, host and port")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ClientError("usage", f"{text} would send the token unencrypted; use https:// (plain http is for loopback)")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine, without asking a name server."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(options: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    for token, path in (
        (options.get("token"), options.get("token_file")),
        (environ.get("BATON_TOKEN"), environ.get("BATON_TOKEN_FILE")),
        (environ.get("RS_TOKEN"), None),
    ):
        if token:
            return _checked(str(token))
        if path:
            return _checked(_read(str(path)))
    return ""


def _read(path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read(10_000).strip().partition("\n")[0].strip()  # the nodes' secret has two lines while it is renewed
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "it is not text"
        raise ClientError("usage", f"can't read the token file {path}: {why}") from None


def _checked(token: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ClientError("usage", "the token has characters that no token has (a space, a line break?)")
    return token


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise ClientError("usage", f"timeout is a number of seconds above 0, not {value!r}")
    return seconds
