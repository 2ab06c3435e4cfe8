# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fault lab does to a cluster: each fault hurts it, and returns who was hurt and what mends it.

``hurt(lab, random)`` gets the Lab of storm.py. Faults with ``both_frozen`` stop daemon and guard at once: only the kernel takes
the VIP away then, and two hosts may hold it for as long as two_holders_bound says.
"""

import itertools
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import Callable

import vip_faults
from copies import KINDS, Clone, copy_data, put_back, start_again
from netns import boottime, wait_for
from verdict import Violation

_numbers = itertools.count()
BUSY = 0.5  # seconds that a client may wait for nothing but a processor


@dataclass(frozen=True)
class Fault:
    """``seconds``: how long it lasts, from and to, in units of the grace. ``alone``: not together with another one."""

    name: str
    hurt: Callable
    seconds: tuple = (0.5, 2.5)
    both_frozen: bool = False
    alone: bool = False


def nothing():
    """Mend what mends itself."""


# --- processes --------------------------------------------------------------------------------------------------------


def kill(node):
    with suppress(ProcessLookupError):
        os.kill(node.process.pid, signal.SIGKILL)


def killed(lab, _random):
    node = lab.active()
    kill(node)
    return node.name, nothing


def killed_passive(lab, random):
    node = random.choice(lab.passives())
    kill(node)
    return node.name, nothing


def stopped(lab, _random):
    node = lab.active()
    node.process.terminate()
    return node.name, nothing


def switched(lab, random):
    node, other = lab.active(), random.choice(lab.passives())
    status, text = node.curl("POST", "/api/v3/system/switch", {"to": other.name})
    return f"{node.name} to {other.name}: {status} {text.strip()[:60] if status != 200 else ''}".strip(), nothing


def host_lost(lab, random):
    """A host without power: its processes, its etcd and its addresses are gone until it boots."""
    node = random.choice([lab.active(), lab.active(), *lab.nodes])
    node.host.carrier(False)
    node.lose()
    lab.etcd.stop(node.host)

    def boot():
        node.host.carrier(True)
        lab.etcd.start(node.host)
        node.boot()

    return node.name, boot


def freeze(pids):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)

    def thaw():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    return thaw


def frozen(lab, _random):
    node = lab.active()
    return node.name, freeze([node.process.pid])


def frozen_with_guard(lab, _random):
    node = lab.active()
    return node.name, freeze([node.process.pid, node.guard()])


def frozen_passive(lab, random):
    node = random.choice(lab.passives())
    return node.name, freeze([node.process.pid])


def restart_storm(lab, random):
    """Every daemon is killed again and again, as a bad deployment or a memory killer would."""
    total = 0
    for _round in range(random.randint(3, 5)):
        for node in random.sample(lab.nodes, len(lab.nodes)):
            kill(node)
            total += 1
            lab.pause(random.uniform(0, 0.8))
    return f"{total} kills", nothing


def wiped(lab, random):
    """A passive's disk is replaced by an empty one."""
    node = random.choice(lab.passives())
    node.lose()
    shutil.rmtree(node.data, ignore_errors=True)
    return node.name, node.boot


# --- network ----------------------------------------------------------------------------------------------------------


def cut_off(lab, random):
    node = random.choice([lab.active(), lab.active(), *lab.nodes])
    node.host.carrier(False)
    return node.name, lambda: node.host.carrier(True)


def drop(host, chain, match, verdict="drop"):
    """Drop what matches; return what ends it."""
    table = f"cut{next(_numbers)}"
    rule = f"type filter hook {chain} priority 0; {match} {verdict};"
    rules = f"table inet {table} {{ chain c {{ {rule} }}; }}"
    host.run("nft", rules)
    return lambda: host.run("nft", f"delete table inet {table}")


def deaf(lab, random):
    node = random.choice([lab.active(), *lab.nodes])
    return node.name, drop(node.host, "input", "iifname eth0")


def mute(lab, random):
    node = random.choice([lab.active(), *lab.nodes])
    return node.name, drop(node.host, "output", "oifname eth0")


def split(lab, random):
    """Two nodes don't reach each other; everybody else reaches both."""
    one, other = random.sample(lab.nodes, 2)
    return f"{one.name} from {other.name}", drop(one.host, "output", f"ip daddr {other.address}")


def no_store(lab, _random):
    node = lab.active()
    return node.name, drop(node.host, "output", "tcp dport 2379")


def lossy(lab, random):
    node, share = random.choice([lab.active(), *lab.nodes]), random.randint(5, 40)
    return f"{node.name}, {share} %", drop(node.host, "input", f"iifname eth0 numgen random mod 100 < {share}")


