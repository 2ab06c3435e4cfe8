# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release notices (rule M4): telling the other nodes that a reign is over, once its process is dead and its VIP is gone.

Sent by the guard, or by ExecStopPost where the guard was killed too; never by the daemon, which can't know that it is dead.
Standard library only, since the guard has nothing else. Whoever gets one decides what it is worth (election.py and driver_duty.py in
core/roles).
"""
from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
import time
from dataclasses import asdict, dataclass
from typing import Callable, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from ...ground import form

PATH = "/peer/v1/released"
NODE_HEADER = "X-Baton-Node"
LOOK_EVERY = 0.01  # seconds
SECONDS = 1.0  # a peer that takes longer will find out by the silence


@dataclass(frozen=True)
class Notice:
    """The reign ``epoch`` (number, id) of ``node`` and where to tell of its end. ``token`` is secret: never an argument or logged.

    ``running``: the directory of markers, which is empty when no driver runs any more; "" when that would prove nothing. ``patience``:
    seconds after which no marker goes any more.
    """

    node: str
    epoch: Tuple[int, str]
    urls: Tuple[str, ...]
    token: str
    cert: str = ""
    key: str = ""
    ca: str = ""
    running: str = ""
    patience: float = 0.0
    crl: str = ""

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Notice":
        """Read what ``to_text`` wrote, in whatever version; ValueError for anything else."""
        data = form.members(form.read_json(text))
        known = {name: form.take(data, name, reader) for name, reader in _FIELDS.items() if name in data}
        if not {"node", "epoch", "urls", "token"} <= set(known):
            raise ValueError("it is no release notice")
        return cls(**known)


_FIELDS: Dict[str, form.Reader] = {
    "node": form.node_id,
    "epoch": form.epoch,
    "urls": lambda raw: tuple(form.line(url) for url in form.items(raw, 1_000)),
    "token": form.line,
    "cert": form.text,
    "key": form.text,
    "ca": form.text,
    "crl": form.text,
    "running": form.text,
    "patience": form.real,
}


def send(notice: Notice, log: Callable[[str], None]) -> None:
    """Tell all peers that the role is free, and once the drivers have stopped tell them that, too."""
    if not notice.urls:
        return
    stopped = drivers_stopped(notice)
    _tell(notice, stopped, log)
    if stopped or not notice.running:
        return
    end = time.monotonic() + notice.patience
    while not drivers_stopped(notice):  # looked for, not waited for: there is nothing else to do, and not for long
        if time.monotonic() > end:
            log("some drivers have not said that they stopped: the others wait for as long as they may run")
            return
        time.sleep(LOOK_EVERY)
    _tell(notice, True, log)


def drivers_stopped(notice: Notice) -> bool:
    """Whether it is certain that no driver of this node, nor of whoever was active before it, is running."""
    try:
        return bool(notice.running) and not os.listdir(notice.running)
    except OSError:
        return False


def _tell(notice: Notice, drivers: bool, log: Callable[[str], None]) -> None:
    """Tell all peers at once; returns when they have answered, at the latest after ``SECONDS``."""
    tls = None
    try:
        if notice.ca:
            tls = ssl.create_default_context(cafile=notice.ca)
            tls.load_cert_chain(notice.cert, notice.key)
            if notice.crl:
                tls.load_verify_locations(notice.crl)
                tls.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    except (OSError, ssl.SSLError) as error:
        log(f"no release notice could be sent: {error}")
        return
    failed: List[str] = []
    threads = [threading.Thread(target=_post, args=(notice, drivers, url, tls, failed), daemon=True) for url in notice.urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    told = len(threads) - len(failed) - sum(thread.is_alive() for thread in threads)
    over = f"epoch {notice.epoch[0]} of {notice.node} is over" + (" and its drivers have stopped" if drivers else "")
    log(f"told {told} of {len(threads)} nodes that {over}")


def _post(notice: Notice, drivers: bool, url: str, tls: "Optional[ssl.SSLContext]", failed: List[str]) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    try:
        connection: http.client.HTTPConnection = (
            http.client.HTTPConnection(host, port, timeout=SECONDS)
            if tls is None
            else http.client.HTTPSConnection(host, port, timeout=SECONDS, context=tls)
        )
        headers = {"Authorization": f"Bearer {notice.token}", NODE_HEADER: notice.node, "Content-Type": "application/json"}
        connection.request("POST", PATH, json.dumps({"node": notice.node, "epoch": notice.epoch, "drivers": drivers}), headers)
        if connection.getresponse().status >= 300:
            failed.append(url)
        connection.close()
    except (OSError, http.client.HTTPException, ssl.SSLError):
        failed.append(url)
