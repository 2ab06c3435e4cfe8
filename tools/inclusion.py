# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program can check of Ansible's requirements for community collections: ``python
tools/inclusion.py [CHECKOUT]``.

One line for each thing that is missing, and 1 as the exit code. ansible-test, ansible-lint,
antsibull-docs and galaxy-importer check the rest in `make lint`; what only people can do stands in
RELEASING.md.
"""

import ast
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import yaml

import versions

FILES = (
    "CHANGELOG.rst", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "COPYING", "README.md",
    "RELEASING.md", "SECURITY.md", "changelogs/changelog.yaml", "changelogs/config.yaml",
    "galaxy.yml", "meta/execution-environment.yml", "meta/runtime.yml", "requirements.txt",
)  # fmt: skip
OF_A_ROLE = ("README.md", "meta/main.yml", "meta/argument_specs.yml")
MADE_UP = re.compile(r"example\.(org|com|net)|localhost")  # addresses that nobody has
GALAXY_TAGS = {
    "ai", "application", "cloud", "database", "eda", "infrastructure", "linux", "monitoring",
    "networking", "security", "storage", "tools", "windows",
}  # fmt: skip
FOLDERS_OF_PLUGINS = {
    "action", "become", "cache", "callback", "cliconf", "connection", "doc_fragments", "filter",
    "httpapi", "inventory", "lookup", "module_utils", "modules", "netconf", "plugin_utils",
    "shell", "strategy", "terminal", "test", "vars",
}  # fmt: skip
DOCUMENTED = ("callback", "inventory", "lookup", "modules")
README_HAS = {
    "how it is installed": r"ansible-galaxy collection install",
    "the versions of ansible-core": r"ansible-core",
    "the licence": r"GPL-3\.0-or-later",
    "the code of conduct": r"\(CODE_OF_CONDUCT\.md\)",
    "how to contribute": r"\(CONTRIBUTING\.md\)",
    "the changelog": r"\(CHANGELOG\.rst\)",
    "its releases": r"\(RELEASING\.md\)",
    "where faults are reported": r"\(SECURITY\.md\)",
}
SAYS_LOWEST = {
    "README.md": r"ansible-core (\d+\.\d+) or newer",
    "docs/start/install.md": r"ansible-core (\d+\.\d+) or newer",
    "RELEASING.md": r"maintains, and (\d+\.\d+) at least",
}
LARGEST = 1 << 20  # bytes
# What stands beside the name of a module in a task.
KEYWORDS = {
    "action", "always", "any_errors_fatal", "args", "async", "become", "become_user", "block",
    "changed_when", "check_mode", "collections", "connection", "delay", "delegate_facts",
    "delegate_to", "diff", "environment", "failed_when", "ignore_errors", "ignore_unreachable",
    "loop", "loop_control", "module_defaults", "name", "no_log", "notify", "poll", "port",
    "register", "remote_user", "rescue", "retries", "run_once", "tags", "throttle", "timeout",
    "until", "vars", "when", "with_items", "with_sequence",
}  # fmt: skip


def tracked(root):
    """Return the files of a checkout, as paths below ``root``."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    lines = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [Path(line) for line in sorted(set(lines)) if (root / line).is_file()]


def is_there(root, _files):
    yield from (f"{name} is missing" for name in FILES if not (root / name).is_file())
    for role in sorted((root / "roles").iterdir()):
        yield from (
            f"roles/{role.name}/{name} is missing"
            for name in OF_A_ROLE
            if not (role / name).is_file()
        )
    licence = (root / "COPYING").read_text() if (root / "COPYING").is_file() else ""
    if "GNU GENERAL PUBLIC LICENSE" not in licence:
        yield "COPYING has not the text of the licence"


def galaxy(root, _files):
    said = yaml.safe_load((root / "galaxy.yml").read_text())
    try:
        if versions.numbers(str(said.get("version"))) < (1, 0, 0):
            yield "galaxy.yml: a collection that is included has version 1.0.0 or greater"
    except ValueError as error:
        yield f"galaxy.yml: {error}"
    if said.get("license") != ["GPL-3.0-or-later"]:
        yield "galaxy.yml: license is to be GPL-3.0-or-later, as the modules have it"
    yield from (
        f"galaxy.yml: {name} is missing"
        for name in ("authors", "description", "readme")
        if not said.get(name)
    )
    if not GALAXY_TAGS & set(said.get("tags") or []):
        yield f"galaxy.yml: tags need one of these: {', '.join(sorted(GALAXY_TAGS))}"
    for name in ("repository", "documentation", "homepage", "issues"):
        if MADE_UP.search(str(said.get(name) or "")):
            yield f"galaxy.yml: {name} is made up: leave it out, or say the real one"
    for name, bound in (said.get("dependencies") or {}).items():
        if not str(bound).startswith(">="):
            yield f"galaxy.yml: the dependency {name} needs a lower bound, such as >=1.0.0"


def runtime(root, _files):
    said = yaml.safe_load((root / "meta/runtime.yml").read_text())
    if not re.match(r">=\d+\.\d+\.\d+", str(said.get("requires_ansible", ""))):
        yield "meta/runtime.yml: requires_ansible is to be a lower bound, such as >=2.17.0"
    asking = {
        path.stem
        for path in (root / "plugins/modules").glob("*.py")
        if "baton.ha.connection\n" in path.read_text()
    }
    group = set((said.get("action_groups") or {}).get("baton") or [])
    where = "meta/runtime.yml: action group baton"
    for name in sorted(asking - group):
        yield f"{where} lacks {name}, which takes the options of the connection"
    for name in sorted(group - asking):
        yield f"{where} has {name}, which takes no such options"


