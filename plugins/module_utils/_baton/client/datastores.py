# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client of the API of datastores: instances, clusters and configurations of one project as methods.

Every method raises ClientError and nothing else. Where it is, is decided in connection.py; what is asked again, in transport.py.
"""
from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Union
from urllib.parse import quote

from ..ground.version import VERSION
from .api import UNSET, encoded
from .connection import Connection, datastores_from
from .error import ClientError, from_problem
from .transport import Answer, Call, Failure, Transport

Value = Dict[str, Any]


class DatastoresTransport(Transport):
    """Transport in the words of Trove: a refusal is an object with one member, such as {"badRequest": {"code", "message"}}."""

    prefix = "/v1.0"

    def _read(self, url: str, call: Call, response: Any) -> Union[Answer, Failure]:
        if 200 <= int(response.status_code) < 300 and not response.content:
            return Answer(int(response.status_code), None, None, False, url, response)
        return super()._read(url, call, response)

    def refusal(self, status: int, kind: str, value: Any) -> Optional[ClientError]:
        inner = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else None
        if kind != "application/json" or not isinstance(inner, dict) or not isinstance(inner.get("message"), str):
            return None
        # Whoever is not served may have been heard: the manager may have asked the cluster, and not heard how that ended.
        outcome = {"outcome": "unknown"} if status >= 500 else {}
        error = from_problem(status, {"type": f"urn:baton:datastores:{next(iter(value))}", "detail": inner["message"], **outcome})
        if status == 422:  # Trove's word for what can't be now, such as while something else is being done
            error.kind = "conflict"
        return error


def connect(options: Mapping[str, Any], environ: Mapping[str, str], session: Any = None) -> "Datastores":
    """Return a client for options and environment, as datastores_from explains them; ``session`` is Transport's."""
    connection, project = datastores_from(options, environ)
    return Datastores(connection, project, session=session)


def segment(name: str) -> str:
    """Return a name as one segment of a path; ClientError "usage" for one that would mean another path."""
    if name in ("", ".", "..") or not name.isprintable():
        raise ClientError("usage", f"{name!r} can't be asked for by name; give its id")
    return quote(name, safe="")


