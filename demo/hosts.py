# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real systemd hosts on one machine, for the demo and for molecule: podman containers on one network.

  python3 demo/hosts.py up --name demo n1=trixie n2=trixie n3=bookworm   make or start them; prints their addresses
  python3 demo/hosts.py images trixie bookworm:furnished                 make what is missing of such hosts' images (images.py)
  python3 demo/hosts.py down --name demo [--images]                      remove them (and the images)
  python3 demo/hosts.py address --name demo                              print a free address of their network, for the VIP

Needs root, podman and debootstrap. What the machine allows (runtime, limits) is probed, not assumed. Standard library only.
"""

import argparse
import ipaddress
import json
import os
import shutil
import time

from images import ensure_image, image_of, remove_images
from podman import run, start, state_of

READY_SECONDS = 90


# --- containers ---------------------------------------------------------------------------------------------------------


def start_host(container, host, kind, network, address):
    """Start one systemd host."""
    rights = ["--systemd=always", "--cap-add=NET_ADMIN,NET_RAW,SYS_ADMIN", "--tmpfs=/tmp", "--label=baton-host=1"]
    start(container, image_of(kind), ["/sbin/init"], "--hostname", host, "--network", network, "--ip", address, *rights)


def wait_ready(container):
    """Wait until systemd has started everything."""
    end = time.monotonic() + READY_SECONDS
    seen = ""
    while time.monotonic() < end:
        seen = run("podman", "exec", container, "systemctl", "is-system-running", check=False).stdout.strip()
        if seen in ("running", "degraded"):
            return
        time.sleep(0.3)
    raise SystemExit(f"hosts: {container} is {seen or 'not answering'} after {READY_SECONDS} s; see `podman logs {container}`")


def network_of(name):
    return f"baton-{name}"


def ensure_network(name):
    if run("podman", "network", "exists", network_of(name), check=False).returncode != 0:
        run("podman", "network", "create", network_of(name))


def address_of(container):
    text = run("podman", "inspect", container).stdout
    networks = json.loads(text)[0]["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))["IPAddress"]


def subnet_of(name):
    subnet = json.loads(run("podman", "network", "inspect", network_of(name)).stdout)[0]["subnets"][0]["subnet"]
    return ipaddress.ip_network(subnet)


def free_address(name):
    """Return an address with prefix length that podman will not give to a host: near the end of the subnet."""
    network = subnet_of(name)
    return f"{network.broadcast_address - 5}/{network.prefixlen}"


def ensure_images(kinds):
    for kind in sorted(set(kinds)):
        ensure_image(kind)


def up(name, hosts):
    ensure_images(hosts.values())
    ensure_network(name)
    for number, (host, kind) in enumerate(hosts.items()):
        container = f"baton-{name}-{host}"
        if state_of(container) != "running":
            run("podman", "rm", "-f", container, check=False)
            start_host(container, host, kind, network_of(name), str(subnet_of(name)[11 + number]))  # the same after a restart
    for host in hosts:
        wait_ready(f"baton-{name}-{host}")
        print(f"{host} baton-{name}-{host} {address_of(f'baton-{name}-{host}')}", flush=True)


def down(name, images):
    def left():
        return run("podman", "ps", "-aq", "--filter", f"name=^baton-{name}-").stdout.split()

    if left():
        run("podman", "rm", "-f", "-t", "2", *left(), check=False)
    if left():  # podman fails to kill one that ends at that very moment
        run("podman", "rm", "-f", *left())
    run("podman", "network", "rm", "-f", network_of(name), check=False)
    if images:
        remove_images()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["up", "down", "address", "images"])
    parser.add_argument("--name", default="demo")
    parser.add_argument("--images", action="store_true")
    parser.add_argument("hosts", nargs="*", metavar="HOST=SUITE[:furnished]")
    options = parser.parse_intermixed_args()
    if os.geteuid() != 0:
        raise SystemExit("hosts: run this as root (or with sudo): systemd hosts with networks of their own need it")
    missing = [tool for tool in ("podman", "debootstrap") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"hosts: {' and '.join(missing)} is missing; `make system` installs it")
    if options.verb == "up":
        up(options.name, dict(item.partition("=")[::2] for item in options.hosts))
    elif options.verb == "images":
        ensure_images(options.hosts)
    elif options.verb == "down":
        down(options.name, options.images)
    else:
        print(free_address(options.name))


if __name__ == "__main__":
    main()
