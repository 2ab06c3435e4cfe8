# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other parameters for a server that is there: at once where it takes them while it runs, else when it starts.

A server that does not start with new ones is started with those before them, and which it was is said.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from ...model.channel import Report
from ..trouble import Trouble
from . import sql
from .config import errors, sizes
from .instance import Instance

# What a server answers where a variable can't be set while it runs: it is read-only, or depends on how the server was started
WITH_A_START = (1238, 1290, 1621, 1651)
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
TELLS = 8  # characters of a value that stands nowhere by chance
SETS_WITHIN = 60.0  # seconds; some give back or take memory


class Settings:
    """Of one instance; ``before`` in its memory says that its parameters have not been proven by a start yet."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    @property
    def _parameters(self) -> Dict[str, Any]:
        return self._instance.spec.get("parameters") or {}

    # --- with a start -------------------------------------------------------------------------------------------------------

    def take(self, parameters: Mapping[str, Any]) -> None:
        """Have these parameters with the next start; Trouble for those that can't stand in a file."""
        instance, old = self._instance, self._parameters
        new = {**instance.spec, "parameters": dict(parameters)}
        instance.files.text(new)
        if old != new["parameters"]:
            instance.remember(spec=new, before=instance.memory.get("before", old))

    def proven(self) -> None:
        if "before" in self._instance.memory:
            self._instance.remember(forget=("before",))

    def go_back(self, trouble: Trouble) -> str:
        """Have the parameters before these, and return why; Trouble where there are none, or these are not to blame."""
        instance = self._instance
        if "before" not in instance.memory:
            raise trouble
        if instance.pid() is not None:
            instance.kill()
        new, old = self._parameters, instance.memory["before"]
        said = instance.files.said()
        instance.remember(spec={**instance.spec, "parameters": old}, forget=("before",))
        changed = [name for name in sorted({*new, *old}) if new.get(name) != old.get(name)]
        named = [name for name in changed if _is_named(name, new.get(name), said)] or changed
        what = ", ".join(f"{name}={new[name]}" if name in new else f"{name} left out" for name in named)
        why = next(iter(errors(said)), str(trouble))
        return f"{instance.id} does not start with {what}, and has what it had before: {why}"

    def leave_out(self, trouble: Trouble) -> str:
        """Have none of the parameters that a server of another version does not start with, and return why; Trouble where it has none. It
        is better there without them than not at all.
        """
        instance, old = self._instance, self._parameters
        if not old:
            raise trouble
        if instance.pid() is not None:
            instance.kill()
        said = instance.files.said()
        named = [name for name in sorted(old) if _is_named(name, old[name], said)] or sorted(old)
        left = {name: value for name, value in old.items() if name not in named}
        instance.remember(spec={**instance.spec, "parameters": left}, forget=("before",))
        why = next(iter(errors(said)), str(trouble))
        what = ", ".join(f"{name}={old[name]}" for name in named)
        return f"{instance.id} of this version does not start with {what}, and was started without: {why}"

    # --- while it runs ------------------------------------------------------------------------------------------------------

    def configure(self, parameters: Mapping[str, Any]) -> Report:
        """Have it take new parameters; say which of them it takes with its next start. Where it refuses one all stays as it was."""
        instance, old = self._instance, self._parameters
        new = {**instance.spec, "parameters": dict(parameters)}
        instance.files.text(new)
        running = instance.memory.get("running") or {}
        later: List[str] = []
        with instance.session(SETS_WITHIN) as session:
            done: Dict[str, Any] = {}
            try:
                for name in sorted({*old, *parameters}):
                    before = _set(session, name, parameters, sizes(new))
                    if before is not None:
                        done[name] = before["value"]
                    elif running.get(name) != parameters.get(name):
                        later.append(name)
            except Trouble:
                for name, value in done.items():
                    session.ask(f"SET GLOBAL {_variable(name)}=%s", value)
                raise
            self.take(parameters)
            instance.files.write_settings(instance.spec)
        if not later:
            self.proven()
        return Report(found={"restart": later})


def _set(session: sql.Session, name: str, parameters: Mapping[str, Any], fitting: Mapping[str, object]) -> Any:
    """Set a variable, and return what it was, as a row; None where that takes a start. SqlTrouble names the parameter."""
    variable = _variable(name)
    default = fitting.get(name.replace("_", "-"))
    value = parameters[name] if name in parameters else _number(default)
    try:
        (before,) = session.ask(f"SELECT @@global.{variable} AS value")
        if value is None:
            session.ask(f"SET GLOBAL {variable}=DEFAULT")
        else:
            session.ask(f"SET GLOBAL {variable}=%s", value)
        return before
    except sql.SqlTrouble as error:
        if error.number in WITH_A_START:
            return None
        what = f"can't be {value}" if name in parameters else "can't be left out"
        raise sql.SqlTrouble(f"{name} {what}: {error}", error.number) from None


def _variable(name: str) -> str:
    return sql.name(name.replace("-", "_"))


def _number(value: object) -> object:
    """Return a size as a number, as SET wants it."""
    unit = UNITS.get(value[-1:]) if isinstance(value, str) else None
    return int(value[:-1]) * unit if unit and isinstance(value, str) and value[:-1].isdigit() else value


def _is_named(name: str, value: Any, lines: List[str]) -> bool:
    """Return whether what a server said is about a parameter: it names it, or its value."""
    words = {name, name.replace("_", "-"), name.replace("-", "_"), f"'{value}'", *([str(value)] if len(str(value)) >= TELLS else [])}
    return any(word in line for word in words for line in lines if "as process" not in line)
