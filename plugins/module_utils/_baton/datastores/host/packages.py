# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of datastores: which versions this host has or could have, and installing one when a server needs it.

What a distribution starts by itself with a server's package is not wanted here: a part of it is installed that starts nothing.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .files import remove, write
from .runner import PATH, Runner, run
from .trouble import Trouble

LOG = logging.getLogger("baton.guest")
ANSWER = 30.0  # seconds for apt to tell what it knows
UPDATE, INSTALL = 120.0, 900.0  # seconds
APT = ("apt-get", "--quiet", "--yes", "-o", "DPkg::Lock::Timeout=300")


class Parcel(NamedTuple):
    """What makes a host able to run servers of a datastore.

    ``names``: of packages, in which {version} is the datastore's; ``says``: the one of which apt says the version, the first unless it is
    named, and ``version``: what of that is the datastore's. ``others``: packages of which somebody may run a server. ``unit``: would begin
    to run with the packages, and with the host. ``before``: a file that they are to find there, and its text.
    """

    names: Tuple[str, ...]
    says: str = ""
    version: str = r"[0-9]+\.[0-9]+(?=\.)"
    others: Tuple[str, ...] = ()
    unit: str = ""
    before: Tuple[str, str] = ("", "")

    def of(self, version: str) -> Tuple[str, ...]:
        return tuple(name.format(version=version) for name in self.names)


MYSQL = ("mariadb-server", "default-mysql-server", "mysql-server")
PARCELS: Dict[str, Parcel] = {  # by datastore
    "mariadb": Parcel(("mariadb-server-core", "mariadb-backup"), others=MYSQL),
    "galera": Parcel(("mariadb-server-core", "mariadb-backup", "galera-4"), others=MYSQL),
    "arbiter": Parcel(("galera-arbitrator-4",), unit="garb.service"),
    "postgresql": Parcel(
        ("postgresql-{version}",), says="postgresql", version=r"[0-9]+(?=\+)", others=("postgresql", "postgresql-common"),
        before=("/etc/postgresql-common/createcluster.d/baton.conf", "create_main_cluster = false\n"),
    ),
    "valkey": Parcel(("valkey-server",), unit="valkey-server.service"),
    "redis": Parcel(("redis-server",), unit="redis-server.service"),
}  # fmt: skip


class Packages:
    """``found``: by datastore, what returns the version that is here, and raises Trouble if none is. ``installs``: whether we may.
    ``folder``: where files are made that come elsewhere.
    """

    def __init__(
        self, runner: Runner, found: Mapping[str, Callable[[], str]], installs: bool, folder: Optional[Path] = None
    ) -> None:
        self._runner, self._found, self._installs = runner, found, installs
        self._folder = folder or Path(tempfile.gettempdir())
        self._lock = threading.Lock()
        self._said: Dict[str, str] = {}  # by datastore, why there is none, as it was told last

    def offered(self, datastores: Sequence[str]) -> Dict[str, List[str]]:
        """Return the versions that a server can be of here, as things are."""
        offered: Dict[str, List[str]] = {}
        for datastore in datastores:
            try:
                version = self._version(datastore)
                self._said.pop(datastore, None)
                offered[datastore] = [version]
            except Trouble as trouble:
                if str(trouble) != self._said.get(datastore):
                    self._said[datastore] = str(trouble)
                    LOG.warning("%s", trouble)
        return offered

    def _version(self, datastore: str) -> str:
        try:
            return self._found[datastore]()
        except Trouble as trouble:
            if not self._may_install(datastore):
                raise
            version = self._would_be(PARCELS[datastore])
            if not version:
                says = PARCELS[datastore].says or PARCELS[datastore].names[0]
                raise Trouble(f"{trouble}; apt knows no package {says}, so that it can't be installed here") from None
            return version

    def _may_install(self, datastore: str) -> bool:
        """Whether nothing of it is here, or what we install for another datastore: what somebody else has installed is neither upgraded nor
        completed.
        """
        parcel = PARCELS[datastore]
        if not self._installs or any(_is_installed(name) for name in parcel.others):
            return False
        version = self._would_be(parcel)
        here = {name for name in parcel.of(version) if _is_installed(name)}
        return not here or any(here == {*other.of(version)} for other in PARCELS.values() if other is not parcel)

    def _would_be(self, parcel: Parcel) -> str:
        """Return the version that there would be if we installed it, such as 11.8: what is here is not upgraded, since servers of another
        datastore run of it, whatever apt could install; "" if it knows none.
        """
        if shutil.which("apt-cache", path=PATH) is None:
            return ""
        said = run(["apt-cache", "policy", parcel.says or parcel.names[0]], seconds=ANSWER)
        found: Dict[str, str] = dict(re.findall(rf"^ *(Installed|Candidate): (?:[0-9]+:)?({parcel.version})", said, re.M))
        return found.get("Installed") or found.get("Candidate", "")

    def need(self, datastore: str, version: str) -> None:
        """Have a version here; Trouble says what to do where that can't be."""
        with self._lock:
            try:
                found = self._found[datastore]()
            except Trouble:
                if not self._may_install(datastore):
                    raise
                found = self._install(datastore, version)
        if found != version:
            has = found or "another server"
            raise Trouble(f"this host has {datastore} {has}, not {version}: install that version, or choose another host")

    def _install(self, datastore: str, version: str) -> str:
        parcel = PARCELS[datastore]
        try:
            self._apt("update", UPDATE)
        except Trouble as trouble:
            LOG.warning("%s", trouble)  # what it knows may do
        would_be = self._would_be(parcel)
        if would_be != version:
            has = f"{datastore} {would_be}" if would_be else f"no {datastore}"
            raise Trouble(f"this host's packages have {has}, not {version}: choose another version, or another host")
        names = parcel.of(version)
        LOG.info("installing %s", " ".join(names))
        self._keep_still(parcel)
        self._apt("install", INSTALL, "--no-install-recommends", "--no-upgrade", "--no-remove", *names)
        return self._found[datastore]()

    def _keep_still(self, parcel: Parcel) -> None:
        """Have a package make and start nothing of its own: a mask of whoever runs this host stays as well, until they take it away."""
        if parcel.unit and shutil.which("systemctl", path=PATH) is not None:
            self._runner.do(["systemctl", "mask", "--quiet", parcel.unit], ANSWER)
        path, text = parcel.before
        if path:
            made = self._folder / Path(path).name
            write(made, text)
            try:
                self._runner.do(["install", "-D", "--mode=644", str(made), path], ANSWER)
            finally:
                remove(made)

    def _apt(self, command: str, seconds: float, *words: str) -> None:
        try:
            self._runner.do(["env", "DEBIAN_FRONTEND=noninteractive", *APT, command, *words], seconds)
        except Trouble as trouble:
            raise Trouble(f"apt-get {command} failed, try it on this host: {trouble}") from None


def _is_installed(package: str) -> bool:
    """Whether dpkg has it, or a part of it; not where there is no dpkg."""
    if shutil.which("dpkg-query", path=PATH) is None:
        return False
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", package]
    return run(query, seconds=ANSWER, good=(0, 1))[:2] in ("ii", "iU", "iF", "iH")
