# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets, pool hosts and their channels as documents of the cluster, and what changes of them. Pure.

A set is one document. A pool host is another: in ``Meta`` what people say of it, in ``Params`` its channel. The heartbeat and each
claim are params of their own, tied to the guest's lease, so that they go with it.
"""
from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, TypeVar

from .channel import Channel, End, Grant, Order, Report, Server
from .replica_set import ReplicaSet

SETS = "sets"
POOL = "pool"
CONFIGURATIONS = "configurations"
HEARTBEAT, LEASE = "heartbeat", "lease"
PLACED = "placed"  # the last instance that a host was chosen for
CLAIMS = "claims/"  # and the set
KINDS: Dict[str, Any] = {
    "verb": str, "instance": str, "set": str, "problem": str, "trouble": str, "position": str, "up": bool, "whole": bool,
    "term": int, "token": int, "args": dict, "found": dict, "view": dict, "sends": dict,
    "lag_bytes": (int, type(None)), "lag_seconds": (int, type(None)),
}  # fmt: skip
NUMBERS = ("term", "token", "lag_bytes", "lag_seconds")
T = TypeVar("T")
Params = Mapping[str, Any]
Operation = Dict[str, Any]


@dataclass(frozen=True)
class PoolHost:
    """A machine given to Baton for databases.

    ``meta``: what people say of it, {"address", "region", "flavors": {id: {"name", "ram", "vcpus", "disk"}}, "datastores": {name:
    [versions]}, "maintenance", "ram" (MiB) and "volume" (GiB) for all that it carries, "port" of its first server}.
    ``heartbeat``: what its guest says of itself while it is heard, {"service_status", "node_id", "lease", "datastores"}.
    ``lease``: the TTL of its guest's lease, heard or not, 0 before it had one.
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
        flavors = self.meta.get("flavors")
        return {key: each for key, each in flavors.items() if isinstance(each, dict)} if isinstance(flavors, dict) else {}

    @property
    def datastores(self) -> Mapping[str, Sequence[str]]:
        """Versions by datastore: what people say it is for, else what its guest has found there."""
        offered = self.meta.get("datastores") or self.heartbeat.get("datastores")
        return {key: each for key, each in offered.items() if isinstance(each, list)} if isinstance(offered, dict) else {}

    def offers(self, datastore: str, version: str) -> bool:
        return version in (self.datastores.get(datastore) or ())


def host_of(document: Mapping[str, Any]) -> PoolHost:
    """Read the document of a pool host. KeyError, TypeError or ValueError where it is none."""
    params, meta = document["Params"], document["Meta"]
    heartbeat, lease = params.get(HEARTBEAT), params.get(LEASE)
    return PoolHost(
        document["Name"], meta if isinstance(meta, dict) else {}, channel_of(params), heartbeat if isinstance(heartbeat, dict) else {},
        float(lease) if isinstance(lease, (int, float)) else 0.0,
    )  # fmt: skip


def set_of(document: Mapping[str, Any]) -> ReplicaSet:
    return ReplicaSet.from_json(document["Set"])


def set_document(whole: ReplicaSet) -> Dict[str, Any]:
    return {"Id": whole.id, "Set": whole.to_json()}


def channel_of(params: Params) -> Channel:
    """Read a channel. What a newer version has besides is left out, and an entry that is none is not there; but ValueError for a grant or
    claim that can't be read: nobody may take it for one that is gone.
    """
    try:
        grants = {key: _grant(value) for key, value in params.get("grants", {}).items()}
        claims = {name[len(CLAIMS) :]: int(value) for name, value in params.items() if name.startswith(CLAIMS)}
        claimed = {key: int(value) for key, value in params.get("claimed", {}).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"what is granted and claimed can't be read: {error!r}") from None
    return Channel(
        HEARTBEAT in params, grants, claims, claimed, _entries(params, "opened", _grant), _entries(params, "ends", _read(End, "term")),
        _entries(params, "orders", _read(Order, "verb", "instance")), _entries(params, "reports", _read(Report)),
        _entries(params, "servers", _read(Server, "up")), is_whole="claimed" in params,
    )  # fmt: skip


def _entries(params: Params, name: str, read: Callable[[Any], T]) -> Dict[str, T]:
    found: Dict[str, T] = {}
    entries = params.get(name)
    for key, value in entries.items() if isinstance(entries, dict) else ():
        with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
            found[key] = read(value)
    return found


def _read(what: Callable[..., T], *needed: str) -> Callable[[Any], T]:
    """Return what reads one of a dataclass."""
    known = {each.name: each for each in fields(what)}  # type: ignore[arg-type]

    def read(value: Any) -> T:
        given = {name: each for name, each in value.items() if name in known}
        for name, each in given.items():
            if not isinstance(each, KINDS.get(name, object)) or name in NUMBERS and isinstance(each, bool):
                raise ValueError(f"{name} is {each!r}")
        if any(name not in given for name in needed):
            raise ValueError(f"{', '.join(needed)} is missing")
        return what(**given)

    return read


def _grant(value: Mapping[str, Any]) -> Grant:
    return Grant(int(value["term"]), tuple(str(each) for each in value["counted"]), int(value["number"]))


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


def order_of(revision: Optional[str]) -> List[int]:
    """Return what revisions are compared by: they come to be in this order."""
    return [int(part) for part in (revision or "0.0").split(".")]


def to_json(value: Any) -> Any:
    """Return a part of a channel as JSON."""
    if isinstance(value, Grant):
        return {"term": value.term, "counted": list(value.counted), "number": value.number}
    return asdict(value) if not isinstance(value, int) else value


def pointer(*names: str) -> str:
    """Return where in the document of a pool host something of Params stands."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in ("Params", *names))
