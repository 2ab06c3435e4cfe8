# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/release.py in a clone: what it refuses, what it writes, and that without success, or in a
dry run, nothing is left of it.
"""

import subprocess
import sys

import pytest
import yaml

from support.cluster import ROOT
from support.tools import load

release = load("release")
versions = load("versions")
HOME = "https://sources.test/baton/ha"
NOW = versions.said()["galaxy.yml"]
NEXT = ".".join(map(str, (*versions.numbers(NOW)[:2], versions.numbers(NOW)[2] + 1)))


def git(where, *arguments):
    return subprocess.run(
        ["git", *arguments], cwd=where, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A clone on main, with what this checkout has changed, and one fragment."""
    root = tmp_path / "checkout"
    git(tmp_path, "clone", "-q", "--no-tags", ROOT, root)
    git(root, "checkout", "-q", "-B", "main")
    git(root, "config", "user.name", "Somebody")
    git(root, "config", "user.email", "somebody@sources.test")
    (root / ".venv").symlink_to(ROOT / ".venv")
    (root / "changelogs/fragments/1.yml").write_text(
        "---\nbugfixes:\n  - batond - the one thing that was wrong.\n"
    )
    git(root, "add", "changelogs")
    git(root, "commit", "-q", "-m", "Mend it")
    return root


def state(root):
    commands = ("rev-parse HEAD", "tag", "status --porcelain", "rev-parse --abbrev-ref HEAD")
    return [git(root, *command.split()) for command in commands]


def test_a_good_one_is_not_refused(checkout):
    release.check(checkout, NEXT, HOME)
    release.check(checkout, NOW, HOME)  # it has no tag yet
    git(checkout, "tag", "-a", "0.9.0", "-m", "x")
    git(checkout, "tag", "before-the-move")
    release.check(checkout, NEXT, HOME)


def dirty(root):
    (root / "README.md").write_text("")


def elsewhere(root):
    git(root, "switch", "-q", "-c", "idea")


def released(root):
    git(root, "tag", "-a", NEXT, "-m", "x")


def nothing_new(root):
    git(root, "rm", "-q", "-r", "changelogs/fragments")
    git(root, "commit", "-q", "-m", "x")


def nothing(_root):
    pass


@pytest.mark.parametrize(
    ("change", "version", "repository", "why"),
    [
        (nothing, "next", HOME, "next is no version"),
        (nothing, "0.9.9", HOME, f"0.9.9 is less than {NOW}"),
        (dirty, NEXT, HOME, "not committed"),
        (elsewhere, NEXT, HOME, "this is idea"),
        (released, NEXT, HOME, "not greater than"),
        (nothing_new, NEXT, HOME, "nothing in changelogs/fragments"),
        (nothing, NEXT, "sources.test", "no address of sources"),
        (nothing, NEXT, "https://example.com/baton/ha", "no address of sources"),
    ],
)
def test_what_is_not_ready_is_refused(checkout, change, version, repository, why):
    change(checkout)
    with pytest.raises(release.Refused, match=why):
        release.check(checkout, version, repository)


def test_a_checkout_that_says_no_repository_is_refused(checkout):
    galaxy = checkout / "galaxy.yml"
    galaxy.write_text(
        "".join(
            line
            for line in galaxy.read_text().splitlines(True)
            if not line.startswith("repository:")
        )
    )
    if git(checkout, "status", "--porcelain"):
        git(checkout, "commit", "-qam", "x")
    with pytest.raises(release.Refused, match="REPOSITORY=URL"):
        release.check(checkout, NEXT)


