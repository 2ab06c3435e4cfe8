# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real systemd hosts on one machine, for the demo and for molecule: podman containers on one network.

  python3 demo/hosts.py up --name demo n1=trixie n2=trixie n3=bookworm   make or start them; prints their addresses
  python3 demo/hosts.py down --name demo [--images]                      remove them (and the images)
  python3 demo/hosts.py address --name demo                              print a free address of their network, for the VIP

Needs root, podman and debootstrap. What the machine allows (runtime, limits) is probed, not assumed. Standard library only.
"""

import argparse
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PACKAGES = (
    "systemd,systemd-sysv,dbus,python3,iproute2,iputils-arping,iputils-ping,ca-certificates,curl,procps,sudo"
)
READY_SECONDS = 90
COMMAND_SECONDS = 1200  # a release is about 150 MB; a mirror or podman that says nothing for so long never will


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, check=True):
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=COMMAND_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(f"hosts: `{' '.join(command[:6])} …` did not end within {COMMAND_SECONDS} s") from None
    if check and done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise SystemExit(f"hosts: `{' '.join(command[:6])} …` failed: {lines[-1] if lines else done.returncode}")
    return done


# --- images -------------------------------------------------------------------------------------------------------------


def image_of(suite):
    return f"localhost/baton-host:{suite}"


def ensure_image(suite):
    """Make the image of a Debian release once; it is kept."""
    if run("podman", "image", "exists", image_of(suite), check=False).returncode == 0:
        return
    say(f"making the host image of Debian {suite} (once, about two minutes) …")
    with tempfile.TemporaryDirectory(prefix="baton-image-") as folder:
        root = Path(folder) / "root"
        mirror, options = apt_source()
        # The archive's key may be newer than this machine's keyring.
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", *options, suite, str(root), mirror)
        write_apt(root, suite, mirror)
        for unit in ("systemd-networkd-wait-online.service", "systemd-resolved.service", "apt-daily.timer", "apt-daily-upgrade.timer"):
            (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
        for stale in (root / "var/cache/apt/archives").glob("*.deb"):
            stale.unlink()
        archive = Path(folder) / "root.tar"
        run("tar", "-C", str(root), "--numeric-owner", "-cf", str(archive), ".")
        run("podman", "import", "--change", 'CMD ["/sbin/init"]', "--change", "STOPSIGNAL SIGRTMIN+3", str(archive), image_of(suite))


def apt_source():
    """Return the Debian mirror that this machine itself uses, and debootstrap's options for its keys."""
    mirror = ""
    for path in [*Path("/etc/apt").glob("sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        for line in path.read_text(errors="replace").splitlines():
            words = line.split()
            if words[:1] == ["deb"] and not mirror:
                mirror = next((word for word in words[1:] if word.startswith("http") and "debian" in word), "")
            elif words[:1] == ["URIs:"] and not mirror and len(words) > 1 and words[1].rstrip("/").endswith("/debian"):
                mirror = words[1]
    if not mirror:
        raise SystemExit("hosts: no Debian mirror in /etc/apt: the hosts' images are made from the one that this machine uses")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    return mirror.rstrip("/"), [f"--keyring={keyring}"] if keyring.exists() else []


def write_apt(root, suite, mirror):
    """Let the hosts install packages as this machine does: same mirror, same proxy and trust."""
    (root / "etc/apt/sources.list").write_text(f"deb {mirror} {suite} main\n")
    settings = run("apt-config", "dump", check=False).stdout.splitlines()
    wanted = [line for line in settings if line.startswith(("Acquire::http", "Acquire::https")) and '""' not in line]
    (root / "etc/apt/apt.conf.d/90host").write_text("\n".join([*wanted, 'Acquire::Languages "none";', ""]))
    for bundle in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(bundle, root / "usr/local/share/ca-certificates" / bundle.name)
    run("chroot", str(root), "update-ca-certificates", check=False)
    with_lists = run("chroot", str(root), "apt-get", "update", check=False)
    if with_lists.returncode != 0:
        say("note: `apt-get update` failed inside the image; the hosts will try again")


# --- containers ---------------------------------------------------------------------------------------------------------


def start(container, host, suite, network, address):
    """Start one host with the first set of options that this machine accepts."""
    base = [
        "podman", "run", "-d", "--name", container, "--hostname", host, "--network", network, "--ip", address, "--systemd=always",
        "--cap-add=NET_ADMIN,NET_RAW,SYS_ADMIN", "--tmpfs=/tmp", "--label=baton-host=1",
    ]  # fmt: skip
    limits = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=9000:9000"]
    tries = [runtime + extra for extra in ([], limits) for runtime in ([], ["--runtime", "runc"])]
    known = os.environ.get("BATON_PODMAN_OPTIONS")
    if known is not None:
        tries = [known.split(), *tries]
    errors = []
    for options in tries:
        options_first = [word for word in options if word in ("--runtime", "runc")]
        rest = [word for word in options if word not in ("--runtime", "runc")]
        command = ["podman", *options_first, *base[1:], *rest, image_of(suite), "/sbin/init"]
        done = run(*command, check=False)
        if done.returncode == 0 and state_of(container) == "running":
            os.environ["BATON_PODMAN_OPTIONS"] = " ".join(options)
            return
        errors.append((done.stderr.strip().splitlines() or ["stopped at once"])[-1])
        run("podman", "rm", "-f", container, check=False)
    raise SystemExit(f"hosts: podman can't start a systemd host here: {errors[-1]}")


def state_of(container):
    return run("podman", "inspect", "-f", "{{.State.Status}}", container, check=False).stdout.strip()


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


def up(name, hosts):
    for suite in sorted(set(hosts.values())):
        ensure_image(suite)
    ensure_network(name)
    for number, (host, suite) in enumerate(hosts.items()):
        container = f"baton-{name}-{host}"
        if state_of(container) != "running":
            run("podman", "rm", "-f", container, check=False)
            start(container, host, suite, network_of(name), str(subnet_of(name)[11 + number]))  # the same after a restart
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
        for suite in ("trixie", "bookworm"):
            # Never with -f: that would remove whatever else runs from this image.
            if run("podman", "image", "exists", image_of(suite), check=False).returncode != 0:
                continue
            if run("podman", "rmi", image_of(suite), check=False).returncode != 0:
                say(f"note: {image_of(suite)} is kept, other hosts use it")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["up", "down", "address"])
    parser.add_argument("--name", default="demo")
    parser.add_argument("--images", action="store_true")
    parser.add_argument("hosts", nargs="*", metavar="HOST=SUITE")
    options = parser.parse_intermixed_args()
    if os.geteuid() != 0:
        raise SystemExit("hosts: run this as root (or with sudo): systemd hosts with networks of their own need it")
    missing = [tool for tool in ("podman", "debootstrap") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"hosts: {' and '.join(missing)} is missing; `make system` installs it")
    if options.verb == "up":
        up(options.name, dict(item.partition("=")[::2] for item in options.hosts))
    elif options.verb == "down":
        down(options.name, options.images)
    else:
        print(free_address(options.name))


if __name__ == "__main__":
    main()
