# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd by name, with a real DNS that hangs: the record can still be changed, and the VIP stays."""

import json
import signal
import subprocess

from dns_server import dns_on
from holders import Holders
from netns import boottime, wait_for, wait_until
from nodes import VIP, cluster_of, etcd_on, stop

CACHED = 11.0  # seconds: longer than aiohttp itself would remember a name


def status(node):
    return json.loads(node.curl("GET", "/api/v3/system/ha")[1] or "{}")


def test_an_active_loses_its_passive_while_dns_hangs_and_keeps_the_vip(network, tmp_path):
    hosts = {name: network.host(name, [f"192.0.2.{name[1]}/24"]) for name in ("n1", "n2")}
    options = ["--dcs", "etcd:http://etcd1.lab:2379", "--etcd-plain", "--timing", "fast"]
    with dns_on(network, {"etcd1.lab": "192.0.2.50"}, *hosts.values()) as dns:
        with etcd_on(network, tmp_path) as (etcd, _options):
            with cluster_of(network, tmp_path, 2, options, hosts=hosts) as (active, passive):
                dns.send_signal(signal.SIGSTOP)
                etcd.kill()
                etcd.wait()
                wait_for(lambda: not status(active)["dcs_reachable"], "the outage is known")
                wait_until(boottime() + CACHED)
                quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                again = subprocess.Popen(etcd.args, **quiet)  # all connections are made anew
                try:
                    wait_for(lambda: status(active)["dcs_reachable"], active.log.read_text)
                    with Holders([active.host], VIP) as seen:
                        stop(passive.process)
                        wait_for(lambda: status(active)["in_sync"] == ["n1"], active.log.read_text)
                    assert seen.events == [] or all(present for _at, _host, present in seen.events)
                    assert active.holds() and status(active)["serving"]
                    said = active.log.read_text()
                    assert said.count("the name etcd1.lab can't be resolved any more") <= 1
                finally:
                    stop(again)