@pytest.mark.parametrize("version", [NOW, NEXT])
def test_version_repository_and_changelog_are_written(checkout, tmp_path, version):
    place = tmp_path / "source"
    release.clone(checkout, place)
    release.write(place, version, HOME)
    release.commit(place, version)
    assert set(versions.said(place).values()) == {version}
    said = yaml.safe_load((place / "galaxy.yml").read_text())
    assert said["repository"] == HOME and said["build_ignore"]
    newest = (
        (place / "CHANGELOG.rst").read_text().partition(f"\nv{version}\n")[2].partition("\nv")[0]
    )
    assert "- batond - the one thing that was wrong." in newest
    assert not release.fragments(place)
    assert (
        git(place, "status", "--porcelain") == ""
        and git(place, "log", "-1", "--format=%s") == f"Release {version}"
    )


@pytest.fixture
def made(checkout, monkeypatch):
    """What is slow, and has tests or is one, is left out: lint, writing the changelog, building,
    installing.
    """
    done = []
    monkeypatch.setattr(
        release, "write", lambda place, version, repository: versions.say(version, place)
    )
    monkeypatch.setattr(release, "lint", lambda root: done.append("lint"))
    monkeypatch.setattr(
        release, "build", lambda place, version: done.append("build") or place.parent / "archive"
    )
    monkeypatch.setattr(
        release.fresh_install, "check", lambda *_arguments: done.append("installed")
    )
    wanted = release.run
    monkeypatch.setattr(
        release,
        "run",
        lambda *command, **more: (
            done.append("galaxy") if command[0] == "tools/galaxy" else wanted(*command, **more)
        ),
    )
    return done


def test_a_dry_run_does_it_all_and_leaves_nothing(checkout, made):
    before = state(checkout)
    release.release(checkout, NEXT, HOME, dry_run=True)
    assert made == ["lint", "build", "galaxy", "installed"]
    assert state(checkout) == before


def test_what_fails_late_leaves_nothing(checkout, made, monkeypatch):
    def fails(*_arguments):
        raise release.Refused("the play failed")

    before = state(checkout)
    monkeypatch.setattr(release.fresh_install, "check", fails)
    with pytest.raises(release.Refused, match="the play failed"):
        release.release(checkout, NEXT, HOME)
    assert state(checkout) == before


def test_a_release_is_one_commit_and_an_annotated_tag(checkout, made):
    before = git(checkout, "rev-parse", "HEAD")
    release.release(checkout, NEXT, HOME)
    assert git(checkout, "rev-parse", "HEAD~1") == before
    assert git(checkout, "cat-file", "-t", NEXT) == "tag"
    assert git(checkout, "rev-parse", f"{NEXT}^{{commit}}") == git(checkout, "rev-parse", "HEAD")
    assert (
        set(versions.said(checkout).values()) == {NEXT}
        and git(checkout, "status", "--porcelain") == ""
    )
    with pytest.raises(release.Refused, match="not greater"):
        release.release(checkout, NEXT, HOME)


def test_lint_that_has_passed_of_this_commit_is_not_repeated(checkout, monkeypatch):
    ran = []
    monkeypatch.setattr(
        release,
        "run",
        lambda *command, **_more: ran.append(command[0]) or git(checkout, "rev-parse", "HEAD"),
    )
    release.lint(checkout)
    (checkout / "build").mkdir(exist_ok=True)
    (checkout / "build/lint.passed").write_text(git(checkout, "rev-parse", "HEAD") + "\n")
    release.lint(checkout)
    assert ran.count("make") == 1


def test_a_program_that_fails_is_named_with_what_it_said(tmp_path):
    with pytest.raises(release.Refused, match="(?s)-c.*failed:.*what was wrong"):
        release.run(sys.executable, "-c", "raise SystemExit('what was wrong')", where=tmp_path)


def test_a_reason_is_one_line_and_no_traceback(monkeypatch, capsys):
    def fails(*_arguments):
        raise RuntimeError("batond ended before it served")  # as fresh_install does

    monkeypatch.setattr(release, "release", fails)
    monkeypatch.setattr(sys, "argv", ["release", NEXT])
    assert release.main() == 1
    assert capsys.readouterr().err == "release: batond ended before it served\n"
