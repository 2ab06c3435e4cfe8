# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool that has Galera, for tests of the API of clusters, and what they ask of it."""

from baton.datastores.model.channel import Server
from support.pool import Memory

ARBITER = {"type": "arbiter"}
OFFERED = {"galera": ["10.11", "11.8"], "mariadb": ["11.8"]}


def pool(hosts=8, **more):
    return Memory(hosts, datastores=OFFERED, **more)


def members(api, key="c"):
    """Return members by name."""
    return {each["name"]: each for each in api.cluster(key)["instances"]}


def trouble(api, *names, why="killed by signal 9"):
    """Servers end, and their guests say so; they are not started again while ``api.pool.refuse`` says why not."""
    api.pool.refuse["join"] = why
    for name in names:
        member = members(api)[name]
        api.pool.groups.ends(member["id"])
        api.pool.say(member["hostname"], servers={member["id"]: Server(False, why)})
    api.pool.settle_once()
