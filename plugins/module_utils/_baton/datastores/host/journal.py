# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest knows after it was killed: what came of orders, terms that it has seen, and what there is to know of each server."""
from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Mapping

from ..model.channel import Report
from .trouble import Trouble


class Journal:
    """One file, which is replaced as a whole. ``instances``: by id, {"set", "memory"}; Trouble when it can't be read or written."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.json"
        self.reports: Dict[str, Report] = {}
        self.terms: Dict[str, int] = {}
        self.instances: Dict[str, Dict[str, Any]] = {}
        self._name = ""
        self._written = ""
        self._lock = threading.Lock()  # verbs save from threads of their own
        try:
            value = json.loads(self._path.read_text())
            self.reports = {key: Report(**report) for key, report in value["reports"].items()}
            self.terms, self.instances, self._name = value["terms"], value["instances"], value.get("name", "")
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Trouble(f"the journal {self._path} can't be read: {error}; restore it, or empty this host with its instances") from None

    def be(self, name: str) -> None:
        """Be this host of the pool; Trouble where there are instances of another one, which would be nobody's."""
        if self._name not in ("", name) and self.instances:
            raise Trouble(f"this host is {self._name} in the pool, and carries instances: keep that name, or take it out of the pool first")
        self._name = name
        self.save()

    def keep(self, reports: Mapping[str, Report], terms: Mapping[str, int]) -> None:
        """Have these on disk when this returns."""
        self.reports, self.terms = dict(reports), dict(terms)
        self.save()

    def save(self) -> None:
        with self._lock:
            self._save()

    def _save(self) -> None:
        reports = {key: asdict(report) for key, report in self.reports.items()}
        value = {"name": self._name, "reports": reports, "terms": self.terms, "instances": self.instances}
        text = json.dumps(value)
        if text == self._written:
            return
        temporary = self._path.with_suffix(".new")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            raise Trouble(f"the journal {self._path} can't be written: {error.strerror}; make room on that disk") from None
        self._written = text


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
