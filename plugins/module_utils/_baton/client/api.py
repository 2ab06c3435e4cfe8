# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client of modules, plugins and batonctl: Baton's resources as methods.

What is asked again, and where, is decided in transport.py; files are in files.py. Every method raises ClientError and
nothing else. A change answers with the new value when ``want`` is true, else with its revision only (cheaper).
"""
from __future__ import annotations

import json
import random
import time
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from ..core.model.conditions import WITH_VALUE
from ..core.model.kinds import DOCUMENTS, singular
from ..ground.merging import merge_operations
from ..ground.version import VERSION
from .connection import DEFAULT_TIMEOUT, Connection, connection_from
from .error import ClientError, found_in, short
from .files import Files
from .patience import Patience
from .progress import Progress
from .transport import REQUESTS_ERROR, Answer, Call, Transport

__all__ = ["DEFAULT_TIMEOUT", "REQUESTS_ERROR", "Answer", "Client", "ClientError", "Connection", "connect", "connection_from"]

Operations = Sequence[Mapping[str, Any]]
POLL = 20.0  # seconds of one long-poll; the next one asks whoever is active then
UNSET = object()


def connect(options: Mapping[str, Any], environ: Mapping[str, str], default_url: str = "", session: Any = None) -> "Client":
    """Return a client for options and environment, as connection_from explains them; ``session`` is Transport's."""
    return Client(connection_from(options, environ, default_url), session=session)


def quoted(name: str) -> str:
    """Return a name as part of a path; ClientError "usage" for one that would mean another path."""
    if any(part in ("", ".", "..") for part in name.split("/")) or not name.isprintable():
        how = "it is printable, and has no empty part, . or .. between slashes"
        raise ClientError("usage", f"{name!r} is not a name: {how}" if name else f"a name is empty: {how}")
    return quote(name, safe="/:@")


def quoted_key(kind: str, name: str) -> str:
    """Return the name of a document as part of a path; those of most kinds have no slash."""
    if kind in DOCUMENTS and not DOCUMENTS[kind].slashes and "/" in name:
        raise ClientError("usage", f"{name!r} can't name a {singular(kind)}: its name has no slash")
    return quoted(name)


def encoded(body: Any) -> bytes:
    """Return a value as JSON; ClientError "usage" for one that is none."""
    try:
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        hint = ": write a date in quotes" if "date" in f"{error}".lower() else ""
        raise ClientError("usage", f"the value is not JSON: {error}{hint}") from None


