# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first token of a new cluster: an admin's, in a file that only we can read."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from ..adapters.disk.durable import write_durably
from ..adapters.http.tokens import fresh_token
from ..core.model import access
from ..core.node import Node
from ..ground.problem import Problem
from .service import Service

LOG = logging.getLogger("baton")


async def first_token(directory: Path, node: Node, service: Service) -> None:
    """Make it; the file appears when the token is good.

    It is tried again until it is stored: in mode strict a cluster serves before it takes writes.
    """
    path = directory / "admin.token"
    draft, said = path.with_name("admin.token.draft"), ""
    while True:
        await service.until_serving()
        token = draft.read_text().strip() if draft.exists() else ""
        known = {document.key for document in node.state.heads.list("tokens")}
        if known and access.token_id(token) in known:
            draft.replace(path)
            LOG.info("the admin token is in %s", path)
            return
        if known:
            draft.unlink(missing_ok=True)
            return
        try:
            if not token:
                token = fresh_token()
                write_durably(draft, token + "\n")
            await service.make_admin(token)
        except (Problem, OSError) as error:
            why = error.detail if isinstance(error, Problem) else str(error)
            if why != said:
                said = why
                LOG.info("the first admin token can't be stored yet: %s", said)
            await asyncio.sleep(1)
