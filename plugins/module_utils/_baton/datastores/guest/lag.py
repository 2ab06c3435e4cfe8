# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest tells of how far replicas are behind, and copies are: in coarse steps, and seldom, since each word changes its host's
document. Pure.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Optional

from ..model.channel import Server
from .tenure import NEVER

EVERY = 5.0  # seconds between two words of a host about nothing but lag and copies
LEAST, LEAST_SECONDS = 65536, 2  # bytes, seconds; less than that is on its way, and told as none


def is_same_but_for_lag(one: Server, other: Server) -> bool:
    return replace(one, lag_bytes=None, lag_seconds=None, sends={}) == replace(other, lag_bytes=None, lag_seconds=None, sends={})


def coarse(server: Server) -> Server:
    """Return what is told of a server: of its lag the two leading binary digits, so that it is not another one at each look."""
    return replace(server, lag_bytes=_step(server.lag_bytes, LEAST), lag_seconds=_step(server.lag_seconds, LEAST_SECONDS))


def _step(number: Optional[int], least: int) -> Optional[int]:
    if number is None or number < least:
        return None if number is None else 0
    spare = max(0, number.bit_length() - 2)
    return number >> spare << spare


class Lags:
    def __init__(self) -> None:
        self._told_at = NEVER

    def told(self, servers: Mapping[str, Server], before: Mapping[str, Server], now: float) -> Mapping[str, Server]:
        """Return what is to stand of a host's servers, of which ``before`` stands: that, if only lag is another and it is not time."""
        news = {name: coarse(server) for name, server in servers.items()}
        is_lag_alone = news.keys() == before.keys() and all(is_same_but_for_lag(news[name], before[name]) for name in news)
        if news == before or is_lag_alone and now - self._told_at < EVERY:
            return before
        self._told_at = now
        return news
