# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON values: strict parsing, equality, and how big and deep they are. Pure.

Values are persistent: nobody changes one in place, so that documents may share parts and older revisions cost nothing.
"""
from __future__ import annotations

import json
import math
import re
from itertools import chain
from typing import Any, Dict, Iterator, List, NoReturn, Optional, Tuple

from .problem import Problem

MOST_DEPTH = 100
MOST_BYTES = 16 << 20  # of a document
MOST_VALUES = 200_000  # in a document
MOST_SENT = 50_000  # values in a body: more would take the one thread that all share too long to read and write
PIECE = 64 << 10  # characters
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def parse(data: bytes, what: str = "the body") -> Any:
    """Return the JSON value in ``data``; Problem 400 for all that RFC 8259 or a later reader would choke on.

    Problem 413 for more values than are read at once, before any is.
    """
    if count_values(data, MOST_SENT) > MOST_SENT:
        if _opens(data[:1024]) > MOST_DEPTH:
            raise Problem(400, "too_deep", f"{what} is nested deeper than {MOST_DEPTH} levels")
        detail = f"{what} has more than {MOST_SENT:,} JSON values (members and items at every depth): send it in several requests"
        raise Problem(413, "too_many_values", detail, most=MOST_SENT)
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise Problem(400, "too_deep", f"{what} is nested deeper than {MOST_DEPTH} levels") from None
    except UnicodeDecodeError:
        raise Problem(400, "malformed_json", f"{what} is not UTF-8") from None
    except json.JSONDecodeError as error:
        detail = f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise Problem(400, "malformed_json", detail) from None
    except ValueError as error:
        raise Problem(400, "malformed_json", f"{what} is not JSON: {str(error).partition(';')[0]}") from None
    if b"\\u" in data and _SURROGATE.search(data):
        _check_text(value, what)
    if data.count(b"[") + data.count(b"{") > MOST_DEPTH and measure(value)[1] > MOST_DEPTH:
        raise Problem(422, "too_deep", f"{what} is nested deeper than {MOST_DEPTH} levels")
    return value


def count_values(data: bytes, most: int) -> int:
    """Return how many values a JSON text has, about: each but the first of its container follows a comma.

    What is in strings does not count. Bounded itself: of a text with far more than ``most``, no more than that is said.
    """
    count = 1
    for start in range(0, len(data), PIECE):
        count += _separators(data[start : start + PIECE])
        if count > most:
            return _count_outside_strings(data, most)
    return count


def _count_outside_strings(data: bytes, most: int) -> int:
    count, quotes, start = 1, 0, 0
    while start < len(data) and count <= most:
        end = start + PIECE
        piece = data[start:end]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            end += 1  # what is escaped belongs to the piece
        parts = data[start:end].replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        count += _separators(b"".join(parts[quotes % 2 :: 2]))
        quotes += len(parts) - 1
        if quotes > 4 * most:
            return most + 1  # each value has one string at most, and a name
        start = end
    return count


def _opens(data: bytes) -> int:
    """Return how deep the beginning of a text leads, if it has no strings."""
    return data.count(b"[") + data.count(b"{") - data.count(b"]") - data.count(b"}")


def _separators(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large for a number")
    return number


def _check_text(value: Any, what: str) -> None:
    """Refuse halves of surrogate pairs: they can't be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise Problem(400, "malformed_json", f"{what} has a lone surrogate in a string") from None
    except RecursionError:
        raise Problem(400, "too_deep", f"{what} is nested deeper than {MOST_DEPTH} levels") from None


def equal(a: Any, b: Any) -> bool:
    """Return whether two values are equal as RFC 6902 has it: 1 equals 1.0, but true does not equal 1."""
    # What JSON calls equal, Python does, too, and finds out a difference many times faster.
    return a is b or (a == b and _same_kind(a, b))


