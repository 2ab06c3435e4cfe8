# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What batond refuses of its settings: one line that names the setting, before it does anything."""

import subprocess
import sys

import pytest

from support.programs import program

GOOD = {"--node-id": "n1", "--listen": "127.0.0.1:8092", "--dcs": "manual"}


def told(tmp_path, options, environ=None):
    """Return what batond says of these options, and of GOOD for what they leave out, before it ends."""
    given = {"--data-dir": str(tmp_path / "data"), **GOOD}
    base = [word for flag, value in given.items() if flag not in options for word in (flag, value)]
    command = [sys.executable, str(program("batond")), *base, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environ or {}, check=False)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "data").exists()
    return done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--node-id", ""], "--node-id (BATON_NODE_ID): is required"),
        (["--node-id", "n 1"], "not a name"),
        (["--data-dir", ""], "--data-dir (BATON_DATA_DIR): is required"),
        (["--listen", "nowhere"], "not HOST:PORT"),
        (["--listen", "192.0.2.1:1", "--insecure"], "loopback only"),
        ([], "--tls-cert (BATON_TLS_CERT): is required"),
        (["--timing", "slow"], "choose one of balanced, fast"),
        (["--vip", "192.0.2.1/24"], "--interface (BATON_INTERFACE): is missing"),
        (["--dcs", "etcd3"], "none of etcd:URL[,URL...], local:PATH, manual"),
        (["--dcs", "etcd:"], "is none of etcd:URL"),
        (["--dcs", "etcd:http://192.0.2.7:2379"], "is not encrypted"),
        (["--dcs", "etcd:192.0.2.7:2379"], "is not an URL"),
        (["--dcs", "etcd:http://127.0.0.1:1,https://127.0.0.1:2"], "either all etcd URLs are https or none"),
        (["--dcs", "etcd:http://127.0.0.1:1", "--etcd-user", "x"], "--etcd-password-file go together"),
        (["--dcs", "etcd:http://127.0.0.1:1", "--etcd-ca", "/nonexistent"], "there is no file"),
    ],
)  # fmt: skip
def test_wrong_settings_are_one_line(tmp_path, options, says):
    assert says in told(tmp_path, options)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("eth0", "RS_STATIC_IP: 'eth0' is not an address such as 192.0.2.11: correct it, or leave it out"),
        ("192.0.2.300", "is not an address"),
    ],
)
def test_a_wrong_name_of_the_drop_in_is_one_line(tmp_path, value, says):
    assert says in told(tmp_path, ["--insecure"], {"RS_STATIC_IP": value})
