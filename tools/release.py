# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a release: ``make release VERSION=1.2.3``, or ``make release VERSION=1.2.3 DRY_RUN=1``,
which leaves no commit and no tag.

All is done in a clone, build/release/source: version, changelog, commit, archive, what Galaxy
checks, and a fresh installation that is used. Only when all of it has gone well does this checkout
get the commit and the tag. Nothing is pushed or published: RELEASING.md.
"""

import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

import fresh_install
import inclusion
import versions

BRANCH = "main"
LINTED = Path("build/lint.passed")  # tools/lint writes the commit of which all held


class Refused(RuntimeError):
    """A release can't be made now; says why, and what to do."""


def run(*command, where, **more):
    """Run a program; return what it printed. Refused when it fails, with what it said."""
    done = subprocess.run(
        list(map(str, command)), cwd=where, capture_output=True, text=True, check=False, **more
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise Refused(f"`{' '.join(map(str, command))[:100]}` failed:\n" + "\n".join(said[-20:]))
    return done.stdout.strip()


def git(where, *arguments):
    return run("git", *arguments, where=where)


def say(text):
    print(f"release: {text}", flush=True)


# --- may it be made?


def fragments(root):
    return sorted(path for path in (root / "changelogs/fragments").glob("*.y*ml"))


def releases(root):
    return yaml.safe_load((root / "changelogs/changelog.yaml").read_text())["releases"]


def check(root, version, repository=None):
    """Refused unless ``version`` can be made of the checkout ``root``: what is here, said, and
    still to be said.
    """
    try:
        numbers = versions.numbers(version)
    except ValueError as error:
        raise Refused(str(error)) from None
    if git(root, "status", "--porcelain"):
        raise Refused(
            "the checkout has changes that are not committed: commit them, or `git stash -u`"
        )
    branch = git(root, "rev-parse", "--abbrev-ref", "HEAD")
    if branch != BRANCH:
        raise Refused(
            f"releases are made of the branch {BRANCH}, and this is {branch}: `git switch {BRANCH}`"
        )
    for tag in git(root, "tag", "--list", "[0-9]*").split():
        if re.fullmatch(r"\d+\.\d+\.\d+", tag) and numbers <= versions.numbers(tag):
            raise Refused(
                f"{version} is not greater than {tag}, which has its tag: choose a greater one"
            )
    here = versions.said(root)["galaxy.yml"]
    if numbers < versions.numbers(here):
        raise Refused(f"{version} is less than {here}, which galaxy.yml has: choose a greater one")
    if not fragments(root) and version not in releases(root):
        raise Refused("there is nothing in changelogs/fragments: say there what users will notice")
    said = yaml.safe_load((root / "galaxy.yml").read_text()).get("repository")
    if not (repository or said):
        raise Refused(
            "galaxy.yml has no `repository`, which Galaxy demands: REPOSITORY=URL says where the sources are"
        )
    said_well = re.fullmatch(r"https://[^\s/]+/\S+", repository or said)
    if not said_well or inclusion.MADE_UP.search(repository or said):
        raise Refused(
            f"REPOSITORY={repository or said} is no address of sources: a real one begins with https://"
        )


def lint(root):
    """Have `make lint` passed of this very commit."""
    commit, passed = git(root, "rev-parse", "HEAD"), root / LINTED
    if passed.is_file() and passed.read_text().strip() == commit:
        say(f"make lint has passed of {commit[:12]}")
        return
    say("make lint (several minutes)")
    run("make", "--no-print-directory", "lint", where=root)


# --- it is made, in a clone


def clone(root, place):
    """Make a clone of the commit that is checked out, with the tools of this checkout."""
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    git(root, "clone", "--quiet", "--no-tags", root, place)
    for name in ("user.name", "user.email"):
        value = subprocess.run(
            ["git", "config", name], cwd=root, capture_output=True, text=True, check=False
        ).stdout.strip()
        if value:
            git(place, "config", name, value)
    collection = place / "build/collections/ansible_collections/baton/ha"
    collection.parent.mkdir(parents=True)
    collection.symlink_to(place)
    (place / ".venv").symlink_to(root / ".venv")
    return collection


def write(place, version, repository=None, date=None):
    """Write version, repository and changelog. A changelog that has this version already takes up
    the fragments that came since.
    """
    versions.say(version, place)
    galaxy = place / "galaxy.yml"
    if repository:
        lines = [
            line for line in galaxy.read_text().splitlines() if not line.startswith("repository:")
        ]
        at = next(number for number, line in enumerate(lines) if line.startswith("build_ignore:"))
        above = next(
            number for number in range(at - 1, -1, -1) if not lines[number].startswith("#")
        )  # not under build_ignore's comment
        galaxy.write_text(
            "\n".join([*lines[: above + 1], f"repository: {repository}", *lines[above + 1 :]])
            + "\n"
        )
    changelog = str(Path(sys.executable).parent / "antsibull-changelog")
    collection = place / "build/collections/ansible_collections/baton/ha"
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PWD": str(collection),
    }
    known = ["--update-existing"] if version in releases(place) else []
    run(changelog, "lint", where=collection, env=environ)
    day = ["--date", date or str(datetime.date.today())]
    run(changelog, "release", "--version", version, *day, *known, where=collection, env=environ)
    run(
        changelog, "lint-changelog-yaml", "changelogs/changelog.yaml", where=collection, env=environ
    )
    if fragments(place):
        raise Refused(
            f"not taken into the changelog: {', '.join(path.name for path in fragments(place))}"
        )


