# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl without a cluster: arguments, exit statuses, output, and what it shows of a status it is given."""

import io
import json

import pytest

from baton.cli import output
from baton.cli.common import value_of
from baton.cli.ha import sentence
from baton.cli.output import Output
from support.scripted_server import Answer, ScriptedServer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-5", -5), ("true", True), ("null", None), ('"x"', "x"), ("x", "x"), ("", ""), ("none", "none"),
        ('{"a": [1]}', {"a": [1]}), ("{broken", "{broken"), ("NaN", "NaN"), ("n1 n2", "n1 n2"), ("[" * 100000, "[" * 100000),
    ],
)  # fmt: skip
def test_what_is_json_is_json_and_the_rest_a_string(text, value):
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "arguments are required: COMMAND"),
        (["foo"], "invalid choice: 'foo'"),
        (["profiles"], "required: VERB"),
        (["locks", "acquire"], "required: NAME"),
        (["locks", "acquire", "--ownr", "x"], "unrecognized arguments: --ownr; see"),
        (["--bogus", "locks", "acquire", "-ojson"], "unrecognized arguments: --bogus; see"),
        (["files", "upload", "--as=x"], "unrecognized arguments: --as=x; see"),
        (["profiles", "set", "web", "param", "--force"], "unrecognized arguments: --force; see"),
        (["--bogus"], "unrecognized arguments: --bogus; see"),
        (["profiles", "set", "web"], "see batonctl profiles set --help"),
        (["profiles", "set", "web", "parm", "x", "to", "1"], "invalid choice: 'parm'"),
        (["profiles", "lis"], "invalid choice"),
        (["profiles", "list", "--out"], "unrecognized arguments: --out"),
        (["--timeout", "x", "profiles", "list"], "not a number of seconds"),
        (["-r", "x", "profiles", "list"], "-r has no meaning here"),
        (["profiles", "get", "web", "param", "x", "-r", "1"], "-r has no meaning here"),
        (["profiles", "patch", "web", "[{"], "the patch is not JSON"),
        (["profiles", "patch", "web", "{}"], "array of operations"),
        (["profiles", "update", "web", "[]"], "must be a JSON object"),
        (["profiles", "create", "{broken"], "is not JSON"),
        (["profiles", "wait", "web", "param", "x", "equals"], "needs a value"),
        (["profiles", "wait", "web", "param", "x", "absent", "1"], "takes no value"),
        (["profiles", "wait", "web", "param", "x", "60"], "param x 60: not one of exists, absent, equals,"),
        (["profiles", "wait", "web", "Description", "x", "soon"], "'soon' is not a number of seconds"),
        (["profiles", "wait", "web", "parm", "x", "equals", "1"], "did you mean param?"),
        (["profiles", "add", "web", "param", "x", "1", "2"], "takes one value, or to and a value"),
        (["profiles", "get", "web", "param", "x", "--aggregate"], "unrecognized arguments: --aggregate"),
        (["users", "token", "bob", "ttl"], "needs a time"),
        (["users", "token", "bob", "scope", "machines"], "invalid choice: 'scope'"),
        (["profiles", "show", ".."], "'..' is not a name"),
        (["-E", "http://192.0.2.1", "profiles", "list"], "unencrypted"),
        (["--token-file", "/nonexistent", "profiles", "list"], "can't read the token file"),
        (["-E", "https://a,https://b", "ha", "active"], "give one URL"),
        (["ha", "create"], "--cluster-id"),
        (["completion", "tcsh"], "invalid choice"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(batonctl, arguments, says):
    run = batonctl(*arguments)
    assert run.status == 2
    assert run.out == ""
    assert says in run.err
    assert run.err.startswith("batonctl: ") and run.err.count("\n") == 1


def test_no_connection_is_status_3(batonctl):
    run = batonctl("-E", "http://127.0.0.1:1", "--timeout", "0.2", "profiles", "list", "-o", "json")
    assert (run.status, run.out) == (3, "")
    assert run.err == "batonctl: no connection within 0.2 s: http://127.0.0.1:1: connection refused\n"


def test_help_and_version(batonctl):
    assert batonctl("--version").status == 0
    run = batonctl("profiles", "set", "--help")
    assert run.status == 0
    assert "NAME param PARAM to VALUE" in " ".join(run.out.split())


def test_options_may_stand_before_and_after_the_verb(batonctl):
    with ScriptedServer(Answer(200, [])) as server:
        for arguments in (
            ["-E", server.url, "-T", "x", "-o", "json", "profiles", "list"],
            ["profiles", "-E", server.url, "-T", "x", "-o", "json", "list"],
            ["-T", "y", "-E", "http://127.0.0.1:1", "profiles", "list", "-o", "json", "-E", server.url, "-T", "x"],
        ):
            run = batonctl(*arguments)
            assert (run.status, json.loads(run.out)) == (0, [])
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer x"}


def test_without_an_address_the_own_machine_is_asked(batonctl, monkeypatch):
    monkeypatch.setattr("baton.cli.common.DEFAULT_URL", "http://127.0.0.1:1")
    assert "http://127.0.0.1:1: connection refused" in batonctl("--timeout", "0.1", "profiles", "list").err


# --- what people see ------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def written(stream, environ, work):
    work(Output(stream, io.StringIO(), False, environ, "batonctl"))
    return stream.getvalue()


def test_a_table_is_aligned_by_what_is_seen():
    def work(out):
        out.table(["NAME", "STATE"], [["日本", out.state("Up")], ["n10", None], ["x", True]], "")

    plain = written(io.StringIO(), {}, work)
    assert plain == "NAME  STATE\n日本  Up\nn10   -\nx     yes\n"
    assert written(Terminal(), {"NO_COLOR": "1"}, work) == plain
    coloured = written(Terminal(), {}, work)
    assert "\x1b[32mUp\x1b[0m" in coloured
    assert output._ESCAPE.sub("", coloured) == plain


def test_an_empty_table_is_a_sentence():
    assert written(io.StringIO(), {}, lambda out: out.table(["A"], [], "There is nothing.")) == "There is nothing.\n"


def test_stored_text_cannot_drive_the_terminal():
    evil = "a\x1b]0;title\x07\x1b[31m\nb"
    for work in (
        lambda out: out.table(["A"], [[evil]], ""),
        lambda out: out.members({evil: evil}),
        lambda out: out.line(evil),
        lambda out: out.table(["A"], [[{evil: evil}]], ""),
    ):
        text = written(Terminal(), {"NO_COLOR": "1"}, work)
        assert not set(text) & {"\x1b", "\x07"}


STATUS = {
    "node": "n1", "role": "active", "serving": True, "cluster_id": "c", "epoch": {"number": 3}, "active": "n1",
    "vip": {"address": "10.0.0.100/24", "interface": "eth0", "held": True}, "nodes": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "n1 is active in epoch 3 and holds the VIP 10.0.0.100/24 on eth0."),
        ({"vip": None}, "n1 is active in epoch 3."),
        ({"vip": {**STATUS["vip"], "held": False}, "serving": False},
         "n1 is active in epoch 3, but does not serve at this moment and does not hold the VIP 10.0.0.100/24 on eth0."),
        ({"node": "n2", "role": "passive", "vip": None}, "n1 is active in epoch 3, as n2 sees it (the active does not answer)."),
        ({"node": "n2", "role": "passive", "active": None, "vip": None},
         "No node is active (epoch 3), as n2 sees it (the active does not answer)."),
        ({"cluster_id": None}, "n1 belongs to no cluster yet."),
    ],
)  # fmt: skip
def test_the_status_in_a_sentence(changes, says):
    assert sentence({**STATUS, **changes}) == says
