# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one MariaDB server: where they lie, what stands in my.cnf, and the set's certificate.

All servers of a set have the same settings. Each is read-only at rest: nothing in a file makes one writable, or has one ask for
acknowledgements or give them.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

from ..trouble import Trouble

ROOT = "root"
SERVER_USER = "mysql"  # who runs servers if the guest is root
MOST_LOG = 4 << 20  # bytes of the server's log, after which a new one is begun when it starts
MOST_SAID = 65536  # bytes of it in which a reason is looked for
GIVES_UP = "Aborting"
LONGEST_SOCKET = 100
LEAST_ROOM = 4 << 20  # bytes on its disk without which a server is not well: it waits for room, a minute at a time
DEFAULT_RAM = 512  # MB
YEAR_MS = 365 * 24 * 3600 * 1000

# Each of a set's servers must have these, so that nobody may set them. A commit waits for an acknowledgement after it has been done here
# (AFTER_COMMIT). With AFTER_SYNC one session waits for a whole group of commits, and if it is killed, by its own client for one, the
# commits of all others in the group return although nobody has acknowledged them.
FIXED: Dict[str, object] = {
    "gtid-domain-id": 1,
    "gtid-strict-mode": "ON",
    "read-only": "ON",
    "log-bin": "bin",
    "log-bin-index": "bin.index",
    "relay-log": "relay",
    "log-slave-updates": "ON",
    "binlog-format": "ROW",
    "sync-binlog": 1,
    "innodb-flush-log-at-trx-commit": 1,
    "sync-relay-log": 1,
    "skip-name-resolve": "ON",
    "skip-slave-start": "ON",
    "rpl-semi-sync-master-enabled": "OFF",
    "rpl-semi-sync-slave-enabled": "OFF",
    "rpl-semi-sync-master-wait-point": "AFTER_COMMIT",
    "rpl-semi-sync-master-wait-no-slave": "ON",
    "rpl-semi-sync-master-timeout": YEAR_MS,
    "slave-net-timeout": 10,
    "rpl-semi-sync-slave-kill-conn-timeout": 1,  # for so long a replica that is sealed tries to tell a frozen source; 0 is for ever
}
BEFORE_NAMES = ("loose-", "skip-", "enable-", "disable-", "maximum-", "autoset-")
OURS = {
    *FIXED, "server-id", "datadir", "socket", "pid-file", "bind-address", "port", "report-host", "report-port", "log-error",
    "ssl-ca", "ssl-cert", "ssl-key", "user", "tmpdir", "plugin-load", "plugin-load-add", "init-file", "plugin-dir", "basedir",
}  # fmt: skip