def commit(place, version):
    """Commit what was written, if it is not all there already."""
    git(place, "add", "--update")
    git(place, "add", "CHANGELOG.rst", "changelogs")
    if git(place, "status", "--porcelain"):
        git(
            place,
            "commit",
            "--quiet",
            "-m",
            f"Release {version}",
            "-m",
            "The version everywhere, and its changelog from the fragments.",
        )
    return git(place, "rev-parse", "HEAD")


def build(place, version):
    """Return the archive of the clone."""
    bin_ = Path(sys.executable).parent
    names = ("versions", "inclusion", "self_contained")
    tests = [f"tests/unit/release/test_{name}.py" for name in names]
    run(bin_ / "python", "-m", "pytest", "-q", *tests, where=place)
    run(
        bin_ / "ansible-galaxy",
        "collection",
        "build",
        "--force",
        "--output-path",
        place.parent,
        place,
        where=place,
    )
    archive = place.parent / f"baton-ha-{version}.tar.gz"
    say(f"{archive.name}: {archive.stat().st_size / 1000:.0f} kB")
    return archive


def publish(root, place, version):
    """Give the checkout the commit of the clone, and the tag."""
    git(root, "fetch", "--quiet", place, "HEAD")
    git(root, "merge", "--quiet", "--ff-only", "FETCH_HEAD")
    git(root, "tag", "--annotate", version, "-m", f"baton.ha {version}")


def release(root, version, repository=None, dry_run=False):
    """Make the release; return the archive."""
    check(root, version, repository)
    lint(root)
    place = root / "build/release/source"
    clone(root, place)
    write(place, version, repository)
    made = commit(place, version)
    archive = build(place, version)
    say("what Galaxy checks (a minute or two)")
    run("tools/galaxy", archive, where=root)
    say("a fresh installation, and a play with it (a minute or two)")
    fresh_install.check(archive, version, place.parent / "installed", run, say)
    if dry_run:
        say(
            f"all of it went well; DRY_RUN: no commit and no tag. Look at {place.relative_to(root)}"
        )
        return archive
    publish(root, place, version)
    say(f"{version} is {made[:12]} and has its tag. What is left: `git push --follow-tags`, then")
    say(f"`ansible-galaxy collection publish {archive.relative_to(root)}`")
    return archive


def main():
    parser = argparse.ArgumentParser(description="Make a release of the collection.")
    parser.add_argument("version", metavar="x.y.z")
    parser.add_argument(
        "--repository", help="public address of the sources, for galaxy.yml; needed once"
    )
    parser.add_argument("--dry-run", action="store_true", help="leave no commit and no tag")
    options = parser.parse_args()
    try:
        release(versions.ROOT, options.version, options.repository, options.dry_run)
    except RuntimeError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