class Datastores:
    """A client for one project and one thread. Use ``close`` or a ``with`` block to end its connections.

    Instances, clusters and configurations are named by id; the API takes names, too, where one alone has it.
    """

    def __init__(
        self, connection: Connection, project: str, user_agent: str = "baton", notice: Optional[Callable[[str], None]] = None,
        session: Any = None,
    ) -> None:  # fmt: skip
        self.connection, self.project = connection, project
        self._transport = DatastoresTransport(connection, f"{user_agent}/{VERSION}", notice, session)

    def __enter__(self) -> "Datastores":
        return self

    def __exit__(self, *_exc: Any) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def request(self, method: str, path: str, body: Any = UNSET, query: Optional[Mapping[str, str]] = None, **call: Any) -> Any:
        """Send one request with its retries, and return the value of its answer; ``path`` stands below the project."""
        headers, open_body = {}, None
        if body is not UNSET:
            headers, open_body = {"Content-Type": "application/json"}, partial(bytes, encoded(body))
        call.setdefault("total", self.connection.timeout)
        asked = Call(method, f"/{segment(self.project)}{path}", query=query or {}, headers=headers, open_body=open_body, **call)
        return self._transport.send(asked).body

    def _list(self, kind: str) -> List[Value]:
        """Return all of a kind, page by page."""
        found: List[Value] = []
        marker: Dict[str, str] = {}
        while True:
            page = self.request("GET", f"/{kind}", query=marker)
            found.extend(page[kind])
            if not page.get("links"):
                return found
            marker = {"marker": str(page[kind][-1]["id"])}

    # --- instances --------------------------------------------------------------------------------------------------------

    def instances(self) -> List[Value]:
        """Return all instances in full, in the order of their ids."""
        return self._list("instances")

    def instance(self, key: str) -> Value:
        return dict(self.request("GET", f"/instances/{segment(key)}")["instance"])

    def history(self, key: str) -> List[Value]:
        """Return what was done with the set of an instance, the latest last."""
        return [*self.request("GET", f"/instances/{segment(key)}/history")["history"]]

    def explain(self, key: str) -> Value:
        """Return what is being done with the set of an instance, what that waits for, and what undoing it would do."""
        return dict(self.request("GET", f"/instances/{segment(key)}/explain")["explain"])

    def create(self, wanted: Value, idempotency_key: str) -> Value:
        """Make an instance, or replicas of one; return the last one made. The same key makes nothing twice within ten minutes."""
        return dict(self.request("POST", "/instances", {"instance": wanted}, key=idempotency_key)["instance"])

    def change(self, key: str, **members: Any) -> None:
        """Rename an instance, or give it another configuration (None takes it off)."""
        self.request("PUT", f"/instances/{segment(key)}", {"instance": members})

    def act(self, key: str, action: str) -> None:
        """Have an action carried out. It is not asked for twice: where nobody answers, the error's outcome is "unknown"."""
        self.request("POST", f"/instances/{segment(key)}/action", {action: {}}, repeat=False)

    def delete(self, key: str) -> None:
        self.request("DELETE", f"/instances/{segment(key)}")

    # --- clusters ---------------------------------------------------------------------------------------------------------

    def clusters(self) -> List[Value]:
        """Return all clusters with their members in full, in the order of their ids."""
        return self._list("clusters")

    def cluster(self, key: str) -> Value:
        return dict(self.request("GET", f"/clusters/{segment(key)}")["cluster"])

    def history_of_cluster(self, key: str) -> List[Value]:
        """Return what was done with a cluster, the latest last."""
        return [*self.request("GET", f"/clusters/{segment(key)}/history")["history"]]

    def create_cluster(self, wanted: Value, idempotency_key: str) -> Value:
        """Make a cluster. The same key makes nothing twice within ten minutes."""
        return dict(self.request("POST", "/clusters", {"cluster": wanted}, key=idempotency_key)["cluster"])

    def act_on_cluster(self, key: str, action: str, what: Any = None) -> None:
        """Have an action carried out, which ``what`` says more of. It is not asked for twice, as ``act``."""
        self.request("POST", f"/clusters/{segment(key)}", {action: {} if what is None else what}, repeat=False)

    def delete_cluster(self, key: str) -> None:
        self.request("DELETE", f"/clusters/{segment(key)}")

    # --- configurations ---------------------------------------------------------------------------------------------------

    def configurations(self) -> List[Value]:
        """Return all configurations, without their values."""
        return self._list("configurations")

    def configuration(self, key: str) -> Value:
        return dict(self.request("GET", f"/configurations/{segment(key)}")["configuration"])

    def create_configuration(self, wanted: Value, idempotency_key: str) -> Value:
        return dict(self.request("POST", "/configurations", {"configuration": wanted}, key=idempotency_key)["configuration"])

    def edit_configuration(self, key: str, replace: bool, **members: Any) -> None:
        """Change name, description or values. ``replace``: the values are all that it is to have."""
        self.request("PUT" if replace else "PATCH", f"/configurations/{segment(key)}", {"configuration": members})

    def delete_configuration(self, key: str) -> None:
        self.request("DELETE", f"/configurations/{segment(key)}")

    # --- the catalogue ----------------------------------------------------------------------------------------------------

    def datastores(self) -> List[Value]:
        return [*self.request("GET", "/datastores")["datastores"]]

    def flavors(self) -> List[Value]:
        return [*self.request("GET", "/flavors")["flavors"]]

    def parameters(self, datastore: str, version: str) -> List[Value]:
        path = f"/datastores/{segment(datastore)}/versions/{segment(version)}/parameters"
        return [*self.request("GET", path)["configuration-parameters"]]
