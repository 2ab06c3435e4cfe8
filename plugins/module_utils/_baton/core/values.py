# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON values: strict parsing, equality, and how big and deep they are. Pure.

Values are persistent: nobody changes one in place, so that documents may share parts and older revisions cost nothing.
"""
from __future__ import annotations

import json
import math
from typing import Any, Dict, List, NoReturn, Tuple

from .problem import Problem

MOST_DEPTH = 100
MOST_BYTES = 16 << 20


def parse(data: bytes, what: str = "the body") -> Any:
    """Return the JSON value in ``data``; Problem 400 for all that RFC 8259 or a later reader would choke on."""
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
    if b"\\u" in data:
        _check_text(value, what)
    if data.count(b"[") + data.count(b"{") > MOST_DEPTH:
        Measure(len(data) * 4).of(value)
    return value


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
    if a is b:
        return True
    if isinstance(a, bool) or isinstance(b, bool):
        return False  # two equal booleans are identical
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a == b
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(key in b and equal(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return isinstance(a, str) and isinstance(b, str) and a == b


class Measure:
    """Sizes and depths with a memory, since parts that are shared would otherwise be walked once for each place.

    ``of`` returns (bytes, depth): an estimate of the JSON text, and 0 for a scalar. Problem 413 beyond ``budget`` bytes.
    """

    def __init__(self, budget: int = MOST_BYTES) -> None:
        self._budget = budget
        self._known: Dict[int, Tuple[int, int, Any]] = {}  # the value is kept, so that its id stays its own

    def of(self, value: Any, level: int = 0) -> Tuple[int, int]:
        if isinstance(value, str):
            return len(value) + 2, 0
        if not isinstance(value, (dict, list)):
            return (len(str(value)) if isinstance(value, (int, float)) else 5), 0
        known = self._known.get(id(value))
        if known is not None:
            return known[0], known[1]
        if level >= MOST_DEPTH:
            raise Problem(422, "too_deep", f"the document would be nested deeper than {MOST_DEPTH} levels")
        size, depth = 2, 0
        keys: Any = value if isinstance(value, dict) else ()
        for key in keys:
            size += len(key) + 4
        for item in value.values() if isinstance(value, dict) else value:
            item_size, item_depth = self.of(item, level + 1)
            size += item_size + 1
            depth = max(depth, item_depth)
            if size > self._budget:
                raise too_large()
        self._known[id(value)] = (size, depth + 1, value)
        return size, depth + 1


def too_large() -> Problem:
    return Problem(413, "too_large", f"the document would be larger than {MOST_BYTES >> 20} MiB")


def is_small(value: Any, limit: int) -> bool:
    """Return whether the JSON text has about ``limit`` bytes at most, looking at no more than that."""
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
    return left >= 0
