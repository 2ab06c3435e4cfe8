# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a member with data: of the first one the data, too; the others get it from members."""

from __future__ import annotations

from typing import Any, Mapping

from ..checks import Need
from ..mariadb.instance import Instance
from ..mariadb.prepare import fill, install, make_anew
from ..mariadb.prepare import found_version as found_mariadb
from .node import ALONE
from .settings import DATASTORE, PORTS, library


def found_version() -> str:
    """Return the version of MariaDB that is installed with Galera; Trouble says what to install."""
    version = found_mariadb()
    library()
    return version


def prepare(instance: Instance, args: Mapping[str, Any], need: Need) -> None:
    """Make the files of a member, and with ``found`` its data; nothing runs afterwards."""
    if instance.files.is_ours() and instance.files.ready.exists():
        if not instance.memory.get("spec"):
            instance.remember_spec(args)
        return
    make_anew(instance, args, PORTS, lambda: need(DATASTORE, str(args["version"])), _make)


def _make(instance: Instance, args: Mapping[str, Any]) -> None:
    if args.get("found"):
        install(instance)
    instance.remember_spec(args)
    if args.get("found"):
        instance.remember(tables=found_mariadb())
        instance.start(*ALONE)
        with instance.session(30.0) as session:
            fill(session, args)
        instance.stop()
