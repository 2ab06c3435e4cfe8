# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a set in the lab. Each fault takes (lab, random), says to whom it did something, and returns what mends it.

``moves``: another server is to take writes before it is mended. ``alone``: the servers go on or wait, whoever mends it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any, Callable, NamedTuple, Tuple

from netns import boottime, wait_until
from pool_hosts import LEASES

CLIENT = "192.0.2.70"
Mend = Callable[[], Any]


class Fault(NamedTuple):
    name: str
    hurt: Callable[[Any, Any], Tuple[str, Mend]]
    moves: bool = False


def nothing() -> None:
    pass


def source(lab, _random):
    return lab.source


def replica(lab, random):
    found = lab.source
    return random.choice([host for host in lab.hosts if host is not found])


# --- processes ----------------------------------------------------------------------------------------------------------


def killed(who, *kinds):
    def hurt(lab, random):
        host = who(lab, random)
        host.signal(signal.SIGKILL, *kinds)
        return host.name, nothing

    return hurt


def frozen(who, *kinds):
    def hurt(lab, random):
        host = who(lab, random)
        return host.name, host.freeze(*kinds)

    return hurt


def without_power(who):
    def hurt(lab, random):
        host = who(lab, random)
        host.lose()
        return host.name, host.boot

    return hurt


def both_replicas(lab, _random):
    """The source alone goes on, and is killed once it does."""
    found = lab.source
    for host in lab.hosts:
        if host is not found:
            host.signal(signal.SIGKILL, "server")
    return "both", nothing


# --- network and disk -----------------------------------------------------------------------------------------------------


def cut_off(who):
    def hurt(lab, random):
        host = who(lab, random)
        cut = random.choice([host.host.carrier, host.host.connected])
        cut(False)
        return host.name, lambda: cut(True)

    return hurt


def drop(host, match):
    """Drop what goes to, and comes from, addresses that match."""
    chains = "".join(
        f" chain {chain} {{ type filter hook {chain} priority 0; ip {way} {match} drop; }};"
        for chain, way in (("input", "saddr"), ("output", "daddr"))
    )
    host.host.run("nft", f"table inet cut {{{chains} }}")
    return lambda: host.host.run("nft", "delete table inet cut")


def only_clients(lab, _random):
    """Nobody hears the source but its clients, who go on writing."""
    host = lab.source
    return host.name, drop(host, f"!= {{ {CLIENT}, {host.address}, 127.0.0.1 }}")


def no_managers(lab, _random):
    """Replicas and clients hear the source; Baton does not."""
    host = lab.source
    return host.name, drop(host, "{ 192.0.2.1, 192.0.2.2, 192.0.2.100 }")


def no_replicas(lab, _random):
    """Nobody can acknowledge to the source, and Baton hears all of them."""
    host = lab.source
    return host.name, drop(host, "{ " + ", ".join(other.address for other in lab.hosts if other is not host) + " }")


def full(who):
    def hurt(lab, random):
        host = who(lab, random)
        path = host.disk / "full"
        with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        return host.name, path.unlink

    return hurt


# --- those who decide -----------------------------------------------------------------------------------------------------


def _manager(lab):
    active = lab.active()
    return next(manager for manager in lab.managers if manager.node is active)


def manager_killed(lab, _random):
    manager = _manager(lab)
    os.kill(manager.process.pid, signal.SIGKILL)
    return manager.node.name, nothing


def _freeze(process):
    os.kill(process.pid, signal.SIGSTOP)
    return lambda: contextlib.suppress(ProcessLookupError).__enter__() or process.send_signal(signal.SIGCONT)


def manager_frozen(lab, _random):
    manager = _manager(lab)
    return manager.node.name, _freeze(manager.process)


def manager_killed_in_failover(lab, random):
    """The source's host goes, and the manager a moment later, in the middle of the failover."""
    host, manager = lab.source, _manager(lab)
    host.lose()
    wait_until(boottime() + 2 * LEASES[lab.timing] + random.uniform(0.0, 0.6))
    os.kill(manager.process.pid, signal.SIGKILL)
    return f"{host.name}, {manager.node.name}", host.boot


def batond_killed(lab, _random):
    node = lab.active()
    os.kill(node.process.pid, signal.SIGKILL)
    return node.name, nothing


def batond_frozen(lab, _random):
    node = lab.active()
    return node.name, _freeze(node.process)


def node_switched(lab, _random):
    node = lab.active()
    other = next(each for each in lab.nodes if each is not node)
    node.curl("POST", "/api/v3/system/switch", {"to": other.name})
    return f"{node.name} to {other.name}", nothing


def promoted(lab, random):
    whole = lab.whole
    chosen = random.choice(sorted(set(whole["members"]) - {whole["source"]}))
    lab.asked("POST", f"/instances/{chosen}/action", {"promote_to_replica_source": {}})
    return f"{lab.source.name} to {lab.where(chosen).name}", nothing


FAULTS = (
    Fault("planned promotion", promoted, True),
    Fault("source's server killed", killed(source, "server")),
    Fault("source's server frozen", frozen(source, "server"), True),
    Fault("source's guest killed", killed(source, "guest")),
    Fault("source's guest frozen", frozen(source, "guest"), True),
    Fault("source's guest and guard killed", killed(source, "guest", "guard")),
    Fault("source's guest and guard frozen", frozen(source, "guest", "guard"), True),
    Fault("source's host frozen", frozen(source), True),
    Fault("source's host without power", without_power(source), True),
    Fault("source's host cut off", cut_off(source), True),
    Fault("source cut off from all but clients", only_clients, True),
    Fault("source cut off from Baton", no_managers, True),
    Fault("source cut off from replicas", no_replicas),
    Fault("source's disk full", full(source)),
    Fault("replica's server killed", killed(replica, "server")),
    Fault("replica's server frozen", frozen(replica, "server")),
    Fault("replica's guest killed", killed(replica, "guest")),
    Fault("replica's guest frozen", frozen(replica, "guest")),
    Fault("replica's host without power", without_power(replica)),
    Fault("replica's host cut off", cut_off(replica)),
    Fault("both replicas' servers killed", both_replicas),
    Fault("manager killed", manager_killed),
    Fault("manager frozen", manager_frozen),
    Fault("manager killed in a failover", manager_killed_in_failover, True),
    Fault("batond killed", batond_killed),
    Fault("batond frozen", batond_frozen),
    Fault("role of batond switched", node_switched),
)
