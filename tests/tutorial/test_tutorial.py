# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial, as a reader does it: every file and every command of its pages, in an empty directory, on three hosts of podman.

`make tutorial`; needs root and podman. What is not on the page: who is active is read, the hosts' network may be another one, and
BATON_TUTORIAL_HOSTS names another kind of hosts than the page's, such as one that has the packages already.
"""

import os
import re
import subprocess
import sys
import time

import pytest
from pages import Command, File, missing, steps

from support.cluster import ROOT

PAGES = ["tutorial.md", "first-service.md"]
HOSTS = ["n1", "n2", "n3"]
KIND = os.environ.get("BATON_TUTORIAL_HOSTS", "trixie")
NETWORK = "10.89.0"  # of the page's addresses
COMMAND_SECONDS = 1500  # for one; a host's packages may come slowly
SEEN_SECONDS = 60  # within which what only looks sees what the page shows
LOOKS = re.compile(r"curl |ansible \w+ -a \"(ip|batonctl|systemctl show) ")


def remove_hosts():
    subprocess.run([sys.executable, ROOT / "demo/hosts.py", "down", "--name", "tut"], check=True)


@pytest.fixture
def reader(tmp_path):
    """Yield how to give a command in an empty directory of a home of its own, where the clone is in ~/baton."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (home / "baton").symlink_to(ROOT)
    environ = {name: value for name, value in os.environ.items() if not re.match("ANSIBLE_|BATON_|MAKE|MFLAGS|PYTHON", name)}
    environ.update(HOME=str(home), PATH=f"{ROOT}/.venv/bin:{os.environ['PATH']}", NO_COLOR="1")

    def run(line):
        return subprocess.run(
            ["bash", "-c", line], cwd=work, env=environ, check=False, text=True, timeout=COMMAND_SECONDS,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    remove_hosts()  # of a run that was broken off
    try:
        yield run, work
    finally:
        remove_hosts()


def holders(vip):
    """Return which hosts have the VIP now."""
    found = {}
    for host in HOSTS:
        command = ["podman", "exec", f"baton-tut-{host}", "ip", "-oneline", "address", "show", "to", vip]
        found[host] = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return [host for host, shown in found.items() if shown]


def until_one_holds(vip, but=()):
    end = time.monotonic() + SEEN_SECONDS
    while True:
        held = holders(vip)
        if len(held) == 1 and held[0] not in but:
            return held[0]
        assert time.monotonic() < end, f"the VIP is on {held}"


def give(run, step, line):
    """Give a command; what only looks is given until it shows what the page shows."""
    end = time.monotonic() + SEEN_SECONDS
    while True:
        done = run(line)
        left = missing(step.prints, done.stdout) if done.returncode == 0 else [f"status {done.returncode}"]
        if not left:
            return done.stdout
        again = LOOKS.match(line) and time.monotonic() < end
        assert again, f"{line}\nlacks: {left}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"


def test_every_command_of_the_tutorial(reader):
    run, work = reader
    network, began = NETWORK, time.monotonic()
    for page in PAGES:
        for step in steps((ROOT / "docs/start" / page).read_text()):
            if isinstance(step, File):
                (work / step.name).write_text(step.text.replace(f"{NETWORK}.", f"{network}."))
                continue
            line, vip = step.line.replace(f"{NETWORK}.", f"{network}.").replace("=trixie", f"={KIND}"), f"{network}.250"
            kills = " kill " in line
            before = until_one_holds(vip) if kills else ""
            if kills:
                line = re.sub(r"ansible n\d", f"ansible {before}", line)  # a reader looks who is active
            print(f"{time.monotonic() - began:6.1f} s  $ {line}", flush=True)
            output = give(run, step, line)
            if "hosts.py up" in line:
                network = re.search(r" (\d+\.\d+\.\d+)\.\d+$", output, re.MULTILINE)[1]
            if kills:
                until_one_holds(vip, but=[before])
    until_one_holds(f"{network}.250")
    print(f"{time.monotonic() - began:6.1f} s  done", flush=True)


def test_what_a_page_does_not_show_is_missed():
    """The judge of this test can say no."""
    page = "```console\n$ a\nn1 up\nn2 up\n$ b\n…\nx … z\n```\n```yaml\n# f.yml\na: 1\n```\n"
    first, second, file = steps(page)
    assert (first, second, file) == (Command("a", "n1 up\nn2 up\n"), Command("b", "…\nx … z\n"), File("f.yml", "# f.yml\na: 1\n"))
    assert missing(first.prints, "n3 up\nn1 up\n") == []
    assert missing(first.prints, "n3 up\nn1 down\n") == ["nN up"]
    assert missing(second.prints, "other\nx y z\n") == []
    assert missing(second.prints, "x y\n") == ["x … z"]
