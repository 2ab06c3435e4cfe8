# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in roles and in the code, or in two files of a role, is the same: defaults, and where files are on a host."""

import pytest
import yaml
from rooms import ROLES

from baton.client import connection
from baton.daemon import settings
from baton.drivers import session, stop_post

NODE = yaml.safe_load((ROLES / "node/defaults/main.yml").read_text())
PLACES = yaml.safe_load((ROLES / "node/vars/main.yml").read_text())


def literal(values):
    return {name: value for name, value in values.items() if value is not None and "{{" not in str(value)}


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_the_defaults_that_are_told_are_those_that_hold(role):
    entries = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"].values()
    told = {name: option["default"] for entry in entries for name, option in entry["options"].items() if "default" in option}
    assert literal(told) == literal(yaml.safe_load((ROLES / role / "defaults/main.yml").read_text()))


def test_what_roles_and_batond_both_have_a_default_for_is_the_same():
    own = {f"baton_{flag.replace('-', '_')}": default for flag, default, *_more in settings.OPTIONS if default}
    both = own.keys() & literal(NODE).keys()
    assert both >= {"baton_timing", "baton_mode", "baton_min_in_sync", "baton_driver_stop", "baton_priority", "baton_ha_id", "baton_dcs"}
    assert {name: str(NODE[name]) for name in both} == {name: own[name] for name in both}
    assert own["baton_listen"].endswith(f":{NODE['baton_port']}")


@pytest.mark.parametrize("role", ["agent", "datastore", "datastores", "driver", "etcd", "pool_host"])
def test_what_two_roles_have_a_default_for_is_the_same(role):
    others = literal(yaml.safe_load((ROLES / role / "defaults/main.yml").read_text()))
    both = others.keys() & literal(NODE).keys()
    assert {name: others[name] for name in both} == {name: NODE[name] for name in both}


def test_files_are_where_the_code_looks_for_them(monkeypatch):
    assert f"{PLACES['baton_config_dir']}/config.ini" == connection.SYSTEM
    assert PLACES["baton_run_dir"] == session.RUN_DIR
    for name in ("STATE_DIRECTORY", "BATON_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert str(stop_post.marker_of("x")) == f"{session.RUN_DIR}/{session.RUNNING}/x"
    assert str(stop_post._note_file("x").parent) == session.RUN_DIR
