# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests are restarted one after the other, those that need it, and none after one that is not heard. Against a real node."""

import os
import re

import pytest
from rooms import play, role

from support.cluster import Cluster
from support.plays import environ_of

SYSTEMCTL = """#!/bin/sh
case "$*" in
*"start baton-guest.service"*) echo "$@" >>{folder}/restarts ;;
*is-enabled*) echo enabled ;;
*show*) printf 'LoadState=loaded\\nUnitFileState=enabled\\nActiveState={state}\\nExecMainStartTimestamp=@{started}\\n' ;;
esac
"""
CHANGED = ("guest", "files", "unit_file")
STARTED = 1_000_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("guests"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def start(cluster, tmp_path):
    """Run what starts guests; return who was worked on, how many were restarted, and what was said."""
    made = []

    def start(hosts, check=0, state="active", written=STARTED, **values):
        """``hosts``: {name: (whether it has changed, is heard before, is heard after)}."""
        systemctl = tmp_path / "systemctl"
        systemctl.write_text(SYSTEMCTL.format(folder=tmp_path, state=state, started=STARTED))
        systemctl.chmod(0o755)
        (tmp_path / "ca.pem").write_text("")
        os.utime(tmp_path / "ca.pem", (written, written))
        values["baton_pool_made_from"] = [str(tmp_path / "ca.pem"), str(tmp_path / "crl.pem")]
        given = {}
        for name, (changed, before, after) in hosts.items():
            params = {"heartbeat": {"service_status": "running"}} if after else {}
            cluster.call(cluster.n1, "POST", "/pool", json={"Name": name, "Meta": {}, "Params": params}).raise_for_status()
            made.append(name)
            given[name] = {f"baton_pool_{each}": {"changed": changed} for each in CHANGED}
            given[name]["baton_pool_host"] = {"host": {"name": name, "heard": before}}
        environ = environ_of(cluster, tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
        said = play(tmp_path, given, [role("pool_host", "start", baton_pool_looks=1)], check=check, environ=environ, **values)
        restarts = tmp_path / "restarts"
        return (
            re.findall(r"TASK \[.*Wait to hear the guest of (\w+)", said),
            len(restarts.read_text().splitlines()) if restarts.exists() else 0,
            said,
        )

    yield start
    for name in made:
        cluster.call(cluster.n1, "DELETE", f"/pool/{name}")


def test_who_needs_no_restart_has_none(start):
    assert start({"h1": (False, True, True), "h2": (True, True, True)})[:2] == (["h2"], 1)


def test_who_is_not_heard_yet_comes_first(start):
    assert start({"h1": (True, True, True), "h2": (True, False, True)})[:2] == (["h2", "h1"], 2)


def test_one_that_does_not_run_is_started(start):
    assert start({"h1": (False, False, True)}, state="inactive")[:2] == (["h1"], 1)


def test_one_that_a_run_which_was_broken_off_has_left_behind_is_restarted(start):
    assert start({"h1": (False, True, True)}, written=STARTED + 1)[:2] == (["h1"], 1)


def test_none_is_restarted_after_one_that_is_not_heard(start):
    worked, restarts, said = start({"h1": (True, True, False), "h2": (True, True, True)}, check=2)
    assert (worked, restarts) == (["h1"], 1)
    assert "the guest of h1 is not heard, so the guests after it were left alone: `journalctl -u baton-guest` there" in said


def test_one_that_was_not_heard_in_the_run_before_stops_this_one_too(start):
    assert start({"h1": (True, True, True), "h2": (False, False, False)}, check=2)[:2] == (["h2"], 0)


def test_hosts_in_turns_are_seen_to_once(start):
    """With serial, those of the first turn are not restarted again in the second."""
    assert start({"h1": (True, True, True), "h2": (True, True, True)}, serial=1)[1] == 2
