# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's own disk: what can't be put in place ends the process, whatever it is."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from baton.core.model.config import NodeConfig
from baton.core.model.limits import Limits
from baton.core.model.timing import PROFILES
from baton.core.state.loaded import Loaded
from baton.daemon import disk as disk_module
from baton.daemon.disk import Disk


class Ended(BaseException):
    """Instead of the end of the process."""


@pytest.mark.parametrize("error", [AttributeError("a bug"), LookupError("no such"), ValueError("damaged"), OSError("no disk")])
def test_a_snapshot_that_can_not_be_put_in_place_ends_the_process(error, tmp_path, monkeypatch, caplog):
    def fail(*_given):
        raise error

    def end(_status):
        raise Ended

    async def script():
        with ThreadPoolExecutor(1) as threads:
            disk = Disk(tmp_path, lambda _event: None, threads)
            node = disk.node(NodeConfig("n1", "sim://n1", "ha", "1", "sim/sim", PROFILES["balanced"], "p", shared=True))
            disk.start(node.state.incarnation)
            disk.directory.create("copied")
            monkeypatch.setattr(Loaded, "of", fail)
            monkeypatch.setattr(disk_module.os, "_exit", end)
            with pytest.raises(Ended):
                await disk.give_way()("copied", Limits())

    asyncio.run(script())
    (line,) = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert str(error) in line.getMessage() and bool(line.exc_info) == isinstance(error, (AttributeError, LookupError))
