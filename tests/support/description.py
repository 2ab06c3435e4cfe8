# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's description as a judge of requests: what of one that goes out does the description forbid?

And what OpenAPI 3.0 can't say: ``completed`` makes a random request keep the rules of which one part depends on another.
"""

import itertools
import json
import re
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema_rs

from baton.adapters.http.app import RESOURCES
from baton.adapters.http.description import describe
from baton.core.model.conditions import WITH_VALUE
from baton.core.model.kinds import DOCUMENTS

RAW = describe(RESOURCES)
METHODS = ("get", "put", "post", "patch", "delete")
PROBES = ("/active", "/passive", "/in-sync", "/health", "/metrics")  # they ignore what they do not know
LISTS = tuple(f"/{kind}" for kind in DOCUMENTS)  # their queries select by members of documents, whatever those are called
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
_numbers = itertools.count(1)


class Description:
    """A description, with its references followed."""

    def __init__(self, raw):
        self.raw = raw
        self._validators = {}

    def operation(self, template, method):
        return self.raw["paths"][template][method.lower()]

    def parameters(self, template, method, where):
        """Return name → parameter of those that stand in ``where``."""
        found = [*self.raw["paths"][template].get("parameters", []), *self.operation(template, method).get("parameters", [])]
        listed = [self.follow(item) for item in found]
        return {item["name"]: item for item in listed if item["in"] == where}

    def forbids_something(self, pair):
        """Return whether an operation, (path, method), has more than an unknown parameter that can be wrong."""
        has_body = "application/json" in self.operation(*pair).get("requestBody", {}).get("content", {})
        return has_body or any(self.parameters(*pair, where) for where in ("path", "query", "header"))

    def follow(self, item):
        while "$ref" in item:
            place = self.raw
            for part in item["$ref"][2:].split("/"):
                place = place[part]
            item = place
        return item

    def allows(self, schema, value):
        """Return whether a schema of OpenAPI 3.0 allows a JSON value."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.Draft7Validator(self._plain(schema))
        return self._validators[key].is_valid(value)

    def _plain(self, schema):
        """Return a schema of OpenAPI 3.0 as JSON Schema has it."""
        if isinstance(schema, list):
            return [self._plain(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        followed = {name: item for name, item in self.follow(schema).items() if name not in ("example", "default")}
        made = {name: item if name in ("enum", "required") else self._plain(item) for name, item in followed.items()}
        if made.pop("exclusiveMinimum", False) is True:
            made["exclusiveMinimum"] = made.pop("minimum")
        return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", False) is True else made

    # --- what is wrong with a request -----------------------------------------------------------------------------------

    def violations(self, template, method, path_parameters, sent):
        """Return what a prepared request has that the description forbids, as it goes over the wire; [] when all is well."""
        query = parse_qsl(urlsplit(sent.url).query, keep_blank_values=True)
        return [
            *self._in_path(template, method, path_parameters),
            *self._in_query(template, method, query),
            *self._in_headers(template, method, sent.headers),
            *self._in_body(template, method, sent),
        ]

    def _in_path(self, template, method, values):
        for name, parameter in self.parameters(template, method, "path").items():
            text = unquote(str(values[name]))
            if text.strip("/") and not self.allows(parameter["schema"], text):  # of nothing but slashes, another path comes
                yield f"path: {name}"

    def _in_query(self, template, method, query):
        known = self.parameters(template, method, "query")
        names = [name for name, _text in query]
        for name, text in query:
            if name not in known:
                if template not in (*LISTS, *PROBES):
                    yield f"query: unknown {name!r}"
            elif names.count(name) > 1:
                yield f"query: {name} twice"
            elif not self._allows_text(known[name], text):
                yield f"query: {name}"

    def _allows_text(self, parameter, text):
        if "content" in parameter:
            return _is_json(text)
        schema = self.follow(parameter["schema"])
        kind = schema.get("type")
        if kind in ("number", "integer"):
            return bool(NUMBER.match(text)) and self.allows(schema, json.loads(text))
        if kind == "array":
            return self.allows(schema, [item for item in text.split(",") if item])
        return self.allows(schema, text)

    def _in_headers(self, template, method, headers):
        for name, parameter in self.parameters(template, method, "header").items():
            text = headers.get(name)
            text = text.decode("latin-1") if isinstance(text, bytes) else text
            if text is not None and not self._allows_text(parameter, text.strip()):
                yield f"header: {name}"

    def _in_body(self, template, method, sent):
        content = self.operation(template, method).get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return
        body = sent.body or b"{}"
        if not _is_json(body):
            yield "body: no JSON"
        elif not self.allows(content["application/json"]["schema"], json.loads(body)):
            yield "body"


def _is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


# --- what one part of a request asks of another ---------------------------------------------------------------------------


def completed(case):
    """Make a request keep what the description says in words only."""
    if case.query:
        _complete_wait(case)
        if isinstance(case.query.get("ttl"), str):
            case.query["ttl"] = _ttl(case.query["ttl"])
    if case.headers.get("Idempotency-Key"):
        case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:100]}{next(_numbers)}"  # one key, one request
    if isinstance(case.body, list) and case.operation.method == "patch":
        _complete_patch(case.body)
    elif isinstance(case.body, dict) and "{param}" not in case.operation.path:
        _complete_body(case)


