# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""openapi.json and the handlers agree in both directions: paths, methods, parameters, bodies, and the statuses of answers.

The API of a node in the test's own process; test_schema.py makes requests up for a real one.
"""

import ast
import asyncio
import inspect
import json
import re

import pytest

from baton.adapters.dcs.store import STORES
from baton.adapters.disk.files import BlobStore
from baton.adapters.http import parameters
from baton.adapters.http.app import RESOURCES, Api, build_app
from baton.adapters.http.description import describe, path_of
from baton.adapters.http.operations import operations_of
from baton.core.model.kinds import DOCUMENTS, KINDS
from baton.daemon.status import Store
from support.cluster import ROOT
from support.description import METHODS, RAW, Description
from support.one_node import OneNode, served

SOURCE = ROOT / "plugins" / "module_utils" / "_baton"
HTTP = sorted((SOURCE / "adapters" / "http").glob("*.py"))
DESCRIPTION = Description(RAW)
BESIDE = {"HEAD", "OPTIONS"}  # as which no operation is described
OF_PEERS = {("Files", "send"), ("Files", "blob")}  # handlers of what nodes ask each other
OF_ALL = {"Authorization", "Content-Encoding", "Expect", "Upgrade"}  # headers of HTTP itself, and of each request


@pytest.fixture
def api(tmp_path):
    nobody = {"is_ha_token": lambda _text: False, "may_order": lambda _request: False, "is_node": lambda _request: False}
    return Api(OneNode().service, BlobStore(tmp_path), version="1", **nobody)


# --- paths and methods ----------------------------------------------------------------------------------------------------


def described(raw):
    return {(method.upper(), path) for path, item in raw["paths"].items() for method in METHODS if method in item}


def test_each_route_is_described_and_what_is_described_has_a_route(api):
    routes = [*api._routes.served(), *api._probes.served()]
    there = {(method, path_of(operation, KINDS.get(kind))) for method, operation, kind in routes}
    assert {item for item in there if item[0] not in BESIDE} == described(RAW)


def test_no_two_operations_have_one_name():
    ids = [item[method]["operationId"] for item in RAW["paths"].values() for method in METHODS if method in item]
    assert len(ids) == len(set(ids))


def test_a_handler_declares_what_it_serves():
    """One that is declared nowhere is served nowhere: its declaration was lost."""
    for resource in RESOURCES:
        declared = {name for _operation, name in operations_of(resource)}
        handlers = {name for name, it in vars(resource).items() if inspect.iscoroutinefunction(it) and name[0] != "_"}
        assert {(resource.__name__, name) for name in handlers - declared} <= OF_PEERS


def test_what_the_server_has_beside_the_api_is_of_nodes_and_drivers(tmp_path):
    nobody = {"is_ha_token": lambda _text: False, "may_order": lambda _request: False, "is_node": lambda _request: False}
    app = build_app(OneNode().service, BlobStore(tmp_path), version="1", **nobody)
    assert len(app.router.resources()) == 1  # all go to Api
    wiring = (SOURCE / "daemon" / "wiring.py").read_text()
    routes = re.findall(r'f?"(?:GET|PUT|POST|PATCH|DELETE) ([^"]*)"', wiring[wiring.index("extra_routes=") :])
    assert set(routes) == {"{LINK_PATH}", "{SNAPSHOT_PATH}", "{NOTICE_PATH}", "{DRIVER_PATH}"}


def test_names_in_a_path_are_described():
    for path, item in RAW["paths"].items():
        for method in set(METHODS) & set(item):
            assert set(DESCRIPTION.parameters(path, method, "path")) == set(re.findall(r"\{(\w+)\}", path))


def test_a_kind_with_params_has_no_slashes_in_its_keys():
    """Else nobody could tell where the key ends."""
    assert not [kind.name for kind in DOCUMENTS.values() if kind.has_params and kind.slashes]


# --- parameters -----------------------------------------------------------------------------------------------------------


def declared(where):
    taken = [parameter for resource in RESOURCES for operation, _name in operations_of(resource) for parameter in operation.takes]
    return {parameter.name for parameter in taken if parameter.where == where}


def read(*patterns):
    """Return the names that handlers read, as the first text that each pattern has found."""
    texts = [path.read_text() for path in HTTP if path.name not in ("parameters.py", "description.py", "server.py", "connection.py")]
    return {name for text in texts for pattern in patterns for name in re.findall(pattern, text)}


def test_the_query_that_is_read_is_the_one_that_is_declared():
    """In both directions: what is not declared is refused, and what nobody reads promises something."""
    names = read(r'query\.get\("(\w+)"', r'query\["(\w+)"\]', r'"(\w+)" in (?:request\.)?query', r'(?:number|_seconds)\(\w+, "(\w+)"')
    body = read(r'members\.number\(\w+, "(\w+)"')
    assert names - body == declared("query")


def test_the_headers_that_are_read_are_those_that_are_declared():
    names = read(r'headers\.get\("([\w-]+)"', r'request\.headers\["([\w-]+)"\]', r'"([A-Z][\w-]+)" in request\.headers')
    listed = {name for names in read(r'for header in \(("[\w-]+", "[\w-]+")\)') for name in ast.literal_eval(f"({names})")}
    assert names | listed == declared("header") | OF_ALL


def test_each_parameter_is_of_an_operation():
    made = [value for value in vars(parameters).values() if isinstance(value, parameters.Parameter)]
    assert {parameter.component for parameter in made} <= set(RAW["components"]["parameters"])


# --- bodies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", HTTP, ids=lambda path: path.stem)
def test_the_members_of_a_body_that_are_checked_are_those_that_are_declared(path):
    text = path.read_text()
    checked = set(re.findall(r"members\.check\(.*?, ([A-Z_]+)\)", text))
    assert checked == set(re.findall(r"Body\(object_of\(([A-Z_]+)", text))


def test_what_the_description_refers_to_is_there_and_used():
    text = json.dumps(RAW)
    used = set(re.findall(r'"#/components/(\w+/\w+)"', text))
    there = {f"{part}/{name}" for part, items in RAW["components"].items() if part != "securitySchemes" for name in items}
    assert used <= there
    assert there - used <= {"schemas/Revision", "schemas/Cursor"}  # of answers that are text


# --- answers --------------------------------------------------------------------------------------------------------------

MINIMAL, KEYED = {"Prefer": "return=minimal"}, {"Idempotency-Key": "k1"}
REFUSED = (("/passive", 503), ("/locks/a/b/acquire", 409))  # as it is to be
SWAP = [{"op": "add", "path": "/a", "value": 1}]


def plays():
    """Yield method, path, body and headers of requests, in an order in which each is answered as well as it can be."""
    for kind in DOCUMENTS.values():
        one, named = f"/{kind.name}/x", {kind.identity: "made"}
        yield from [("POST", f"/{kind.name}", named, {}), ("POST", f"/{kind.name}", {**named, kind.identity: "lean"}, MINIMAL)]
        yield from [("GET", f"/{kind.name}", None, {}), ("GET", f"/{kind.name}", None, {"If-None-Match": "last"})]
        yield ("GET", f"{one}?wait=absent", None, {})
        yield from [("PUT", one, {}, {}), ("PUT", one, {}, {}), ("PUT", one, {}, MINIMAL), ("GET", one, None, {})]
        yield from [("GET", one, None, {"If-None-Match": "last"}), ("PATCH", one, SWAP, {}), ("PATCH", one, SWAP, MINIMAL)]
        if kind.has_params:
            all_of, param = f"{one}/params", f"{one}/params/a/b"
            yield from [("PUT", all_of, {"c": 1}, {}), ("PUT", all_of, {"c": 1}, MINIMAL), ("PATCH", all_of, SWAP, {})]
            yield from [("PATCH", all_of, SWAP, MINIMAL), ("GET", all_of, None, {}), ("GET", all_of, None, {"If-None-Match": "last"})]
            yield from [("GET", f"/{kind.name}/none/params?wait=absent", None, {}), ("GET", f"{param}?wait=absent", None, {})]
            yield from [(method, param, {"a": 0}, headers) for method in ("PUT", "POST") for headers in ({}, MINIMAL)]
            yield from [("PATCH", param, SWAP, {}), ("PATCH", param, SWAP, MINIMAL), ("GET", param, None, {})]
            yield from [("GET", param, None, {"If-None-Match": "last"}), ("DELETE", param, None, {})]
    yield from [("POST", "/leases", {"Ttl": 60, "Id": "l"}, {}), ("GET", "/leases", None, {}), ("GET", "/leases/l", None, {})]
    yield from [("POST", "/leases/l/keepalive", None, {}), ("POST", "/locks/a/b/acquire", {"Owner": "x", "Lease": "l"}, {})]
    yield from [("POST", "/locks/a/b/acquire", {"Owner": "y", "Queue": True}, {}), ("GET", "/locks", None, {})]
    yield from [("GET", "/locks/a/b", None, {}), ("POST", "/locks/a/b/release", {"Owner": "x"}, {})]
    yield from [("POST", "/locks/a/b/release", {"Owner": "y"}, {}), ("POST", "/locks/c/acquire", {"Owner": "x"}, KEYED)]
    yield from [("POST", "/locks/c/acquire", {"Owner": "x"}, KEYED), ("DELETE", "/locks/c", None, {}), ("DELETE", "/leases/l", None, {})]
    yield from [("POST", f"/profiles/x/{order}", {"Param": "s", "Candidate": "me"}, {}) for order in ("elect", "resign")]
    yield ("POST", "/barriers/b/arrive", {"Owner": "x", "Count": 2}, {})
    yield from [("POST", f"/barriers/b/{order}", {"Owner": "x"}, {}) for order in ("break", "reset")]
    yield from [("GET", "/barriers", None, {}), ("GET", "/barriers/b", None, {}), ("DELETE", "/barriers/b", None, {})]
    yield ("POST", "/batch", {"Changes": [{"Kind": "profiles", "Key": "x", "Param": "a", "Action": "put", "Body": 1}]}, {})
    yield from [("POST", "/tokens", {"Scope": {"kind": "viewer"}, "Ttl": "1h"}, {}), ("GET", "/tokens", None, {})]
    yield from [("POST", "/profiles/x/token", None, {}), ("GET", "/tokens/self", None, {}), ("DELETE", "/tokens/last", None, {})]
    yield from [("PUT", "/files/a/b", "text", {}), ("PUT", "/files/a/b", "text", {}), ("GET", "/files", None, {})]
    yield from [("GET", "/files/a/b", None, {}), ("GET", "/files/a/b", None, {"Range": "bytes=0-1"})]
    yield from [("GET", "/files/a/b", None, {"If-None-Match": "last"}), ("DELETE", "/files/a/b", None, {})]
    yield from [("GET", path, None, {}) for path in ("/info", "/system/ha", "/system/history", "/system/drivers", "/openapi.json")]
    yield from [("GET", path, None, {}) for path in ("/active", "/passive", "/in-sync", "/health", "/metrics")]
    yield ("GET", "/events", None, {})
    yield from [("DELETE", f"/{kind}/x", None, {}) for kind in DOCUMENTS]


async def played(tmp_path):
    """Play the requests; return method, path, status, headers and body of each answer."""
    node, found, last = OneNode(), [], {"etag": "", "token": ""}
    node.service.dcs = lambda: Store("local", True, None)
    async with served(node, tmp_path) as session:
        for method, path, body, headers in plays():
            root = path.partition("?")[0] in RAW["paths"] and "servers" in RAW["paths"][path.partition("?")[0]]
            sent = {name: text.replace("last", last["etag"]) for name, text in headers.items()}
            url = ("" if root else "/api/v3") + path.replace("last", last["token"])
            data = None if body is None else body if isinstance(body, str) else json.dumps(body)
            async with session.request(method, url, data=data, headers=sent) as answer:
                endless = answer.content_type == "text/event-stream"
                text = await answer.content.readline() if endless else await answer.read()
                last["etag"] = answer.headers.get("ETag", last["etag"])
                if path == "/tokens" and method == "POST":
                    last["token"] = json.loads(text)["Id"]
                found.append((method, path.partition("?")[0], answer.status, answer.headers.copy(), text))
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    return asyncio.run(played(tmp_path_factory.mktemp("played")))


def template_of(path):
    """Return the path of the description that a path is of: the one with the fewest names."""
    fits = [item for item in RAW["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "(.+)", item), path)]
    return max(fits, key=lambda item: (len(re.sub(r"\{\w+\}", "", item)), item))


def test_each_answer_is_as_described(answers):
    for method, path, status, headers, text in answers:
        operation = RAW["paths"][template_of(path)][method.lower()]
        told = f"{method} {path} → {status} {text[:300]!r}"
        assert str(status) in operation["responses"], told
        assert status < 400 or (path, status) in REFUSED, told
        answer = DESCRIPTION.follow(operation["responses"][str(status)])
        kind = headers.get("Content-Type", "").partition(";")[0]
        content = answer.get("content", {})
        assert (kind in content) == bool(content), told
        assert all(name in headers for name, header in answer.get("headers", {}).items() if header.get("required")), told
        if kind == "application/json":
            assert DESCRIPTION.allows(content[kind]["schema"], json.loads(text)), told


def test_each_answer_that_is_described_comes(answers):
    """But those to orders to the cluster, which one node alone does not carry out, and of a passive: tests/daemon has them."""
    came = {(method, template_of(path), status) for method, path, status, _headers, _text in answers}
    told = {
        (method.upper(), path, int(status))
        for path, item in RAW["paths"].items()
        for method in set(METHODS) & set(item)
        for status, answer in item[method]["responses"].items()
        if "$ref" not in answer and not (path.startswith("/system/") and method != "get")
    }
    assert told - came == {("GET", "/passive", 200), *(("GET", path, 503) for path in ("/active", "/in-sync", "/health"))}


# --- the judges -----------------------------------------------------------------------------------------------------------


class TestTheJudges:
    """What is said here of a description is not said of one with a mistake."""

    @pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.__name__)
    def test_a_resource_that_is_not_described(self, resource):
        rest = [other for other in RESOURCES if other is not resource]
        assert described(describe(rest)) != described(RAW)

    def test_an_answer_of_another_form(self):
        schema = RAW["paths"]["/leases/{id}/keepalive"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert DESCRIPTION.allows(schema, {"Id": "a", "Ttl": 1}) and not DESCRIPTION.allows(schema, {"Id": "a", "TTL": 1})


def test_the_stores_that_are_described_are_those_that_there_are():
    described = RAW["components"]["schemas"]["Status"]["properties"]["dcs"]["enum"]
    assert sorted(described) == sorted(STORES)
