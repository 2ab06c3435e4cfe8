# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""openapi.json: the API's description (OpenAPI 3.0), made of what the handlers declare. schemas.json has what they refer to."""
from __future__ import annotations

import json
import pkgutil
import re
from typing import Any, Dict, Iterable, List, Optional

from ...core.model.kinds import DOCUMENTS, Kind
from ...ground.version import VERSION
from .operations import Operation, Parameter, Schema, operations_of, ref
from .parameters import key_of

PROBLEM = "application/problem+json"
ABOUT = (
    "Replicated documents, leases, locks, seats, barriers, events, files, tokens and the state of the cluster. A passive answers "
    "with 307 to the active. What is not well-formed HTTP, or asks for what no request here has, may get 405, 414, 415, 417 or 431 "
    "anywhere. Parameters and members of orders that are not described are refused; documents keep theirs. HEAD is answered as "
    "GET is, but for events, and OPTIONS with the methods of a path."
)
_RETRY = {"Retry-After": {"required": True, "schema": {"type": "string"}}}
_LOCATION = {"Location": {"required": True, "schema": {"type": "string"}}}
_AUTHENTICATE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
REFUSALS: Dict[int, Any] = {  # status → name, text, headers
    307: ("Redirect", "The same at the active, which Location names", _LOCATION),
    400: ("BadRequest", "Not well-formed: the path, the query, a header or the body", {}),
    401: ("Unauthorized", "No token, or one that is not valid (any more)", _AUTHENTICATE),
    403: ("Forbidden", "This token does not allow it", {}),
    404: ("NotFound", "There is no such thing", {}),
    408: ("WaitTimeout", "It did not come true in time; found and missing say what stands there", {}),
    409: ("Conflict", "It does not fit what stands there, and nothing was changed", {}),
    410: ("Gone", "The log does not go back that far, or is another one", {}),
    412: ("PreconditionFailed", "If-Match, If-None-Match or If-Lease does not hold; nothing was changed", {}),
    413: ("TooLarge", "More than one request may be", {}),
    416: ("BadRange", "The content is shorter", {}),
    422: ("Unprocessable", "A body that says what can't be done, or an Idempotency-Key of another request", {}),
    429: ("TooMany", "As much as this token may have is open already", _RETRY),
    503: ("Unavailable", "Not now; outcome says whether something may have been changed", _RETRY),
    507: ("Full", "There is no room for it; nothing was changed", {}),
}
_ETAG = {"type": "string", "pattern": '^"[^"]+"$'}
HEADERS: Dict[str, Any] = {  # of answers; with ! those that always come
    "ETag!": {"required": True, "description": "The revision", "schema": _ETAG},
    "ETag": {"description": "The revision that it left, of what is there still", "schema": _ETAG},
    "Idempotency-Replayed": {
        "description": "The answer to the first request with this key",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Cache-Control!": {"required": True, "schema": {"type": "string", "enum": ["no-store"]}},
    "Accept-Ranges!": {"required": True, "schema": {"type": "string", "enum": ["bytes"]}},
    "Content-Range!": {"required": True, "schema": {"type": "string", "pattern": "^bytes [0-9]+-[0-9]+/[0-9]+$"}},
}
MEMBERS: Dict[str, Schema] = {  # of documents, by name; what is not here may be anything
    "Name": {"description": "What it is called, by convention", "example": "web-1"},
    "Description": {"description": "A text for people, by convention", "example": "the web servers"},
    "Meta": {"description": "An object, by convention", "example": {"icon": "anchor"}},
    "Params": ref("Params"),
    "Profiles": {"description": "Names of profiles, by convention", "example": ["web"]},
    "Schema": {
        "type": "object",
        "properties": {},
        "additionalProperties": True,
        "description": "A JSON Schema; its default is what the param reads as while it is unset",
        "example": {"type": "string", "default": "none"},
    },
}


def describe(resources: Iterable[type]) -> Dict[str, Any]:
    """Return the description of what the handlers of these classes serve."""
    operations = [declared for resource in resources for declared, _method in operations_of(resource)]
    paths: Dict[str, Any] = {}
    parameters: Dict[str, Any] = {}
    tags: List[str] = []
    for item in operations:
        for kind in item.kinds or (None,):
            path = path_of(item, kind)
            there = paths.setdefault(path, {"servers": [{"url": "/"}]} if item.outside else {})
            there[item.method.lower()] = _operation(item, kind)
            parameters.update((taken.component, _parameter(taken)) for taken in _taken(item, kind))
            tags += [tag for tag in [_said(item.tag, kind)] if tag not in tags]
    return {
        "openapi": "3.0.3",
        "info": {"title": "Baton", "version": VERSION, "description": ABOUT, "license": {"name": "GPL-3.0-or-later"}},
        "servers": [{"url": "/api/v3"}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {name: _refusal(text, headers) for name, text, headers in REFUSALS.values()},
            "parameters": parameters,
            "schemas": _schemas(),
        },
    }


def path_of(item: Operation, kind: Optional[Kind] = None) -> str:
    """Return the path of an operation as the description has it."""
    return _said(item.path, kind).replace("...}", "}")


def _said(text: str, kind: Optional[Kind]) -> str:
    """Return a text of an operation as it is for one of its kinds."""
    if kind is None:
        return text
    words = {
        "{kind}": kind.name,
        "{Kinds}": kind.name.capitalize(),
        "{one}": kind.singular,
        "{One}": kind.singular.capitalize(),
        "{key}": f"{{{kind.identity.lower()}}}",
    }
    return re.sub(r"\{\w+\}", lambda found: words.get(found.group(0), found.group(0)), text)


def _taken(item: Operation, kind: Optional[Kind]) -> List[Parameter]:
    return [*([key_of(kind)] if kind is not None and "{key}" in item.path else []), *item.takes]


def _operation(item: Operation, kind: Optional[Kind]) -> Dict[str, Any]:
    made: Dict[str, Any] = {
        "operationId": _said(item.id, kind),
        "tags": [_said(item.tag, kind)],
        "summary": _said(item.summary, kind),
        "parameters": [{"$ref": f"#/components/parameters/{taken.component}"} for taken in _taken(item, kind)],
    }
    if item.body is not None:
        schema = _of_kind(item.body.schema, kind)
        made["requestBody"] = {"required": item.body.required, "content": {media: {"schema": schema} for media in item.body.medias}}
    made["responses"] = {}
    for status, answer in sorted(item.answers.items()):
        told: Dict[str, Any] = {"description": answer.text}
        if answer.headers:
            told["headers"] = {name.rstrip("!"): HEADERS[name] for name in answer.headers}
        if answer.schema is not None:
            told["content"] = {answer.media: {"schema": _of_kind(answer.schema, kind)}}
        made["responses"][str(status)] = told
    for status in item.refusals:
        made["responses"][str(status)] = {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}
    if not item.needs_token:
        made["security"] = []
    return made


def _of_kind(schema: Schema, kind: Optional[Kind]) -> Schema:
    made: Schema = json.loads(_said(json.dumps(schema), kind))
    return made


def _parameter(taken: Parameter) -> Dict[str, Any]:
    made: Dict[str, Any] = {"name": taken.name, "in": taken.where}
    if taken.where == "path":
        made["required"] = True
    schema = {} if "content" in taken.more else {"schema": taken.schema}
    return {**made, "description": taken.text, **schema, **taken.more}


def _refusal(text: str, headers: Dict[str, Any]) -> Dict[str, Any]:
    made: Dict[str, Any] = {"description": text}
    if headers:
        made["headers"] = headers
    return {**made, "content": {PROBLEM: {"schema": ref("Problem")}}}


def _schemas() -> Dict[str, Any]:
    made: Dict[str, Any] = json.loads(pkgutil.get_data(__package__ or "", "schemas.json") or b"{}")
    for kind in DOCUMENTS.values():
        made.update(_schemas_of(kind))
    return made


def _schemas_of(kind: Kind) -> Dict[str, Any]:
    """Return what a document of a kind is, as what it is put, and as what it is made."""
    one = kind.singular.capitalize()
    key = ref("ParamName" if kind.slashes else "Name")
    members = {name: MEMBERS.get(name, {}) for name in kind.members}
    body = {"type": "object", "properties": {kind.identity: key, **members}, "additionalProperties": True}
    new = {**body, "required": [kind.identity]}
    if kind.makes_key:
        given = {"type": "string", "nullable": True, "pattern": "^([A-Za-z0-9_][A-Za-z0-9_.:@-]{0,126})?$"}
        properties = {kind.identity: {**given, "description": "One is made for who gives none"}, **members}
        new = {**body, "properties": properties}
    return {one: {**body, "required": [kind.identity, *members]}, f"{one}Body": body, f"New{one}": new}
