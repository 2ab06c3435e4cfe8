# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real members of a cluster for tests, on loopback, as a guest has them."""

import shutil

from baton.datastores.host.galera import arbiter
from baton.datastores.host.galera.arbiter import Arbiter
from baton.datastores.host.galera.prepare import found_version
from baton.datastores.host.galera.server import Galera
from baton.datastores.host.galera.settings import PORTS
from baton.datastores.host.packages import Packages

from .mariadb import Member, Pool, free_port, until

USERS = {
    "databases": [{"name": "d"}],
    "users": [{"name": "app", "password": "secret", "databases": [{"name": "d"}]}],
}  # fmt: skip


class ClusterMember(Member):
    """``kind``: data or arbiter; ``region``: the number of its segment."""

    def __init__(self, pool, number, kind="data", region=0):
        self.kind, self.region = kind, region
        super().__init__(pool, number)

    def made(self):
        made = Arbiter if self.kind == "arbiter" else Galera
        return made(self.pool.folder / self.id, self.id, self.pool.runner, self.memory, self._save, self.pool.packages.need)

    def address_of(self, number):
        return f"127.0.1.{150 + number}"

    def free_port(self):
        return free_port(self.address, PORTS)

    def args(self, **more):
        return super().args(
            **self.pool.group(), name=self.id, type=self.kind, segment=self.region, found=False, **more
        )  # fmt: skip

    @property
    def where(self):
        return {"address": self.address, "port": self.port}

    def join(self, formed=None):
        return self.ok("join", **self.pool.group(), formed=formed)

    def form(self, position=None):
        return self.ok("form", **self.pool.group(), position=position)

    def rows(self):
        return {row["id"] for row in self.root("SELECT id FROM d.t")}


class ClusterPool(Pool):
    member_of = ClusterMember

    def __init__(self, id="c1"):
        assert shutil.which("garbd"), "there is no garbd: run `make system`"
        super().__init__()
        self.id, self.term = id, 1
        self.packages = Packages(self.runner, {"galera": found_version, "arbiter": arbiter.found_version}, installs=False)

    def group(self):
        """Return the name that the group has in this term, and where those are that have the data."""
        return {"cluster": f"{self.id}-{self.term}", "members": self.where()}

    def where(self):
        return [member.where for member in self.members if member.kind == "data"]

    def first(self):
        """Return the first member of a new cluster, which has a table d.t for the user app."""
        member = self.member()
        member.ok("prepare", **{**member.args(**USERS), "found": True})
        member.form()
        member.sql("CREATE TABLE d.t (id INT PRIMARY KEY)")
        return member

    def grow(self, donor, **more):
        """Return a new member with the data of another."""
        member = self.member(**more)
        member.prepare()
        self.copy(donor, member)
        assert member.join() == {}
        return member


__all__ = ["USERS", "ClusterMember", "ClusterPool", "until"]
