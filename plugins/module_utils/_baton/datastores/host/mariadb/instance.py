# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One MariaDB server of this host as a process: its files, its memory, and sessions with it. What it does in a set is not known here."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Type

from ..runner import PATH, Program, Runner, life_of
from ..trouble import Trouble
from . import sql
from .config import Files

STARTS_WITHIN = 600.0  # seconds; it may have much to recover
ENDS_WITHIN = 60.0  # seconds; then it is killed, which it survives
LOOK = 0.05  # seconds between looks at a server that starts
CATCHES_UP, ACKNOWLEDGES = "baton_a_", "baton_s_"  # as whom a member follows; its id comes behind


class Instance:
    """``memory`` is the guest's journal of this instance: ``save`` is called after each change, before what follows from it is done.

    ``argv``: with what it was started last, so that its process is found although its package is gone; ``life``: which process it is, as
    far as we have seen; ``spec``: as it was prepared; ``follow``: whom it follows, or null; ``had``: how far it was when it was sealed;
    ``whole``: it has all that it has ever acknowledged; ``copied``: a copy came in full, and it has not followed anybody since;
    ``swapping``: one is taking the place of what was here; ``running``: the parameters with which it was started last; ``before``: those
    with which it has started, while it has not with those of ``spec``.
    """

    files_of: Type[Files] = Files
    also = ""  # of our own sessions: see sql.py

    def __init__(
        self, folder: Path, instance: str, runner: Runner, memory: Dict[str, Any], save: Callable[[], None], user: str = ""
    ) -> None:
        """``user``: who runs the server if we are root; mysql, if none is named."""
        self.id, self.files, self.runner = instance, self.files_of(folder, instance, user), runner
        self.memory, self._save = memory, save
        self.sessions: Set[int] = set()  # that are ours, so that they are not taken for clients
        self._lock = threading.Lock()
        self._finding = threading.Lock()

    def remember(self, forget: Sequence[str] = (), **values: Any) -> None:
        """Change the memory."""
        for name in forget:
            self.memory.pop(name, None)
        self.memory.update(values)
        self._save()

    @property
    def spec(self) -> Dict[str, Any]:
        spec = self.memory.get("spec")
        if not spec:
            raise Trouble(f"{self.id} was not prepared on this host")
        return dict(spec)

    def remember_spec(self, args: Mapping[str, Any], **values: Any) -> None:
        """Remember how it was made; not what people's users are, and of secrets what it needs itself: the rest stands in its files."""
        spec = {key: value for key, value in args.items() if key not in ("databases", "users")}
        spec["secrets"] = {"replication": args["secrets"]["replication"]}
        self.remember(spec=spec, forget=("had", "copied", "before"), **values)

    @property
    def password(self) -> str:
        return str(self.spec["secrets"]["replication"])

    @property
    def follow(self) -> Optional[Dict[str, Any]]:
        return self.memory.get("follow")

    # --- the process ------------------------------------------------------------------------------------------------------

    @property
    def program(self) -> Program:
        argv = tuple(self.memory.get("argv") or self._argv())
        return Program(self.id, argv, self.files.folder, self.files.log, self.files.user, (self.files.run,), self.files.tools)

    def _argv(self) -> List[str]:
        return [executable("mariadbd"), f"--defaults-file={self.files.settings}"]

    @property
    def life(self) -> str:
        """Which process it was when we looked last."""
        return str(self.memory.get("life") or "")

    def pid(self) -> Optional[int]:
        """Return its process. One that others have started anew, such as systemd for an administrator, has lost what it had received and
        not applied, as when we do it: it is not whole.
        """
        if not self.files.is_ours():
            return None
        with self._finding:
            try:
                pid = self.runner.pid(self.program)
            except Trouble:  # there is no such program here, and never was
                return None
            life = life_of(pid) if pid is not None else ""
            if life and life != self.life:
                with contextlib.suppress(Trouble):  # what is not on disk is found out again
                    self.remember(life=life, whole=False)
            return pid

    def begin(self, *options: str) -> None:
        """Start its process, and do not wait until it answers. ``options``: of this life alone."""
        if self.files.too_full():  # it would wait for room before it answers, a minute at a time
            raise Trouble(self.files.too_full())
        self.files.rotate_log()
        spec = self.memory.get("spec")
        if spec:
            self.files.write_settings(spec)
        self.remember(whole=False, running=(spec or {}).get("parameters") or {}, argv=[*self._argv(), *options])
        self.runner.start(self.program)

    def start(self, *options: str) -> None:
        """Start it and wait until it answers; what it had received and not applied is lost when it does."""
        self.files.make_run()
        end = time.monotonic() + STARTS_WITHIN
        is_begun = False
        while True:
            if self.pid() is None and not is_begun:
                is_begun = True
                self.begin(*options)
            try:
                with self.session():
                    pass
                if self.pid() is not None:  # so that this life is known
                    return
            except sql.SqlTrouble as error:
                if self.pid() is None and is_begun:
                    raise Trouble(f"{self.id} does not start: {self.files.last_error() or error}") from None
                if time.monotonic() > end:
                    raise Trouble(f"{self.id} has not answered for {STARTS_WITHIN:g} s: {error}") from None
            time.sleep(LOOK)

    def stop(self) -> None:
        if not self.runner.end(self.program, ENDS_WITHIN):
            self.runner.kill(self.program)

    def kill(self) -> None:
        self.runner.kill(self.program)

    def why_silent(self, error: sql.SqlTrouble) -> str:
        """Return why it does not answer; "" if it said that it has too much to do to talk to us."""
        if error.number == sql.TOO_MANY_CONNECTIONS:
            return ""
        if self.pid() is not None:
            return f"it runs, and does not answer: {error}"
        return f"it does not run: {self.files.last_error() or 'start it, or look at its log'}"

    # --- sessions ---------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def session(self, timeout: float = sql.ANSWER) -> Iterator[sql.Session]:
        """Speak with it, as who may do all."""
        with sql.local(self.files.socket, ourselves(), timeout, self.also) as session:
            with self._lock:
                self.sessions.add(session.id)
            try:
                yield session
            finally:
                with self._lock:
                    self.sessions.discard(session.id)


def ourselves() -> str:
    """Return the name of the user of the system that we are: who may do all in a server, through its socket alone."""
    return pwd.getpwuid(os.geteuid()).pw_name


def executable(name: str) -> str:
    """Return the path of a program of MariaDB's packages; Trouble says what to install."""
    found = shutil.which(name, path=PATH)
    if found is None:
        package = "mariadb-backup" if name in ("mariadb-backup", "mbstream") else "mariadb-server-core"
        raise Trouble(f"there is no {name} on this host: install the package {package}")
    return found