class Files:
    """Of one instance. ``marker`` says whose it is; ``ready`` stands there once it was made in full.

    ``tools``: a folder of programs that the server finds before all others; ``ours``: what no configuration sets.
    """

    tools: Optional[Path] = None
    ours: FrozenSet[str] = frozenset(OURS)

    def __init__(self, folder: Path, instance: str, user: str = "") -> None:
        self.folder, self.instance = folder, instance
        self.marker, self.ready = folder / "marker", folder / "ready"
        self.settings = folder / "my.cnf"
        self.data, self.incoming, self.aside = folder / "data", folder / "data.new", folder / "data.old"
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.log = folder / "log.err"  # the server gives it this end by itself
        self._log_of_this_life = 0  # where what the server says now begins, as far as we know
        self.tmp = folder / "tmp"  # of its own: a server that starts removes temporary tables there, whosever they are
        self.run = folder / "run"
        if len(os.fsencode(str(self.run / "sock"))) > LONGEST_SOCKET:
            name = hashlib.sha256(os.fsencode(str(folder))).hexdigest()[:16]
            self.run = Path(tempfile.gettempdir()) / f"baton-{os.geteuid()}-{name}"
        self.socket, self.pid_file = self.run / "sock", self.run / "pid"
        self.user = (user or SERVER_USER) if os.geteuid() == 0 else ""

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
            raise Trouble(f"there is no user {self.user} on this host: install mariadb-server") from None

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
        """Write the settings and the certificate."""
        secrets = spec.get("secrets") or {}
        for path, name in ((self.certificate, "certificate"), (self.key, "key")):
            if not isinstance(secrets.get(name), str) or "PRIVATE KEY" not in secrets[name] and name == "key":
                raise Trouble(f"the set has no {name}: it must come with secrets")
            write(path, secrets[name])
            self.own(path, 0o600)
        self.write_settings(spec)

    def write_settings(self, spec: Mapping[str, Any]) -> None:
        """Write my.cnf, unless it says that already: a server is to start whose disk is full."""
        text = self.text(spec)
        if not self.settings.exists() or self.settings.read_text(encoding="utf-8") != text:
            write(self.settings, text)
        self.own(self.settings, 0o600)

    def text(self, spec: Mapping[str, Any]) -> str:
        """Return what my.cnf says."""
        own: Dict[str, object] = {
            **sizes(spec),
            **self._parameters(spec.get("parameters") or {}),
            **self.fixed(spec),
            "server-id": int(spec["server_id"]),
            "datadir": self.data,
            "socket": self.socket,
            "tmpdir": self.tmp,
            "pid-file": self.pid_file,
            "log-error": self.log,
            "bind-address": spec["address"],
            "port": int(spec["port"]),
            "ssl-ca": self.certificate,
            "ssl-cert": self.certificate,
            "ssl-key": self.key,
            **({"user": self.user} if self.user == ROOT else {}),  # which a server refuses to be unless it is told
        }
        lines: List[str] = ["# Written by baton-guest, and written again whenever it changes something.", "[mariadbd]"]
        return "\n".join([*lines, *(f"{key} = {_value(key, value)}" for key, value in own.items()), ""])

    def fixed(self, spec: Mapping[str, Any]) -> Dict[str, object]:
        """Return what a server must have, whatever people want, to be one of its set."""
        return {**FIXED, "report-host": spec["address"], "report-port": int(spec["port"])}

    def _parameters(self, parameters: Mapping[str, Any]) -> Dict[str, object]:
        """Return what a configuration sets, by the names that my.cnf has."""
        named = {str(key).replace("_", "-").lower(): value for key, value in parameters.items()}
        ours = sorted(name for name in named if self._is_of_ours(name))
        if ours:
            raise Trouble(f"{', '.join(ours)}: what sets of servers depend on can't be set by a configuration")
        return named

    def _is_of_ours(self, name: str) -> bool:
        """Whether a server takes a name for one of ours: it knows names by their beginning, too, and some words before them."""
        bare = name
        while bare.startswith(BEFORE_NAMES):
            bare = bare.partition("-")[2]
        return bare != name or any(our.startswith(name) for our in self.ours) or self.is_closed(name)

    def is_closed(self, _name: str) -> bool:
        """Whether a name is one of a kind of which no configuration sets any but those that are known."""
        return False

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
        since = max((number for number, line in enumerate(lines) if "as process" in line), default=0)
        return [line for line in (lines[since:] if not self._log_of_this_life else lines) if line.strip()]

    def too_full(self) -> str:
        """Return that its disk has no room left, "" while it has some."""
        disk = os.statvfs(self.folder)
        room = disk.f_bavail * disk.f_frsize
        return f"the disk of {self.folder} has {room >> 10} KiB left: make room there" if room < LEAST_ROOM else ""

    def last_error(self) -> str:
        """Return the last error in the server's log, "" if there is none."""
        return next(reversed(errors(self.said())), "")


def errors(lines: List[str]) -> List[str]:
    """Return the errors among lines of a log. Some have no mark, and stand before the word that the server gives up."""
    marked = [line.partition("[ERROR]")[2].strip() for line in lines if "[ERROR]" in line]
    found = [line for line in marked if line != GIVES_UP]
    before = next((number for number, line in enumerate(lines) if line.endswith(GIVES_UP)), 0)
    return found or lines[max(0, before - 1) : before]


def sizes(spec: Mapping[str, Any]) -> Dict[str, object]:
    """Return the sizes that fit what the flavor gives; a configuration may say others."""
    flavor = spec.get("flavor")
    ram = int((flavor.get("ram") if isinstance(flavor, Mapping) else 0) or DEFAULT_RAM)
    connections = max(50, min(1000, ram // 4))
    return {
        "innodb-buffer-pool-size": f"{max(16, ram // 2)}M",
        "innodb-log-file-size": f"{max(16, min(1024, ram // 8))}M",
        "key-buffer-size": "1M",
        "aria-pagecache-buffer-size": f"{max(4, min(128, ram // 16))}M",
        "performance-schema": "OFF",
        "max-connections": connections,
        "max-user-connections": connections - 20,  # so that replicas, and the guest, always get in
        "max-binlog-size": "128M",
        "binlog-expire-logs-seconds": 3 * 24 * 3600,
        "log-warnings": 1,
        "character-set-server": "utf8mb4",
    }


def _value(key: str, value: object) -> str:
    """Return how a value stands in my.cnf; nothing of it may begin another line, or be read as a comment."""
    if not key.replace("-", "").isalnum() or not key.isascii():
        raise Trouble(f"{key[:60]!r} is no name of a parameter")
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    text = str(value)
    if any(ord(letter) < 32 for letter in text) or '"' in text or "\\" in text:
        raise Trouble(f"the value of {key} has letters that can't stand in my.cnf")
    return f'"{text}"' if isinstance(value, str) else text


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
