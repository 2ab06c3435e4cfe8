# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API is and who we are: options, environment and the configuration file become one Connection.

What comes first has it: an option; the section of the file that the option cluster names; BATON_URL, BATON_TOKEN, BATON_TOKEN_FILE,
BATON_CA, BATON_DATASTORES_URL, BATON_PROJECT; the section that BATON_CLUSTER names; RS_ENDPOINT, RS_TOKEN; the section default. Reads
that file and the token's, nothing else.
"""
from __future__ import annotations

import configparser
import ipaddress
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from ..ground.tls import list_beside
from .error import ClientError, one_line

DEFAULT_TIMEOUT = 30.0
SETTINGS = ("url", "token", "token_file", "ca", "timeout", "node_token_file", "datastores_url", "project")
OF_ENVIRONMENT = ("url", "token", "token_file", "ca", "datastores_url", "project")
DATASTORES_PORT = 8779
Sections = Dict[str, Tuple[str, Dict[str, str]]]  # by name: the file that has it, and what it says
SYSTEM = "/etc/baton/config.ini"  # the role's, on a node
NODE_SECRET, NODE_FILES = "ha.token", ("node.pem", "node.key")  # as the role leaves them beside each other


@dataclass(frozen=True)
class Connection:
    """``urls``: base addresses without a path, tried in order; ``timeout``: seconds for one request with all its retries.

    ``cert``: files of a node's certificate and key, which go with the secret of the nodes.
    """

    urls: Tuple[str, ...]
    token: str
    ca: Optional[str] = None
    timeout: float = DEFAULT_TIMEOUT
    cert: Optional[Tuple[str, str]] = None

    @property
    def crl(self) -> Optional[str]:
        """The list of revoked certificates, where there is one beside the CA."""
        return list_beside(self.ca)


def connection_from(options: Mapping[str, Any], environ: Mapping[str, str], default_url: str = "") -> Connection:
    """Resolve ``options``: url (text with commas, or a list), token, token_file, ca, timeout, cluster; each may be absent or None.

    as_node, true: what is asked is a node, and may be asked with the nodes' secret, which it knows before it has any data.

    Raises ClientError "usage" for what is missing or malformed. An empty token is allowed here: the server says 401.
    """
    layers = _layers(options, environ)
    urls = tuple(base_url(url) for url in _split(_first(layers, "url") or default_url))
    if _first(layers, "url") is None and not environ.get("BATON_CONFIG") and os.path.exists(SYSTEM) and not os.access(SYSTEM, os.R_OK):
        raise ClientError("usage", f"can't read the configuration {SYSTEM}: be root or in the group that may read it, or say url")
    if not urls:
        raise ClientError("usage", "no address: set the option url, or BATON_URL")
    ca = _first(layers, "ca")
    if ca is not None and not os.path.isfile(os.path.expanduser(ca)):
        raise ClientError("usage", f"the CA file {ca} does not exist")
    timeout = options.get("timeout") if options.get("timeout") is not None else _first(layers, "timeout")
    seconds = _seconds(DEFAULT_TIMEOUT if timeout is None else timeout)
    token, where = _token(layers, bool(options.get("as_node")))
    return Connection(urls, token, None if ca is None else os.path.expanduser(ca), seconds, _certificate(where))


def datastores_from(options: Mapping[str, Any], environ: Mapping[str, str]) -> Tuple[Connection, str]:
    """Resolve ``options`` of connection_from, and besides datastores_url and project, to where the API of datastores is, and the project.

    Without datastores_url it is at its usual port of the nodes: it is served where the active is. Raises ClientError "usage".
    """
    layers = _layers(options, environ)
    urls = [base_url(url) for url in _split(_first(layers, "datastores_url") or "")]
    if not urls:
        urls = [_beside(base_url(url)) for url in _split(_first(layers, "url") or "")]
    if not urls:
        raise ClientError("usage", "no address: set the option datastores_url, or BATON_DATASTORES_URL")
    project = str(_first(layers, "project") or "")
    if not project:
        raise ClientError("usage", "no project: set the option project, or BATON_PROJECT")
    return connection_from({**options, "url": urls}, environ), project


def _beside(url: str) -> str:
    """Return where the API of datastores is on the node of an address."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{host}:{DATASTORES_PORT}"