def installed(root, files):
    """Return those of the files that the archive has."""
    left_out = yaml.safe_load((root / "galaxy.yml").read_text()).get("build_ignore") or []
    return [
        path
        for path in files
        if not any(
            fnmatch(str(part), rule) for part in (path, *path.parents[:-1]) for rule in left_out
        )
    ]


def no_binaries(root, files):
    for path in installed(root, files):
        data = (root / path).read_bytes()
        if b"\0" in data:
            yield f"{path} is no text: a collection brings no binaries"
        if len(data) > LARGEST:
            yield f"{path} has more than {LARGEST >> 20} MiB"
    for path in files:
        if path.match("tests/sanity/ignore*"):
            yield f"{path}: there are to be no exceptions from ansible-test sanity"


def places(root, _files):
    for folder in (root / "plugins").iterdir():
        if folder.is_dir() and folder.name not in FOLDERS_OF_PLUGINS | {"__pycache__"}:
            yield f"plugins/{folder.name} is no kind of plugin"


def texts(path):
    """Return the documentation of a plugin: name → text."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ):
            found[node.targets[0].id] = node.value.value
    return found


def documentation(root, _files):
    for kind in DOCUMENTED:
        for path in sorted((root / "plugins" / kind).glob("*.py")):
            name, said = path.relative_to(root), texts(path)
            page = yaml.safe_load(said.get("DOCUMENTATION") or "{}")
            yield from (
                f"{name}: DOCUMENTATION has no {key}"
                for key in ("author", "description", "version_added")
                if not page.get(key)
            )
            if kind == "modules":
                yield from (
                    f"{name} has no {key}" for key in ("EXAMPLES", "RETURN") if not said.get(key)
                )
            yield from (
                f"{name}: {task} in EXAMPLES is to have its full name"
                for task in short_names(said.get("EXAMPLES") or "")
            )


def short_names(text):
    """Return the actions in a YAML text of tasks or plays that are not said with namespace and
    collection.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return []  # no YAML, or a piece of it
    return sorted(set(_short(found)))


def _short(tasks):
    for task in tasks if isinstance(tasks, list) else []:
        if not isinstance(task, dict):
            continue
        inner = [
            key
            for key in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers")
            if key in task
        ]
        for key in inner:
            yield from _short(task[key])
        if "hosts" in task or inner or not ({"name", "register", "when"} & set(task)):
            continue
        yield from (key for key in task if key not in KEYWORDS and "." not in key)


def pages(root, files):
    for path in files:
        if path.suffix != ".md" or path.parts[0] not in ("README.md", "docs", "roles"):
            continue
        for block in re.findall(
            r"^```yaml\n(.*?)^```$", (root / path).read_text(), re.DOTALL | re.MULTILINE
        ):
            yield from (f"{path}: {task} is to have its full name" for task in short_names(block))


def readme(root, _files):
    text = (root / "README.md").read_text()
    yield from (
        f"README.md does not say {what}"
        for what, pattern in README_HAS.items()
        if not re.search(pattern, text)
    )
    if "docs.ansible.com" not in (root / "CODE_OF_CONDUCT.md").read_text():
        yield "CODE_OF_CONDUCT.md is to lead to the community's"


def lowest_core(root, _files):
    """Whoever says which ansible-core is the lowest says what meta/runtime.yml does.
    tools/fresh_install.py and tools/cores read it there.
    """
    try:
        lowest = versions.lowest_core(root)
    except ValueError:
        return  # `runtime` tells of it
    for name, pattern in SAYS_LOWEST.items():
        said = re.findall(pattern, (root / name).read_text())
        if set(said) != {lowest}:
            yield f"{name} is to say that ansible-core {lowest} is the lowest"
    for path in sorted((root / "roles").glob("*/meta/main.yml")):
        said = yaml.safe_load(path.read_text())["galaxy_info"].get("min_ansible_version")
        if said != lowest:
            yield f"{path.relative_to(root)}: min_ansible_version is to be {lowest}, the lowest"


def changelog(root, _files):
    releases = yaml.safe_load((root / "changelogs/changelog.yaml").read_text())["releases"]
    version = yaml.safe_load((root / "galaxy.yml").read_text())["version"]
    if version not in releases:
        yield f"changelogs/changelog.yaml has no release {version}; `make release` makes it"
    if f"\nv{version}\n" not in (root / "CHANGELOG.rst").read_text():
        yield f"CHANGELOG.rst has no release {version}; `make release` makes it"


CHECKS = (
    is_there, galaxy, runtime, no_binaries, places, documentation, pages, readme, lowest_core,
    changelog,
)  # fmt: skip


def problems(root):
    """Return a line for each requirement that does not hold. A missing file ends it: the other
    checks read those.
    """
    files = tracked(root)
    missing = list(is_there(root, files))
    return missing or [line for check in CHECKS for line in check(root, files)]


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else versions.ROOT)
    found = problems(root)
    print("\n".join(found) or "inclusion: what a program can check holds")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