def slow_network(lab, random):
    """A line so thin that packets wait for up to half a second and those behind them are dropped (not every kernel has netem)."""
    node, rate = random.choice([lab.active(), *lab.nodes]), random.choice([100, 300, 1000])
    node.host.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", f"{rate}kbit", "burst", "4kb", "latency", "500ms")
    return f"{node.name}, {rate} kbit/s", lambda: node.host.run("tc", "qdisc", "del", "dev", "eth0", "root")


def shrunk(lab, node):
    """Wait until the in-sync set is without a node."""
    what = f"{node.name} leaves the in-sync set"
    wait_for(lambda: node.name not in lab.record()[1], lambda: f"{what}\n{lab.logs()}", 30)


def never_dark(lab, since):
    """Raise Violation if nobody served for longer than a lease."""
    dark = lab.dark(since)
    if dark > lab.timing.lease + BUSY:
        raise Violation(f"nobody served for {dark:.2f} s\n{lab.logs()}")


def slow_line(lab, random):
    """What goes to a passive arrives late, and all of it: the active serves on, soon without it."""
    node, rate, since = random.choice(lab.passives()), random.choice([100, 300]), boottime()
    let_go = node.host.queueing(rate, 8092)
    end_load = lab.bulk()
    shrunk(lab, node)

    def mend():
        end_load()
        let_go()
        never_dark(lab, since)

    return f"{node.name}, {rate} KB/s", mend


def no_dns(lab, random):
    """DNS hangs, or says no, when all connections to etcd have to be made anew; a passive ends."""
    node, hangs, since = random.choice(lab.passives()), random.random() < 0.5, boottime()
    if hangs:
        mends = [freeze([lab.dns.pid])]
    else:
        mends = [drop(one.host, "output", "udp dport 53", "reject") for one in lab.nodes]
    lab.etcd.restart()
    node.lose()
    shrunk(lab, node)
    never_dark(lab, since)

    def mend():
        for one in mends:
            one()
        node.boot()

    return f"{node.name}, it {'hangs' if hangs else 'says no'}", mend


# --- etcd -------------------------------------------------------------------------------------------------------------


def etcd_member_killed(lab, random):
    host = random.choice(lab.etcd.hosts)
    lab.etcd.stop(host)
    return lab.etcd.name(host), lambda: lab.etcd.start(host)


def etcd_member_frozen(lab, random):
    host = random.choice(lab.etcd.hosts)
    return lab.etcd.name(host), freeze([lab.etcd.pid(host)])


def etcd_outage(lab, _random):
    return "all members", freeze([lab.etcd.pid(host) for host in lab.etcd.hosts])


def etcd_outage_and_killed(lab, _random):
    """With no store nobody can follow: it must be safe all the same, and go on when the store is back."""
    thaw = freeze([lab.etcd.pid(host) for host in lab.etcd.hosts])
    node = lab.active()
    kill(node)
    return node.name, thaw


def passive_restarted_without_etcd(lab, random):
    """A crash, or an upgrade, while the store is out: all goes on when it answers again."""
    node = random.choice(lab.passives())
    since, thaw = lab.record(), freeze([lab.etcd.pid(host) for host in lab.etcd.hosts])
    kill(node)
    try:
        wait_for(lambda: node.process.poll() is None and node.ok("/health"), lab.logs, 30)
        lab.wait_for_writes()
        lab.expect(since)
    except BaseException:
        thaw()
        raise
    return node.name, thaw


# --- two of one name ------------------------------------------------------------------------------


def cloned(lab, random):
    """A copy of a host is started beside it: it is refused, and changes nothing."""
    node, kind = random.choice([lab.active(), *lab.passives()]), random.choice(KINDS)
    clone = Clone(node, lab.spare, kind, own_url=random.random() < 0.7)
    lab.recover()  # it was held for a moment while its disk was copied
    before = lab.record()
    clone.start()
    here, two = f"https://{node.address}:8092", f"two nodes call themselves {node.name}"

    def named():
        error = lab.active().status().get("error") or ""
        told = two in clone.log.read_text()  # the active remembers for a while whom it saw before
        return told and all(text in error for text in (two, here, clone.url))

    wait_for(named, lambda: f"both are named\n{clone.log.read_text()}\n{lab.logs()}", 30)

    def mend():
        clone.end()
        lab.expect(before)

    return f"{node.name}, its {kind}", mend


def second_start(lab, random):
    """Started by hand beside the service: it is refused, and so is its stop-post."""
    node, port = random.choice(lab.nodes), random.choice([8092, 8099])
    process, before = node.process, lab.record()
    status, said = start_again(node, listen=f"0.0.0.0:{port}")
    node.stop_post()
    if status != 2 or "is in use by another batond" not in said or process.poll() is not None:
        raise Violation(f"a second start on the data of {node.name} ended with {status}: {said}")
    lab.expect(before)
    return f"{node.name}, port {port}", nothing


