# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drivers that are to be expected on this node: a directory with a JSON file for each, of which the last good form is kept.

The VIP may wait for one of them, so a file that is gone or half written for a moment, or a directory that is not mounted yet, makes none
of them unexpected: that takes a file that is gone when a person has batond reload (SIGHUP). What was good is kept in ``kept``, over
restarts, too. Decides nothing else. Looking blocks for as long as the disk does: not for the event loop.
"""
from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, Collection, Dict, List, Optional, Tuple

from ...core.drivers.drivers import MOST_DRIVERS
from ...core.model.driver_options import NAMES, Options, read_name, read_options
from ...ground.problem import Problem
from ..disk.durable import write_durably

LOG = logging.getLogger("baton.drivers")
MOST_BYTES = 1 << 20


class DriverFiles:
    """``drivers``: who is expected, after each ``look``; ``troubles``: what is wrong, a line each; ``gone``: whose file is not there."""

    def __init__(self, directory: Optional[Path], kept: Path) -> None:
        self.directory = directory
        self.drivers: Dict[str, Options] = {}
        self.troubles: List[str] = []
        self.gone: Collection[str] = ()
        self._kept = kept
        self._good = self._read_kept() if directory is not None else {}

    def look(self, forget: Collection[str] = ()) -> bool:
        """Look at all files; return whether others are expected now. Of those in ``forget`` none is whose file is still gone."""
        if self.directory is None:
            return False
        troubles: List[str] = []
        good, guessed = dict(self._good), {}
        found = self._list(self.directory, troubles)
        for path in found or ():
            try:
                name, options = _read(path)
                good[name] = options
            except _Unreadable as error:
                options = good.get(error.name, error.guess)
                troubles.append(f"{error}; {_what_counts(error.name, error.name in good, options)}")
                if error.name:
                    guessed[error.name] = options
        self.gone = () if found is None else sorted(set(good) - {path.stem for path in found})
        for name in [name for name in self.gone if name in forget]:
            del good[name]
            LOG.info("driver %s is expected no longer: its file was removed", name)
        self.gone = [name for name in self.gone if name in good]
        for name in self.gone:
            troubles.append(f"{self.directory / name}.json is gone: driver {name} is still expected; put the file back, or have it "
                            "forgotten with `systemctl reload batond`")  # fmt: skip
        for text in troubles:
            if text not in self.troubles:
                LOG.error("%s", text)
        before, self.drivers, self.troubles = self.drivers, {**good, **guessed}, troubles
        self._keep(good)
        return self.drivers != before

    def _list(self, directory: Path, troubles: List[str]) -> Optional[List[Path]]:
        """Return the files, None when the directory can't be read."""
        try:
            found = sorted(path for path in directory.iterdir() if path.suffix == ".json")
        except OSError as error:
            names = ", ".join(sorted(self._good)) or "none"
            troubles.append(f"the drivers in {directory} can't be looked for ({error.strerror}); still expected: {names}")
            return None
        if len(found) > MOST_DRIVERS:
            troubles.append(f"{directory} has {len(found)} files, of which only {MOST_DRIVERS} are read: remove those that are no drivers")
        return found[:MOST_DRIVERS]

    # --- what was good --------------------------------------------------------------------------------------------------

    def _read_kept(self) -> Dict[str, Options]:
        try:
            data = json.loads(self._kept.read_text())
            return {read_name(name): read_options(options) for name, options in data.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, Problem) as error:
            LOG.warning("%s can't be used, so a driver whose file is gone is not missed: %s", self._kept, error)
            return {}

    def _keep(self, good: Dict[str, Options]) -> None:
        if good == self._good:
            return
        self._good = good
        try:
            write_durably(self._kept, json.dumps({name: options.to_json() for name, options in good.items()}) + "\n")
        except OSError as error:
            LOG.warning("%s can't be written, so after a restart a driver whose file is gone is not missed: %s", self._kept, error.strerror)


class _Unreadable(Exception):
    """A file that says nothing of use, in one line. ``guess``: what to expect of the driver ``name`` if nothing better is known."""

    def __init__(self, path: Path, why: str, name: str, pre_active: bool) -> None:
        super().__init__(f"{path} {why}")
        self.name, self.guess = name, Options(pre_active=pre_active)


def _read(path: Path) -> Tuple[str, Options]:
    """Return what a driver's file says of it; raise _Unreadable."""
    given: Any = None
    name = ""
    try:
        name = read_name(path.stem)
        with open(path, "rb", opener=_open) as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ValueError(f"it is longer than {MOST_BYTES} bytes")
        given = json.loads(text.decode("utf-8"))
        if not isinstance(given, dict):
            raise ValueError("it is no JSON object")
        if given.get("id", name) != name:
            raise ValueError(f"id is the file's name, {name}, or left out")
        return name, read_options({option: value for option, value in given.items() if option in NAMES})
    except Problem as problem:
        why = f"is wrong: {problem.detail}"
    except OSError as error:
        why = f"can't be read: {error.strerror}"
    except (ValueError, RecursionError) as error:
        why = f"can't be read: {error}"
    # Half of a file may have been going to say that the VIP waits for this driver.
    raise _Unreadable(path, why, name, not isinstance(given, dict) or given.get("pre_active", False) is not False)


def _open(path: str, flags: int) -> int:
    """Open a file for reading; were it a pipe, nobody might write to it."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _what_counts(name: str, known: bool, options: Options) -> str:
    if not name:
        return "give it another name, or remove it"
    if known:
        return f"what it said before of driver {name} counts: correct it"
    return f"driver {name} is expected{', and the VIP and the API wait for it' if options.pre_active else ''}: correct it"
