# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fault lab plays with: a cluster whose nodes and etcd are kept alive, clients that write through its VIP, and what is seen."""

import itertools
import json
import os
import signal
import subprocess
import threading
from contextlib import suppress

import verdict
from clients import REGISTERS, Clients, prepare
from dns_server import dns_on
from holders import Holders
from netns import boottime, run, wait_for, wait_until
from nodes import SPARE, VIP, Node, batond, cluster_of, stop

from baton.core.model.timing import profile
from baton.core.vip.vip import two_holders_bound
from support.etcd import FAST, require_etcd

RECOVERED = 90.0  # seconds after a fault was mended, by when everything must be as before without anybody's help
HURT = 10.0  # seconds that a second fault waits for somebody to be active
DISK = "64m"
WORKERS = {"swap": 4, "add": 3, "look": 1}
RESTART = 1.0  # seconds, as in the unit file


class SupervisedNode(Node):
    """batond as systemd keeps it: ExecStopPost and a new start after each end.

    It has a small disk of its own for its data, and a wall clock that may be hours off.
    """

    ahead = {"n2": 7200.0, "n3": -400.0}

    def __init__(self, *args, **kwargs):
        self._down = threading.Event()  # set while nothing is to be started
        self._ended = False
        super().__init__(*args, **kwargs)
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def disk(self):
        return self.data.parent

    def _keep(self):
        while not self._ended:
            process = self.process
            process.wait()
            if self._ended or self._down.is_set():
                wait_for(lambda: self._ended or not self._down.is_set(), "boot", 3600)
                continue
            self.stop_post()
            wait_until(boottime() + RESTART)
            if not self._ended and not self._down.is_set() and self.process is process:
                self.start()

    def stop_post(self):
        interface = self.host.interface
        names = {"BATON_VIP": f"{VIP}/24", "BATON_INTERFACE": interface, "BATON_DATA_DIR": str(self.data)}
        command = [*batond(), "stop-post"]
        with open(self.log, "ab") as log, suppress(OSError):
            self.host.popen("env", *(f"{name}={value}" for name, value in names.items()), *command, stdout=log, stderr=log).wait(20)

    def lose(self):
        """The host loses power."""
        self._down.set()
        pids = [self.process.pid]
        with suppress(OSError, IndexError):
            pids.insert(0, self.guard())
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        with suppress(subprocess.CalledProcessError):
            self.host.ip("address", "flush", "to", f"{VIP}/32", "dev", "eth0")

    def boot(self):
        self.start()
        self._down.clear()

    def end(self):
        self._ended = True
        super().end()


class EtcdCluster:
    """One member on each host."""

    def __init__(self, folder, hosts):
        require_etcd()
        self.folder, self.hosts, self._processes = folder, list(hosts), {}
        self._everyone = ",".join(f"{self.name(host)}=http://{self._address(host)}:2380" for host in self.hosts)
        for host in self.hosts:
            self.start(host)

    @property
    def names(self):
        """What DNS has to know: name → address."""
        return {f"etcd-{self.name(host)}.lab": self._address(host) for host in self.hosts}

    @property
    def urls(self):
        return ",".join(f"http://{name}:2379" for name in self.names)

    @staticmethod
    def name(host):
        return host.namespace.rpartition("-")[2]

    @staticmethod
    def _address(host):
        return next(cidr for cidr in host.addresses() if not cidr.startswith(VIP)).partition("/")[0]

    def start(self, host):
        name, client, peer = self.name(host), f"http://{self._address(host)}:2379", f"http://{self._address(host)}:2380"
        self._processes[host] = host.popen(
            "etcd", "--name", name, "--data-dir", str(self.folder / f"etcd-{name}"), "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", self._everyone, "--log-level", "error", *FAST, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self, host):
        stop(self._processes[host])

    def restart(self):
        """Start all members anew, so that nobody has a connection to one any more."""
        for host in self.hosts:
            self.stop(host)
        for host in self.hosts:
            self.start(host)

    def pid(self, host):
        return self._processes[host].pid


class NoActive(AssertionError):
    """Nobody serves, so a fault that is for the active can't be done."""


