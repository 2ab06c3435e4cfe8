# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx on the active node only. Run it with PYTHONPATH=/usr/lib/baton/batond.pyz."""

import asyncio

from baton.driver import Driver, run


class Nginx(Driver):
    async def trigger(self, is_active):
        verb = "start" if is_active else "stop"
        process = await asyncio.create_subprocess_exec("systemctl", verb, "nginx")
        if await process.wait() != 0:
            raise RuntimeError(f"systemctl {verb} nginx failed; see journalctl -u nginx")


run(Nginx("nginx", on_failure="fail_over"))
