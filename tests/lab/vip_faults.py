# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults around the VIP itself, for faults.py: other programs and hosts that have it, interfaces that change, guards that can't work."""

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

from netns import wait_for
from nodes import VIP

FLOOD = str(Path(__file__).with_name("arp_flood.py"))


def said(lab, node, text):
    """Wait until a node's status tells of it."""
    wait_for(lambda: text in str(node.status().get("error")), lambda: f"{node.name} says {text!r}\n{lab.logs()}", 30)


def delete(host, cidr, device):
    with suppress(Exception):
        host.ip("address", "delete", cidr, "dev", device)


def twin(lab, random):
    """Another program on the active adds the VIP as well; then the role moves, or the guard goes."""
    node, other = lab.active(), random.choice(lab.passives())
    what = random.choice(["nothing more", "a switch", "guard killed", "guard frozen, a switch", "batond killed"])
    node.host.ip("address", "add", f"{VIP}/24", "dev", "eth0")
    said(lab, node, "another program has added the VIP")
    if what == "batond killed":
        os.kill(node.process.pid, signal.SIGKILL)
    elif "guard" in what:
        os.kill(node.guard(), signal.SIGKILL if "killed" in what else signal.SIGSTOP)
    if "switch" in what:
        node.curl("POST", "/api/v3/system/switch", {"to": other.name})
    return f"{node.name}, {what}", lambda: delete(node.host, f"{VIP}/24", "eth0")


def rival(lab, random):
    """Another host has the VIP and says nothing of it; in one case of two the role moves meanwhile."""
    node, other = lab.active(), random.choice(lab.passives())
    lab.spare.ip("address", "add", f"{VIP}/32", "dev", "eth0")
    moves = random.random() < 0.5
    try:
        if moves:
            node.curl("POST", "/api/v3/system/switch", {"to": other.name})
            wait_for(other.holds, lambda: f"{other.name} takes it all the same\n{lab.logs()}", 30)
        said(lab, other if moves else node, f"{lab.spare.mac()} claims the VIP")
    finally:
        delete(lab.spare, f"{VIP}/32", "eth0")
    return f"{node.name}{', a switch' if moves else ''}", lambda: None


def flood(lab, random):
    """A host floods the network with claims of the VIP; in one case of two the active freezes meanwhile."""
    node, freezes = lab.active(), random.random() < 0.5
    process = lab.spare.popen(sys.executable, FLOOD, VIP)
    lab.pause(0.5)
    if freezes:
        os.kill(node.process.pid, signal.SIGSTOP)

    def mend():
        process.kill()
        process.wait()
        if freezes:
            os.kill(node.process.pid, signal.SIGCONT)

    return f"{node.name}{', frozen' if freezes else ''}", mend


def renamed(lab, random):
    """The VIP's interface gets another name, and another interface gets its name; then the role moves."""
    node, other = lab.active(), random.choice(lab.passives())
    ip = node.host.ip
    ip("link", "add", "spare0", "type", "veth", "peer", "name", "spare1")
    ip("link", "set", "eth0", "name", "wan0")
    ip("link", "set", "spare0", "name", "eth0")
    ip("link", "set", "eth0", "up")
    node.host.interface = "wan0"
    node.curl("POST", "/api/v3/system/switch", {"to": other.name})

    def mend():
        ip("link", "delete", "eth0")
        ip("link", "set", "wan0", "name", "eth0")
        node.host.interface = "eth0"

    return f"{node.name} to {other.name}", mend


def no_descriptors(lab, _random):
    """batond has no descriptor to spare when its guard dies."""
    node = lab.active()
    pid = node.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), limits[1]))
    os.kill(node.guard(), signal.SIGKILL)

    def mend():
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)

    return node.name, mend


def guard_frozen_and_cut_off(lab, _random):
    node = lab.active()
    guard = node.guard()
    os.kill(guard, signal.SIGSTOP)
    node.host.carrier(False)

    def mend():
        node.host.carrier(True)
        with suppress(ProcessLookupError):
            os.kill(guard, signal.SIGCONT)

    return node.name, mend


def guards_killed(lab, random):
    """Whoever kills guards kills the next one, too, on all nodes."""
    count = 0
    for _round in range(random.randint(3, 6)):
        for node in lab.nodes:
            with suppress(OSError, IndexError):
                os.kill(node.guard(), signal.SIGKILL)
                count += 1
        lab.pause(random.uniform(0, 0.2))
    return f"{count} guards", lambda: None
