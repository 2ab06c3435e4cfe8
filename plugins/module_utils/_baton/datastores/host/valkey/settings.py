# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other parameters for a server that is there: at once where it takes them while it runs, else when it starts."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from ...model.channel import Report
from ..mariadb import settings
from ..trouble import Trouble
from .config import parameters as checked
from .config import plain, sizes
from .instance import BESIDE, Instance
from .protocol import Session, ValkeyTrouble

WITH_A_START = "can't set immutable config"


class Settings(settings.Settings):
    _instance: Instance

    def configure(self, parameters: Mapping[str, Any]) -> Report:
        """Have it take new parameters; say which of them it takes with its next start. Where it refuses one all stays as it was."""
        instance, old = self._instance, self._parameters
        new = {**instance.spec, "parameters": dict(parameters)}
        checked(parameters)
        fitting, running = sizes(new), instance.memory.get("running") or {}
        later: List[str] = []
        done: Dict[str, str] = {}
        with instance.session(BESIDE) as session:
            try:
                for name in sorted({*old, *parameters}):
                    value = plain(parameters[name]) if name in parameters else fitting.get(name)
                    before = _set(session, name, value)
                    if before is not None:
                        done[name] = before
                    elif running.get(name) != parameters.get(name):
                        later.append(name)
            except Trouble:
                for name, value in done.items():
                    session.ask("CONFIG", "SET", name, value)
                raise
        self.take(parameters)
        instance.files.write_settings(instance.spec)
        if not later:
            self.proven()
        return Report(found={"restart": later})


def _set(session: Session, name: str, value: Any) -> Any:
    """Set one, and return what it was; None where that takes a start: nobody else says what it is if it is left out."""
    was = session.texts("CONFIG", "GET", name)
    if len(was) < 2:
        raise ValkeyTrouble(f"{name}: a server of this version has no such parameter", "ERR")
    if value is None:
        return None
    try:
        session.ask("CONFIG", "SET", name, value)
    except ValkeyTrouble as error:
        if WITH_A_START in str(error):
            return None
        raise ValkeyTrouble(f"{name} can't be {value}: {error}", error.code) from None
    return was[1]
