# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets, pool hosts and their channels as documents of the cluster, and what changes of them. Pure.

A set is one document. A pool host is another: in ``Meta`` what people say of it, in ``Params`` its channel. The heartbeat and each
claim are params of their own, tied to the guest's lease, so that they go with it.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from .channel import Channel, End, Grant, Order, Report, Server
from .replica_set import ReplicaSet

SETS, POOL, CONFIGURATIONS = "sets", "pool", "configurations"
HEARTBEAT, LEASE = "heartbeat", "lease"
CLAIMS = "claims/"  # and the set
Params = Mapping[str, Any]
Operation = Dict[str, Any]


@dataclass(frozen=True)
class PoolHost:
    """A machine given to Baton for databases.

    ``meta``: what people say of it, {"address", "region", "flavors": {id: {"name", "ram", "vcpus", "disk"}}, "datastores": {name:
    [versions]}, "maintenance"}. ``heartbeat``: what its guest says of itself while it is heard, {"service_status", "node_id", "lease",
    "datastores"}. ``lease``: the TTL of its guest's lease, heard or not, 0 before it had one.
    """

    name: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    channel: Channel = field(default_factory=Channel)
    heartbeat: Mapping[str, Any] = field(default_factory=dict)
    lease: float = 0.0

    @property
    def region(self) -> str:
        return str(self.meta.get("region") or "")

    @property
    def address(self) -> str:
        return str(self.meta.get("address") or "")

    @property
    def flavors(self) -> Mapping[str, Any]:
        return self.meta.get("flavors") or {}

    @property
    def datastores(self) -> Mapping[str, Sequence[str]]:
        """Versions by datastore: what people say it is for, else what its guest has found there."""
        return self.meta.get("datastores") or self.heartbeat.get("datastores") or {}

    def offers(self, datastore: str, version: str) -> bool:
        return version in (self.datastores.get(datastore) or ())


def host_of(document: Mapping[str, Any]) -> PoolHost:
    """Read the document of a pool host. KeyError, TypeError or ValueError where it is none."""
    params = document["Params"]
    return PoolHost(document["Name"], dict(document["Meta"]), channel_of(params), dict(params.get(HEARTBEAT) or {}), float(params.get(LEASE) or 0))


def set_of(document: Mapping[str, Any]) -> ReplicaSet:
    return ReplicaSet.from_json(document["Set"])


def set_document(whole: ReplicaSet) -> Dict[str, Any]:
    return {"Id": whole.id, "Set": whole.to_json()}


def channel_of(params: Params) -> Channel:
    """Read a channel."""
    return Channel(
        alive=HEARTBEAT in params,
        grants={key: _grant(value) for key, value in params.get("grants", {}).items()},
        claims={name[len(CLAIMS) :]: value for name, value in params.items() if name.startswith(CLAIMS)},
        claimed=dict(params.get("claimed", {})),
        opened={key: _grant(value) for key, value in params.get("opened", {}).items()},
        ends={key: End(**value) for key, value in params.get("ends", {}).items()},
        orders={key: Order(**value) for key, value in params.get("orders", {}).items()},
        reports={key: Report(**value) for key, value in params.get("reports", {}).items()},
        servers={key: Server(**value) for key, value in params.get("servers", {}).items()},
    )


def _grant(value: Mapping[str, Any]) -> Grant:
    return Grant(value["term"], tuple(value["counted"]), value["number"])


def changes(old: Params, new: Channel, names: Tuple[str, ...]) -> List[Operation]:
    """Return the patch of Params that makes these members what they are in ``new``, each entry for itself."""
    operations: List[Operation] = []
    for name in names:
        had, has = old.get(name), {key: to_json(value) for key, value in getattr(new, name).items()}
        if had is None:
            operations += [{"op": "add", "path": pointer(name), "value": has}] if has else []
            continue
        operations += [{"op": "remove", "path": pointer(name, key)} for key in had if key not in has]
        operations += [{"op": "add", "path": pointer(name, key), "value": value} for key, value in has.items() if had.get(key) != value]
    return operations


def to_json(value: Any) -> Any:
    """Return a part of a channel as JSON."""
    if isinstance(value, Grant):
        return {"term": value.term, "counted": list(value.counted), "number": value.number}
    return asdict(value) if not isinstance(value, int) else value


def pointer(*names: str) -> str:
    """Return where in the document of a pool host something of Params stands."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in ("Params", *names))
