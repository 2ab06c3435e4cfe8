# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/inclusion.py: this checkout has what the community's collections need, and what is taken
away or planted is noticed.
"""

import shutil
import subprocess

import pytest

from support.cluster import ROOT
from support.tools import load

inclusion = load("inclusion")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A checkout with what the checks look at."""
    root = tmp_path_factory.mktemp("checkout")
    for path in inclusion.tracked(ROOT):
        if path.parts[0] not in ("tests", "molecule", "demo"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, root / path)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def test_what_is_here_will_do():
    assert inclusion.problems(ROOT) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("SECURITY.md", None, None, "SECURITY.md is missing"),
        ("roles/leader/README.md", None, None, "roles/leader/README.md is missing"),
        ("COPYING", None, b"all rights reserved", "has not the text"),
        ("galaxy.yml", b"\nversion: ", b"\nversion: 0.", " 0."),
        ("galaxy.yml", b"linux, infrastructure", b"other", "tags need one"),
        (
            "galaxy.yml",
            b"\nbuild_ignore:",
            b"\nrepository: https://example.org/ha\nbuild_ignore:",
            "repository is made up",
        ),
        ("galaxy.yml", b'">=2.15.0"', b'"*"', "lower bound"),
        ("meta/runtime.yml", b">=2.17.0", b">2.17", "requires_ansible"),
        ("meta/runtime.yml", b"    - once\n", b"", "lacks once"),
        ("meta/runtime.yml", b"    - once\n", b"    - once\n    - twice\n", "has twice"),
        ("plugins/lookup/tool", None, b"\x7fELF\0", "no text"),
        ("tests/sanity/ignore-2.19.txt", None, b"plugins/x", "no exceptions"),
        ("plugins/helpers/x.py", None, b"", "no kind of plugin"),
        ("plugins/modules/lock.py", b"version_added", b"version_removed", "no version_added"),
        (
            "plugins/modules/lock.py",
            b"  baton.ha.lock:",
            b"  lock:",
            "lock in EXAMPLES is to have its full name",
        ),
        (
            "roles/node/README.md",
            b"  roles:",
            b"  tasks:\n    - name: x\n      debug:\n  roles:",
            "debug is to have its full name",
        ),
        ("README.md", b"](CODE_OF_CONDUCT.md)", b"", "the code of conduct"),
        ("README.md", b"ansible-core 2.17", b"ansible-core 2.16", "2.17 is the lowest"),
        ("RELEASING.md", b"and 2.17 at least", b"and 2.18 at least", "2.17 is the lowest"),
        ("docs/start/install.md", b"ansible-core 2.17", b"ansible-core 2.18", "2.17 is the lowest"),
        ("roles/etcd/meta/main.yml", b'"2.17"', b'"2.18"', "to be 2.17, the lowest"),
        ("CODE_OF_CONDUCT.md", b"docs.ansible.com", b"another", "the community's"),
        ("CHANGELOG.rst", b"\nv", b"\nw", "has no release"),
    ],
)
def test_what_is_missing_or_planted_is_said(copy, name, old, new, problem):
    path = copy / name
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if old is not None:
            assert old in before
            path.write_bytes(before.replace(old, new))
        elif new is None:
            path.unlink()
        else:
            path.write_bytes(new)
        found = inclusion.problems(copy)
        assert found and all(problem in line for line in found), found
    finally:
        if before is not None:
            path.write_bytes(before)
        else:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def test_names_in_blocks_are_looked_at_and_keywords_are_none():
    text = "- name: x\n  block:\n    - name: y\n      copy: {}\n      when: true\n  rescue:\n    - name: z\n      ansible.builtin.fail:\n"
    assert inclusion.short_names(text) == ["copy"]
    assert inclusion.short_names("- hosts: all\n  tasks:\n    - name: x\n      debug: {}\n") == [
        "debug"
    ]
    assert inclusion.short_names("one: {not: tasks}") == []
