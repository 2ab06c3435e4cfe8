# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The completion scripts; the one for bash in a real bash."""

import argparse
import subprocess

import pytest

from baton.cli.completion import SHELLS, Tree
from baton.cli.main import build_parser


def complete(script, line, cwd):
    """Return what bash offers at the end of ``line``."""
    code = 'source /dev/stdin; COMP_POINT=${#COMP_LINE}; _batonctl_complete; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "--norc", "-c", code], input=script, env={"COMP_LINE": line, "PATH": "/usr/bin:/bin"},
        cwd=cwd, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("batonctl pro", ["profiles"]),
        ("batonctl ha s", ["status", "switch"]),
        ("batonctl -E http://a:8092 -o json profiles se", ["set"]),
        ("batonctl profiles set web ", ["param"]),
        ("batonctl profiles set web param my/leader ", ["to"]),
        ("batonctl profiles wait web param x e", ["exists", "equals"]),
        ("batonctl profiles wait web ", ["param"]),
        ("batonctl profiles add web param x ", ["to"]),
        ("batonctl users token bob ", ["ttl"]),
        ("batonctl machines meta ", ["get", "set", "add", "remove"]),
        ("batonctl -o ", ["table", "json"]),
        ("batonctl ha switch --t", ["--token", "--token-file", "--timeout", "--to"]),
        ("batonctl tokens create --p", ["--profile", "--project"]),
        ("batonctl files upload som", ["some-file"]),
        ("batonctl profiles list x", []),
        ("batonctl completion z", ["zsh"]),
    ],
)
def test_bash_offers_what_may_stand_there(batonctl, tmp_path, line, offered):
    (tmp_path / "some-file").touch()
    assert complete(batonctl("completion", "bash").out, line, tmp_path) == offered


def test_bash_registers_the_function(batonctl):
    code = "source /dev/stdin; complete -p batonctl"
    script = batonctl("completion", "bash").out
    done = subprocess.run(["bash", "--norc", "-c", code], input=script, capture_output=True, text=True, check=True)
    assert done.stdout == "complete -F _batonctl_complete batonctl\n"


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_every_command_and_option_is_in_every_script(batonctl, shell):
    script = batonctl("completion", shell).out

    def check(parser):
        for action in parser._actions:
            for option in action.option_strings:
                assert option in script
            if isinstance(action, argparse._SubParsersAction):
                for name, child in action.choices.items():
                    assert name in script
                    check(child)

    check(build_parser("batonctl"))


def test_the_tree_knows_places_by_position():
    tree = Tree(build_parser("batonctl"))
    assert tree.places["profiles set/1"] == ["param"]
    assert tree.places["profiles set/3"] == ["to"]
    assert tree.values["-o"] == ["table", "json"]
    assert "--force" not in tree.values