class Client:
    """A client of one cluster, for one thread. Use ``close`` or a ``with`` block to end its connections."""

    def __init__(
        self, connection: Connection, user_agent: str = "baton", notice: Optional[Callable[[str], None]] = None,
        session: Any = None,
    ) -> None:  # fmt: skip
        self.connection = connection
        self.transport = Transport(connection, f"{user_agent}/{VERSION}", notice, session)
        self.files = Files(self.transport, connection.timeout)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_exc: Any) -> None:
        self.close()

    def close(self) -> None:
        self.transport.close()

    # --- requests -----------------------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, body: Any = UNSET, want: bool = True, headers: Optional[Mapping[str, str]] = None,
        **call: Any,
    ) -> Answer:  # fmt: skip
        """Send one request with its retries; ``path`` is quoted and stands below /api/v3; ``call``: fields of Call."""
        sent = dict(headers or {})
        open_body = None
        if body is not UNSET:
            data = encoded(body)
            sent["Content-Type"] = "application/json-patch+json" if method == "PATCH" else "application/json"
            open_body = partial(bytes, data)
        if method not in ("GET", "HEAD"):
            sent["Prefer"] = "return=representation" if want else "return=minimal"
        call.setdefault("total", self.connection.timeout)
        return self.transport.send(Call(method, path, headers=sent, open_body=open_body, **call))

    def _change(
        self, method: str, path: str, body: Any, want: bool, if_match: Optional[str] = None, create: bool = False,
        under: Optional[Mapping[str, str]] = None, **call: Any,
    ) -> Answer:  # fmt: skip
        headers = dict(under or {})
        if if_match is not None:
            headers["If-Match"] = "*" if if_match == "*" else f'"{if_match}"'
        if create:
            headers["If-None-Match"] = "*"
        return self.request(method, path, body, want, headers, **call)

    # --- documents (kind: one of kinds.DOCUMENTS) ------------------------------------------------------------------------

    def info(self) -> Dict[str, Any]:
        """Return what the node that answers says of itself."""
        return dict(self.request("GET", "/info").body)

    def list(self, kind: str, **filters: str) -> List[Dict[str, Any]]:
        """Return all documents of a kind, sorted by key; ``filters`` compare top-level members (Name="n1")."""
        return [*self.request("GET", f"/{kind}", query=filters).body]

    def changed(self, kind: str) -> str:
        """Return where in the log a document of a kind changed last, or went: what a list has as its ETag."""
        return str(self.request("HEAD", f"/{kind}", query={"limit": "1"}).revision)

    def key_of(self, kind: str, name: str) -> str:
        """Return the key of a document; among machines ``Name:web-1`` is the one of that name."""
        if kind != "machines" or not name.startswith("Name:"):
            return name
        found = self.list("machines", Name=name[5:])
        if not found:
            raise ClientError("not_found", f"no machine is named {name[5:]!r}", 404)
        if len(found) > 1:
            raise ClientError("conflict", f"{len(found)} machines are named {name[5:]!r}; give a Uuid")
        return str(found[0]["Uuid"])

    def get(self, kind: str, key: str) -> Answer:
        return self.request("GET", _document(kind, key))

    def create(self, kind: str, value: Mapping[str, Any], want: bool = True, key: Optional[str] = None) -> Answer:
        """Create a document; "conflict" if it exists. ``key``: an Idempotency-Key of the caller's own (here and below)."""
        return self.request("POST", f"/{kind}", value, want, key=key)

    def put(
        self, kind: str, name: str, value: Mapping[str, Any], if_match: Optional[str] = None, want: bool = True,
        key: Optional[str] = None,
    ) -> Answer:  # fmt: skip
        """Replace or create a document. ``if_match``: the revision that it must have."""
        return self._change("PUT", _document(kind, name), value, want, if_match, key=key)

    def patch(
        self, kind: str, name: str, operations: Operations, if_match: Optional[str] = None, want: bool = True,
        key: Optional[str] = None, under: Optional[Mapping[str, str]] = None,
    ) -> Answer:  # fmt: skip
        """Apply RFC 6902 operations, all or nothing; a failed test is "conflict", with index, path and value in ``problem``."""
        return self._change("PATCH", _document(kind, name), list(operations), want, if_match, key=key, under=under)

    def merge(self, kind: str, name: str, changes: Mapping[str, Any], base: Any = UNSET, want: bool = True) -> Answer:
        """Apply an RFC 7396 merge patch. With ``base`` only if what it changes still stands there as in ``base``."""
        if base is not UNSET:
            return self.patch(kind, name, merge_operations(base, changes, tests=True), want=want)
        end = time.monotonic() + self.connection.timeout
        pause = 0.01
        while True:
            now = self.get(kind, name)
            operations = merge_operations(now.body, changes)
            if not operations:
                return now
            try:
                return self.patch(kind, name, operations, now.revision, want)
            except ClientError as error:
                if error.status != 412 or time.monotonic() >= end:
                    raise
            time.sleep(random.uniform(0, pause))
            pause = min(pause * 2, 0.5)

    def delete(self, kind: str, name: str, if_match: Optional[str] = None, key: Optional[str] = None) -> Answer:
        return self._change("DELETE", _document(kind, name), UNSET, False, if_match, key=key)

    def post(self, path: str, body: Any, want: bool = True, **call: Any) -> Answer:
        """Send a POST to any resource below /api/v3."""
        return self.request("POST", path, body, want, **call)

    # --- params of a profile or machine -------------------------------------------------------------------------------

    def params(self, kind: str, name: str) -> Answer:
        """Return the Params object that is set (schema defaults are not in it)."""
        return self.request("GET", _document(kind, name) + "/params")

    def get_param(self, kind: str, name: str, param: str, default: bool = True) -> Answer:
        """Return a param's value, else its schema's default (unless ``default`` is false), else raise "not_found"."""
        return self.request("GET", _param(kind, name, param), query={} if default else {"default": "no"})

    def set_param(
        self, kind: str, name: str, param: str, value: Any, if_match: Optional[str] = None, want: bool = False,
        key: Optional[str] = None,
    ) -> Answer:  # fmt: skip
        return self._change("PUT", _param(kind, name, param), value, want, if_match, key=key)

    def add_param(
        self, kind: str, name: str, param: str, value: Any, want: bool = False, key: Optional[str] = None,
        under: Optional[Mapping[str, str]] = None,
    ) -> Answer:  # fmt: skip
        """Set a param that is not set; "conflict" if it is, with ``found`` in ``problem``. Nothing else is compared."""
        return self._change("PUT", _param(kind, name, param), value, want, create=True, under=under, key=key)

    def patch_param(
        self, kind: str, name: str, param: str, operations: Operations, want: bool = False, key: Optional[str] = None,
        under: Optional[Mapping[str, str]] = None,
    ) -> Answer:  # fmt: skip
        """Apply RFC 6902 operations whose root ("") is the param's value. ``under``: what ``leased`` gives."""
        return self._change("PATCH", _param(kind, name, param), list(operations), want, key=key, under=under)

    def batch(self, changes: Sequence[Mapping[str, Any]], under: Optional[Mapping[str, str]] = None) -> List[Dict[str, Any]]:
        """Carry out changes of many documents, all or nothing; return [{Kind, Key, Revision}].

        A change: {Kind, Key, Param, Action (patch, put, create, delete), Body, IfMatch, IfUnset}. An error has "change" in ``problem``.
        """
        return [*self.request("POST", "/batch", {"Changes": list(changes)}, headers=under).body["Documents"]]

    def swap_param(
        self, kind: str, name: str, param: str, old: Any, new: Any, want: bool = False, key: Optional[str] = None
    ) -> Answer:
        """Compare-and-patch: set ``new`` if the value, or the schema's default, is ``old``; else "conflict"."""
        return self._compared(kind, name, param, old, {"op": "replace", "path": "", "value": new}, want, key)

    def delete_param(self, kind: str, name: str, param: str, old: Any = UNSET, key: Optional[str] = None) -> Answer:
        """Unset a param; with ``old`` only if that stands there."""
        if old is UNSET:
            return self._change("DELETE", _param(kind, name, param), UNSET, False, key=key)
        return self._compared(kind, name, param, old, {"op": "remove", "path": ""}, False, key)

    def _compared(
        self, kind: str, name: str, param: str, old: Any, operation: Mapping[str, Any], want: bool, key: Optional[str]
    ) -> Answer:
        try:
            return self.patch_param(kind, name, param, [{"op": "test", "path": "", "value": old}, operation], want, key)
        except ClientError as error:
            if error.code == "test_failed":
                message = f"{described(kind, name, param)} is not {short(old)}: {found_in(error.problem)}; nothing was changed"
                raise ClientError(error.kind, message, error.status, error.problem) from None
            raise

    # --- waiting ------------------------------------------------------------------------------------------------------

    def wait(
        self, kind: str, name: str, param: Optional[str] = None, condition: str = "exists", value: Any = None,
        revision: Optional[str] = None, timeout: float = 300.0, more: Optional[Mapping[str, str]] = None,
        progress: Optional[Callable[[str], None]] = None, settled: float = 0.0,
    ) -> Answer:  # fmt: skip
        """Wait until a param (or, without one, the document) meets a condition; return it (body None when absent).

        condition: exists, absent, equals or differs (from ``value``), in (the list ``value``), count (``value`` members at least),
        changed (the document since ``revision``; a param, and anything without ``revision``, since now). ``timeout`` in seconds over
        all; then "conflict" with status 408. ``settled``: seconds for which it must have stood. ``more``: other members of the query
        (path, escape, …). ``progress`` is told now and then what stands there. Without ``name``: a number of documents.
        A change of active in the meantime is waited through.
        """
        path = f"/{kind}" if not name else _document(kind, name) if param is None else _param(kind, name, param)
        patience = Patience(timeout)
        told = Progress(progress, patience)
        if condition == "changed" and revision is None:
            condition, value, revision = self._since_now(path, param is not None)
        while True:
            left = patience.left
            poll = min(POLL + settled, left)
            query = {"wait": condition, "timeout": f"{poll:.3f}", **(more or {})}
            if settled:
                query["settled"] = f"{settled:.3f}"
            if condition in WITH_VALUE:
                query["value"] = json.dumps(value)
            elif condition == "changed":
                query["revision"] = revision or ""
            try:
                return self.request("GET", path, query=query, total=poll + 5.0, attempt=poll + 10.0)
            except ClientError as error:
                if error.status == 408 and poll >= left:
                    raise _timed_out(error, kind, name, param, condition, value, patience) from None
                if error.status != 408 and (not error.retriable or not patience.left):
                    raise
                stands = found_in(error.problem) if error.status == 408 else error.message
                told.tell(f"{described(kind, name, param)}: {stands}")

    def _since_now(self, path: str, is_param: bool) -> Tuple[str, Any, Optional[str]]:
        try:
            now = self.request("GET", path)
        except ClientError as error:
            if error.kind == "not_found":
                return "exists", None, None
            raise
        return ("differs", now.body, None) if is_param else ("changed", None, now.revision)

    # --- tokens -------------------------------------------------------------------------------------------------------

    def tokens(self) -> List[Dict[str, Any]]:
        return [*self.request("GET", "/tokens").body]

    def create_token(self, scope: Mapping[str, Any], ttl: Optional[str] = None, description: str = "") -> Dict[str, Any]:
        """Create a token; ``scope`` as scope_of returns it; ``ttl`` such as 90s, 2h, 7d."""
        body = {"Scope": dict(scope), "Description": description}
        if ttl is not None:
            body["Ttl"] = ttl
        return dict(self.post("/tokens", body).body)

    def profile_token(self, name: str, ttl: Optional[str] = None) -> Dict[str, Any]:
        """Create a token that reads and writes this profile and nothing else; answers Token, Id, Expires, Scope."""
        query = {} if ttl is None else {"ttl": ttl}
        return dict(self.request("POST", f"/profiles/{quoted(name)}/token", query=query).body)

    def revoke_token(self, token_id: str) -> None:
        self.request("DELETE", f"/tokens/{quoted(token_id)}", want=False)

    # --- the cluster --------------------------------------------------------------------------------------------------

    def ha_status(self, total: Optional[float] = None) -> Dict[str, Any]:
        """Return the state as the first node that answers sees it. ``total``: seconds for all attempts."""
        return dict(self.request("GET", "/system/ha", total=total or self.connection.timeout).body)

    def cluster_status(self, total: Optional[float] = None) -> Dict[str, Any]:
        """Return the state as the active sees it, or as another node does when the active does not answer."""
        seen = self.ha_status(total)
        url = seen.get("active_url")
        if seen.get("role") == "active" or not url:
            return seen
        try:
            return dict(self.request("GET", "/system/ha", base=url, total=5.0).body)
        except ClientError:
            return seen

    def become_active(self, force: bool = False) -> Dict[str, Any]:
        """Tell the one node of this connection to become active."""
        return self._order("/system/active", {"force": force})

    def become_passive(self, force: bool = False) -> Dict[str, Any]:
        """Tell the one node of this connection to give the active role up."""
        return self._order("/system/passive", {"force": force})

    def create_cluster(self, cluster_id: str) -> Dict[str, Any]:
        """Create the cluster on the one node of this connection."""
        return self._order("/system/create", {"cluster_id": cluster_id})

    def _order(self, path: str, body: Dict[str, Any]) -> Dict[str, Any]:
        if len(self.connection.urls) != 1:
            raise ClientError("usage", f"this goes to one node, not to {len(self.connection.urls)}: give one URL")
        return dict(self.post(path, body, attempt=self.connection.timeout, follow=False, repeat=False).body or {})

    def readmit_node(self, node: str) -> None:
        """Let a node that was removed join again."""
        self.request("PUT", f"/system/nodes/{quoted(node)}", want=False)

    def remove_node(self, node: str) -> None:
        """Remove a node that does not run any more; it stays removed until it is readmitted."""
        self.request("DELETE", f"/system/nodes/{quoted(node)}", want=False)

    def schedule_switch(self, at: float, to: Optional[str] = None, reason: str = "") -> Dict[str, Any]:
        """Have the active role moved at ``at`` (unix seconds), whoever is active then; return what is scheduled."""
        return dict(self.post("/system/switch", {"to": to, "reason": reason, "at": at}).body)

    def cancel_switch(self) -> None:
        """Call a scheduled switch off."""
        self.request("DELETE", "/system/switch", want=False)

    def pause(self, paused: bool, by: str = "") -> Dict[str, Any]:
        """Stop promotions that nobody ordered, or allow them again; ``by``: who wants it, for people."""
        return dict(self.post("/system/pause", {"paused": paused, "by": by}).body)

    def history(self) -> List[Dict[str, Any]]:
        """Return who was active, since when and why, oldest first."""
        return [*self.request("GET", "/system/history").body]

    def drivers(self, node: Optional[str] = None) -> Tuple[List[Dict[str, Any]], Dict[str, str]]:
        """Return the drivers of all nodes, or of one, each with its ``node``; and why which nodes did not answer."""
        nodes = {item["id"]: item.get("url") for item in self.cluster_status().get("nodes") or []}
        if node is not None and node not in nodes:
            raise ClientError("not_found", f"there is no node {node!r}; there are {', '.join(sorted(nodes)) or 'none'}", 404)
        found: List[Dict[str, Any]] = []
        silent: Dict[str, str] = {}
        for name, url in sorted(nodes.items()):
            if node not in (None, name):
                continue
            try:
                answer = self.request("GET", "/system/drivers", base=url, total=5.0)
                found += [{"node": name, **driver} for driver in answer.body]
            except ClientError as error:
                silent[name] = error.message
        return found, silent

    def switch(self, to: Optional[str] = None, reason: str = "") -> Dict[str, Any]:
        """Move the active role, to the best-caught-up passive unless ``to`` names one; return the new status.

        The answer is often lost, since the VIP that it would come through moves away; then the status is asked.
        """
        before = self.cluster_status()
        try:
            self.post("/system/switch", {"to": to, "reason": reason}, attempt=self.connection.timeout, repeat=False)
        except ClientError as error:
            if error.outcome != "unknown" or error.status is not None:
                raise
            lost: Optional[ClientError] = error
        else:
            lost = None
        end = time.monotonic() + self.connection.timeout
        pause = 0.1
        while True:
            now = self._serving_status(end)
            moved = now.get("epoch") != before.get("epoch") or now.get("active") == to
            if now.get("serving") and (moved or lost is None):
                return now
            if time.monotonic() >= end:
                late = "the role was handed over, but the new active does not serve yet"
                raise lost or ClientError("unavailable", late, retriable=True)
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _serving_status(self, end: float) -> Dict[str, Any]:
        try:
            return self.cluster_status()
        except ClientError as error:
            if error.retriable and time.monotonic() < end:
                return {}
            raise


