# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a cluster in the lab. Each fault takes (lab, random), says to whom it did something, and returns what mends it.

``stops``: nobody can write until it is mended, or all are formed anew.
"""

from __future__ import annotations

import signal
from typing import Any, Callable, NamedTuple, Tuple

from netns import boottime, wait_for, wait_until
from set_faults import (
    Mend,
    batond_frozen,
    batond_killed,
    cut_off,
    drop,
    frozen,
    full,
    killed,
    manager_frozen,
    manager_killed,
    node_switched,
    nothing,
    without_power,
)


class Fault(NamedTuple):
    name: str
    hurt: Callable[[Any, Any], Tuple[str, Mend]]
    stops: bool = False


def member(lab, random):
    return lab.host_of("data", random)


def arbiter(lab, random):
    return lab.host_of("arbiter", random)


def some(many, *kinds):
    """Kill servers of so many members at once, or at moments that lie close together."""

    def hurt(lab, random):
        names = random.sample(lab.data(), many)
        for name in names:
            lab.where(name).signal(signal.SIGKILL, *kinds)
            wait_until(boottime() + random.choice([0.0, 0.02, 0.2]))
        return ", ".join(lab.where(name).name for name in names), nothing

    return hurt


def all_hosts_without_power(lab, random):
    hosts = [lab.where(name) for name in random.sample(lab.data(), 3) + lab.members("arbiter")]
    for host in hosts:
        host.lose()
        wait_until(boottime() + random.choice([0.0, 0.02, 0.2]))

    def boot():
        for host in random.sample(hosts, len(hosts)):
            host.boot()
            wait_until(boottime() + random.uniform(0.0, 2.0))

    return "all", boot


def no_others(lab, random):
    """A member and its clients hear each other, and Baton hears the member; the other members do not."""
    name = random.choice(lab.data())
    host = lab.where(name)
    others = [lab.where(other).address for other in lab.whole["members"] if other != name]
    return host.name, drop(host, "{ " + ", ".join(others) + " }")


def no_managers(lab, random):
    host = member(lab, random)
    return host.name, drop(host, "{ 192.0.2.1, 192.0.2.2, 192.0.2.100 }")


def _act(lab, body):
    lab.asked("POST", f"/clusters/{lab.key}", body)
    wait_for(lambda: lab.whole["task"] or lab.whole["asked"], lambda: "it begins", 10)


def rolled(lab, _random):
    _act(lab, {"restart": {}})
    return "all, one by one", nothing


def shrunk_and_grown(lab, random):
    """A member leaves in good order, and a new one comes."""
    name = random.choice(lab.data())
    where, region = lab.where(name).name, lab.whole["members"][name]["own"]["region"]
    _act(lab, {"shrink": [{"id": name}]})
    wait_for(lambda: name not in lab.whole["members"] and not lab.whole["task"], lambda: f"it leaves\n{lab.logs()}", 120)
    _act(lab, {"grow": [{"flavorRef": "1", "volume": {"size": 1}, "region": region}]})
    return where, nothing


def replaced(lab, random):
    """The far member's host is gone for good, as far as anybody knows; another takes its place."""
    name = next(key for key in lab.data() if lab.whole["members"][key]["own"]["region"] == "far")
    host = lab.where(name)
    host.lose()

    def sizes():
        return [lab.view(key).get("size") for key in lab.data() if key != name]

    wait_for(lambda: set(sizes()) == {3}, lambda: f"the others go on without it: {sizes()}", 30)
    _act(lab, {"replace_node": {"id": name}})
    return host.name, host.boot


def stopped_and_started(lab, _random):
    """All end in good order, and are started when somebody asks for it."""
    _act(lab, {"stop": {}})
    wait_for(lambda: not lab.whole["task"], lambda: f"it stops\n{lab.logs()}", 120)
    return "all", lambda: _act(lab, {"start": {}})


FAULTS = (
    Fault("member's server killed", killed(member, "server")),
    Fault("member's server frozen", frozen(member, "server")),
    Fault("member's guest killed", killed(member, "guest")),
    Fault("member's guest frozen", frozen(member, "guest")),
    Fault("member's guest and guard killed", killed(member, "guest", "guard")),
    Fault("member's host frozen", frozen(member)),
    Fault("member's host without power", without_power(member)),
    Fault("member's host cut off", cut_off(member)),
    Fault("member cut off from the others", no_others),
    Fault("member cut off from Baton", no_managers),
    Fault("member's disk full", full(member)),
    Fault("arbiter killed", killed(arbiter, "server")),
    Fault("arbiter's host without power", without_power(arbiter)),
    Fault("two members killed", some(2, "server"), True),
    Fault("all members killed", some(3, "server"), True),
    Fault("all hosts without power", all_hosts_without_power, True),
    Fault("rolling restart", rolled),
    Fault("a member leaves, one comes", shrunk_and_grown),
    Fault("a lost member replaced", replaced),
    Fault("full stop and start", stopped_and_started, True),
    Fault("manager killed", manager_killed),
    Fault("manager frozen", manager_frozen),
    Fault("batond killed", batond_killed),
    Fault("batond frozen", batond_frozen),
    Fault("role of batond switched", node_switched),
)
