# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one server, of whatever datastore: its folder, which is ours, the set's certificate, and what it says in its log."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple

from .trouble import Trouble

ROOT = "root"
MOST_LOG = 4 << 20  # bytes of the server's log, after which a new one is begun when it starts
MOST_SAID = 65536  # bytes of it in which a reason is looked for
LONGEST_SOCKET = 100
LEAST_ROOM = 4 << 20  # bytes on its disk without which a server is not well: it waits for room, a minute at a time


class Files:
    """Of one instance. ``marker`` says whose it is; ``ready`` stands there once it was made in full.

    ``server_user``: who runs servers if the guest is root; ``socket_name``: the longest that its socket may have; ``begins``: what each
    life of a server says first.
    """

    server_user: str = ROOT
    socket_name: str = "sock"
    begins: str = ""

    def __init__(self, folder: Path, instance: str, user: str = "") -> None:
        self.folder, self.instance = folder, instance
        self.marker, self.ready = folder / "marker", folder / "ready"
        self.data, self.incoming, self.aside = folder / "data", folder / "data.new", folder / "data.old"
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.log = folder / "log.err"  # MariaDB gives it this end by itself
        self._log_of_this_life = 0  # where what the server says now begins, as far as we know
        self.tmp = folder / "tmp"  # of its own: MariaDB removes temporary tables there when it starts, whosever they are
        self.run = folder / "run"
        if len(os.fsencode(str(self.run / self.socket_name))) > LONGEST_SOCKET:
            name = hashlib.sha256(os.fsencode(str(folder))).hexdigest()[:16]
            self.run = Path(tempfile.gettempdir()) / f"baton-{os.geteuid()}-{name}"
        self.user = (user or self.server_user) if os.geteuid() == 0 else ""

    def is_ours(self) -> bool:
        try:
            return self.marker.read_text(encoding="utf-8").strip() == self.instance
        except (OSError, ValueError):
            return False

    def make(self) -> None:
        """Make the folder with the marker, or take the one that is ours; Trouble if it is somebody else's."""
        if not self.is_ours():
            if self.folder.is_symlink() or self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise Trouble(f"{self.folder} is not empty, and not made for {self.instance}: nothing in it was touched; move it away")
            self.folder.mkdir(parents=True, exist_ok=True)
            write(self.marker, self.instance + "\n")
        os.chmod(self.folder, 0o711)  # nosec B103 - ours: who runs the server could put links to what is not his where we write
        self.make_run()

    def make_run(self) -> None:
        """The folder of the socket may be elsewhere, and go when the host starts."""
        self.run.mkdir(mode=0o700, exist_ok=True)
        if self.run.is_symlink() or self.run.stat().st_uid not in (os.geteuid(), self._uid()):
            raise Trouble(f"{self.run} belongs to somebody else: remove it")
        self.own(self.run, 0o700)
        self.tmp.mkdir(mode=0o700, exist_ok=True)
        self.own(self.tmp, 0o700)
        if not self.log.exists():
            write(self.log, "")
            self.own(self.log, 0o600)

    def _uid(self) -> int:
        try:
            return pwd.getpwnam(self.user).pw_uid if self.user else os.geteuid()
        except KeyError:
            raise Trouble(f"there is no user {self.user} on this host: install the server's package") from None

    def give(self, path: Path, text: str) -> None:
        """Write a file, at once, that who runs the server may read, in a folder that is his: he could put a link there meanwhile."""
        write(path, text, (self._uid(), pwd.getpwnam(self.user).pw_gid) if self.user else None)

    def own(self, path: Path, mode: int) -> None:
        """Give a file to who runs the server, and to nobody else."""
        os.chmod(path, mode)
        if self.user:
            os.chown(path, self._uid(), pwd.getpwnam(self.user).pw_gid)

    def remove(self) -> None:
        """Remove all of it; Trouble if it is not ours."""
        if not self.folder.exists():
            return
        if not self.is_ours():
            if not any(self.folder.iterdir()):
                return
            raise Trouble(f"{self.folder} was not made for {self.instance}: nothing in it was touched")
        if self.run.parent != self.folder:
            shutil.rmtree(self.run, ignore_errors=True)
        for path in self.folder.iterdir():
            if path != self.marker:
                remove(path)
        remove(self.folder)  # the marker goes last: what is left of a removal that was cut off is ours still

    def write(self, spec: Mapping[str, Any]) -> None:
        """Write the certificate, and what else follows from how it is made."""
        secrets = spec.get("secrets") or {}
        for path, name in ((self.certificate, "certificate"), (self.key, "key")):
            if not isinstance(secrets.get(name), str) or "PRIVATE KEY" not in secrets[name] and name == "key":
                raise Trouble(f"the set has no {name}: it must come with secrets")
            write(path, secrets[name])
            self.own(path, 0o600)

    def rotate_log(self) -> None:
        """Begin a new log when the old one has become large; what a server says from here on is of its next life."""
        if self.log.exists() and self.log.stat().st_size > MOST_LOG:
            self.log.replace(self.folder / "log.1.err")
        self._log_of_this_life = self.log.stat().st_size if self.log.exists() else 0

    def said(self) -> List[str]:
        """Return the last lines that the server has written in this life."""
        try:
            with open(self.log, "rb") as file:
                file.seek(max(self._log_of_this_life, file.seek(0, os.SEEK_END) - MOST_SAID))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        since = max((number for number, line in enumerate(lines) if self.begins and self.begins in line), default=0)
        return [line for line in (lines[since:] if not self._log_of_this_life else lines) if line.strip()]

    def too_full(self) -> str:
        """Return that its disk has no room left, "" while it has some."""
        disk = os.statvfs(self.folder)
        room = disk.f_bavail * disk.f_frsize
        return f"the disk of {self.folder} has {room >> 10} KiB left: make room there" if room < LEAST_ROOM else ""


def write(path: Path, text: str, owner: Optional[Tuple[int, int]] = None) -> None:
    """Write a file that we alone may read, or ``owner`` (uid, gid), at once."""
    beside = path.with_name(path.name + ".new")
    remove(beside)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if owner is not None:
            os.fchown(descriptor, *owner)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
