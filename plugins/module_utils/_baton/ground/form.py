# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of what comes from elsewhere: links, snapshots, logs, records and files on disk. Pure.

One reader for each kind of value: it returns the value, or raises ValueError with one line that says
what was expected. Nothing is converted: true is no number, "5" is none either, and a number that a
JSON reader elsewhere would change (2^53 and above, NaN) is refused. What a value means is judged
where it is used; that it has this form is what everybody else may rely on.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Callable, Collection, Dict, List, NoReturn, Tuple

MOST_NUMBER = (1 << 53) - 1
MOST_EPOCH = (1 << 21) - 1  # fencing tokens and versions of records grow by 2^32 with it, and stay below 2^53
MOST_DIGITS = 4_300
MOST_URL = 500
MOST_NAME = 255  # characters of what a person has chosen, or a machine is called
MOST_TEXT = 2_000  # characters of what people are told
MOST_EXTRA = 64 << 10  # characters of what a newer version added to a record
MOST_DEEP = 120  # levels of an entry: 100 of a document, and what stands around it

_NODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}\Z", re.ASCII)
_MARK = re.compile(r"[A-Za-z0-9_.:@-]{0,128}\Z", re.ASCII)
_DISK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}\Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]|[^\s/?#@:\[\]]+)(:(?P<port>[0-9]{1,5}))?(/[^\s?#]*)?\Z")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
Reader = Callable[[Any], Any]


# --- JSON ---------------------------------------------------------------------------------------------------------------


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large for a number")
    return number


def _short(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} digits is too large")
    return int(text)


def _refuses_long_numbers() -> bool:
    """Whether this interpreter does so by itself, without a call for each number."""
    try:
        int("9" * (MOST_DIGITS + 1))
    except ValueError:
        return True
    return False


_INT = None if _refuses_long_numbers() else _short
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant, parse_int=_INT)


def read_json(text: str) -> Any:
    """Return the value of a JSON text; ValueError for all that could not be written down again, or that is nested too deeply."""
    try:
        value = _DECODER.decode(text)
        if "\\u" in text and _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("a string has half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} at character {error.pos}") from None
    return value


def is_deep(value: Any, most: int = MOST_DEEP) -> bool:
    """Whether a JSON value is nested deeper than ``most`` levels; looks at a level at a time, for speed."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _depth in range(most):
        parts = [item.values() if isinstance(item, dict) else item for item in level]
        level = [item for part in parts for item in part if isinstance(item, (dict, list))]
        if not level:
            return False
    return True


# --- values -------------------------------------------------------------------------------------------------------------


def _shown(raw: Any) -> str:
    """Return a value as it may stand in a line of the journal."""
    if isinstance(raw, int) and abs(raw) > MOST_NUMBER:
        return "a larger one"
    if isinstance(raw, str):
        return ascii(raw[:40])
    return str(raw)[:40] if isinstance(raw, (int, float, type(None))) else f"a {type(raw).__name__}"


def number(raw: Any, least: int = 0, most: int = MOST_NUMBER) -> int:
    """Return a whole number."""
    if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw <= most:
        raise ValueError(f"a whole number from {least} to {most} was expected, not {_shown(raw)}")
    return raw


def real(raw: Any) -> float:
    """Return a finite number, such as seconds of a clock."""
    if type(raw) not in (int, float) or not -MOST_NUMBER <= raw <= MOST_NUMBER:
        raise ValueError("a finite number was expected")
    found: float = raw
    return found


def flag(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise ValueError(f"true or false was expected, not {_shown(raw)}")
    return raw


def text(raw: Any, most: int = MOST_TEXT) -> str:
    """Return a string of at most ``most`` characters that can be written as UTF-8."""
    if not isinstance(raw, str) or len(raw) > most:
        raise ValueError(f"a string of at most {most} characters was expected")
    try:
        if not raw.isascii():
            raw.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a string has half of a surrogate pair") from None
    return raw


def line(raw: Any, most: int = MOST_TEXT) -> str:
    """Return one line that can be shown to people, and stand in a journal."""
    if not isinstance(raw, str) or len(raw) > most or not raw.isprintable():
        raise ValueError(f"one printable line of at most {most} characters was expected")
    return raw


def name(raw: Any) -> str:
    """Return what a cluster, a machine or a version is called."""
    return line(raw, MOST_NAME)


def _matching(pattern: "re.Pattern[str]", what: str) -> Callable[[Any], str]:
    def read(raw: Any) -> str:
        if not isinstance(raw, str) or not pattern.match(raw):
            raise ValueError(f"{what} was expected, not {_shown(raw)}")
        return raw

    return read


node_id = _matching(_NODE, "a node's id (letters, digits, '_', '.' and '-', at most 63)")
incarnation = _matching(_DISK, "an incarnation (letters, digits, '_' and '-', at most 64)")
mark = _matching(_MARK, "a mark of at most 128 letters, digits and _ . : @ -")
sha256 = _matching(_SHA256, "a SHA-256 of 64 hexadecimal digits")


def is_sha256(raw: str) -> bool:
    """Whether a text names a file content, so that it may become a part of a path."""
    return bool(_SHA256.match(raw))


def is_node_id(raw: str) -> bool:
    return bool(_NODE.match(raw))


def url(raw: Any) -> str:
    """Return an http or https URL of a host."""
    found = _URL.match(line(raw, MOST_URL))
    if found is None or not 0 < int(found.group("port") or 1) < 65_536:
        raise ValueError(f"an URL such as https://192.0.2.10:8092 was expected, not {_shown(raw)}")
    return str(raw)


def optional(reader: Reader) -> Reader:
    """Return a reader that takes null, too."""
    return lambda raw: None if raw is None else reader(raw)


def items(raw: Any, most: int) -> List[Any]:
    """Return an array of at most ``most`` items, whatever they are."""
    if not isinstance(raw, (list, tuple)) or len(raw) > most:
        raise ValueError(f"an array of at most {most} items was expected")
    return list(raw)


def fixed(raw: Any, size: int) -> List[Any]:
    """Return an array of ``size`` items."""
    if not isinstance(raw, (list, tuple)) or len(raw) != size:
        raise ValueError(f"an array of {size} items was expected")
    return list(raw)


def members(raw: Any) -> Dict[str, Any]:
    """Return an object."""
    if not isinstance(raw, dict):
        raise ValueError(f"an object was expected, not {_shown(raw)}")
    return raw


def epoch(raw: Any) -> Tuple[int, str]:
    """Return number and id of an epoch."""
    first, second = fixed(raw, 2)
    return number(first, 0, MOST_EPOCH), mark(second)


def take(data: Dict[str, Any], member: str, reader: Reader, default: Any = ...) -> Any:
    """Return a member of an object; ValueError, with its name, where it is missing or has another form."""
    if member not in data:
        if default is ...:
            raise ValueError(f"{member} is missing")
        return default
    try:
        return reader(data[member])
    except ValueError as error:
        raise ValueError(f"{member}: {error}") from None


def extra(raw: Dict[str, Any], known: Collection[str]) -> Dict[str, Any]:
    """Return the members that this version does not know, to be passed on; ValueError where they are too many."""
    found = {member: value for member, value in raw.items() if member not in known}
    try:
        size = len(json.dumps(found)) if found else 0
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if size > MOST_EXTRA:
        raise ValueError(f"unknown members have more than {MOST_EXTRA >> 10} KiB")
    return found
