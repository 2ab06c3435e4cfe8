# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other parameters for a server that is there: at once where it takes them while it runs, else when it starts.

What it would not start with is found out before it is told. One that does not start with new ones all the same is started with those
before them, and which it was is said.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any, Dict, List, Mapping

from ...model.channel import Report
from ..files import remove, write
from ..runner import run
from ..trouble import Trouble
from . import sql
from .config import State, errors
from .instance import Instance, executable

TRIES_WITHIN = 30.0  # seconds
TELLS = 8  # characters of a value that stands nowhere by chance


class Settings:
    """Of one instance; ``before`` in its memory says that its parameters have not been proven by a start yet."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    @property
    def _parameters(self) -> Dict[str, Any]:
        return self._instance.spec.get("parameters") or {}

    # --- with a start -------------------------------------------------------------------------------------------------------

    def take(self, parameters: Mapping[str, Any]) -> None:
        """Have these parameters with the next start; Trouble for those that no server starts with."""
        instance, old = self._instance, self._parameters
        new = {**instance.spec, "parameters": dict(parameters)}
        self._try(new)
        if old != new["parameters"]:
            instance.remember(spec=new, before=instance.memory.get("before", old))

    def _try(self, spec: Mapping[str, Any]) -> None:
        """See that a server takes these settings, as far as it can be told without starting it."""
        instance, files = self._instance, self._instance.files
        trial = files.folder / "trial.conf"
        command = [executable("postgres", str(spec["version"])), "-D", str(files.data), "-c", f"config_file={trial}", "-C", "port"]
        try:
            write(trial, files.postgresql_conf(spec, State()))
            files.own(trial, 0o600)
            said = run(command, files.user, files.folder, TRIES_WITHIN, good=(0, 1, 2)).splitlines()
        finally:
            remove(trial)
        if said[-1:] != [str(spec["port"])]:
            told = [re.split(r"(?:LOG|ERROR|FATAL): +", line)[-1] for line in said]
            why = next((line for line in told if "trial.conf" not in line), "it does not say why")
            raise Trouble(f"{instance.id} does not take it: {why}")

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

    # --- while it runs ------------------------------------------------------------------------------------------------------

    def configure(self, parameters: Mapping[str, Any]) -> Report:
        """Have it take new parameters; say which of them it takes with its next start. Where it refuses one all stays as it was."""
        instance, old = self._instance, self._parameters
        with instance.session() as session:
            unknown = _unknown(session, [str(name) for name in parameters])
        if unknown:
            return Report(f"{', '.join(unknown)}: a server of this version has no such parameter")
        had_before = "before" in instance.memory
        self.take(parameters)
        try:
            instance.write_settings()
            instance.reload()
        except Trouble:
            instance.remember(spec={**instance.spec, "parameters": old}, forget=() if had_before else ("before",))
            with contextlib.suppress(Trouble):
                instance.write_settings()
                instance.reload()
            raise
        with instance.session() as session:
            later = [row["name"] or "" for row in session.ask("SELECT name FROM pg_settings WHERE pending_restart ORDER BY name")]
        if not later:
            self.proven()
        return Report(found={"restart": later})


def _unknown(session: sql.Session, names: List[str]) -> List[str]:
    """Return which parameters a server does not have. It takes each that has a point in it, for what may be loaded later."""
    if not names:
        return []
    known = {row["name"] for row in session.ask("SELECT lower(name) AS name FROM pg_settings WHERE context <> 'internal'")}
    return [name for name in sorted(names) if name.lower() not in known and "." not in name]


def _is_named(name: str, value: Any, lines: List[str]) -> bool:
    """Return whether what a server said is about a parameter: it names it, or its value."""
    words = {name, f'"{value}"', *([str(value)] if len(str(value)) >= TELLS else [])}
    return any(word in line for word in words for line in lines)
