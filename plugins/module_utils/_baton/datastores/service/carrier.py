# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries on what is being done with all sets: whenever something changes, and when time has passed. It decides nothing itself.

It has what the stream of events has told, and writes only if that is what stands; what it has not heard of yet makes it wait.
"""
from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple

from ...client.api import Client
from ...client.error import ClientError
from ...client.event_stream import follow
from ...ground.problem import Problem
from ..engine.case import Case, Silences
from ..engine.engine import advance
from ..engine.program import Plan
from ..engine.traces import left_by_others
from ..model.documents import HEARTBEAT, POOL, SETS, host_of, order_of, set_of
from .known import Found, place_of
from .metrics import Ended
from .store import Store

LOG = logging.getLogger("baton.datastores")
TICK = 0.1  # seconds between two looks at every set
WARNINGS = 5.0  # seconds between two looks for what people should know, and for which it must have been so to be told of
PAUSE, LONGEST_PAUSE = 0.3, 5.0  # seconds after the cluster has not answered
QUIET = 1.0  # seconds between two looks at a set with which nothing is done
SWEEPS, MOST_SWEPT = 60.0, 20  # seconds between two looks for what sets that are gone have left with hosts; of a host at once
BROKEN = 5.0  # seconds until a set is tried again that could not be carried on
KINDS = f"{SETS},{POOL}"
Key = Tuple[str, str]


class Documents:
    """What is known of sets and pool hosts. Pure."""

    def __init__(self) -> None:
        self._found: Dict[Key, Found] = {}
        self._expected: Dict[Key, List[int]] = {}  # what we wrote ourselves, and have not heard of
        self._sets_of: Dict[str, Set[str]] = {}  # by host

    def learn(self, kind: str, key: str, revision: str, value: Optional[Mapping[str, Any]]) -> Set[str]:
        """Take note of a document, None where it is gone; return the sets that it is about."""
        known = self._found.get((kind, key))
        if known is not None and order_of(revision) < order_of(known.revision):
            return set()
        if order_of(revision) >= self._expected.get((kind, key), []):
            self._expected.pop((kind, key), None)
        if value is None:
            self._found.pop((kind, key), None)
        else:
            self._found[(kind, key)] = Found(key, revision, value)
        if kind == POOL:
            return set(self._sets_of.get(key, ()))
        for members in self._sets_of.values():
            members.discard(key)
        for host in hosts_of(value):
            self._sets_of.setdefault(host, set()).add(key)
        return {key}

    def drop(self, kind: str, key: str) -> None:
        """Know nothing of a document."""
        self._found.pop((kind, key), None)

    def expect(self, revisions: Mapping[Key, Optional[str]]) -> None:
        """We have written these: until we hear of it, what we know of them is old."""
        for key, revision in revisions.items():
            if revision is not None and key in self._found and order_of(revision) > order_of(self._found[key].revision):
                self._expected[key] = order_of(revision)

    def busy(self) -> Set[str]:
        """Return the sets with which something is done, or should be."""
        return {key for key in self.sets() if _is_busy(self._found[(SETS, key)].value["Set"])}

    def sets(self) -> Set[str]:
        return {key for kind, key in self._found if kind == SETS}

    def read(self, key: str) -> Optional[Tuple[Found, Dict[str, Found]]]:
        """Return a set, and its hosts; None where what we know of them is old, or it is gone."""
        found = self._found.get((SETS, key))
        if found is None or (SETS, key) in self._expected:
            return None
        hosts = hosts_of(found.value)
        if any((POOL, host) in self._expected for host in hosts):
            return None
        return found, {host: self._found[(POOL, host)] for host in hosts if (POOL, host) in self._found}

    def traces(self) -> List[Tuple[Found, Set[str]]]:
        """Return hosts that have traces of sets of which nobody knows, and of which; of each host some."""
        found: List[Tuple[Found, Set[str]]] = []
        known = self.sets()
        for (kind, key), host in self._found.items():
            with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):  # what can't be read is left as it is
                left = left_by_others(host_of(host.value).channel, known) if kind == POOL and (kind, key) not in self._expected else set()
                found += [(host, set(sorted(left)[:MOST_SWEPT]))] if left else []
        return found

    def strays(self) -> Set[str]:
        """Return, for people, servers of which guests speak and no set does: of one deleted by force while its host was away, for one."""
        known = {
            (member["host"], key) for (kind, _id), found in self._found.items() if kind == SETS
            for key, member in {**found.value["Set"]["members"], **_gone(found.value)}.items()
        }  # fmt: skip
        return {
            f"host {host} has instance {key} of set {said or 'that it does not say'}, which nobody knows"
            for (kind, host), found in self._found.items() if kind == POOL
            for key, said in _servers(found.value).items() if (host, key) not in known
        }  # fmt: skip


def _servers(host: Mapping[str, Any]) -> Dict[str, str]:
    """Return of which set a guest says that each of its servers is; it may say anything."""
    servers = host["Params"].get("servers")
    said = servers.items() if isinstance(servers, dict) else ()
    return {key: str(value.get("set", "")) for key, value in said if isinstance(value, dict)}


def _is_busy(whole: Mapping[str, Any]) -> bool:
    return any(whole.get(name) for name in ("task", "asked", "needs"))


def hosts_of(value: Optional[Mapping[str, Any]]) -> List[str]:
    """Return whose channels a set is about, as ReplicaSet.hosts does."""
    return sorted({each["host"] for each in (*value["Set"]["members"].values(), *_gone(value).values())}) if value is not None else []


def _gone(value: Mapping[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return who left a cluster, and is to be wiped still."""
    return dict(value["Set"].get("own", {}).get("gone", {}))


