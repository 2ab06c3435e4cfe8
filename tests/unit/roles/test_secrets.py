# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of the node role: neither in a process list, nor in what -vvv prints, nor in version control."""

import json
import os
import stat
import subprocess
import sys

import pytest
from rooms import play, role

OLD, NEW = "the-Old-admin-token-0123456789", "the-New-admin-token-0123456789"
BATONCTL = """#!{python}
# Stands for batonctl: notes what it was given, and which processes show a secret meanwhile.
import glob, json, os, sys

def shown(secret):
    found = []
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(name, "rb") as file:
                found += [name] if secret.encode() in file.read() else []
        except OSError:
            pass
    return found

token = open(sys.argv[sys.argv.index("--token-file") + 1]).read().strip()
environ = [name for name, value in os.environ.items() if value in {secrets}]
with open({diary!r}, "a") as diary:
    diary.write(json.dumps([sys.argv[1:], token, environ, [name for secret in {secrets} for name in shown(secret)]]) + "\\n")
print(json.dumps({{"Token": {new!r}}}))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="the role gives files to root")
def test_the_admin_token_is_handed_over_where_nobody_sees_it(tmp_path):
    folders = {name: tmp_path / name for name in ("bin", "pki", "data", "etc")}
    for folder in folders.values():
        folder.mkdir()
    (folders["pki"] / "admin.token").write_text(OLD + "\n")
    diary, program = tmp_path / "diary", folders["bin"] / "batonctl"
    program.write_text(BATONCTL.format(python=sys.executable, secrets=(OLD, NEW), diary=str(diary), new=NEW))
    program.chmod(0o755)
    values = {"baton_data_dir": str(folders["data"]), "baton_config_dir": str(folders["etc"]), "baton_user": "root"}
    environ = {"ANSIBLE_VERBOSITY": "3", "PATH": f"{folders['bin']}:{os.environ['PATH']}"}
    said = play(tmp_path, {"n1": {}}, [role("node", "admin_token.yml")], environ=environ, **values)
    assert OLD not in said and NEW not in said
    (made, old, *made_seen), (revoked, new, *revoked_seen) = map(json.loads, diary.read_text().splitlines())
    assert "create" in made and "revoke" in revoked and (old, new) == (OLD, NEW)
    assert made_seen == [[], []] and revoked_seen == [[], []]
    for name in ("pki", "data", "etc"):
        path = folders[name] / "admin.token"
        assert path.read_text() == NEW + "\n" and not stat.S_IMODE(path.stat().st_mode) & 0o007


def test_the_controllers_folder_of_secrets_is_not_committed(tmp_path):
    repository = tmp_path / "repository"
    pki = repository / ".baton"
    repository.mkdir()
    subprocess.run(["git", "init", "-q", repository], check=True)
    play(tmp_path, {"n1": {}}, [role("node", "controller.yml", baton_build_dir=str(tmp_path / "build"))], baton_pki_dir=str(pki))
    assert (pki / "ha.token").exists() and (pki / "ca.key").exists()
    found = subprocess.run(["git", "-C", repository, "status", "--porcelain", "-uall"], check=True, capture_output=True, text=True)
    assert found.stdout == ""
