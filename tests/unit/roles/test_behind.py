# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run that was broken off has written and no daemon has read is noticed by the next one."""

import os

import pytest
from rooms import facts, play, role

STARTED, TOLD = 1_000_000, 1_000_500  # when the daemon was started, and when it was told to read its files again last
NOW = {name: {"changed": False} for name in ("artefacts", "token", "unit", "settings", "certificates", "revoked")}


@pytest.fixture
def look(tmp_path):
    """Return what the daemon needs, by the dates of its files: {name: seconds}, the others being as old as the daemon."""

    def look(dates=None, running=True, systemd=f"ActiveEnterTimestamp=@{STARTED}\nStateChangeTimestamp=@{TOLD}\n", **changed):
        made_from, reads_again = ["batond.pyz", "batond.service", "20-ha.conf"], ["ca.pem", "node.pem", "node.key", "ha.token"]
        for name in made_from + reads_again:
            date = (dates or {}).get(name, STARTED)
            (tmp_path / name).write_text("")
            os.utime(tmp_path / name, (date, date))
        systemctl = tmp_path / "systemctl"
        says = f'[ "$1" = is-active ] && echo {"active" if running else "inactive"} || printf "%s" "{systemd}"'
        systemctl.write_text(f"#!/bin/sh\n{says}\n")
        systemctl.chmod(0o755)
        shown = {"name": "Shown", "ansible.builtin.debug": {"msg": "restart {{ baton_restart }}, reload {{ baton_reload }}."}}
        values = {f"baton_{name}": {**value, "changed": name in changed} for name, value in NOW.items()}
        said = play(
            tmp_path, {"h": {"baton_address": "192.0.2.1"}}, [facts(), role("node", "behind"), shown], {"baton": ["h"]},
            environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, **values,
            baton_made_from=[str(tmp_path / name) for name in made_from],
            baton_reads_again=[str(tmp_path / name) for name in [*reads_again, "crl.pem"]],
        )  # fmt: skip
        return "restart True" in said, "reload True" in said

    return look


def test_what_nothing_has_changed_for_is_left_alone(look):
    assert look() == (False, False)
    assert look({"node.pem": TOLD, "ha.token": TOLD}) == (False, False), "read again since"


@pytest.mark.parametrize("name", ["batond.pyz", "20-ha.conf"])
def test_what_was_written_after_the_start_is_a_reason_for_another(look, name):
    assert look({name: STARTED + 1}) == (True, False)


def test_one_that_does_not_run_is_started_anyway(look):
    assert look({"batond.pyz": STARTED + 1, "node.pem": TOLD + 1}, running=False) == (False, False)


@pytest.mark.parametrize("name", ["node.pem", "ha.token"])
def test_what_was_written_after_it_was_told_is_told_again(look, name):
    assert look({name: TOLD + 1}) == (False, True)


def test_what_this_run_has_changed_counts_wherever_dates_are_unknown(look):
    assert look({"batond.pyz": STARTED + 1}, systemd="") == (False, False)
    assert look(systemd="", settings=True, certificates=True) == (True, True)


def test_a_member_of_etcd_that_is_older_than_its_settings_is_restarted(tmp_path):
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\necho ActiveEnterTimestamp=@{STARTED}\n")
    (tmp_path / "systemctl").chmod(0o755)
    (tmp_path / "etcd").write_text("")
    shown = {"name": "Shown", "ansible.builtin.debug": {"msg": "restart {{ baton_etcd_restart }}."}}
    values = {f"baton_etcd_{name}": {"changed": False} for name in ("secrets", "settings", "unit")}

    def look(date):
        os.utime(tmp_path / "etcd", (date, date))
        return play(
            tmp_path, {"h": {"baton_address": "192.0.2.1"}}, [facts(), role("etcd", "behind"), shown], {"baton_etcd": ["h"]},
            environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, **values, baton_etcd_joined={"stat": {"exists": True}},
            baton_etcd_made_from=[str(tmp_path / "etcd")],
        )  # fmt: skip

    assert "restart False." in look(STARTED)
    assert "restart True." in look(STARTED + 1)
