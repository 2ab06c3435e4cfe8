# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes what nobody may guess: ids, passwords, and the key and certificate with which the members of a set know each other."""
from __future__ import annotations

import secrets
import subprocess
import uuid
from typing import Collection, Dict

from ....ground.problem import Problem

OPENSSL = "openssl"
SECONDS = 20.0
DAYS = 36_500  # nobody renews it: it goes with its set, and only its members trust it
_KEY, _CERTIFICATE = "PRIVATE KEY", "CERTIFICATE"


def new_id() -> str:
    return str(uuid.uuid4())


def server_id(taken: Collection[int]) -> int:
    """Return a number that no server of a set has, or had: positions say who wrote last by it."""
    while True:
        found = 1 + secrets.randbelow((1 << 32) - 1)
        if found not in taken:
            return found


def of_a_set(program: str = OPENSSL) -> Dict[str, str]:
    """Return the secrets of a new set; Problem 503 where there is no openssl to make them. It takes some milliseconds."""
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "-", "-out", "-"]
    try:
        done = subprocess.run(  # what it makes never touches a disk
            [*command, "-days", str(DAYS), "-subj", "/CN=baton-set"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _none(str(error)) from None
    text = done.stdout.decode("ascii", "replace")
    key, certificate = _block(text, _KEY), _block(text, _CERTIFICATE)
    if done.returncode != 0 or not key or not certificate:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _none(said[-1][:200] if said else f"it exits with {done.returncode}")
    return {"replication": secrets.token_urlsafe(24), "key": key, "certificate": certificate}


def _none(why: str) -> Problem:
    return Problem(503, "no_openssl", f"the manager can't make a certificate for the set: {why}; install openssl on its host")


def _block(text: str, kind: str) -> str:
    begin, end = f"-----BEGIN {kind}-----", f"-----END {kind}-----"
    found = text[text.find(begin) : text.find(end) + len(end)] if begin in text and end in text else ""
    return f"{found}\n" if found else ""