def _same_kind(a: Any, b: Any) -> bool:
    """Return whether values that Python calls equal are equal: it takes true for 1."""
    if a is b:
        return True
    if isinstance(a, bool) or isinstance(b, bool):
        return False  # two equal booleans are identical
    if isinstance(a, dict):
        return all(_same_kind(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return all(map(_same_kind, a, b))
    return True


Size = Tuple[int, int, int]  # about the bytes of the JSON text; the depth, 0 for a scalar; how many values, it and all within
FEW = 64  # values that are looked at one by one


def measure(value: Any, most: Optional[int] = None) -> Size:
    """Return the size of a value. A part that stands in several places counts at each.

    Problem 413 before more than ``most`` values are looked at.
    """
    kind = type(value)
    if kind is str:
        return len(value) + 2, 0, 1
    if kind is not dict and kind is not list:
        return (5 + value.bit_length() // 3 if kind is int else 5), 0, 1
    return _measure_few(value) or _measure_levels(value, most)


def _measure_few(value: Any) -> Optional[Size]:
    """Measure a small value; None for one that is not."""
    size, deepest = -1, 0
    todo = [(value, 0)]
    at = 0
    while at < len(todo):
        item, depth = todo[at]
        at += 1
        kind = type(item)
        if kind is str:
            size += len(item) + 3
        elif kind is dict or kind is list:
            if len(todo) + len(item) > FEW:
                return None
            deepest = depth = depth + 1
            size += 3
            if kind is dict:
                for name, below in item.items():
                    size += len(name) + 4
                    todo.append((below, depth))
            else:
                todo.extend([(below, depth) for below in item])
        else:
            size += 6 + (item.bit_length() // 3 if kind is int else 0)
    return size, deepest, len(todo)


def _measure_levels(value: Any, most: Optional[int]) -> Size:
    """Measure level by level: for a large value that takes Python a tenth of the time."""
    level, size, depth, count = [value], -1, 0, 0
    while level:
        kinds = set(map(type, level))
        parts: Dict[type, List[Any]] = {}
        for kind in kinds:
            parts[kind] = level if len(kinds) == 1 else [item for item in level if item.__class__ is kind]
        texts, objects, lists = parts.get(str, []), parts.get(dict, []), parts.get(list, [])
        count += len(level)
        size += 6 * len(level) - 3 * (len(texts) + len(objects) + len(lists))
        size += sum(map(len, texts)) + sum(number.bit_length() // 3 for number in parts.get(int, []))
        if not objects and not lists:
            break
        depth += 1
        names = sum(map(len, objects))
        if most is not None and count + names + sum(map(len, lists)) > most:
            raise too_many()
        size += sum(map(len, chain.from_iterable(objects))) + 4 * names
        level = [*chain.from_iterable(lists), *chain.from_iterable(map(dict.values, objects))]
    return size, depth, count


class Measure:
    """Measures with a memory, for values that nobody changes any more: a part that is copied again and again is seen once."""

    def __init__(self) -> None:
        self._known: Dict[int, Tuple[Size, Any]] = {}  # the value is kept, so that its id stays its own

    def known(self, value: Any) -> Optional[Size]:
        """Return what was measured before, or None."""
        found = self._known.get(id(value))
        return None if found is None else found[0]

    def of(self, value: Any, most: Optional[int] = None, changing: bool = False) -> Size:
        """Return what ``measure`` says; of a value that is ``changing`` still, it is not remembered."""
        size = self.known(value) or measure(value, most)
        if not changing and isinstance(value, (dict, list)):
            self._known[id(value)] = (size, value)
        return size


def too_large() -> Problem:
    return Problem(413, "too_large", f"the document would be larger than {MOST_BYTES >> 20} MiB")


def too_many() -> Problem:
    detail = f"the document would have more than {MOST_VALUES:,} values (members and items at every depth): divide it"
    return Problem(413, "too_many_values", detail, most=MOST_VALUES)


def too_deep() -> Problem:
    return Problem(422, "too_deep", f"the document would be nested deeper than {MOST_DEPTH} levels")


def dumps(value: Any) -> str:
    """Return the JSON text, without spaces."""
    return _ENCODE(value)


def pieces(value: Any, most: int = PIECE) -> Iterator[str]:
    """Yield the text of ``dumps`` in pieces that are quickly made: each has some ``most`` characters, but for a longer string."""
    if is_small(value, most):
        yield _ENCODE(value)
        return
    if isinstance(value, dict):
        yield from _pieces("{", ((_ENCODE(key) + ":", item) for key, item in value.items()), "}", most)
    elif isinstance(value, list):
        yield from _pieces("[", (("", item) for item in value), "]", most)
    else:
        yield _ENCODE(value)


def _pieces(begin: str, items: Iterator[Tuple[str, Any]], end: str, most: int) -> Iterator[str]:
    gathered, left, comma = [begin], most, ""
    for name, item in items:
        size = weight(item, most)
        left -= size + len(name) + 1
        gathered += (comma, name)
        comma = ","
        if size >= most and isinstance(item, (dict, list)):
            yield "".join(gathered)
            yield from pieces(item, most)
            gathered, left = [], most
            continue
        gathered.append(_ENCODE(item))
        if left <= 0:
            yield "".join(gathered)
            gathered, left = [], most
    gathered.append(end)
    yield "".join(gathered)


def is_small(value: Any, limit: int) -> bool:
    """Return whether the JSON text has about ``limit`` bytes at most, looking at no more than that."""
    return weight(value, limit) <= limit


def weight(value: Any, limit: int) -> int:
    """Return about the bytes of the JSON text, or something above ``limit`` as soon as it is known to be that."""
    todo: List[Any] = [value]
    left = limit
    while todo and left >= 0:
        item = todo.pop()
        if isinstance(item, str):
            left -= len(item) + 2
        elif isinstance(item, dict):
            left -= 2 + sum(4 + len(key) for key in item) if len(item) < limit else left + 1
            todo.extend(item.values() if left >= 0 else ())
        elif isinstance(item, list):
            left -= 2 + len(item)
            todo.extend(item if left >= 0 else ())
        else:
            left -= 5
    return limit - left


def rate_of(text: str) -> Optional[int]:
    """Return how many bytes a second a text names, such as 100M; None if it names none."""
    unit = {"k": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:], 1)
    number = text[:-1] if unit > 1 else text
    return int(number) * unit if number.isascii() and number.isdigit() and len(number) <= 12 else None
