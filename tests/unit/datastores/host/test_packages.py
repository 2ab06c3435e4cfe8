# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest offers, and what it installs when a server needs it. molecule/datastores has real packages installed by a real guest."""

import re
import threading
from pathlib import Path

import pytest

from baton.datastores.host import packages
from baton.datastores.host.packages import Packages
from baton.datastores.host.trouble import Trouble

POLICY = """mariadb-server-core:
  Installed: {installed}
  Candidate: {candidate}
  Version table:
"""


class Host:
    """A host with apt: ``has`` is what is installed, ``candidate`` what could be."""

    def __init__(self, monkeypatch, has="", candidate="1:11.8.9+ds-0+deb13u1", fails="", others=(), installed="(none)"):
        self.has, self.candidate, self.fails, self.others, self.did = has, candidate, fails, others, []
        self.files = {}
        self.installed = installed
        monkeypatch.setattr(packages, "run", self.run)
        monkeypatch.setattr(packages.shutil, "which", lambda name, path: f"/usr/bin/{name}")

    def run(self, command, seconds, good=(0,)):
        if command[0] == "dpkg-query":
            return "ii " if command[-1] in self.others else f"dpkg-query: no packages found matching {command[-1]}"
        return POLICY.format(installed=self.installed, candidate=self.candidate)

    def found(self):
        if not self.has:
            raise Trouble("there is no mariadbd on this host: install the package mariadb-server-core")
        return self.has

    def do(self, argv, seconds):
        if argv[0] == "install":
            self.files[argv[-1]] = Path(argv[-2]).read_text()
            self.did.append("file")
            return ""
        command = next(word for word in argv if word in ("update", "install", "mask"))
        self.did.append(command)
        self.wanted = argv
        if command == self.fails:
            raise Trouble("E: no such thing")
        if command == "install":
            is_here = argv[-3] in self.others and self.installed != "(none)"  # it is not upgraded
            self.has = re.search(r"([0-9]+\.[0-9]+)\.|([0-9]+)\+", self.installed if is_here else self.candidate)[0].strip(".+")
        return ""

    def packages(self, installs=True):
        return Packages(self, dict.fromkeys(("mariadb", "galera", "arbiter", "postgresql"), self.found), installs)


@pytest.mark.parametrize(
    ("has", "candidate", "installs", "offers"),
    [
        ("10.11", "1:11.8.9-1", True, {"mariadb": ["10.11"]}),
        ("", "1:11.8.9+ds-0+deb13u1", True, {"mariadb": ["11.8"]}),
        ("", "1:11.8.9-1", False, {}),
        ("", "(none)", True, {}),
    ],
)
def test_what_is_there_is_offered_or_else_what_could_be(monkeypatch, has, candidate, installs, offers):
    host = Host(monkeypatch, has, candidate)
    assert host.packages(installs).offered(["mariadb"]) == offers and host.did == []


def test_why_nothing_is_offered_is_said_once_and_again_when_it_is_so_again(monkeypatch, caplog):
    host = Host(monkeypatch)
    ours = host.packages(installs=False)
    for has in ("", "", "11.8", ""):
        host.has = has
        ours.offered(["mariadb"])
    assert len([line for line in caplog.messages if "install the package" in line]) == 2


