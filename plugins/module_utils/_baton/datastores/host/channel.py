# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest asks of the cluster: its host's document, and its lease. Synchronous; a Client belongs to one thread.

Whatever depends on what was read is written only if that stands still. Every method raises ClientError.
"""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ...client.api import Client
from ...client.error import ClientError
from ..model.channel import End, Grant, Report, Server
from ..model.documents import CLAIMS, HEARTBEAT, LEASE, POOL, PoolHost, host_of, order_of, pointer, to_json

LONGEST_POLL = 15.0  # seconds
PARTS = ("grants", "claimed", "opened", "ends", "orders", "reports", "servers")
Operation = Dict[str, Any]


class Seen(NamedTuple):
    """The document of our host as it was at a revision."""

    revision: str
    host: PoolHost

    @property
    def order(self) -> List[int]:
        return order_of(self.revision)


class Link:
    """``name``: of our host."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self.name = client, name
        self.lease = f"guest:{name}"

    # --- reading ----------------------------------------------------------------------------------------------------------

    def read(self) -> Seen:
        answer = self._client.get(POOL, self.name)
        return Seen(str(answer.revision), host_of(answer.body))

    def wait(self, revision: str) -> Optional[Seen]:
        """Return the document once it is another one; None if it was not for a while."""
        try:
            answer = self._client.wait(POOL, self.name, condition="changed", revision=revision, timeout=LONGEST_POLL)
        except ClientError as error:
            if error.status == 408:
                return None
            raise
        return Seen(str(answer.revision), host_of(answer.body))

    # --- the lease ----------------------------------------------------------------------------------------------------------

    def renew(self, patience: float) -> float:
        """Keep our lease alive; return for how many seconds, by its TTL."""
        path = f"/leases/{self.lease}/keepalive"
        answer = self._client.request("POST", path, total=patience / 2, attempt=patience / 4)  # a node that is silent costs no lease
        return float(answer.body["Ttl"])

    def begin(self, ttl: float, heartbeat: Dict[str, Any], patience: float) -> None:
        """Have our lease anew, or again after a life before this one, and be heard as long as it stands."""
        self._complete(ttl)
        body = {"Id": self.lease, "Ttl": ttl, "Owner": self.name}
        self._client.request("POST", "/leases", body, total=patience, attempt=patience)
        self.say(heartbeat, patience)

    def say(self, heartbeat: Dict[str, Any], patience: float) -> None:
        """Say something else of ourselves, while our lease stands."""
        path = f"/{POOL}/{self.name}/params/{HEARTBEAT}"
        self._client.request("PUT", path, heartbeat, False, {"Baton-Lease": self.lease}, total=patience, attempt=patience)

    def _complete(self, ttl: float) -> None:
        """Have all that a channel is made of in the document, so that one entry of it can be changed for itself.

        The lease's time stays there when the lease is gone: so long must a manager wait then.
        """
        answer = self._client.get(POOL, self.name)
        params = answer.body["Params"]
        operations: List[Operation] = [{"op": "add", "path": pointer(name), "value": {}} for name in PARTS if name not in params]
        if params.get(LEASE) != ttl:
            operations.append({"op": "add", "path": pointer(LEASE), "value": ttl})
        if operations:
            self._client.patch(POOL, self.name, operations, answer.revision, want=False)

    # --- writing ------------------------------------------------------------------------------------------------------------

    def claim(self, key: str, term: int, seen: Seen) -> None:
        """Claim a term, if all is as it was seen: with our lease, and with a trace that stays."""
        claimed = {**seen.host.channel.claimed, key: term}
        ends = {name: to_json(end) for name, end in seen.host.channel.ends.items() if name != key}
        common = {"Kind": POOL, "Key": self.name, "Action": "put", "IfMatch": seen.revision}
        changes = [{**common, "Param": f"{CLAIMS}{key}", "Body": term}]
        del common["IfMatch"]
        changes += [{**common, "Param": name, "Body": value, "Tied": False} for name, value in {"claimed": claimed, "ends": ends}.items()]
        self._client.batch(changes, {"Baton-Lease": self.lease})

    def end(self, key: str, end: End, seen: Seen) -> None:
        """Say that a term is over, and take our claim away, if all is as it was seen."""
        claim = seen.host.channel.claims.get(key)
        operations: List[Operation] = []
        if claim is not None and claim != end.term:
            return
        if claim is not None:
            operations.append({"op": "remove", "path": pointer(f"{CLAIMS}{key}")})
        ends = {name: to_json(other) for name, other in seen.host.channel.ends.items()}
        operations.append({"op": "add", "path": pointer("ends"), "value": {**ends, key: to_json(end)}})
        self._client.patch(POOL, self.name, operations, seen.revision, want=False)

    def opened(self, key: str, grant: Grant, _seen: Seen) -> None:
        """Say by which grant a server takes writes, as long as the claim stands."""
        test = {"op": "test", "path": pointer(f"{CLAIMS}{key}"), "value": grant.term}
        self._patch([test, {"op": "add", "path": pointer("opened", key), "value": to_json(grant)}])

    def report(self, key: str, report: Report, seen: Seen) -> None:
        """Say what came of an order, as long as it stands."""
        order = seen.host.channel.orders.get(key)
        if order is not None:
            test = {"op": "test", "path": pointer("orders", key, "verb"), "value": order.verb}
            self._patch([test, {"op": "add", "path": pointer("reports", key), "value": to_json(report)}])

    def servers(self, servers: Mapping[str, Server], _seen: Seen) -> None:
        """Say how all servers of this host are."""
        value = {name: to_json(server) for name, server in servers.items()}
        self._patch([{"op": "add", "path": pointer("servers"), "value": value}])

    def _patch(self, operations: List[Operation]) -> None:
        self._client.patch(POOL, self.name, operations, want=False)
