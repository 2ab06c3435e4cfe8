# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts made of network namespaces, on one bridge: the lab's network. Needs root; touches only its own namespaces.

``with Network() as network: one = network.host("one", ["192.0.2.1/24"])`` gives a Host with an interface ``eth0`` on a
switch that is a namespace too. Names are unique to the run; at the end all of it and the processes in it are gone.
"""
from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence

CLONE_NEWNET = 0x40000000
_numbers = iter(range(1, 1 << 30))


def require_root() -> None:
    """Raise RuntimeError unless namespaces can be made; the lab fails clearly rather than skip."""
    if os.geteuid() != 0:
        raise RuntimeError("the lab needs root: run it as `sudo make test` (it makes network namespaces)")
    try:
        run("ip", "netns", "list")
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"the lab needs iproute2 and network namespaces: {error}") from None


def run(*command: str) -> str:
    """Run a command and return its output; CalledProcessError carries what it said."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, list(command) + [done.stderr.strip()])
    return done.stdout


def boottime() -> float:
    """Return seconds on the clock that leases are stated in."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_for(condition: Callable[[], Any], what: "str | Callable[[], str]", seconds: float = 10.0) -> Any:
    """Return the first true value of ``condition``; AssertionError with ``what`` (or what it returns) when it does not come."""
    limit = boottime() + seconds
    while True:
        value = condition()
        if value:
            return value
        if boottime() > limit:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.01)


def wait_until(moment: float) -> None:
    """Return when ``boottime()`` has reached ``moment``."""
    while boottime() < moment:
        time.sleep(max(0.0, min(0.01, moment - boottime())))


class Host:
    """A namespace with one interface on the network's switch, ``interface`` by name."""

    def __init__(self, namespace: str, interface: str, port: str, switch: str) -> None:
        self.namespace = namespace
        self.interface = interface
        self._port = port
        self._switch = switch
        self._processes: List["subprocess.Popen[str]"] = []

    @property
    def name(self) -> str:
        """What the network's maker called it."""
        return self.namespace.rpartition("-")[2]

    def run(self, *command: str) -> str:
        """Run a command in this namespace and return its output."""
        return run("ip", "netns", "exec", self.namespace, *command)

    def ip(self, *arguments: str) -> str:
        """Run ``ip`` in this namespace; quicker than ``run("ip", ...)``."""
        return run("ip", "-n", self.namespace, *arguments)

    def popen(self, *command: str, **options: Any) -> "subprocess.Popen[str]":
        """Start a process in this namespace with text pipes on stdin and stdout; it is killed at the network's end.

        ``options`` are Popen's. The process is the command itself, so signals to its pid reach it.
        """
        settings = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **options}
        line = ["ip", "netns", "exec", self.namespace, *command]
        process: "subprocess.Popen[str]" = subprocess.Popen(line, **settings)
        self._processes.append(process)
        return process

    def addresses(self, interface: str = "") -> List[str]:
        """Return the CIDRs on the interface."""
        return [f"{found['local']}/{found['prefixlen']}" for found in self.address_details(interface)]

    def address_details(self, interface: str = "") -> List[Dict[str, Any]]:
        """Return what ``ip -j address`` says of the interface's addresses; empty when there is none such."""
        try:
            links = json.loads(self.ip("-j", "address", "show", "dev", interface or self.interface) or "[]")
        except subprocess.CalledProcessError:
            return []
        return [address for link in links for address in link.get("addr_info", []) if "local" in address]

    def mac(self) -> str:
        return str(json.loads(self.ip("-j", "link", "show", "dev", self.interface))[0]["address"])

    def neighbour(self, address: str) -> str:
        """Return the hardware address that this host's cache has for ``address``, or an empty string."""
        found = json.loads(self.ip("-j", "neighbour", "show", address) or "[]")
        return str(found[0].get("lladdr", "")) if found else ""

    def carrier(self, on: bool) -> None:
        """Plug or pull the cable, at the switch's end."""
        run("ip", "-n", self._switch, "link", "set", self._port, "up" if on else "down")

    def connected(self, on: bool) -> None:
        """Pass on what comes from its port, or not, as a switch that fails further on: the host's link stays up."""
        run("ip", "-n", self._switch, "link", "set", self._port, *(["master", "br0"] if on else ["nomaster"]))

    def queueing(self, kilobytes: int, tcp_port: int) -> Callable[[], None]:
        """Pass on only so much a second of what is on its way to this host from or to a TCP port.

        Nothing is dropped: the rest waits, at the switch's end. Returns what ends it.
        """
        tc = ["tc", "-n", self._switch]
        at = ["dev", self._port]
        run(*tc, "qdisc", "add", *at, "root", "handle", "1:", "htb", "default", "1")
        for number, rate in (("1", "10gbit"), ("2", f"{kilobytes * 8}kbit")):
            limit = ["htb", "rate", rate, "quantum", "60000"]
            run(*tc, "class", "add", *at, "parent", "1:", "classid", f"1:{number}", *limit)
        run(*tc, "qdisc", "add", *at, "parent", "1:2", "bfifo", "limit", "1gb")
        for end in ("sport", "dport"):
            match = ["u32", "match", "ip", end, str(tcp_port), "0xffff", "flowid", "1:2"]
            run(*tc, "filter", "add", *at, "parent", "1:", "protocol", "ip", *match)
        return lambda: run(*tc, "qdisc", "del", *at, "root") and None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread makes inside the block belong to this namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{self.namespace}", "rb") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {self.namespace}")
            try:
                yield
            finally:
                if libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns back")

    def end(self) -> None:
        """Kill what still runs in the namespace, whoever started it there, and remove it."""
        for number in run("ip", "netns", "pids", self.namespace).split():
            try:
                os.kill(int(number), signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        run("ip", "netns", "delete", self.namespace)


class Cable:
    """What connects another interface of a host with a switch beside the network's own."""

    def __init__(self, switch: str, port: str) -> None:
        self._switch, self._port = switch, port

    def carrier(self, on: bool) -> None:
        """Plug or pull it, at the switch's end."""
        run("ip", "-n", self._switch, "link", "set", self._port, "up" if on else "down")


class Network:
    """A switch and the hosts on it."""

    def __init__(self) -> None:
        require_root()
        self._prefix = f"baton-{os.getpid()}-{next(_numbers)}"
        self._switch = f"{self._prefix}-switch"
        self._hosts: List[Host] = []
        self._second = False

    def __enter__(self) -> "Network":
        run("ip", "netns", "add", self._switch)
        try:
            bridge = ["type", "bridge", "stp_state", "0", "mcast_snooping", "0"]
            run("ip", "-n", self._switch, "link", "add", "br0", *bridge)
            run("ip", "-n", self._switch, "link", "set", "br0", "up")
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        self.end()

    def host(self, name: str, addresses: Sequence[str] = (), interface: str = "eth0") -> Host:
        """Add a host; its addresses are usable at once (no duplicate address detection)."""
        namespace = f"{self._prefix}-{name}"
        port = f"p{len(self._hosts)}"
        run("ip", "netns", "add", namespace)
        host = Host(namespace, interface, port, self._switch)
        self._hosts.append(host)
        pair = ["type", "veth", "peer", "name", interface, "netns", namespace]
        run("ip", "-n", self._switch, "link", "add", port, *pair)
        run("ip", "-n", self._switch, "link", "set", port, "master", "br0", "up")
        host.ip("link", "set", "lo", "up")
        host.ip("link", "set", interface, "up")
        for address in addresses:
            host.ip("address", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))
        wait_for(lambda: "LOWER_UP" in host.ip("link", "show", "dev", interface), f"{namespace} has a carrier")
        return host

    def plug(self, host: Host, interface: str, cidr: str, bridge: str = "br1") -> Cable:
        """Give a host a second interface, on a second switch, or on ``br0``, where all have their first."""
        if bridge == "br1" and not self._second:
            kind = ["type", "bridge", "stp_state", "0", "mcast_snooping", "0"]
            run("ip", "-n", self._switch, "link", "add", "br1", *kind)
            run("ip", "-n", self._switch, "link", "set", "br1", "up")
            self._second = True
        port = f"s{self._hosts.index(host)}"
        pair = ["type", "veth", "peer", "name", interface, "netns", host.namespace]
        run("ip", "-n", self._switch, "link", "add", port, *pair)
        run("ip", "-n", self._switch, "link", "set", port, "master", bridge, "up")
        host.ip("link", "set", interface, "up")
        host.ip("address", "add", cidr, "dev", interface)
        wait_for(lambda: "LOWER_UP" in host.ip("link", "show", "dev", interface), f"{interface} has a carrier")
        return Cable(self._switch, port)

    def end(self) -> None:
        """Remove everything; called by the context manager, on failures too."""
        problems = []
        for host in self._hosts:
            try:
                host.end()
            except (OSError, subprocess.CalledProcessError) as error:
                problems.append(error)
        self._hosts = []
        if Path("/run/netns", self._switch).exists():
            run("ip", "netns", "delete", self._switch)
        if problems:
            raise problems[0]