def test_a_server_that_needs_it_has_it_installed_once(monkeypatch):
    host = Host(monkeypatch)
    ours = host.packages()
    threads = [threading.Thread(target=ours.need, args=("mariadb", "11.8")) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert host.did == ["update", "install"] and host.has == "11.8"


def test_packages_that_can_not_be_looked_for_anew_may_do(monkeypatch):
    host = Host(monkeypatch, fails="update")
    host.packages().need("mariadb", "11.8")
    assert host.has == "11.8"


@pytest.mark.parametrize("others", ["mariadb-server", "mariadb-server-core", "default-mysql-server"])
def test_what_somebody_else_has_installed_is_neither_upgraded_nor_completed(monkeypatch, others):
    host = Host(monkeypatch, others=[others])
    assert host.packages().offered(["mariadb"]) == {}
    with pytest.raises(Trouble, match="install the package mariadb-server-core"):
        host.packages().need("mariadb", "11.8")
    assert host.did == []


@pytest.mark.parametrize(
    ("values", "installs", "version", "says"),
    [
        ({"has": "10.11"}, True, "11.8", "this host has mariadb 10.11, not 11.8: install that version, or choose another host"),
        ({}, False, "11.8", "there is no mariadbd on this host: install the package mariadb-server-core"),
        ({}, True, "10.11", "this host's packages have mariadb 11.8, not 10.11: choose another version, or another host"),
        ({"candidate": "(none)"}, True, "11.8", "this host's packages have no mariadb, not 11.8: choose another version, or another host"),
        ({"fails": "install"}, True, "11.8", "apt-get install failed, try it on this host: E: no such thing"),
    ],
)
def test_what_can_not_be_installed_is_said_with_what_to_do(monkeypatch, values, installs, version, says):
    with pytest.raises(Trouble) as trouble:
        Host(monkeypatch, **values).packages(installs).need("mariadb", version)
    assert str(trouble.value) == says


@pytest.mark.parametrize(
    ("others", "may"),
    [
        ((), True),
        (("mariadb-server-core", "mariadb-backup"), True),  # as a guest has installed it for MariaDB
        (("mariadb-server-core",), False),
        (("mariadb-server-core", "mariadb-backup", "mariadb-server"), False),
        (("galera-4",), False),
    ],
)
def test_galera_is_added_to_what_was_installed_for_mariadb_and_to_nothing_of_others(monkeypatch, others, may):
    host = Host(monkeypatch, others=others)
    if not may:
        assert host.packages().offered(["galera"]) == {}
        with pytest.raises(Trouble, match="install the package"):
            host.packages().need("galera", "11.8")
        return
    assert host.packages().offered(["galera"]) == {"galera": ["11.8"]}
    host.packages().need("galera", "11.8")
    assert host.did == ["update", "install"] and host.wanted[-3:] == ["mariadb-server-core", "mariadb-backup", "galera-4"]


def test_a_server_that_is_here_is_not_upgraded_for_another_datastore(monkeypatch):
    """What is offered is what there would be, and not what apt could install."""
    host = Host(monkeypatch, others=("mariadb-server-core", "mariadb-backup"), installed="1:10.11.19-0+deb12u1")
    assert host.packages().offered(["galera"]) == {"galera": ["10.11"]}
    with pytest.raises(Trouble, match="this host's packages have galera 10.11, not 11.8: choose another version, or another host"):
        host.packages().need("galera", "11.8")
    assert host.did == ["update"], "nothing was installed"
    host.packages().need("galera", "10.11")
    assert host.did[-1] == "install" and "--no-upgrade" in host.wanted


def test_the_unit_of_the_arbiters_package_is_masked_before_it_is_there(monkeypatch):
    host = Host(monkeypatch, candidate="26.4.23-0+deb12u1")
    host.packages().need("arbiter", "26.4")
    assert host.did == ["update", "mask", "install"] and host.wanted[-1] == "galera-arbitrator-4"


@pytest.mark.parametrize(("candidate", "version"), [("15+248+deb12u2", "15"), ("18+290.pgdg13+1", "18")])
def test_postgresql_makes_no_server_of_its_own_since_it_is_told_before_it_is_there(monkeypatch, candidate, version):
    host = Host(monkeypatch, candidate=candidate)
    assert host.packages().offered(["postgresql"]) == {"postgresql": [version]}
    host.packages().need("postgresql", version)
    assert host.did == ["update", "file", "install"] and host.wanted[-1] == f"postgresql-{version}"
    assert host.files == {"/etc/postgresql-common/createcluster.d/baton.conf": "create_main_cluster = false\n"}


@pytest.mark.parametrize("others", ["postgresql", "postgresql-common", "postgresql-15"])
def test_to_postgresql_of_others_nothing_is_added(monkeypatch, others):
    host = Host(monkeypatch, candidate="15+248+deb12u2", others=[others])
    assert host.packages().offered(["postgresql"]) == {} and host.did == []
