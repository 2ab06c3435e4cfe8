# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets, pool hosts and configurations in the cluster: read, and written if nothing of what was read has changed. Synchronous.

All is written under the fencing token of the manager's lock, so that one which was frozen while another took its place writes nothing.
"""
from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any, Callable, Collection, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, TypeVar

from ...client.api import Client
from ...client.error import ClientError
from ...ground.problem import Problem
from ..engine.case import Case, Silences, Times
from ..engine.engine import advance, request
from ..engine.program import Plan
from ..engine.traces import TRACES, without
from ..model.documents import CONFIGURATIONS, PLACED, POOL, SETS, PoolHost, changes, host_of, set_document, set_of
from ..model.replica_set import Member, ReplicaSet
from .known import Found, Known

LOG = logging.getLogger("baton.datastores")
T = TypeVar("T")
MANAGERS = ("grants", "orders", "reports")  # what the manager writes of a channel
MOST_TRIES = 20
PAUSE = 0.02  # seconds


class Reign(NamedTuple):
    """Who we are: what makes a change depend on our lock, and its token."""

    under: Mapping[str, str]
    token: int


class Store:
    """``client``: returns one for this thread; ``reign``: returns ours, or raises Problem 503."""

    def __init__(self, client: Callable[[], Client], reign: Callable[[], Reign], plans: Mapping[str, Plan], times: Times) -> None:
        self._new_client, self._reign, self._plans, self.times = client, reign, plans, times
        self._local, self._lock = threading.local(), threading.RLock()
        self.known = Known()
        self._listed: Dict[str, Tuple[str, List[Mapping[str, Any]]]] = {}  # of each kind, as it was read last, and its revision
        self._sets: Dict[str, Tuple[Mapping[str, Any], ReplicaSet]] = {}  # as they were made last: of a large pool most are the same still
        self._hosts: Dict[str, Tuple[Mapping[str, Any], PoolHost]] = {}

    @property
    def client(self) -> Client:
        """Return the client of this thread."""
        if not hasattr(self._local, "client"):
            self._local.client = self._new_client()
        found: Client = self._local.client
        return found

    # --- reading ------------------------------------------------------------------------------------------------------------

    def sets(self) -> List[ReplicaSet]:
        """Return all sets, for whoever only looks: others have the same."""
        self._sets = _made(self._sets, "Id", self._list(SETS), set_of)
        return [whole for _value, whole in self._sets.values()]

    def hosts(self) -> Dict[str, PoolHost]:
        """Return the pool; a host whose document can't be read is there, and nothing is known of it."""
        self._hosts = _made(self._hosts, "Name", self._list(POOL), _host)
        return {name: host for name, (_value, host) in self._hosts.items()}

    def configurations(self) -> List[Dict[str, Any]]:
        return [dict(value["Configuration"]) for value in self._list(CONFIGURATIONS)]

    def _list(self, kind: str) -> List[Mapping[str, Any]]:
        """Return all documents of a kind: as we have heard of them, or as they were read last, where nothing has changed since."""
        with _problems():
            changed = self.client.changed(kind)
            found = self.known.values(kind, changed)
            if found is not None:
                return found
            read = self._listed.get(kind)
            if read is None or read[0] != changed:
                answer = self.client.request("GET", f"/{kind}")
                read = self._listed[kind] = str(answer.revision), answer.body
            return read[1]

    def find(self, kind: str, key: str) -> Optional[Found]:
        with _problems():
            try:
                answer = self.client.get(kind, key)
            except ClientError as error:
                if error.kind != "not_found":
                    raise
                return None
        return Found(key, str(answer.revision), answer.body)

    # --- writing ------------------------------------------------------------------------------------------------------------

    def create(self, whole: ReplicaSet, program: str, why: str, **data: Any) -> ReplicaSet:
        """Have a new set, and what is to be done with it first. Problem 409 if there is one of its id."""
        case = Case(whole, {}, time.time(), 0.0, self._reign().token, self.times, Silences())
        request(case, self._plans[whole.datastore], program, why, **data)
        change = {"Kind": SETS, "Key": whole.id, "Action": "create", "Body": set_document(whole)}
        with _problems():
            try:
                self.client.batch([change, *_placed(whole.members.values())], self._reign().under)
            except ClientError as error:
                if error.status == 404:
                    raise Problem(503, "busy", f"a host has just left the pool ({error.message}); try again") from None
                raise
        return whole

    def change(self, key: str, change: Callable[[Case], T]) -> T:
        """Change a set as it stands; what ``change`` raises changes nothing. Problem 404, and 503 if it changes too fast.

        What follows from the change is carried on at once: orders that nobody asks for would be taken back.
        """
        for _try in range(MOST_TRIES):
            found = self.find(SETS, key)
            if found is None:
                raise Problem(404, "not_found", f"there is no set {key}")
            whole = set_of(found.value)
            hosts = [self.find(POOL, host) for host in whole.hosts]
            read = {host.key: host for host in hosts if host is not None}
            case = self.case(whole, read, 0.0, Silences())
            before = set(whole.members)
            made = change(case)
            if set_document(whole) == found.value:
                return made
            placed = _placed(member for key, member in whole.members.items() if key not in before)
            advance(case, self._plans[whole.datastore])
            if self.commit(found, read, case, placed) is not None:
                return made
            time.sleep(PAUSE)
        raise Problem(503, "busy", f"set {key} changes all the time; try again")

    def case(self, whole: ReplicaSet, read: Mapping[str, Found], clock: float, silences: Silences) -> Case:
        hosts = {name: host_of(found.value) for name, found in read.items()}
        lease = max((host.lease or self.times.lease for host in hosts.values()), default=self.times.lease)
        channels = {name: host.channel for name, host in hosts.items()}
        times = self.times._replace(lease=lease)
        return Case(whole, channels, time.time(), clock, self._reign().token, times, silences)

    def commit(
        self, found: Found, read: Mapping[str, Found], case: Case, placed: Sequence[Dict[str, Any]] = ()
    ) -> Optional[Dict[Any, str]]:
        """Write what a case came to, all or nothing, if all that it was read from stands still. ``placed``: see _placed.

        Returns the revisions that documents have now, by kind and key, empty if there was nothing to write; None if something has changed.
        """
        whole, written = case.whole, case.written()
        body = set_document(whole)
        if body == found.value and not written:
            return {}
        ends = not whole.members and whole.task is None
        asked: List[Dict[str, Any]] = [{"Kind": SETS, "Key": whole.id, "Action": "put", "Body": body, "IfMatch": found.revision}]
        if ends:
            asked = [{"Kind": SETS, "Key": whole.id, "Action": "delete", "IfMatch": found.revision}]
        asked += [{"Kind": SETS, "Key": new.id, "Action": "create", "Body": set_document(new)} for new in case.parted]
        for host, was in read.items():
            patch = changes(was.value["Params"], written[host], MANAGERS) if host in written else []
            asked.append({"Kind": POOL, "Key": host, "Body": patch, "IfMatch": was.revision})
        asked += placed
        with _problems():
            try:
                left = self.client.batch(asked, self._reign().under)
            except ClientError as error:
                if error.status == 412 and error.code == "revision_differs" or error.status == 404:
                    return None
                raise
        return {(item["Kind"], item["Key"]): item["Revision"] for item in left}

    def sweep(self, read: Found, left: Collection[str]) -> Dict[Any, str]:
        """Take traces out of a host's document that these sets have left, if it stands as it was read, and if they are not there *now*.

        Returns as commit does.
        """
        gone = {key for key in left if self.find(SETS, key) is None}
        patch = changes(read.value["Params"], without(host_of(read.value).channel, gone), TRACES)
        if not patch:
            return {}
        with _problems():
            try:
                written = self.client.batch([{"Kind": POOL, "Key": read.key, "Body": patch, "IfMatch": read.revision}], self._reign().under)
            except ClientError as error:
                if error.status == 412 and error.code == "revision_differs" or error.status == 404:
                    return {}
                raise
        return {(item["Kind"], item["Key"]): item["Revision"] for item in written}

    # --- configurations -----------------------------------------------------------------------------------------------------

    def put_configuration(self, value: Mapping[str, Any], create: bool) -> None:
        body = {"Id": value["id"], "Configuration": dict(value)}
        change = {"Kind": CONFIGURATIONS, "Key": value["id"], "Action": "create" if create else "put", "Body": body}
        with _problems():
            self.client.batch([change], self._reign().under)

    def delete_configuration(self, key: str) -> None:
        with _problems():
            self.client.batch([{"Kind": CONFIGURATIONS, "Key": key, "Action": "delete"}], self._reign().under)

    # --- who asks -------------------------------------------------------------------------------------------------------------

    def scope(self, token: str) -> Optional[Dict[str, Any]]:
        """Return what a token is for, None if it is not valid."""
        with _problems():
            try:
                return dict(self.client.request("GET", "/tokens/self", headers={"Authorization": f"Bearer {token}"}).body["Scope"])
            except ClientError as error:
                if error.status == 401 or error.kind == "usage":
                    return None
                raise

    def lock(self) -> Any:
        """One at a time chooses hosts and ports."""
        return self._lock


