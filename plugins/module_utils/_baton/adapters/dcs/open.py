# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the store of the cluster record that ``--dcs`` names: the only place that imports them all. Which there are: store.py."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, NamedTuple

from ...ground.problem import Problem
from ..certificates import Certificates, Files
from ..resolver import Resolver
from . import kind
from .etcd import EtcdStore
from .etcd_gateway import Options
from .on_disk import LocalStore, ManualStore
from .store import RecordStore


class Etcd(NamedTuple):
    """How to ask it. ``tls``: our certificate for it and its CA."""

    key: str
    user: str
    password: str
    tls: Files


def open_store(
    name: str, argument: str, data_dir: Path, etcd: Etcd, certificates: Certificates, resolver: Resolver
) -> RecordStore:
    """Return the store ``name``; ``argument`` is its file, or URLs with commas between. Problem when its file can't be used."""
    try:
        if name == "local":
            return LocalStore(Path(argument))
        if name == "manual":
            return ManualStore(data_dir / kind.RECORD)
    except OSError as error:
        raise Problem(500, "record", str(error)) from None
    secure = argument.startswith("https")
    used = (etcd.tls.cert, etcd.tls.ca)

    def ends() -> Dict[str, float]:
        return {file: end for file, end in certificates.expiries().items() if file in used}

    tls = certificates.client(etcd.tls) if secure else None
    return EtcdStore(Options(tuple(argument.split(",")), etcd.key, etcd.user, etcd.password), tls, resolver, ends if secure else dict)
