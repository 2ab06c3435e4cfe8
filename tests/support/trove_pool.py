# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of this machine as OpenStack's library sees it, and sets of servers on it."""

import subprocess
from pathlib import Path

from keystoneauth1 import loading
from keystoneauth1.session import Session
from troveclient.v1 import client

from support.cluster import until

PASSWORD = "of the app alone"


def processes(text):
    """Return the processes on whose command line a text stands."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in words:
                found.append((int(folder.name), words))
    return sorted(found)


class TrovePool:
    """``datastore`` and ``version`` are of what is made here, ``program`` is the name of its servers' process.

    ``patience``: seconds for what takes long. ``database``: that there is, and that the user app may use, None for none.
    """

    def __init__(self, state, datastore, version, program, patience=60, database="app"):
        self._databases = [{"name": database}] if database else []
        self.state, self.datastore, self.version, self.program, self.patience = state, datastore, version, program, patience
        lines = (state / "openrc").read_text().split()
        self.environ = dict(line.split("=", 1) for line in lines if "=" in line)
        auth = loading.get_plugin_loader("admin_token").load_from_options(
            endpoint=self.environ["OS_ENDPOINT"], token=self.environ["OS_TOKEN"]
        )
        self.trove = client.Client(session=Session(auth=auth), auth=auth, endpoint_type="public")

    def create(self, name, replicas=0):
        user = {"name": "app", "password": PASSWORD, "databases": self._databases}
        made = self.trove.instances.create(
            name, flavor_id="1", volume={"size": 1}, databases=self._databases, users=[user], datastore=self.datastore,
            datastore_version=self.version, access={"is_public": False},
        )  # fmt: skip
        self.active(made.id)
        if replicas:
            self.trove.instances.create(f"{name}-r", replica_of=made.id, replica_count=replicas, access={"is_public": False})
            until(lambda: len(self.members(made.id)) == replicas + 1, "the replicas are there")
            self.whole(made.id)
        return made.id

    def active(self, instance):
        def look():
            found = self.trove.instances.get(instance)
            assert found.status != "ERROR", found.fault
            return found.status == "ACTIVE"

        until(look, f"{instance} is active: {self.logs()}", self.patience)

    def set_of(self, instance):
        return self.trove.instances.get(instance).to_dict()["set"]

    def members(self, instance):
        of = self.set_of(instance)
        return [each for each in (found.to_dict() for found in self.trove.instances.list()) if each["set"] == of]

    def whole(self, instance):
        """Wait until all of a set are well, and nothing is being done with it."""

        def look():
            members = self.members(instance)
            well = all(each["status"] == "ACTIVE" and each["operating_status"] == "HEALTHY" and "task" not in each for each in members)
            counts = all(each["slave"]["counts"] for each in members if "replica_of" in each)
            return well and counts and sum("replicas" in each for each in members) == (len(members) > 1)

        until(look, f"the set of {instance} is whole: {self.logs()}", self.patience)

    def source(self, instance):
        return next((each["id"] for each in self.members(instance) if "replicas" in each), None)

    def address(self, instance):
        found = self.trove.instances.get(instance).to_dict()
        return found["ip"][0], found["port"]

    def sql(self, command, instance):
        """Ask whether it takes a write, or refuses one."""
        return subprocess.run([str(self.state / f"sql-{command}"), instance], capture_output=True, text=True, check=False)

    def server(self, instance):
        ((pid, _words),) = [found for found in processes(f"/instances/{instance}/") if self.program in found[1]]
        return pid

    def delete(self, instance):
        def is_gone():
            return instance not in [found.id for found in self.trove.instances.list()]

        self.trove.instances.delete(instance)
        until(is_gone, f"{instance} is gone: {self.logs()}", self.patience)

    def logs(self):
        return "\n".join((self.state / "logs" / "baton-datastores.log").read_text().splitlines()[-15:])
