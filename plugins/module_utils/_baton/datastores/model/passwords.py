# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a password of a database's user: what its server keeps, never the password. Pure."""
from __future__ import annotations

import hashlib


def hashed(password: str) -> str:
    """Return what a MariaDB server keeps of a password (mysql_native_password)."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()
