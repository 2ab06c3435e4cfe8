# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lock is called that is taken for a thing, such as a host of the inventory."""

import pytest

from baton.core.model.documents import valid_name
from baton.tasks.lock import in_a_name


@pytest.mark.parametrize("thing", ["größe", "Switch 1", "::1", "x" * 128, "", "-", "a//b", "a b", "a-b@"])
def test_a_lock_can_be_named_after_any_host(thing):
    assert valid_name(in_a_name(thing), slashes=True)
    assert (in_a_name(thing) == thing) == valid_name(thing, slashes=True)


def test_locks_of_two_hosts_are_two():
    hosts = ["Switch 1", "Switch-1", "Switch_1", "x" * 128, "x" * 129, "größe", "grüße"]
    assert len({in_a_name(host) for host in hosts}) == len(hosts)
