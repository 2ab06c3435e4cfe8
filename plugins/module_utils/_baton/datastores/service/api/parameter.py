# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a parameter of a server is, and what values it takes. Pure.

``read_only`` ones are shown, and Baton sets them: what it promises rests on them. ``hidden`` ones are not even shown.
"""
from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Tuple, Union

from . import reading
from .catalogue import Version
from .errors import unprocessable

Bound = Union[int, float, None]
_TEXT = re.compile(r"[0-9A-Za-z_,=.:+/-]{0,1000}\Z", re.ASCII)  # it is written to a file: nothing there ends a line, or quotes


class Parameter(NamedTuple):
    """``type``: integer, float, boolean, or string, which may be one of ``values``. ``restart``: it takes effect with the next start."""

    name: str
    type: str
    min: Bound = None
    max: Bound = None
    restart: bool = False
    values: Tuple[str, ...] = ()
    read_only: bool = False
    hidden: bool = False

    def checked(self, value: Any) -> Any:
        """Return a value; Problem 422 says what it is to be. A boolean is no integer, and nothing is converted."""
        if self.type == "boolean":
            return self._of(value, isinstance(value, bool), "true or false")
        if self.type == "string":
            fits = isinstance(value, str) and (value in self.values if self.values else bool(_TEXT.match(value)))
            return self._of(value, fits, f"one of {', '.join(self.values)}" if self.values else "a string without spaces and quotes")
        kinds = (int,) if self.type == "integer" else (int, float)
        fits = isinstance(value, kinds) and not isinstance(value, bool) and _within(self.min, value, self.max)
        what = "a whole number" if self.type == "integer" else "a number"
        return self._of(value, fits, f"{what} from {self.min} to {self.max}")

    def _of(self, value: Any, fits: bool, expected: str) -> Any:
        if not fits:
            raise unprocessable(f"{self.name} is {expected}, not {reading.shown(value)}")
        return value

    def show(self, version: Version) -> Dict[str, Any]:
        found: Dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "restart_required": self.restart,
            "read_only": self.read_only,
            "datastore_version_id": version.id,
        }
        if self.min is not None and self.max is not None:
            found.update(min=self.min, max=self.max)
        return {**found, "enum": list(self.values)} if self.values else found


def _within(least: Bound, value: Any, most: Bound) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def number(name: str, least: int, most: int, restart: bool = False) -> Parameter:
    return Parameter(name, "integer", least, most, restart)


def real(name: str, least: float, most: float) -> Parameter:
    return Parameter(name, "float", least, most)


def flag(name: str, restart: bool = False) -> Parameter:
    return Parameter(name, "boolean", restart=restart)


def one_of(name: str, *values: str, restart: bool = False) -> Parameter:
    return Parameter(name, "string", restart=restart, values=values)


def ours(type_: str, names: str) -> List[Parameter]:
    """Return what people see, and Baton sets."""
    return [Parameter(name, type_, restart=True, read_only=True) for name in names.split()]


def unseen(names: str) -> List[Parameter]:
    """Return what Baton sets, and people don't even see."""
    return [Parameter(name, "string", restart=True, read_only=True, hidden=True) for name in names.split()]
