# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that a task keeps a token in: the secret is there, and nowhere else."""
from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from typing import Iterator, Optional

from ..client.error import ClientError


def read(path: Optional[str]) -> str:
    """Return the token, "" where there is no file."""
    try:
        with open(path or "", encoding="utf-8") as file:
            return file.read(10_000).strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError("usage", f"can't read {path}: {getattr(error, 'strerror', None) or 'it is not text'}") from None


def write(path: str, token: str) -> None:
    """Replace the file as a whole; only its owner may read it."""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".baton-", dir=os.path.dirname(path) or ".")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(token + "\n")
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ClientError("usage", f"can't write the token to {path}: {(error.strerror or '').lower()}") from None


def remove(path: str) -> None:
    """Remove the file, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ClientError("usage", f"can't remove {path}: {(error.strerror or '').lower()}") from None


@contextlib.contextmanager
def alone(path: str) -> Iterator[None]:
    """Keep other tasks of this controller from the directory meanwhile, so that two that find no token make one."""
    try:
        handle = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # who writes there says why it can't be
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
