# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of one run would have changed in check mode, so that the next one finds it: three seats have three leaders.

Nothing of it reaches the cluster. A run's hosts work in processes of their own, so it is kept in files of the run's temporary
directory, which Ansible removes; without one (a module on a host) each task foresees for itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional

from ..client.error import ClientError


class Foreseen:
    """``folder``: the run's temporary directory, or None; ``cluster``: what names the cluster among several."""

    def __init__(self, folder: Optional[str] = None, cluster: str = "") -> None:
        self._folder = folder
        self._cluster = cluster

    @contextmanager
    def of(self, what: str) -> Iterator[Dict[str, Any]]:
        """Give what was foreseen of a thing, to be read and changed; it is kept if nothing is raised. Others wait meanwhile."""
        if self._folder is None:
            yield {}
            return
        name = hashlib.sha256(f"{self._cluster}\n{what}".encode()).hexdigest()[:24]
        try:
            handle = os.open(os.path.join(self._folder, f"baton-foreseen-{name}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ClientError("usage", f"check mode needs the run's temporary directory {self._folder}: {error.strerror}") from None
        with os.fdopen(handle, "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            text = file.read()
            seen: Dict[str, Any] = json.loads(text) if text else {}
            yield seen
            file.seek(0)
            file.truncate()
            json.dump(seen, file)
