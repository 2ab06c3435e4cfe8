# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a handler declares what it serves: path, parameters, body and answers stand above it, and nowhere else.

routes.py finds handlers by it, query.py refuses what it does not name, description.py makes openapi.json of it.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

from ...core.model.kinds import Kind

Schema = Dict[str, Any]
Handler = TypeVar("Handler", bound=Callable[..., Any])
JSON, PATCH, BYTES = "application/json", "application/json-patch+json", "application/octet-stream"


class Parameter(NamedTuple):
    """``where``: path, query or header; ``component``: what the description calls it; ``more``: other members of it there."""

    component: str
    where: str
    name: str
    text: str
    schema: Schema
    more: Mapping[str, Any] = {}


class Answer(NamedTuple):
    """One that is no refusal. ``schema``: None for no body; ``headers``: names in description.HEADERS, with ! those that always come."""

    text: str
    schema: Optional[Schema] = None
    headers: Tuple[str, ...] = ()
    media: str = JSON


class Body(NamedTuple):
    """``medias``: as what it may come."""

    schema: Schema
    required: bool = True
    medias: Tuple[str, ...] = (JSON,)


class Operation(NamedTuple):
    """One method on one path below /api/v3, or with ``outside`` below /. ``refusals``: the statuses of problem documents.

    A {name} in ``path`` is handed to the handler as that; {name...} may hold slashes. Of what is for several ``kinds`` {kind} and
    {key} are handed on, and in all texts {kind}, {Kinds}, {one} and {One} mean the kind: "profiles", "Profiles", "profile",
    "Profile". ``also``: methods that are answered as this one is. ``selects``: any other parameter selects by a member.
    """

    method: str
    path: str
    id: str
    summary: str
    takes: Tuple[Parameter, ...]
    body: Optional[Body]
    answers: Mapping[int, Answer]
    refusals: Tuple[int, ...]
    tag: str
    kinds: Tuple[Kind, ...]
    also: Tuple[str, ...]
    selects: bool
    needs_token: bool
    outside: bool

    def has_header(self, name: str) -> bool:
        return any(parameter.where == "header" and parameter.name == name for parameter in self.takes)


def operation(
    method: str, path: str, id: str, summary: str, *, answers: Mapping[int, Answer], refusals: Sequence[int],
    takes: Sequence[Parameter] = (), body: Optional[Body] = None, tag: str = "", kinds: Sequence[Kind] = (),
    also: Sequence[str] = (), selects: bool = False, needs_token: bool = True, outside: bool = False,
) -> Callable[[Handler], Handler]:  # fmt: skip
    """Declare that the method below serves this; several times for several operations. HEAD is ``also`` of who answers GET."""

    def declare(handler: Handler) -> Handler:
        declared = Operation(
            method, path, id, summary, tuple(takes), body, answers, tuple(sorted(refusals)), tag or path.split("/")[1], tuple(kinds),
            tuple(also), selects, needs_token, outside,
        )  # fmt: skip
        handler.__dict__.setdefault("operations", []).insert(0, declared)
        return handler

    return declare


def operations_of(resource: Union[type, object]) -> List[Tuple[Operation, str]]:
    """Return what the methods of a resource declare, each with the method's name, in the order in which they stand there."""
    there = vars(resource if isinstance(resource, type) else type(resource))
    return [(declared, name) for name, method in there.items() for declared in getattr(method, "operations", ())]


def asked(*more: int) -> Tuple[int, ...]:
    """Return how a request with a token may be refused, whatever it asks."""
    return (400, 401, 403, 503, *more)


READING = asked(307)
WAITING = (408, 409, 429)
CHANGING = asked(307, 409, 412, 413, 422, 507)
ORDERING = asked(307, 409, 413, 422)
NEVER_READ_AGAIN = ("Cache-Control!",)
HEAD = ("HEAD",)


def ref(name: str) -> Schema:
    """Return what refers to a schema of the description."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(name: str) -> Schema:
    return {"type": "array", "items": ref(name)}


def object_of(properties: Schema, required: Sequence[str] = (), **more: Any) -> Schema:
    """Return the schema of an object that has these members and no others."""
    made: Schema = {"type": "object", "properties": properties}
    if required:
        made["required"] = list(required)
    return {**made, "additionalProperties": False, **more}
