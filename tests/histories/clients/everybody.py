# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All kinds of clients by name."""

from histories.clients.candidates import Candidate
from histories.clients.keepers import Keeper
from histories.clients.lockers import Locker
from histories.clients.parties import Party
from histories.clients.swappers import Swapper
from histories.clients.tiers import Tier
from histories.clients.waiters import Creator, Onlooker, Waiter
from histories.clients.watchers import Watcher

KINDS = {
    "candidate": Candidate,
    "creator": Creator,
    "keeper": Keeper,
    "locker": Locker,
    "onlooker": Onlooker,
    "party": Party,
    "swapper": Swapper,
    "tier": Tier,
    "waiter": Waiter,
    "watcher": Watcher,
}
