# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the hosts, made once and kept: a Debian release as it is installed, and *furnished*, with what the roles would install.

An image is known by the text of this file: change what goes into it here, and the next `up` makes another.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from podman import run, say, start

PACKAGES = (
    "systemd,systemd-sysv,dbus,python3,iproute2,iputils-arping,iputils-ping,ca-certificates,curl,procps,sudo"
)
# What scenarios would install on every host. Not bind9-dnsutils: scenario drivers proves with it that role driver installs its
# packages, as scenario default (fresh hosts only) does for role node, and failover's witness for role etcd.
FURNITURE = ("python3-aiohttp", "python3-requests", "etcd-server", "etcd-client", "nginx-light", "apprise", "bind9")
NOT_AT_BOOT = ("etcd.service", "named.service")  # scenarios start them; nginx is as Debian leaves it: role driver has to disable it
REPOSITORY = "localhost/baton-host"
KEY = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


def image_of(kind):
    """Return the image of a kind of host: SUITE or SUITE:furnished."""
    return f"{REPOSITORY}:{kind.replace(':', '-')}-{KEY}"


def exists(image):
    return run("podman", "image", "exists", image, check=False).returncode == 0


def ensure_image(kind):
    """Make an image unless it is there."""
    suite, _colon, furnished = kind.partition(":")
    if furnished not in ("", "furnished"):
        raise SystemExit(f"hosts: {kind!r} is no kind of host; write {suite} or {suite}:furnished")
    if exists(image_of(kind)):
        return
    if furnished:
        ensure_image(suite)
        furnish(suite, image_of(kind))
    else:
        install(suite, image_of(kind))


def install(suite, image):
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
        run("podman", "import", "--change", 'CMD ["/sbin/init"]', "--change", "STOPSIGNAL SIGRTMIN+3", str(archive), image)


def furnish(suite, image):
    """Install the rest in a container without systemd, so that nothing is started and the machine has no name yet."""
    say(f"furnishing the host image of Debian {suite} (once, less than a minute) …")
    container = f"baton-furnish-{suite}-{os.getpid()}"
    start(container, image_of(suite), ["sleep", "3600"])
    try:
        inside = ["podman", "exec", "--env", "DEBIAN_FRONTEND=noninteractive", container]
        run(*inside, "apt-get", "update")
        run(*inside, "apt-get", "install", "-y", "--no-install-recommends", *FURNITURE)
        run(*inside, "apt-get", "clean")
        run(*inside, "systemctl", "disable", *NOT_AT_BOOT)
        run("podman", "commit", "--change", 'CMD ["/sbin/init"]', container, image)
    finally:
        run("podman", "rm", "-f", "-t", "0", container, check=False)


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
    (root / "etc/dpkg/dpkg.cfg.d/host").write_text("force-unsafe-io\n")  # a host that is thrown away need not survive a power cut
    for bundle in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(bundle, root / "usr/local/share/ca-certificates" / bundle.name)
    run("chroot", str(root), "update-ca-certificates", check=False)
    with_lists = run("chroot", str(root), "apt-get", "update", check=False)
    if with_lists.returncode != 0:
        say("note: `apt-get update` failed inside the image; the hosts will try again")


def remove_images():
    """Remove all of them, of other states of this file, too. Never with -f: that would remove whatever else runs from one."""
    for image in run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).stdout.split():
        if run("podman", "rmi", image, check=False).returncode != 0:
            say(f"note: {image} is kept, other hosts use it")