def _placed(members: Iterable[Member]) -> List[Dict[str, Any]]:
    """Return changes that note on hosts what comes to them: each is still in the pool, and who removes it sees that it has changed."""
    return [{"Kind": POOL, "Key": member.host, "Param": PLACED, "Action": "put", "Body": member.id} for member in members]


def _made(
    before: Mapping[str, Tuple[Mapping[str, Any], T]], identity: str, values: Iterable[Mapping[str, Any]],
    make: Callable[[Mapping[str, Any]], T],
) -> Dict[str, Tuple[Mapping[str, Any], T]]:  # fmt: skip
    """Return what is made of each value, and the value; what was made of that very value is taken again."""
    found: Dict[str, Tuple[Mapping[str, Any], T]] = {}
    for value in values:
        known = before.get(value[identity])
        found[value[identity]] = known if known is not None and known[0] is value else (value, make(value))
    return found


def _host(value: Mapping[str, Any]) -> PoolHost:
    try:
        return host_of(value)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        LOG.warning("host %s can't be read: %s", value["Name"], error)
        return PoolHost(value["Name"])


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    """What the cluster answers, as what is to be told."""
    try:
        yield
    except ClientError as error:
        if error.status in (404, 409, 413, 422, 507):
            raise Problem(error.status, error.code or "refused", error.message) from None
        raise Problem(503, "unavailable", f"the cluster does not serve now: {error.message}") from None