class Lab:
    """One round: a cluster, its clients, and what is watched."""

    def __init__(self, stack, network, folder, timing, size, seed):
        self._hurting = False  # a fault is not mended yet
        self.folder, self.timing, self.seed = folder, profile(timing), seed
        self.shape = f"{timing} {size}"
        hosts = {f"n{number}": network.host(f"n{number}", [f"192.0.2.{number}/24"]) for number in range(1, size + 1)}
        if size == 2:
            hosts["w1"] = network.host("w1", ["192.0.2.30/24"])
        self.etcd = EtcdCluster(folder, hosts.values())
        # What is started on these hosts from here on finds etcd by its names.
        self.dns = stack.enter_context(dns_on(network, self.etcd.names, *hosts.values()))
        for name in list(hosts)[:size]:
            disk = folder / f"disk-{name}"
            disk.mkdir()
            run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk))
            stack.callback(run, "umount", "-l", str(disk))
        options = ["--dcs", f"etcd:{self.etcd.urls}", "--etcd-plain", "--timing", timing]
        self.nodes = stack.enter_context(
            cluster_of(network, folder, size, options, kind=SupervisedNode, hosts=hosts, data=lambda name: folder / f"disk-{name}" / "data")
        )
        self.holders = stack.enter_context(Holders([node.host for node in self.nodes], VIP))
        self._client_host = network.host("client", ["192.0.2.70/24"])
        self.spare = network.host("spare", [f"{SPARE}/24"])
        self._loads = itertools.count(1)
        self._start_clients(stack)

    def _start_clients(self, stack):
        self.token = prepare(self.nodes[0])
        where = self._client_host, self.nodes[0]
        self._clients = Clients(*where, self.token, self.seed, RECOVERED, **WORKERS)
        stack.callback(self._clients.end)
        self.wait_for_writes()

    # --- for the faults ---

    def active(self):
        """Return who holds the VIP and serves; NoActive when the fault before this one left nobody."""
        try:
            return wait_for(self._active, self.logs, RECOVERED if not self._hurting else HURT)
        except AssertionError as error:
            raise NoActive(str(error)) from None

    def _active(self):
        found = [node for node in self.nodes if node.holds()]
        return found[0] if len(found) == 1 and found[0].ok("/active") else None

    def passives(self):
        active = self.active()
        return [node for node in self.nodes if node is not active]

    def record(self):
        """Return (epoch, in-sync set) as the active has them."""
        status = wait_for(lambda: self.active().status(), self.logs)
        return status["epoch"]["number"], status["in_sync"]

    def expect(self, before):
        """Raise Violation unless epoch and in-sync set are those of ``before``."""
        now = self.record()
        if now != before:
            text = f"epoch and in-sync set were {before}, and are {now}"
            raise verdict.Violation(f"{text}\n{self.logs()}")

    def bulk(self, writers=40):
        """Write large values from now on, about a MB a second; return what ends that."""
        seed = f"{self.seed}-bulk{next(self._loads)}"
        load = Clients(self._client_host, self.nodes[0], self.token, seed, bulk=writers)
        return load.end

    def dark(self, since):
        """Return for how long, at most, no strong read was answered since a moment."""
        return self._clients.gap("read", since, boottime())

    @staticmethod
    def pause(seconds):
        wait_until(boottime() + seconds)

    # --- what is seen ---

    def logs(self):
        return "\n".join(f"--- {node.name}\n{node.log.read_text()[-6000:]}" for node in self.nodes)

    def wait_for_writes(self, count=1):
        """Return when clients have been answered again."""
        try:
            self._clients.wait_for_writes(count)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    def whole(self):
        return self._active() is not None and all(node.process.poll() is None and node.ok("/in-sync") for node in self.nodes)

    def recover(self):
        wait_for(self.whole, lambda: "the cluster did not recover\n" + self.logs(), RECOVERED)
        self.wait_for_writes()

    # --- one fault, and the end ---

    def hurt(self, faults, rng):
        """Do one fault or two; return (what was done, seconds without an acknowledged add, seconds of two holders, seconds to recover)."""
        holding = {node.host for node in self.nodes if node.holds()}
        began, said, mends = boottime(), [], []
        for fault in faults:
            try:
                who, mend = fault.hurt(self, rng)
            except NoActive:
                if not said:
                    raise
                continue  # the last in-sync copy has a full disk, say: only mending helps
            self._hurting = True
            said.append(f"{fault.name}: {who}")
            mends.append(mend)
        self.pause(self.timing.grace * rng.uniform(*faults[-1].seconds))
        for mend in mends:
            mend()
        self._hurting = False
        mended = boottime()
        self.recover()
        ended = boottime()
        gap = self._clients.gap("add", began, ended)
        together = self.holders.together(holding, began, ended)
        return " + ".join(said), gap, together, ended - mended

    def bound(self, faults):
        t = self.timing
        return two_holders_bound(t.lease, t.grace, t.valid, t.rate_error) if any(fault.both_frozen for fault in faults) else 0.0

    def judge(self):
        """End the clients and look at all that they were told; return (acknowledged writes, lost races, unknown)."""
        history = self._clients.finish()
        for log in (*(node.log for node in self.nodes), *self.folder.glob("clone-*.log")):
            if "Traceback" in log.read_text():
                text = f"{log.name}: it met what it was not made for"
                raise verdict.Violation(f"{text}:\n{log.read_text()[-8000:]}")
        strange = [item for item in history if item["outcome"] not in ("ok", "lost", "not_applied", "unknown")]
        if strange:
            raise verdict.Violation(f"an answer that should not be: {strange[0]}")
        found = self._documents()
        verdict.check_set({item["new"]: item["outcome"] for item in history if item["kind"] == "add"}, set(found["set"]))
        for register in REGISTERS:
            operations = [operation(item) for item in history if item.get("register") == register]
            end = boottime()
            operations.append(verdict.Operation("read", end, end, found[register]["value"]))
            verdict.check_register(register, "", operations)
        count = [sum(item["outcome"] == outcome for item in history if item["kind"] != "read") for outcome in ("ok", "lost", "unknown")]
        return tuple(count)

    def _documents(self):
        """Return the params of each profile, which must be the same on every node."""

        def shown(node):
            return {item["Name"]: item["Params"] for item in json.loads(node.curl("GET", "/api/v3/profiles?stale=ok", token=self.token)[1])}

        first, *others = self.nodes
        for other in others:
            wait_for(lambda other=other: shown(other) == shown(first), f"{other.name} has other documents than {first.name}", 20)
        return shown(self._active())


def operation(item):
    """Return a line of the history for the judge: a lost race is a read of what was found."""
    if item["outcome"] != "lost":
        return verdict.Operation(item["kind"], item["begin"], item["end"], item["new"], item.get("old", ""), item["outcome"])
    if item["found"] == item["old"]:
        raise verdict.Violation(f"a race was called lost although nothing else stood there: {item}")
    return verdict.Operation("read", item["begin"], item["end"], item["found"])