# --- disks ------------------------------------------------------------------------------------------------------------


def disk_full(lab, random):
    node, active = random.choice(lab.nodes), lab.active()
    filler = node.disk / f"filler{next(_numbers)}"
    with suppress(OSError), open(filler, "wb") as file:
        while True:
            file.write(b"\0" * 65536)
            file.flush()
    return f"{node.name}{', active' if node is active else ''}", lambda: filler.unlink(missing_ok=True)


def inject(node, effect):
    """Make this process's flushes behave so; return what ends it. The calls that Python and SQLite make reach the kernel through strace."""
    flushes = "fdatasync,fsync"
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={flushes}", "-e", f"inject={flushes}:{effect}"]
    process = subprocess.Popen([*command, "-p", str(node.process.pid)], stderr=subprocess.DEVNULL)

    def end():
        process.terminate()
        process.wait()

    return end


def flush_fails(lab, random):
    node = random.choice(lab.nodes)
    process, end = node.process, inject(node, "error=EIO")
    try:
        wait_for(lambda: process.poll() is not None, f"{node.name} ends when its disk fails", 30)
    finally:
        end()
    return node.name, nothing


def slow_disk(lab, random):
    node, delay = random.choice(lab.nodes), random.choice([50, 200, 800])
    return f"{node.name}, {delay} ms", inject(node, f"delay_enter={delay * 1000}")


def set_back(lab, random):
    """A passive's disk becomes what it was many writes ago, in place, and lacks the rest.

    In one case of two etcd is out, too, so that it stays in the in-sync set, and must not count.
    """
    node, copy = random.choice(lab.passives()), lab.folder / f"set-back-{next(_numbers)}"
    copy_data(node, copy)
    lab.wait_for_writes(200)
    lab.recover()
    without_etcd = random.random() < 0.5
    thaw = freeze([lab.etcd.pid(host) for host in lab.etcd.hosts] if without_etcd else [])
    node.lose()
    put_back(copy, node.data)
    shutil.rmtree(copy)
    node.boot()
    return f"{node.name}{', etcd gone' if without_etcd else ''}", thaw


FAULTS = (
    Fault("active killed", killed),
    Fault("active frozen", frozen),
    Fault("active and its guard frozen", frozen_with_guard, both_frozen=True, alone=True),
    Fault("active told to stop", stopped),
    Fault("planned switch", switched),
    Fault("host without power", host_lost, (1.5, 4)),
    Fault("host cut off", cut_off),
    Fault("host hears nothing", deaf),
    Fault("host says nothing", mute),
    Fault("two hosts cut from each other", split),
    Fault("active cut from etcd", no_store),
    Fault("packets lost", lossy),
    Fault("thin line, packets late", slow_network),
    Fault("slow line to a passive", slow_line, alone=True),
    Fault("DNS out, then passive lost", no_dns, alone=True),
    Fault("etcd member killed", etcd_member_killed),
    Fault("etcd member frozen", etcd_member_frozen),
    Fault("etcd gone", etcd_outage, (1, 4)),
    Fault("etcd gone, then active killed", etcd_outage_and_killed, (1, 3), alone=True),
    Fault("etcd gone, then passive restarted", passive_restarted_without_etcd, alone=True),
    Fault("passive killed", killed_passive),
    Fault("passive frozen", frozen_passive),
    Fault("passive's disk replaced", wiped, alone=True),
    Fault("passive's disk set back", set_back, (1, 2), alone=True),
    Fault("a node's clone joins", cloned, (1, 3), alone=True),
    Fault("second start on one directory", second_start, (0, 0.1), alone=True),
    Fault("disk full", disk_full),
    Fault("flush of the disk fails", flush_fails, alone=True),
    Fault("slow disk", slow_disk, (1, 3)),
    Fault("restart storm", restart_storm, (0, 0.1)),
    Fault("another program adds the VIP", vip_faults.twin, (1, 3), alone=True),
    Fault("another host has the VIP", vip_faults.rival, (0, 0.1), alone=True),
    Fault("flood of claims to the VIP", vip_faults.flood, (1, 3), alone=True),
    Fault("VIP's interface renamed", vip_faults.renamed, (1, 2), alone=True),
    Fault("no descriptor, guard killed", vip_faults.no_descriptors, (0.5, 1.5), alone=True),
    Fault("guard frozen, host cut off", vip_faults.guard_frozen_and_cut_off, (1, 3), alone=True),
    Fault("guards killed again and again", vip_faults.guards_killed, (0, 0.1)),
)