class Carrier:
    """``run`` in a thread until ``stop``."""

    def __init__(self, store: Store, client: Callable[[], Client], plans: Mapping[str, Plan]) -> None:
        self._store, self._client, self._plans = store, client, plans
        self._events: "queue.Queue[Any]" = queue.Queue()
        self._stop = threading.Event()
        self._silences: Dict[str, Silences] = {}
        self._said: Dict[str, str] = {}
        self._warned: Set[str] = set()  # of what was told
        self.ended = Ended()
        self.silent: Dict[str, float] = {}  # hosts that are not heard, and since when, on our clock
        self._broken: Dict[str, Tuple[Tuple[str, ...], float]] = {}  # sets that can't be carried on: what was read, and until when

    def stop(self) -> None:
        self._stop.set()
        self._events.put(None)

    def run(self) -> None:
        pause = PAUSE
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._carry()
            except (ClientError, Problem) as error:
                LOG.warning("%s", error)
            except Exception:
                LOG.exception("unexpected error")
            pause = PAUSE if time.monotonic() - began > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)
            self._stop.wait(pause)

    def _carry(self) -> None:
        documents = self._read_all()
        looked = all_looked = 0.0
        warned = swept = time.monotonic()
        warnings = self._warnings(documents)
        dirty = documents.sets()
        while not self._stop.is_set():
            for kind, key, revision, value in self._heard(TICK if not dirty else 0.0):
                dirty |= self._learn(documents, kind, key, revision, value)
            now = time.monotonic()
            if now - looked >= TICK:
                is_due, looked = now - all_looked >= QUIET, now
                dirty |= documents.sets() if is_due else documents.busy()
                all_looked = now if is_due else all_looked
            if now - warned >= WARNINGS:
                warned, before, warnings = now, warnings, self._warnings(documents)
                self._warn(warnings & before)
            if now - swept >= SWEEPS:
                swept = now
                self._sweep(documents)
            for key in sorted(dirty):
                self._look(key, documents)
            dirty = set()

    def _read_all(self) -> Documents:
        """Begin to listen, then read: so nothing is missed."""
        self._events = queue.Queue()
        begun = threading.Event()
        known = self._store.known
        known.forget()
        threading.Thread(target=self._listen, args=(self._events, begun), daemon=True, name="events").start()
        if not begun.wait(10.0):
            raise Problem(503, "unavailable", "the stream of events does not begin")
        documents, client = Documents(), self._store.client
        for kind, identity in ((SETS, "Id"), (POOL, "Name")):
            changed = client.changed(kind)
            for value in client.list(kind):
                answer = client.get(kind, value[identity])
                known.learn(kind, value[identity], str(answer.revision), answer.body)
                self._learn(documents, kind, value[identity], str(answer.revision), answer.body)
            known.read(kind, changed)
        return documents

    def _learn(self, documents: Documents, kind: str, key: str, revision: str, value: Any) -> Set[str]:
        """Take note of a document; one that can't be read is left out, and the others go on."""
        if kind == SETS and value is None:
            for kept in (self._silences, self._said, self._broken):
                kept.pop(key, None)
        try:
            dirty = documents.learn(kind, key, revision, value)
            self._hear(kind, key, value)
            return dirty
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            LOG.error("%s/%s can't be read, and is left as it is: %r", kind, key, error)
            documents.drop(kind, key)
            return set()

    def _hear(self, kind: str, key: str, value: Optional[Mapping[str, Any]]) -> None:
        """Take note of whether a host's guest is heard."""
        if kind == POOL and value is not None and HEARTBEAT not in value["Params"]:
            self.silent = {**self.silent, key: self.silent.get(key, time.monotonic())}
        elif kind == POOL:
            self.silent = {name: since for name, since in self.silent.items() if name != key}

    def _listen(self, events: "queue.Queue[Any]", begun: threading.Event) -> None:
        def goes_on() -> bool:
            return events is self._events and not self._stop.is_set()

        try:
            with self._client() as client:
                for event in follow(client, query={"kinds": KINDS, "documents": "yes"}, begun=begun.set, goes_on=goes_on):
                    if events is not self._events:
                        return
                    told = event["Kind"], event["Key"], event["Revision"], event.get("Document")
                    self._store.known.learn(*told, place_of(event["Cursor"]))
                    events.put(told)
        except ClientError as error:
            events.put(error)

    def _heard(self, patience: float) -> List[Tuple[str, str, str, Any]]:
        heard: List[Tuple[str, str, str, Any]] = []
        try:
            item = self._events.get(timeout=patience) if patience else self._events.get_nowait()
            while True:
                if isinstance(item, ClientError):
                    raise item
                heard += [item] if item is not None else []
                item = self._events.get_nowait()
        except queue.Empty:
            return heard

    def _look(self, key: str, documents: Documents) -> None:
        read = documents.read(key)
        if read is None:
            return
        found, hosts = read
        now, revisions = time.monotonic(), (found.revision, *(host.revision for host in hosts.values()))
        broken = self._broken.get(key)
        if broken is not None and broken[0] == revisions and now < broken[1]:
            return
        try:
            self._advance(key, found, hosts, documents)
            self._broken.pop(key, None)
        except ClientError:
            raise
        except Exception as error:  # of this set: the others go on
            if isinstance(error, Problem) and error.status == 503:
                raise
            if broken is None or broken[0] != revisions:
                LOG.error("set %s can't be carried on, and is left as it is: %s", key, error, exc_info=not isinstance(error, Problem))
            self._broken[key] = revisions, now + BROKEN

    def _advance(self, key: str, found: Found, hosts: Dict[str, Found], documents: Documents) -> None:
        whole = set_of(found.value)
        case = self._store.case(whole, hosts, time.monotonic(), self._silences.setdefault(key, Silences()))
        advance(case, self._plans[whole.datastore])
        left = self._store.commit(found, hosts, case)
        if left:
            documents.expect(left)
            self._tell(key, case.whole.history)
            self._note(found.value["Set"], case)

    def _note(self, before: Mapping[str, Any], case: Case) -> None:
        """Count what has ended."""
        task, now = before["task"], case.whole.task
        if task is not None and (now is None or now.id != task["id"]):
            is_done = any(entry["what"] == f"{task['program']} is done" and entry["at"] == case.now for entry in case.whole.history)
            self.ended.note(task["program"], is_done, case.now - task["began"])

    def _sweep(self, documents: Documents) -> None:
        """Keep nothing of sets that are gone: hosts would have more and more of it."""
        for host, left in documents.traces():
            documents.expect(self._store.sweep(host, left))

    def _warnings(self, documents: Documents) -> Set[str]:
        """Return what only people can mend: servers that nobody knows, and which stay as they are (one of a cluster may be of its group),
        and sets that wait for help, or would with the next loss.
        """
        leave = "it is left alone: look at what it has, then end it and remove its directory there"
        found = {f"{stray}; {leave}" for stray in documents.strays()}
        for key in documents.sets() - self._broken.keys():
            read = documents.read(key)
            if read is not None:
                case = self._store.case(set_of(read[0].value), read[1], 0.0, Silences())
                plan = self._plans[case.whole.datastore]
                why = plan.unguarded(case)
                if case.whole.needs:
                    found.add(f"set {key} needs help: {case.whole.needs}")
                elif why:
                    found.add(f"set {key}: {plan.next_loss}: {why}")
        return found

    def _warn(self, warnings: Set[str]) -> None:
        """Have the journal say once what has begun."""
        for warning in sorted(warnings - self._warned):
            LOG.warning("%s", warning)
        self._warned = warnings

    def _tell(self, key: str, history: List[Dict[str, Any]]) -> None:
        """Have the journal say what was begun and ended."""
        last = history[-1] if history else {}
        text = f"set {key}: {last.get('what', '')}{last.get('why') and ': ' + last['why'] or ''}"
        if history and self._said.get(key) != text:
            self._said[key] = text
            LOG.info("%s", text)
