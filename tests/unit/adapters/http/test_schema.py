# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's description and a real batond agree: what it allows is taken, what it forbids is refused, and answers are as it says.

Requests are made up by schemathesis from the description. ``make schema N=500`` makes up more of them for each operation.
"""

import functools
import itertools
import json
import os

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from baton.core.model.kinds import DOCUMENTS
from support.cluster import Cluster, until
from support.description import LISTS, METHODS, PROBES, RAW, Description, completed

EXAMPLES = int(os.environ.get("BATON_SCHEMA_EXAMPLES", "8"))
CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
SECONDS = 10  # in which an answer has to come
WHO = ("admin", "admin", "admin", "profile", "viewer", "project")
TOUCHY = ("If-Match", "If-None-Match", "If-Lease", "Baton-Lease", "Baton-Deadline")  # by which a request is refused that is well-formed

# What may be refused though the description allows it: it depends on what stands there. 404 is not for a path that there is not.
BY_STATE = (403, 404, 408, 409, 410, 412, 413, 429, 507)
BY_CONTENT = {
    (400, "bad_name"): "a pointer of a patch leads into Params, to what can't name a param",
    (422, "identity"): "a patch changes the name of a document",
    (422, "bad_params"): "a patch makes something else of Params",
    (422, "bad_schema"): "a patch makes something else of Schema",
    (422, "not_an_object"): "a patch makes something else of the whole document",
    (422, "bad_candidate"): "the candidate is the very value that means an empty seat",
    (422, "digest_differs"): "the content is another one than its digest says",
    (400, "bad_path"): "a file's path is counted in bytes, and the description counts characters",
    (416, "bad_range"): "the content is shorter than the range",
    (503, "deadline_passed"): "the request's own deadline has passed",
}
ONLY_PATCHES = ("bad_name", "identity", "bad_params", "bad_schema", "not_an_object")

# What names of the paths are there, made anew before each request: PUT or POST, path, body. {} is "web", or "doomed" for DELETE.
THERE = {
    "/profiles/{name}": ("PUT", "/profiles/{}", {"Meta": {"a": [1]}, "Params": {"a": 1, "my/leader": "none"}}),
    "/machines/{uuid}": ("PUT", "/machines/{}", {"Name": "x", "Meta": {}, "Params": {"a": {"b": 1}}, "Profiles": ["web"]}),
    "/params/{name}": ("PUT", "/params/{}", {"Schema": {"default": "none"}}),
    "/leases/{id}": ("POST", "/leases", {"Id": "{}", "Ttl": "1h", "Owner": "web-1"}),
    "/locks/{name}": ("POST", "/locks/{}/acquire", {"Owner": "web-1", "Data": [1]}),
    "/barriers/{name}": ("POST", "/barriers/{}/arrive", {"Owner": "web-1", "Count": 3}),
    "/files/{path}": ("PUT", "/files/{}", "content"),
    "/tokens/{id}": ("POST", "/tokens", {"Scope": {"kind": "viewer"}, "Ttl": "1h"}),
}
for _kind in DOCUMENTS.values():
    THERE.setdefault(f"/{_kind.name}/{{{_kind.identity.lower()}}}", ("PUT", f"/{_kind.name}/{{}}", {}))
KEYS = sorted({_kind.identity.lower() for _kind in DOCUMENTS.values()} | {"name", "id", "path", "node"})  # of what is there, in paths
VALUES = {**dict.fromkeys(KEYS, "web"), "param": "a", "id": "0" * 16, "node": "n9"}
TEXT = json.dumps(RAW)
_keys = itertools.count()
DESCRIPTION = Description(RAW)
OPERATIONS = [(path, method) for path, item in RAW["paths"].items() for method in METHODS if method in item]


def outside(path):
    """Return whether a path stands below /, not below /api/v3."""
    return "servers" in RAW["paths"].get(path, {})


@functools.lru_cache
def made_up(text):
    """Return (path, method) → operation, to make up requests for; each test adds its own token."""
    open_to_all = json.loads(text)
    del open_to_all["security"]
    found = [result.ok() for result in schemathesis.openapi.from_dict(open_to_all).get_all_operations()]
    return {(operation.path, operation.method): operation for operation in found}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("schema"), 1, "local") as cluster:
        yield Server(cluster)


class Server:
    """A batond with one of everything, and tokens of each kind."""

    def __init__(self, cluster):
        self.node, self.base = cluster.n1, f"{cluster.n1.url}/api/v3"
        self.tokens = {"admin": cluster.token}
        self.session = requests.Session()
        self.ask("PUT", "/profiles/web", {})
        for name, scope in (("profile", "web"), ("project", "web"), ("viewer", None)):
            asked = {"Scope": {"kind": name, **({"name": scope} if scope else {})}}
            self.tokens[name] = self.ask("POST", "/tokens", asked).json()["Token"]

    def base_of(self, path):
        return self.node.url if outside(path.partition("?")[0]) else self.base

    def ask(self, method, path, body=None, who="admin"):
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        data = None if body is None else json.dumps(body)
        return self.session.request(method, self.base_of(path) + path, data=data, headers=headers, timeout=SECONDS, allow_redirects=False)

    def furnish(self, template, method):
        """Make what the path of a template can name; return that name, or None."""
        kind = next((kind for kind in THERE if template.startswith(kind)), None)
        if kind is None:
            return "n1" if "{node}" in template else None
        name = "doomed" if method == "delete" else "web"
        how, path, body = THERE[kind]
        made = self.ask(how, path.format(name), json.loads(json.dumps(body).replace('"{}"', f'"{name}"')))
        return made.json()["Id"] if kind == "/tokens/{id}" else name

    def prepared(self, case, who):
        """Return the request that a case is, as it goes over the wire."""
        made = case.as_transport_kwargs(base_url=self.base_of(case.operation.path))
        made["headers"] = {name: value for name, value in made["headers"].items() if name.lower() not in ("user-agent", "authorization")}
        made["headers"]["Authorization"] = f"Bearer {self.tokens[who]}"
        made.pop("cookies", None)
        return self.session.prepare_request(requests.Request(**made))

    def send(self, sent):
        """Return the answer. Of a stream only the beginning is read."""
        answer = self.session.send(sent, timeout=SECONDS, allow_redirects=False, stream=True)
        if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            answer._content, answer._content_consumed = next(answer.iter_content(16)), True
            answer.raw.close()
        return answer

    def restore(self, template, answer):
        """Undo what an order to the cluster did: one node that gave its role up would answer 503 from then on."""
        if template == "/system/passive" and answer.status_code == 200:
            assert self.ask("POST", "/system/active", {}).status_code == 200
            until(lambda: self.node.probe("/active"), "it is active again")


def code_of(answer):
    problem = answer.json() if answer.headers.get("Content-Type") == "application/problem+json" else {}
    return problem.get("type", "").rpartition(":")[2]


def told(sent, answer):
    return f"{sent.method} {sent.url}\n{dict(sent.headers)}\n{sent.body!r}\n→ {answer.status_code} {answer.text[:500]}"


def check_answer(case, sent, answer):
    try:
        case.validate_response(answer, checks=CHECKS)
    except BaseException as error:
        raise AssertionError(f"{error}\n{told(sent, answer)}") from None


def check_taken(template, method, who, sent, answer):
    """What the description allows is not refused for its form, and is never too much for the server."""
    status, code = answer.status_code, code_of(answer)
    may_patch = method == "patch" or template == "/batch"
    listed = (status, code) in BY_CONTENT and (code not in ONLY_PATCHES or may_patch) and (code != "bad_path" or "{path}" in template)
    by_state = status in BY_STATE and code != "no_such_path" and (status != 403 or who != "admin")
    answered = "$ref" not in RAW["paths"][template][method]["responses"].get(str(status), {"$ref": ""})  # as the 503 of a probe
    assert status < 400 or by_state or listed or answered, told(sent, answer)


def check_refused(sent, answer, violations):
    """408 is no refusal of the form: it was waited for."""
    late = (answer.status_code, code_of(answer)) == (503, "deadline_passed")
    assert 400 <= answer.status_code < 500 and answer.status_code != 408 or late, f"{violations}\n{told(sent, answer)}"


def with_name(case, name):
    for parameter in KEYS:
        if name is not None and parameter in (case.path_parameters or {}):
            case.path_parameters[parameter] = name


def tried(operation, mode, play, examples=None):
    """Play a number of made-up requests."""
    options = {"derandomize": True, "database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}

    @settings(max_examples=examples or EXAMPLES, phases=[Phase.generate], print_blob=False, **options)
    @given(case=operation.as_strategy(generation_mode=mode), who=st.sampled_from(WHO), there=st.integers(0, 3))
    def run(case, who, there):
        play(case, who, there > 0)

    run()


def play_allowed(server, template, method, text=TEXT):
    operation, description = made_up(text)[template, method], Description(json.loads(text))

    def play(case, who, there):
        name = server.furnish(template, method) if there else None
        with_name(case, name)
        completed(case)
        sent = server.prepared(case, who)
        answer = server.send(sent)
        assert not description.violations(template, method, case.path_parameters, sent), told(sent, answer)
        check_taken(template, method, who, sent, answer)
        check_answer(case, sent, answer)
        server.restore(template, answer)

    tried(operation, GenerationMode.POSITIVE, play)


def play_forbidden(server, template, method, text=TEXT):
    operation, description = made_up(text)[template, method], Description(json.loads(text))

    def play(case, _who, there):
        wrong = {str(where.value): part.mode for where, part in case.meta.components.items()}
        if there and wrong.get("path") != GenerationMode.NEGATIVE:
            with_name(case, server.furnish(template, method))
        if case.headers.get("Idempotency-Key") and wrong.get("header") != GenerationMode.NEGATIVE:
            case.headers["Idempotency-Key"] = f"k{next(_keys)}"
        for name in TOUCHY if wrong.get("header") != GenerationMode.NEGATIVE else ():
            case.headers.pop(name, None)
        sent = server.prepared(case, "admin")
        violations = description.violations(template, method, case.path_parameters, sent)
        assume(violations)  # as it goes over the wire some of what is made up is allowed, and might wait: "1" is a number there
        answer = server.send(sent)
        check_refused(sent, answer, violations)
        check_answer(case, sent, answer)

    tried(operation, GenerationMode.NEGATIVE, play)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_the_description_allows_is_taken(server, path, method):
    play_allowed(server, path, method)


@pytest.mark.parametrize(("path", "method"), [*filter(DESCRIPTION.forbids_something, OPERATIONS)])
def test_what_the_description_forbids_is_refused(server, path, method):
    play_forbidden(server, path, method)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_an_unknown_parameter_is_refused_and_the_known_ones_are_named(server, path, method):
    if path in PROBES or method == "get" and path in LISTS:
        return  # it ignores what it does not know, or selects by a member
    answer = server.ask(method.upper(), f"{path.format(**VALUES)}?typo=1", [] if method == "patch" else {})
    assert (answer.status_code, code_of(answer)) == (400, "bad_query"), answer.text
    known = DESCRIPTION.parameters(path, method, "query")
    assert "'typo'" in answer.json()["detail"] and all(name in answer.json()["detail"] for name in known)


@pytest.mark.parametrize("path", RAW["paths"])
def test_allow_names_what_is_described(server, path):
    if outside(path):
        return  # they answer OPTIONS, too
    allowed = server.ask("OPTIONS", path.format(**VALUES)).headers["Allow"].split(", ")
    described = {method.upper() for method in METHODS if method in RAW["paths"][path]}
    assert described <= set(allowed)
    more = set(allowed) - described - {"HEAD"}
    assert not more or path.startswith(("/locks/", "/barriers/")), more  # a/release is the name of a lock, too


def changed(path, method, change):
    """Return the description with a mistake in the body of one operation."""
    raw = json.loads(TEXT)
    change(raw["paths"][path][method])
    return json.dumps(raw)


def of_body(member, schema):
    def change(operation):
        operation["requestBody"]["content"]["application/json"]["schema"]["properties"][member] = schema

    return change


class TestTheJudges:
    """A mistake in the description of one operation does not go unnoticed."""

    def test_a_description_that_allows_what_the_server_refuses(self, server):
        text = changed("/locks/{name}/acquire", "post", of_body("Slots", {"type": "string"}))
        with pytest.raises(AssertionError, match="Slots is a whole number"):
            play_allowed(server, "/locks/{name}/acquire", "post", text)

    def test_a_description_that_forbids_what_the_server_takes(self, server):
        text = changed("/system/pause", "post", of_body("by", {"type": "string", "enum": ["alice"]}))
        with pytest.raises(AssertionError, match="→ 200"):
            play_forbidden(server, "/system/pause", "post", text)

    def test_a_description_of_another_answer(self, server):
        text = changed("/system/pause", "post", lambda operation: operation["responses"].pop("200"))
        with pytest.raises(AssertionError, match="Undocumented status code"):
            play_allowed(server, "/system/pause", "post", text)
