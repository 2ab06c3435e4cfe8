# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTTP API needs from the daemon, as a type; daemon/service.py implements it on top of the core."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Protocol, Sequence, Tuple

from ...core.model.document import Document
from ...core.model.documents import Change
from ...core.model.log import Log
from ...core.model.requests import Idempotency, Outcome
from ...core.state.heads import Heads
from ..disk.files import BlobInfo


class Backend(Protocol):
    """All methods raise Problem; a Problem 307 has the active's URL in ``extra["location"]``."""

    stalls: Callable[[], Tuple[float, float]]  # of the event loop, see loop_watch.py

    @property
    def node_id(self) -> str: ...

    async def submit(
        self,
        changes: Sequence[Change],
        idempotency: Optional[Idempotency] = None,
        deadline: Optional[float] = None,
        blobs: Sequence[str] = (),
        large: bool = False,
    ) -> Outcome: ...

    async def keep_alive(self, lease: str) -> Dict[str, Any]: ...

    def lease_left(self, lease: str) -> Optional[float]: ...

    async def store_file(
        self,
        path: str,
        blob: BlobInfo,
        idempotency: Optional[Idempotency] = None,
        deadline: Optional[float] = None,
        fence: Sequence[Change] = (),
        if_match: Optional[str] = None,
        new: bool = False,
    ) -> Outcome: ...

    def check_serving(self, stale: bool = False) -> None: ...

    def check_copies(self) -> None: ...

    def heads(self) -> Heads: ...

    def subscribe(self, kind: str, key: str, callback: Callable[[str, Optional[Document]], None]) -> Callable[[], None]: ...

    def on_commit(self, callback: Callable[[], None]) -> Callable[[], None]: ...

    def log(self) -> Tuple[Log, int]: ...

    def on_role_change(self, callback: Callable[[], None]) -> Callable[[], None]: ...

    def status(self) -> Dict[str, Any]: ...

    async def become_active(self, force: bool) -> Dict[str, Any]: ...

    async def become_passive(self, force: bool = False) -> Dict[str, Any]: ...

    async def switch(self, to: str, reason: str = "", at: float = 0.0) -> Dict[str, Any]: ...

    async def cancel_switch(self) -> None: ...

    async def pause(self, paused: bool, by: str = "") -> Dict[str, Any]: ...

    def drivers(self) -> List[Dict[str, Any]]: ...

    def history(self) -> List[Dict[str, Any]]: ...

    async def create_cluster(self, cluster_id: str) -> Dict[str, Any]: ...

    def log_time(self) -> float: ...

    async def remove_node(self, node: str) -> Dict[str, Any]: ...

    async def readmit_node(self, node: str) -> Dict[str, Any]: ...
