# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and checks FILE, the description of a built-in driver. Every mistake is one line that names file and member.

docs/guides/drivers.md has the members. What batond reads of it are the options, so those are checked by the same code.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from ..core.model.driver_options import NAMES, read_name, read_options
from ..ground.problem import Problem

UNIT = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*\Z")
DOMAIN = re.compile(r"[A-Za-z0-9_*]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?\Z")
TEMPLATE = {"node": "", "id": "", "active": "", "epoch": 0}


class Wrong(Exception):
    """FILE can't be used: one line."""


@dataclass(frozen=True)
class Config:
    """``options``: for batond's ``hello``; ``members``: those of the type, with their defaults."""

    path: Path
    id: str
    type: str
    options: Dict[str, Any]
    check: Optional[Dict[str, Any]]
    members: Dict[str, Any]


def load(path: Path) -> Config:
    """Return what stands in a file; raise Wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Wrong(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise Wrong(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise Wrong(f"{path} is to be a JSON object")
    try:
        return _read(path, data)
    except ValueError as error:
        raise Wrong(f"{path}: {error}") from None
    except Problem as problem:
        raise Wrong(f"{path}: {problem.detail}") from None


def _read(path: Path, data: Dict[str, Any]) -> Config:
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ValueError(f"type is one of {', '.join(TYPES)}")
    known = TYPES[kind]
    for name in data:
        if name not in known and name not in NAMES and name not in ("id", "type", "check"):
            own = ", ".join(known) or "none of its own"
            raise ValueError(f"{name[:60]} is not a member; {kind} has {own}, and all have id, check, {', '.join(NAMES)}")
    options = {name: data[name] for name in NAMES if name in data}
    read_options(options)
    check = None if data.get("check") is None else _check(data["check"])
    members = _members(data, known)
    if kind == "notify" and not members["urls"] and not members["urls_file"]:
        raise ValueError("urls or urls_file is missing")
    if data.get("id", path.stem) != path.stem:  # its unit and its marker are known by the file's name
        raise ValueError(f"id: is the file's name, {path.stem}, or left out")
    return Config(path, read_name(path.stem), kind, options, check, members)


def _members(data: Mapping[str, Any], known: "Mapping[str, Member]", of: str = "") -> Dict[str, Any]:
    """Return the values of all known members."""
    found = {}
    for name, (read, default) in known.items():
        if name not in data and default is REQUIRED:
            raise ValueError(f"{of}{name} is missing")
        try:
            found[name] = read(data[name]) if name in data else default
        except ValueError as error:
            raise ValueError(f"{of}{name} {error}") from None
    return found


def _check(data: Any) -> Dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"check is an object with one of {', '.join(CHECKS)}")
    ways = [name for name in CHECKS if name in data]
    if len(ways) != 1:
        raise ValueError(f"check has exactly one of {', '.join(CHECKS)}")
    known = {**CHECKS[ways[0]], **ALL_CHECKS}
    for name in data:
        if name not in known:
            raise ValueError(f"check.{name[:60]} is not a member; there are {', '.join(known)}")
    return _members(data, known, "check.")


# --- kinds of values: each returns what it read, or raises ValueError with the rest of "NAME …" ------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("is a text that is not empty")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is true or false")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.1 <= value <= 3600:
        raise ValueError("is a number of seconds from 0.1 to 3600")
    return float(value)


def _whole(least: int, most: int) -> "Callable[[Any], int]":
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"is a whole number from {least} to {most}")
        return value

    return read


def _list(read: Callable[[Any], Any], least: int = 1) -> "Callable[[Any], List[Any]]":
    def read_list(value: Any) -> List[Any]:
        if not isinstance(value, list) or len(value) < least:
            raise ValueError(f"is a list of {least} or more")
        try:
            return [read(item) for item in value]
        except ValueError as error:
            raise ValueError(f"is a list of which each item {error}") from None

    return read_list


def _matching(pattern: "re.Pattern[str]", what: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > 255 or not pattern.match(value):
            raise ValueError(f"is {what}")
        return value

    return read


def _texts(value: Any) -> Dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) and "\0" not in item for item in value.values()):
        raise ValueError("is an object of texts")
    if any(not name or set(name) & set("=\0\r\n") for name in value):
        raise ValueError("has a name that can't be one")
    return value


def _url(value: Any) -> str:
    try:
        parts = urlsplit(_text(value))
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return str(value)
    except ValueError:
        pass
    raise ValueError("is a URL such as https://host/path")


def _host_port(value: Any) -> Tuple[str, int]:
    host, _colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("is HOST:PORT")
    return host.strip("[]"), int(port)


def _statuses(value: Any) -> List[int]:
    return _list(_whole(100, 599))(value)


def _address(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(_text(value)))
    except ValueError:
        raise ValueError("is an IPv4 or IPv6 address") from None


def _states(value: Any) -> List[str]:
    if not isinstance(value, list) or not set(map(str, value)) <= {"active", "passive"}:
        raise ValueError("is a list of active and passive")
    return value


def _method(value: Any) -> str:
    if value not in ("POST", "PUT", "PATCH"):
        raise ValueError("is one of POST, PUT, PATCH")
    return str(value)


def _template(value: Any) -> str:
    try:
        _text(value).format(**TEMPLATE)
    except (KeyError, IndexError, AttributeError, ValueError):
        raise ValueError("is a text in which {node}, {id}, {active} and {epoch} are replaced") from None
    return str(value)


REQUIRED = object()
Member = Tuple[Callable[[Any], Any], Any]  # reads it, default
CHECKS: Dict[str, Dict[str, Member]] = {  # each with its members, the first of which has its name
    "command": {"command": (_text, REQUIRED)},
    "http": {"http": (_url, REQUIRED), "status": (_statuses, []), "ca": (_text, "")},
    "tcp": {"tcp": (_host_port, REQUIRED)},
}
ALL_CHECKS: Dict[str, Member] = {"every": (_seconds, 2.0), "timeout": (_seconds, 2.0)}
_DOMAIN = _matching(DOMAIN, "a domain name")
_UNIT = _matching(UNIT, "a unit such as nginx.service")
TYPES: Dict[str, Dict[str, Member]] = {
    "systemd": {"units": (_list(_UNIT), REQUIRED)},
    "script": {
        "start": (_text, REQUIRED),
        "stop": (_text, REQUIRED),
        "shell": (_text, "/bin/sh"),
        "cwd": (_text, ""),
        "env": (_texts, {}),
    },
    "webhook": {
        "url": (_url, REQUIRED),
        "method": (_method, "POST"),
        "headers": (_texts, {}),
        "token_file": (_text, ""),
        "ca": (_text, ""),
        "timeout": (_seconds, 5.0),
        "required": (_flag, False),
    },
    "notify": {
        "urls": (_list(_text, 0), []),
        "urls_file": (_text, ""),
        "on": (_states, ["active", "passive"]),
        "title": (_template, "{node} is {active}"),
        "body": (_template, "Driver {id} on {node} is {active}, epoch {epoch}."),
    },
    "dns": {
        "server": (_matching(re.compile(r"[A-Za-z0-9:._-]+\Z"), "an address or a host name"), REQUIRED),
        "port": (_whole(1, 65535), 53),
        "zone": (_DOMAIN, REQUIRED),
        "name": (_DOMAIN, REQUIRED),
        "addresses": (_list(_address), REQUIRED),
        "ttl": (_whole(0, 86400), 30),
        "key_file": (_text, ""),
        "remove": (_flag, False),
    },
    "program": {},
}