def scope_of(
    profile: Optional[str] = None, project: Optional[str] = None, viewer: bool = False, guest: Optional[str] = None
) -> Dict[str, str]:
    """Return the scope of a token that a person means by these words; ClientError for words that do not go together."""
    if guest and (profile or project or viewer):
        raise ClientError("usage", "a guest's token is for its host alone: leave out profile, project and viewer")
    if guest:
        return {"kind": "guest", "name": guest}
    if profile and (project or viewer):
        raise ClientError("usage", "a token is for a profile, or for a project or a viewer, not for both")
    if viewer:
        return {"kind": "viewer", **({"project": project} if project else {})}
    if project:
        return {"kind": "project", "name": project}
    return {"kind": "profile", "name": profile} if profile else {"kind": "admin"}


def leased(tie: Optional[str] = None, lease: Optional[str] = None, token: Optional[int] = None) -> Dict[str, str]:
    """Return what makes a change depend on leases: its param goes with lease ``tie``; only while ``lease`` holds what has ``token``."""
    headers = {} if tie is None else {"Baton-Lease": tie}
    if lease is not None:
        headers["If-Lease"] = f"{lease};{token}"
    return headers


def described(kind: str, name: str, param: Optional[str]) -> str:
    if not name:
        return f"the number of {kind}"
    return f"{singular(kind)} {name!r}" if param is None else f"param {param!r} of {singular(kind)} {name!r}"


def _document(kind: str, name: str) -> str:
    return f"/{kind}/{quoted_key(kind, name)}"


def _param(kind: str, name: str, param: str) -> str:
    return f"/{kind}/{quoted_key(kind, name)}/params/{quoted(param)}"


def _timed_out(
    error: ClientError, kind: str, name: str, param: Optional[str], condition: str, value: Any, patience: Patience
) -> ClientError:
    wanted = f"{condition} {short(value)}" if condition in WITH_VALUE else condition
    message = f"{described(kind, name, param)}: waited {patience.spent} in vain for: {wanted}; {found_in(error.problem)}"
    return ClientError("conflict", message, 408, error.problem)