def _complete_wait(case):
    query, template = case.query, case.operation.path
    wait = query.get("wait")
    if "servers" in RAW["paths"][template]:  # a probe, which waits for seconds
        query["wait"] = 0
        return
    if wait is None:
        for name in ("value", "revision", "timeout", "settled", "escape", "escape_profile", "path"):
            query.pop(name, None)
        return
    if wait in ("in", "count"):
        query["value"] = "[1]" if wait == "in" else query["value"] if str(query.get("value")).isdigit() else "1"
    elif wait in WITH_VALUE:
        query.setdefault("value", "null")
    elif wait == "changed":
        query.setdefault("revision", "1.1")
    if "escape" in query and not template.startswith("/profiles/{"):
        query.setdefault("escape_profile", "web")
    query["timeout"] = min(float(query.get("timeout", 0)), 0.01)  # nobody waits for long here


def _ttl(text):
    """How much a unit may be multiplied by depends on the unit."""
    number, unit = re.fullmatch("([0-9]+)([a-z]?)", text).groups()
    return f"{int(number) % 24 + 1 if unit != 'd' else 1}{unit}"


def _complete_patch(operations):
    """A value can't be moved into itself."""
    for item in operations:
        if item.get("op") == "move" and item["path"].startswith(item["from"] + "/"):
            item["path"] = item["from"]


def _complete_body(case):
    body, template = case.body, case.operation.path
    for name in ("Owner", "Why", "Run", "reason", "by", "cluster_id"):
        if isinstance(body.get(name), str):
            body[name] = _printable(body[name])
    if isinstance(body.get("Members"), list):
        body["Members"] = list(dict.fromkeys(map(_printable, body["Members"])))
        body.pop("Count", None)  # one of the two
    if isinstance(body.get("Ttl"), str):
        body["Ttl"] = _ttl(body["Ttl"])
    if "Wait" in body:
        body["Wait"] = min(body["Wait"], 0.01)
    if template == "/batch":
        for change in body["Changes"]:
            _complete_change(change)
        if not all("Param" in change for change in body["Changes"]):
            case.headers.pop("Baton-Lease", None)  # which ties params
    elif template.endswith("}/params"):
        case.body = _named(body)
    elif template.startswith(LISTS):
        _complete_document(body, case.path_parameters)


def _complete_change(change):
    if not DOCUMENTS[change["Kind"]].slashes:
        change["Key"] = change["Key"].replace("/", "-")[:127]
    if isinstance(change.get("Body"), list):
        _complete_patch([item for item in change["Body"] if isinstance(item, dict) and "path" in item])
    elif "Param" not in change and isinstance(change.get("Body"), dict):
        change["Body"].pop(DOCUMENTS[change["Kind"]].identity, None)
        _complete_document(change["Body"], {})


def _complete_document(body, path_parameters):
    """A document has the name that its path says. Names of params are names of members, for which OpenAPI 3.0 has no words."""
    for identity in {kind.identity for kind in DOCUMENTS.values()}:
        if identity.lower() in (path_parameters or {}) and identity in body:
            body[identity] = unquote(path_parameters[identity.lower()])
    if isinstance(body.get("Params"), dict):
        body["Params"] = _named(body["Params"])


def _named(params):
    return {f"p{re.sub('[^A-Za-z0-9_.]', '-', name)[:100]}": value for name, value in params.items()}


def _printable(text):
    """What can be printed grows with Unicode."""
    return "".join(part for part in text if part.isprintable()) or "x"
