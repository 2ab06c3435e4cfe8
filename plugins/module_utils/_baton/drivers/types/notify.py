# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``notify``: tells people, through apprise, that the node became active or stopped being so.

It never keeps an order waiting. A state is told once it has lasted for a moment, and only if it is not what was told last: a
driver that is restarted, or whose connection was lost and came back, is no news.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
from pathlib import Path
from typing import Any, Dict, List, Optional

from ..built_in import BuiltIn, secret_file
from ..config import Config, Wrong
from ..session import RUN_DIR

LOG = logging.getLogger("baton.driver")
SETTLED = 1.0  # seconds that a state has to last
AGAIN = (2.0, 10.0, 60.0)  # seconds between attempts


class NotifyDriver(BuiltIn):
    """``Wrong`` when apprise is missing or does not know a URL."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        directory = os.environ.get("STATE_DIRECTORY", "").split(":")[0] or os.environ.get("BATON_RUN_DIR") or RUN_DIR
        self._file = Path(directory) / f"notify-{config.id}.json"
        self._apprise = _apprise(config)
        self._telling: Optional["asyncio.Task[None]"] = None

    async def trigger(self, is_active: bool) -> Optional[str]:
        if self._telling is not None:
            self._telling.cancel()
        self._telling = asyncio.get_running_loop().create_task(self._tell({"epoch": self.epoch, "active": is_active}))
        return None

    async def _tell(self, state: Dict[str, Any]) -> None:
        await asyncio.sleep(SETTLED)
        last = self._last()
        if state == last or not (state["active"] or last.get("active")):
            return  # told already, or it was passive before
        self._note(state)
        word = "active" if state["active"] else "passive"
        if word not in self.config.members["on"]:
            return
        values = {"node": self.node, "id": self.id, "active": word, "epoch": state["epoch"]}
        title, body = (self.config.members[name].format(**values) for name in ("title", "body"))
        for pause in (*AGAIN, None):
            if await asyncio.get_running_loop().run_in_executor(None, self._send, title, body):
                LOG.info("told people that it is %s", word)
                return
            if pause is not None:
                LOG.warning("people could not be told that it is %s; again in %.0f s", word, pause)
                await asyncio.sleep(pause)
        LOG.error("people could not be told that it is %s", word)

    def _send(self, title: str, body: str) -> bool:
        try:
            return bool(self._apprise.notify(title=title, body=body))
        except Exception as error:  # of a plugin of apprise; its text may hold a URL
            LOG.warning("apprise failed with %s", type(error).__name__)
            return False

    def _last(self) -> Dict[str, Any]:
        """Return what was told last, also by a driver before this one."""
        try:
            data = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def _note(self, state: Dict[str, Any]) -> None:
        temporary = self._file.with_suffix(".new")
        try:
            temporary.write_text(json.dumps(state))
            os.replace(temporary, self._file)
        except OSError as error:
            LOG.warning("%s can't be written, so people may be told twice: %s", self._file, error.strerror)


def _apprise(config: Config) -> Any:
    """Return an Apprise object that has all URLs."""
    try:
        apprise = importlib.import_module("apprise")
    except ImportError:
        raise Wrong(f"{config.path}: type notify needs apprise: `apt install apprise` or `pip install apprise`") from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs parts of URLs
    result = apprise.Apprise()
    for name, urls in (("urls", config.members["urls"]), ("urls_file", _lines(config))):
        for number, url in enumerate(urls, 1):
            if not result.add(url):
                raise Wrong(f"{config.path}: {name}: number {number} is not a URL that apprise knows")
    return result


def _lines(config: Config) -> List[str]:
    path = secret_file(config, "urls_file")
    try:
        lines = Path(path).read_text().splitlines() if path else []
    except OSError as error:
        raise Wrong(f"{config.path}: urls_file: {path} can't be read: {error.strerror}") from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


DRIVER = NotifyDriver
