# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units: what keeps one from starting passes, and then it starts. molecule/default sees it on real hosts."""

import configparser

import pytest
from rooms import facts, play, render, role

DRIVER = {"baton_driver_id": "web", "baton_driver_type": "program", "baton_driver_program": ["/bin/true"], "baton_driver_user": "root"}


class Unit(configparser.RawConfigParser):
    """A unit as systemd reads it: the last one counts, an empty one takes back those before."""

    def __init__(self, *files):
        super().__init__(strict=False)
        self.optionxform = str
        self.read(files)


def unit(folder, template, name, **values):
    folder.mkdir()
    tasks = [facts(), role("node", "nothing"), render(template, folder, name)]
    play(folder, {"h": {"baton_address": "192.0.2.1"}}, tasks, {"baton": ["h"]}, **values)
    return folder / "h"


AGENT = {"baton_agent_url": "https://192.0.2.1:8092", "baton_agent_lease": "l", "baton_agent_ttl": "30s", "baton_agent_user": "u"}


@pytest.mark.parametrize(
    ("template", "name", "values"),
    [
        ("batond.service.j2", "node", {}),
        ("baton-driver@.service.j2", "driver", {}),
        ("baton-agent.service.j2", "agent", {**AGENT, "baton_agent_dir": "/etc/baton-agent"}),
    ],
)
def test_no_number_of_failed_starts_is_the_last_one(tmp_path, template, name, values):
    found = Unit(unit(tmp_path / "unit", template, name, **values))
    assert found["Unit"]["StartLimitIntervalSec"] == "0"
    assert found["Service"]["Restart"] == "always"


@pytest.mark.parametrize(("template", "name"), [("batond.service.j2", "node"), ("baton-driver@.service.j2", "driver")])
def test_the_pause_grows_while_starts_fail_and_a_good_one_makes_it_short_again(tmp_path, template, name):
    service = Unit(unit(tmp_path / "unit", template, name))["Service"]
    assert int(service["RestartSec"]) < int(service["RestartMaxDelaySec"]) <= 10 and int(service["RestartSteps"]) > 0
    assert "reset-failed %n" in service["ExecStartPost"]


@pytest.mark.parametrize(("tells", "grows"), [(True, True), (False, False)])
def test_the_pause_of_a_program_that_does_not_tell_whether_it_is_ready_stays_the_same(tmp_path, tells, grows):
    values = {**DRIVER, "baton_driver_sd_notify": tells}
    files = unit(tmp_path / "a", "baton-driver@.service.j2", "driver", **values), unit(tmp_path / "b", "driver.conf.j2", "driver", **values)
    service = Unit(*files)["Service"]
    assert (service["RestartSteps"] != "0") == grows
    assert ("reset-failed" in service["ExecStartPost"]) == grows
