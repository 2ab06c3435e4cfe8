# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An arbiter: a member without data, which has a vote, so that a cluster of two regions knows which of them goes on."""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ...model.channel import Report, Server
from ..carrying import Stands
from ..checks import Need
from ..mariadb.config import Files
from ..mariadb.instance import Instance
from ..mariadb.instance import executable as find
from ..mariadb.prepare import make_anew
from ..runner import Runner, run
from ..trouble import Trouble, one_line
from .member import Member, announce
from .settings import GROUP, cluster_address, provider_options

ARBITER = "arbiter"
PACKAGE = "galera-arbitrator-4"
VERSION = "26.4"  # of Galera; members of others take part
ROOM = 64 << 20  # bytes that its files may take
LOOK = 0.05
LONGEST_LINE = 8192  # bytes of its log that are read at once
SYNCED = "SYNCED"
BEGINS = "Read config:"  # what each life of it says first
SAYS = (
    (re.compile(r"(?:Shifting|Restored state) \w+ -> (\w+)"), "name"),
    (re.compile(r"New COMPONENT: .*memb_num = ([0-9]+)"), "size"),
    (re.compile(r"group UUID = (\S+)"), "uuid"),
    (re.compile(r"\bconf_id +=\s+([0-9]+),"), "before"),
)


class ArbiterFiles(Files):
    def __init__(self, folder: Path, instance: str, user: str = "") -> None:
        super().__init__(folder, instance, user)
        self.settings = folder / "garbd.cfg"

    def text(self, spec: Mapping[str, Any]) -> str:
        """Return what its file says: nothing of it stands on a command line."""
        values = {
            "group": spec["cluster"], "name": self.instance, "address": cluster_address(spec.get("members") or [spec]),
            "options": provider_options(self, spec, has_data=False),
        }  # fmt: skip
        for name, value in values.items():
            if any(ord(letter) < 32 or letter in "#\"\\" for letter in str(value)):
                raise Trouble(f"the {name} of an arbiter has letters that can't stand in its file")
        return "".join(f"{name} = {value}\n" for name, value in values.items())


class Garbd(Instance):
    files_of = ArbiterFiles

    def _argv(self) -> List[str]:
        return [executable(), "--cfg", str(self.files.settings)]


def executable() -> str:
    try:
        return find("garbd")
    except Trouble:
        raise Trouble(f"there is no garbd on this host: install the package {PACKAGE}, and disable its unit garb") from None


def found_version() -> str:
    """Return the version that is installed, such as 26.4; Trouble says what to install."""
    found = re.search(r"\b([0-9]+)\.[0-9]+", run([executable(), "--version"]))
    return f"26.{found[1]}" if found else ""


@dataclass
class State:
    """``name``: as Galera says it, SYNCED for a member; ``before``: the number of the view before this one."""

    name: str = ""
    size: int = 0
    uuid: str = ""
    before: int = -1

    def view(self, is_primary: bool, name: str) -> Dict[str, Any]:
        number = self.before + 1 if is_primary else 0
        return {"primary": is_primary, "size": self.size, "state": name, "uuid": self.uuid, "number": number}


class Log:
    """What it has said of itself up to now: of all that it says this stands there once, when it changes."""

    def __init__(self, path: Path) -> None:
        self._path, self._end, self._state = path, 0, State()
        self._lock = threading.Lock()

    def read(self) -> State:
        with self._lock, open(self._path, "rb") as file:
            if file.seek(0, os.SEEK_END) < self._end:  # it is another file
                self._end, self._state = 0, State()
            file.seek(self._end)
            for line in iter(partial(file.readline, LONGEST_LINE), b""):
                if not line.endswith(b"\n") and len(line) < LONGEST_LINE:
                    break  # it is being written
                self._end += len(line)
                self._learn(line.decode("utf-8", "replace"))
            return replace(self._state)

    def _learn(self, line: str) -> None:
        if BEGINS in line:
            self._state = State()
        for pattern, name in SAYS:
            found = pattern.search(line)
            if found:
                setattr(self._state, name, int(found[1]) if name in ("size", "before") else found[1])


class Arbiter(Member):
    """As Galera, of a member without data."""

    verbs = ("prepare", "join", "halt", "announce", "restart", "configure", "wipe")

    def __init__(
        self, folder: Path, instance: str, runner: Runner, memory: Dict[str, Any], save: Callable[[], None], need: Need, user: str = ""
    ) -> None:
        super().__init__(Garbd(folder, instance, runner, memory, save, user))
        self._need, self._log = need, Log(self._instance.files.log)

    def look(self) -> Server:
        """Return how it is: it answers nobody, and says in its log what it is a member of."""
        try:
            trouble, view = self._stands() if self.pid() is not None else (self._why_down(), {})
        except (Trouble, OSError) as error:
            trouble, view = one_line(error), {}
        return Server(not trouble, trouble, view=view)

    def _stands(self) -> Tuple[str, Dict[str, Any]]:
        """Return why it is no member, "" if it is one, and what it says of its cluster."""
        state = self._log.read()
        if state.name == SYNCED:
            return "", state.view(True, "Synced")
        trouble = "it runs, and is not in the primary component: it hears too few of the others, or none has formed the cluster"
        return trouble, state.view(False, state.name.capitalize())

    # --- orders -------------------------------------------------------------------------------------------------------------

    def _prepare(self, args: Mapping[str, Any], _stands: Stands) -> Report:
        instance = self._instance
        if not (instance.files.is_ours() and instance.files.ready.exists()):
            make_anew(instance, args, (GROUP,), lambda: self._need(ARBITER, VERSION), _make, ROOM)
        return Report()

    def _join(self, args: Mapping[str, Any], stands: Stands) -> Optional[Report]:
        """Run until it is a member; one that is of this group already goes on."""
        instance = self._instance
        if self.pid() is not None and instance.memory.get("group") != args["cluster"]:
            self.stop()
        announce(instance, args)
        if self.pid() is None:
            instance.remember(group=instance.spec["cluster"], forget=("halted",))
            instance.files.make_run()
            instance.begin()
        while stands():
            if self.look().up:
                return Report()
            if self.pid() is None:
                return Report(f"{instance.id} has ended: {instance.files.last_error() or 'look at its log'}")
            time.sleep(LOOK)
        return None

    def _halt(self, _args: Mapping[str, Any], _stands: Stands) -> Report:
        self._instance.stop()
        self._instance.remember(halted=True)
        return Report()

    def _configure(self, _args: Mapping[str, Any], _stands: Stands) -> Report:
        """Parameters are of databases; it has none."""
        return Report(found={"restart": []})

    def _restart(self, args: Mapping[str, Any], stands: Stands) -> Optional[Report]:
        self._instance.stop()
        return self._join(args, stands)


def _make(instance: Instance, args: Mapping[str, Any]) -> None:
    instance.remember_spec(args)
