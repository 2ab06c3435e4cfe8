# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""FILE: what is read, and the one line that says what is wrong."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from baton.core.model.driver_options import NAMES
from baton.drivers.config import ALL_CHECKS, CHECKS, TYPES, Wrong, load
from support.cluster import ROOT

GOOD = {
    "systemd": {"units": ["nginx.service", "a@b.timer"]},
    "script": {"start": "a", "stop": "b", "shell": "/bin/bash", "cwd": "/", "env": {"A": ""}},
    "webhook": {"url": "https://[::1]:8/x", "method": "PUT", "headers": {"X-A": "b"}, "token_file": "/t", "required": True},
    "notify": {"urls": ["json://localhost"], "on": ["active"], "title": "{id}", "body": "{node} {active} {epoch}"},
    "dns": {"server": "192.0.2.1", "zone": "example.com", "name": "db.example.com.", "addresses": ["192.0.2.9", "2001:db8::9"]},
    "program": {},
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def read(data):
        path = tmp_path / "it.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return load(path)

    return read


@pytest.mark.parametrize("kind", GOOD)
def test_each_type_is_read(kind, read):
    check = {"http": "http://localhost/", "every": 1, "status": [200, 404]}
    config = read({"type": kind, "after": ["db"], "pre_active": True, "check": check, **GOOD[kind]})
    assert (config.id, config.type) == ("it", kind)
    assert config.options == {"after": ["db"], "pre_active": True}
    assert config.check == {"http": "http://localhost/", "every": 1.0, "timeout": 2.0, "status": [200, 404], "ca": ""}
    for name, value in GOOD[kind].items():
        assert config.members[name] == value


def test_defaults(read):
    config = read({"type": "dns", "id": "it", **GOOD["dns"]})
    assert (config.id, config.members["ttl"], config.members["port"], config.members["remove"]) == ("it", 30, 53, False)
    assert read({"type": "script", **GOOD["script"], "check": {"tcp": "[::1]:80"}}).check["tcp"] == ("::1", 80)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("{", "it.json is not JSON: "),
        ("[]", "it.json is to be a JSON object"),
        ({}, "it.json: type is one of systemd, script, webhook, notify, dns, program"),
        ({"type": "systemd"}, "it.json: units is missing"),
        ({"type": "systemd", "units": "nginx"}, "it.json: units is a list of 1 or more"),
        ({"type": "systemd", "units": ["--root=/"]}, "it.json: units is a list of which each item is a unit such as nginx.service"),
        ({"type": "systemd", "units": ["a"], "unit": "b"}, "it.json: unit is not a member; systemd has units"),
        ({"type": "script", "start": "", "stop": "b"}, "it.json: start is a text that is not empty"),
        ({"type": "script", "start": "a", "stop": "b", "env": {"A": 1}}, "it.json: env is an object of texts"),
        ({"type": "script", "start": "a", "stop": "b", "env": {"A=B": "1"}}, "it.json: env has a name that can't be one"),
        ({"type": "webhook", "url": "ftp://x"}, "it.json: url is a URL such as https://host/path"),
        ({"type": "webhook", "url": "http://x", "timeout": 0}, "it.json: timeout is a number of seconds from 0.1 to 3600"),
        ({"type": "webhook", "url": "http://x", "required": 1}, "it.json: required is true or false"),
        ({"type": "notify"}, "it.json: urls or urls_file is missing"),
        (
            {"type": "notify", "urls": ["x"], "body": "{token}"},
            "it.json: body is a text in which {node}, {id}, {active} and {epoch} are replaced",
        ),
        ({"type": "notify", "urls": ["x"], "on": ["up"]}, "it.json: on is a list of active and passive"),
        ({"type": "dns", **GOOD["dns"], "name": "a\nsend"}, "it.json: name is a domain name"),
        ({"type": "dns", **GOOD["dns"], "server": "a b"}, "it.json: server is an address or a host name"),
        (
            {"type": "dns", **GOOD["dns"], "addresses": ["1.2.3"]},
            "it.json: addresses is a list of which each item is an IPv4 or IPv6 address",
        ),
        ({"type": "dns", **GOOD["dns"], "ttl": -1}, "it.json: ttl is a whole number from 0 to 86400"),
        ({"type": "program", "id": "other"}, "it.json: id: is the file's name, it, or left out"),
        ({"type": "program", "retries": "2"}, "it.json: retries is a whole number"),
        ({"type": "program", "check": "tcp"}, "it.json: check is an object with one of command, http, tcp"),
        ({"type": "program", "check": {}}, "it.json: check has exactly one of command, http, tcp"),
        ({"type": "program", "check": {"tcp": "a:1", "command": "b"}}, "it.json: check has exactly one of command, http, tcp"),
        ({"type": "program", "check": {"tcp": "a"}}, "it.json: check.tcp is HOST:PORT"),
        ({"type": "program", "check": {"tcp": "a:1", "ca": "/x"}}, "it.json: check.ca is not a member"),
        (
            {"type": "program", "check": {"http": "http://x", "status": ["2xx"]}},
            "it.json: check.status is a list of which each item is a whole",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_member(data, text, read):
    with pytest.raises(Wrong) as caught:
        read(data)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "text"),
    [({"type": "program"}, "start that, not `batond driver`"), ({"type": "script"}, "start is missing"), (None, "can't be read")],
)
def test_the_program_says_it_and_ends_with_2(data, text, zipapp, tmp_path):
    path = tmp_path / "it.json"
    if data is not None:
        path.write_text(json.dumps(data))
    done = subprocess.run([sys.executable, zipapp, "driver", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"batond driver: {path}") and text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_wrong_arguments(zipapp):
    done = subprocess.run([sys.executable, zipapp, "driver"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: batond driver FILE | batond driver-stop-post FILE\n")


def test_the_role_writes_every_member_that_there_is():
    """One that only the program knows would be given to the role and not be written."""
    role = ROOT / "roles" / "driver"
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    variables = yaml.safe_load((role / "vars" / "main.yml").read_text())
    members, commands = set(variables["baton_driver_members"]), set(variables["baton_driver_commands"])
    known = {name for members in TYPES.values() for name in members} | set(NAMES) | {"check"}
    apart = {"stop_seconds"}  # the role calls it stop, as people do, of a type that has no command of that name
    assert members | commands == known - apart
    assert {f"baton_driver_{name}" for name in members} | {f"baton_driver_{name}_command" for name in commands} <= set(options)
    assert set(options["baton_driver_type"]["choices"]) == set(TYPES)
    check = options["baton_driver_check"]
    assert set(check["options"]) == {name for members in CHECKS.values() for name in members} | set(ALL_CHECKS)
    assert re.findall(r"V\((\w+)\)", check["description"]) == list(CHECKS)
    assert set(variables["baton_driver_secret_files"]) == {name for name in known if name.endswith("_file")}
