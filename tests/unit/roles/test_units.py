# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units: what keeps one from starting passes, and then it starts. molecule/default sees it on real hosts."""

import configparser
import re

import jinja2
import pytest
import yaml
from rooms import ROLES, facts, play, render, role

DRIVER = {"baton_driver_id": "web", "baton_driver_type": "program", "baton_driver_program": ["/bin/true"], "baton_driver_user": "root"}


SENDERS = {
    "webhook": {"baton_driver_token_file": "/root/100%/token"},
    "notify": {"baton_driver_urls_file": "/root/urls"},
    "dns": {"baton_driver_key_file": "/root/key"},
}


class Unit(configparser.RawConfigParser):
    """A unit as systemd reads it: the last one counts, an empty one takes back those before."""

    def __init__(self, *files):
        super().__init__(strict=False)
        self.optionxform = str
        self.read(files)


def unit(folder, template, name, **values):
    folder.mkdir()
    parts = ("defaults", "vars") if name in ("driver", "pool_host") else ()
    known = [{"ansible.builtin.include_vars": str(ROLES / name / part / "main.yml")} for part in parts]
    tasks = [facts(), role("node", "nothing"), *known, render(template, folder, name)]
    play(folder, {"h": {"baton_address": "192.0.2.1"}}, tasks, {"baton": ["h"]}, **values)
    return folder / "h"


AGENT = {"baton_agent_url": "https://192.0.2.1:8092", "baton_agent_lease": "l", "baton_agent_ttl": "30s", "baton_agent_user": "u"}


@pytest.mark.parametrize(
    ("template", "name", "values"),
    [
        ("batond.service.j2", "node", {}),
        ("baton-driver@.service.j2", "driver", {}),
        ("baton-agent.service.j2", "agent", {**AGENT, "baton_agent_dir": "/etc/baton-agent"}),
        ("baton-guest.service.j2", "pool_host", {}),
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


def conf(folder, kind, name="it", **values):
    values = {"baton_driver_id": name, "baton_driver_type": kind, **values}
    return Unit(unit(folder, "driver.conf.j2", "driver", **values))["Service"]


@pytest.mark.parametrize("kind", SENDERS)
def test_a_driver_that_only_sends_has_a_user_of_its_own_and_a_copy_of_its_secret(tmp_path, kind):
    service = conf(tmp_path / "a", kind, **SENDERS[kind])
    assert (service["DynamicUser"], service["User"], service["CapabilityBoundingSet"]) == ("yes", "driver-it", "")
    ((name, path),) = SENDERS[kind].items()
    assert service["LoadCredential"] == f"{name.replace('baton_driver_', '')}:{path.replace('%', '%%')}"
    other = conf(tmp_path / "b", kind, "IT.with-a-long-name-of-its-own", **SENDERS[kind])["User"]
    assert other != "driver-it" and len(other) <= 31 and other.islower() and "." not in other
    given = conf(tmp_path / "c", kind, baton_driver_user="ops")
    assert given["User"] == "ops" and "DynamicUser" not in given and "LoadCredential" not in given and given["ProtectSystem"] == "strict"


def test_a_driver_of_units_is_root_that_may_do_nothing_itself_unless_it_runs_a_command(tmp_path):
    units = {"baton_driver_units": ["nginx.service"]}
    service = conf(tmp_path / "a", "systemd", **units, baton_driver_check={"http": "http://127.0.0.1/"})
    assert "User" not in service and service["CapabilityBoundingSet"] == "" and service["ProtectSystem"] == "strict"
    assert dict(conf(tmp_path / "b", "systemd", **units, baton_driver_check={"command": "true"})) == {}


def test_a_program_is_hemmed_in_if_that_is_asked_for(tmp_path):
    service = conf(tmp_path / "a", "program", **{**DRIVER, "baton_driver_confine": True, "baton_driver_user": "baton"})
    assert (service["User"], service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("baton", "strict", "")
    assert service["ExecStart"].endswith("/bin/true\"") and "DynamicUser" not in service
    assert "ProtectSystem" not in conf(tmp_path / "b", "program", **DRIVER)


def guest(folder, **values):
    return Unit(unit(folder, "baton-guest.service.j2", "pool_host", baton_pool_url="https://192.0.2.1:8092", **values))["Service"]


def test_a_guest_may_write_to_its_directory_alone_and_is_killed_if_it_is_frozen(tmp_path):
    service = guest(tmp_path / "a", baton_pool_name="50%")
    assert (service["ProtectSystem"], service["ReadWritePaths"]) == ("strict", "/var/lib/baton-guest")
    assert (service["Type"], service["WatchdogSignal"]) == ("notify", "SIGKILL") and int(service["WatchdogSec"]) > 0
    assert "CAP_SYS_ADMIN" not in service["CapabilityBoundingSet"] and service["NoNewPrivileges"] == "yes"
    words = service["ExecStart"].split()
    assert {"--name=50%%", "--runner=systemd", "--install", "--lease=2", "--server-user=baton-servers"} <= set(words)


def test_a_guest_installs_nothing_and_has_what_it_is_told_alone(tmp_path):
    more = {"baton_pool_install": False, "baton_pool_datastores": ["mariadb"], "baton_pool_timing": "fast"}
    words = guest(tmp_path / "a", **more)["ExecStart"].split()
    assert "--install" not in words and {"--datastore=mariadb", "--lease=1"} <= set(words)


def test_what_runs_commands_of_yours_is_as_free_as_those_need(tmp_path):
    assert dict(conf(tmp_path / "a", "script", baton_driver_user="shop")) == {"User": "shop"}


def test_whoever_has_something_in_the_drop_in_has_a_drop_in():
    """What the template asks on its outermost level is asked for by baton_driver_has_more, or by what that stands on."""
    variables = yaml.safe_load((ROLES / "driver/vars/main.yml").read_text())
    asked, more = set(), {"baton_driver_has_more"}
    while more:
        asked |= more
        more = set(re.findall(r"\bbaton_\w+", " ".join(str(variables.get(name, "")) for name in more))) - asked
    filters = dict.fromkeys(("comment", "to_json"), str)
    environment = jinja2.Environment(autoescape=False)
    environment.filters.update(filters)
    outermost = environment.parse((ROLES / "driver/templates/driver.conf.j2").read_text()).body
    branches = [branch for node in outermost if isinstance(node, jinja2.nodes.If) for branch in (node, *node.elif_)]
    used = {name.name for branch in branches for name in (branch.test, *branch.test.find_all(jinja2.nodes.Name)) if hasattr(name, "name")}
    always = {name.name for node in outermost if not isinstance(node, jinja2.nodes.If) for name in node.find_all(jinja2.nodes.Name)}
    assert used and used <= asked, f"baton_driver_has_more does not ask for {sorted(used - asked)}"
    assert always == {"ansible_managed"}, "what is written without a condition gives every driver a drop-in"
