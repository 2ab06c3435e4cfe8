# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a password of a database's user: what its server keeps, never the password. Pure."""
from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from typing import Tuple

SCRAM = "SCRAM-SHA-256"
SCRAM_ITERATIONS = 4096


def hashed(password: str) -> str:
    """Return what a MariaDB server keeps of a password (mysql_native_password)."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def sha256(password: str) -> str:
    """Return what a Valkey or Redis server keeps of a password."""
    return hashlib.sha256(password.encode()).hexdigest()


def scram_keys(password: str, salt: bytes, iterations: int) -> Tuple[bytes, bytes, bytes]:
    """Return the client's key of SCRAM-SHA-256, and what a server keeps: the stored key, and the server's."""
    text = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", text, salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return client, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")


def scram(password: str, salt: bytes, iterations: int = SCRAM_ITERATIONS) -> str:
    """Return what a PostgreSQL server keeps of a password (scram-sha-256). ``salt``: 16 bytes that nobody can guess."""
    _client, stored, server = scram_keys(password, salt, iterations)
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"{SCRAM}${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"
