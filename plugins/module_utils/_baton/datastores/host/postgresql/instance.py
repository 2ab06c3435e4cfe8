# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One PostgreSQL server of this host as a process: its files, its memory, and sessions with it. What it does in a set is not known here."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from ..runner import Program, Runner, life_of, run
from ..trouble import Trouble
from . import sql
from .config import NOT_LESS, Files, State

BIN = Path("/usr/lib/postgresql")  # where Debian has the programs of each version; which are on the PATH is anybody's choice
STARTS_WITHIN = 600.0  # seconds; it may have much to recover
RETRIES_WITHIN = 10.0  # seconds in which what is left of a server that was killed is gone
ENDS_WITHIN = 30.0  # seconds in which it ends in order; then it is ended at once, which it survives
LOOK, EAGER_FOR, LATER = 0.05, 1.0, 0.3  # seconds between looks at a server that starts, and after so long; it writes down each
RELOADS_WITHIN = 5.0  # seconds in which it has read its settings
STILL_THERE = ('lock file "', "pre-existing shared memory block")  # what it says where one before it has not quite gone


class Instance:
    """``memory`` is the guest's journal of this instance: ``save`` is called after each change, before what follows from it is done.

    ``argv``: with what it was started last, so that its process is found although its package is gone; ``life``: which process it is, as
    far as we have seen; ``spec``: as it was prepared; ``follow``: whom it follows, or null; ``counted``: who acknowledges, null at rest;
    ``opening``: this process may be made one that takes writes, or is; ``reign``: what its last promotion is known by; ``whole``: since
    it was started it has come to the end of what it has received; ``copied``: a copy came in full, and it has not followed anybody since;
    ``swapping``: one is taking the place of what was here; ``spoilt``: its data was being rewound, and is none until that has ended;
    ``least``: what its last source had of some things, so that it must have as much; ``running``: the parameters with which it was started
    last; ``before``: those with which it has started, while it has not with those of ``spec``; ``adopting``: it has not the password of its
    set yet, which can be written only once it takes writes.
    """

    def __init__(
        self, folder: Path, instance: str, runner: Runner, memory: Dict[str, Any], save: Callable[[], None], user: str = ""
    ) -> None:
        """``user``: who runs the server if we are root; postgres, if none is named."""
        self.id, self.files, self.runner = instance, Files(folder, instance, user), runner
        self.memory, self._save = memory, save
        self.making = False  # it is being made: it takes writes, of nobody but us
        self._finding = threading.Lock()
        self._writing = threading.Lock()

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
        self.remember(spec=spec, forget=("copied", "before"), **values)

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
        title = f"postgres: {self.id}: "
        return Program(
            self.id, argv, self.files.folder, self.files.log, self.files.user, (self.files.run,), ends_by=signal.SIGINT, title=title
        )

    def _argv(self) -> List[str]:
        version = str((self.memory.get("spec") or {}).get("version") or "")
        return [executable("postgres", version), "-D", str(self.files.data), "-c", f"config_file={self.files.settings}"]

    @property
    def life(self) -> str:
        """Which process it was when we looked last."""
        return str(self.memory.get("life") or "")

    def pid(self) -> Optional[int]:
        """Return its process. Of one that has ended none is left on return that could answer a client; one that others have started
        anew is at rest, as when we do it.
        """
        if not self.files.is_ours():
            return None
        with self._finding:
            try:
                program = self.program
            except Trouble:  # there is no such program here, and never was
                return None
            pid = self.runner.pid(program)
            life = life_of(pid) if pid is not None else ""
            if life == self.life:
                return pid
            if pid is None:
                self.runner.kill(program)
            with contextlib.suppress(Trouble):  # what is not on disk is found out again
                if life:
                    self.memory.update(whole=False, opening=False)
                self.remember(life=life)
            return pid

    def start(self) -> None:
        """Start it, and wait until it answers: what it has received before it could be read is applied first."""
        if self.memory.get("spoilt"):
            raise Trouble(f"what {self.id} has is spoilt, since it could not be rewound to its source: replace it")
        self.files.make_run()
        began = time.monotonic()
        end, retries, eager = began + STARTS_WITHIN, began + RETRIES_WITHIN, began + EAGER_FOR
        is_begun = False
        while True:
            if self.pid() is None and not is_begun:
                if self.files.too_full():
                    raise Trouble(self.files.too_full())
                is_begun = True
                self._begin()
            try:
                with self.session():
                    pass
                if self.pid() is not None:  # so that this life is known
                    return
            except sql.SqlTrouble as error:
                if self.pid() is None and is_begun:
                    said = self.files.last_error()
                    if not any(words in said for words in STILL_THERE) or time.monotonic() > retries:
                        raise Trouble(f"{self.id} does not start: {said or error}") from None
                    is_begun = False
                if time.monotonic() > end:
                    raise Trouble(f"{self.id} has not answered for {STARTS_WITHIN:g} s: {error}") from None
            time.sleep(LOOK if time.monotonic() < eager else LATER)

    def _begin(self) -> None:
        """Begin its process, at rest."""
        self.files.rotate_log()
        if not self.making:
            self.files.rest()
        spec = self.memory.get("spec") or {}
        self.remember(
            whole=False, opening=self.making, counted=[] if self.making else None, running=spec.get("parameters") or {},
            argv=self._argv(), least=self._least(),
        )  # fmt: skip
        if spec:
            self.write_settings()
        self.runner.start(self.program)

    def stop(self) -> None:
        """End it, in order if it can be; it is gone on return."""
        if self.pid() is None:
            return
        if not self.runner.end(self.program, ENDS_WITHIN) and not self.end_at_once(ENDS_WITHIN):
            self.runner.kill(self.program)
        self.pid()

    def end(self, seconds: float) -> bool:
        """End its clients' sessions, and it in order; return whether it is gone."""
        return self.runner.end(self.program, seconds)

    def end_at_once(self, seconds: float) -> bool:
        """End it as if it were killed, but by itself; return whether it is gone."""
        return self.runner.end(self.program._replace(ends_by=signal.SIGQUIT), seconds)

    def kill(self) -> None:
        self.runner.kill(self.program)

    def why_silent(self, error: sql.SqlTrouble) -> str:
        """Return why it does not answer; "" if it said that it has too much to do to talk to us."""
        if error.code == sql.TOO_MANY_CONNECTIONS:
            return ""
        if self.pid() is not None:
            return f"it runs, and does not answer: {error}"
        return f"it does not run: {self.files.last_error() or 'start it, or look at its log'}"

    # --- settings ---------------------------------------------------------------------------------------------------------

    def write_settings(self, spec: Optional[Mapping[str, Any]] = None) -> None:
        """Write what follows from the memory, and from how it is made."""
        memory = self.memory
        with self._writing:
            state = State(memory.get("counted"), self.follow, not self.making, not memory.get("adopting"), memory.get("least") or {})
            self.files.write_all(spec or self.spec, state, ourselves())

    def _least(self) -> Dict[str, int]:
        """Return what the last source had, and a server that is at rest must have, or it does not start."""
        if self.making:
            return {}
        with contextlib.suppress(Trouble):
            control = self.control()
            return {name: int(control[key]) for key, name in NOT_LESS.items() if control.get(key, "").isdigit()}
        return {}

    def reload(self) -> None:
        """Have it read its settings; on return it has, but for processes of it that are busy."""
        with self.session(RELOADS_WITHIN) as session:
            before = int(float(session.text("extract(epoch FROM clock_timestamp()) * 1000000")))
            session.ask("SELECT pg_reload_conf()")
        end = time.monotonic() + RELOADS_WITHIN
        while True:
            with self.session(RELOADS_WITHIN) as session:  # a new one is as the first process is
                if int(float(session.text("extract(epoch FROM pg_conf_load_time()) * 1000000"))) >= before:
                    return
            if time.monotonic() > end:
                raise Trouble(f"{self.id} has not read its settings in {RELOADS_WITHIN:g} s: look at its log")
            time.sleep(0.01)

    def control(self) -> Dict[str, str]:
        """Return what its control file says; of a server that runs as it was a moment ago."""
        said = run([executable("pg_controldata", str(self.spec["version"])), "-D", str(self.files.data)], self.files.user)
        return {key.strip(): value.strip() for key, _colon, value in (line.partition(":") for line in said.splitlines())}

    # --- sessions ---------------------------------------------------------------------------------------------------------

    def session(self, timeout: float = sql.ANSWER, database: str = sql.DATABASE, replication: bool = False) -> sql.Session:
        """Speak with it, as who may do all."""
        return sql.local(self.files.socket_of(int(self.spec["port"])), timeout, database, replication)

    @contextlib.contextmanager
    def source(self, where: Mapping[str, Any], timeout: float = sql.ANSWER) -> Iterator[sql.Session]:
        """Speak with a server of the set, as one that follows it."""
        with sql.remote(where["address"], int(where["port"]), self.password, self.files.certificate, timeout) as session:
            yield session


def ourselves() -> str:
    """Return the name of the user of the system that we are: who may do all in a server, through its socket alone."""
    return pwd.getpwuid(os.geteuid()).pw_name


def executable(name: str, version: str) -> str:
    """Return the path of a program of a version's packages; Trouble says what to install."""
    if not re.fullmatch(r"[0-9]{2}", version):
        raise Trouble(f"{version[:20]!r} is no version of PostgreSQL: one is 15, or 17")
    path = BIN / version / "bin" / name
    if not os.access(path, os.X_OK):
        raise Trouble(f"there is no {path} on this host: install the package postgresql-{version}")
    return str(path)