def _layers(options: Mapping[str, Any], environ: Mapping[str, str]) -> List[Mapping[str, Any]]:
    """Return the sources of settings, the first of which wins."""
    own = {name: environ.get(f"BATON_{name.upper()}") for name in OF_ENVIRONMENT}
    other = {"url": environ.get("RS_ENDPOINT"), "token": environ.get("RS_TOKEN")}
    named, usual = options.get("cluster"), environ.get("BATON_CLUSTER")
    path = environ.get("BATON_CONFIG") or _of_the_user(environ)
    config = _config(path, bool(environ.get("BATON_CONFIG")))
    found: List[Mapping[str, Any]] = [options]
    found += [_section(config, str(named), path)] if named else []
    found.append(own)
    found += [_section(config, usual, path)] if usual else []
    found.append(other)
    return [*found, *([_section(config, "default", path)] if "default" in config else [])]


def _first(layers: List[Mapping[str, Any]], name: str) -> Any:
    return next((layer[name] for layer in layers if layer.get(name)), None)


def _of_the_user(environ: Mapping[str, str]) -> str:
    """Return baton/config.ini where the user's configuration is; "" where nobody knows."""
    if not (environ.get("XDG_CONFIG_HOME") or environ.get("HOME")):
        return ""
    return os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(environ["HOME"], ".config"), "baton", "config.ini")


def _config(path: str, given: bool) -> Sections:
    """Return the sections of the file that was ``given``; without one those of the user's, then the node's."""
    if given:
        return _sections(path, True)
    return {**(_sections(SYSTEM, False) if os.access(SYSTEM, os.R_OK) else {}), **_sections(path, False)}


def _sections(path: str, given: bool) -> Sections:
    """Return what a file says; nothing if there is none, and nobody named it."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            parser.read_file(file, source=path)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)) and not given:
            return {}
        why = (error.strerror or "").lower() if isinstance(error, OSError) else one_line(str(error))
        raise ClientError("usage", f"can't read the configuration {path}: {why}") from None
    return {name: (path, dict(parser[name])) for name in parser.sections()}


def _section(config: Sections, name: str, path: str) -> Mapping[str, Any]:
    """Return a section. Only one that is used is looked at: a mistake in another stops nobody."""
    if name not in config:
        has = f"it has: {', '.join(sorted(config))}" if config else "it is not there, or is empty"
        raise ClientError("usage", f"the configuration {path} has no section {name!r}; {has} (cluster, or BATON_CLUSTER, names it)")
    where, section = config[name]
    unknown = sorted(set(section) - set(SETTINGS))
    if unknown:
        raise ClientError("usage", f"{where}, section {name}: {unknown[0]!r} is not one of {', '.join(SETTINGS)}")
    return section


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


def _token(layers: List[Mapping[str, Any]], as_node: bool) -> Tuple[str, str]:
    """Return the token, and the file that it is from."""
    for layer in layers:
        path = str(layer.get("node_token_file") or "")
        if as_node and os.access(path, os.R_OK):
            return _checked(_read(path)), path
        if layer.get("token"):
            return _checked(str(layer["token"])), ""
        if layer.get("token_file"):
            path = str(layer["token_file"])
            return _checked(_read(path)), path
    return "", ""


def _certificate(token_file: str) -> Optional[Tuple[str, str]]:
    """Return the node's certificate and key beside its secret: without them the secret is worth nothing elsewhere."""
    folder, name = os.path.split(os.path.expanduser(token_file))
    cert, key = (os.path.join(folder, file) for file in NODE_FILES)
    return (cert, key) if name == NODE_SECRET and os.access(cert, os.R_OK) and os.access(key, os.R_OK) else None


def _read(path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            token = file.read(10_000).strip().partition("\n")[0].strip()  # the nodes' secret has two lines while it is renewed
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "it is not text"
        raise ClientError("usage", f"can't read the token file {path}: {why}") from None
    if not token:
        raise ClientError("usage", f"the token file {path} is empty")
    return token


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
