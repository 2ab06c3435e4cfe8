# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For which sets a server takes writes: what comes in, what the guest is to do."""

import pytest

from baton.datastores.guest.tenure import Claim, Close, End, Open, Tenures
from baton.datastores.model import channel
from baton.datastores.model.channel import Channel, Grant

GRANT = Grant(3, ("m2",))


@pytest.fixture
def tenures():
    """One whose lease stands until 10, and which closes servers from 9.5 on."""
    tenures = Tenures(0.5)
    tenures.renewed(8.0, 2.0)
    return tenures


def claimed(grant=GRANT, **more):
    return Channel(True, grants={"s": grant}, claims={"s": grant.term}, **more)


def test_a_grant_is_claimed_before_anything_is_opened(tenures):
    assert tenures.seen(Channel(True, grants={"s": GRANT}), 8.1) == [Claim("s", 3)]
    assert tenures.seen(claimed(), 8.2) == [Open("s", GRANT)]
    assert tenures.may_open("s", GRANT, 8.2)
    tenures.opened("s", GRANT)
    assert tenures.seen(claimed(), 8.3) == []


def test_who_counts_anew_is_told_to_the_server(tenures):
    tenures.seen(claimed(), 8.1)
    tenures.opened("s", GRANT)
    other = Grant(3, ())
    assert tenures.seen(claimed(other), 8.2) == [Open("s", other)] and not tenures.may_open("s", GRANT, 8.2)


def test_nothing_is_claimed_or_opened_shortly_before_the_lease_ends(tenures):
    assert tenures.seen(Channel(True, grants={"s": GRANT}), 9.5) == []
    tenures.seen(claimed(), 9.4)
    assert not tenures.may_open("s", GRANT, 9.5)


def test_a_server_is_closed_when_the_lease_is_about_to_end_and_claimed_anew_when_it_stands_again(tenures):
    tenures.seen(claimed(), 8.1)
    assert tenures.tick(9.4) == [] and tenures.tick(9.5) == [Close("s")] and tenures.tick(9.6) == []
    tenures.renewed(9.7, 2.0)
    assert tenures.seen(claimed(), 9.8) == []  # it is being closed
    tenures.closed("s")
    tenures.seen(Channel(True, grants={"s": GRANT}), 9.9)
    assert tenures.seen(Channel(True, grants={"s": GRANT}), 10.0) == [Claim("s", 3)]


def test_a_renewal_counts_from_when_it_was_sent_and_never_shortens(tenures):
    tenures.renewed(7.0, 2.0)
    assert tenures.until == 10.0


def test_a_grant_that_is_taken_back_closes_and_then_the_end_is_said_until_it_stands(tenures):
    tenures.seen(claimed(), 8.1)
    gone = Channel(True, claims={"s": 3})
    assert tenures.seen(gone, 8.2) == [Close("s")] and tenures.seen(gone, 8.3) == []
    tenures.closed("s")
    assert tenures.seen(gone, 8.4) == [End("s", 3)] == tenures.seen(gone, 8.5)
    assert tenures.seen(Channel(True, ends={"s": channel.End(3, "1-1-9")}), 8.6) == []
    assert not tenures.holds("s")


def test_a_guest_that_starts_closes_what_it_finds_unless_its_claim_stands():
    tenures = Tenures(0.5, ["s", "t"])
    assert tenures.tick(8.0) == [Close("s"), Close("t")]
    again = Tenures(0.5, ["s", "t"])
    again.renewed(8.0, 2.0)
    assert again.seen(claimed(), 8.1) == [Open("s", GRANT), Close("t")]
    assert again.holds("s") and not again.holds("t")


def test_a_server_that_died_is_claimed_anew_and_opened(tenures):
    tenures.seen(claimed(), 8.1)
    tenures.opened("s", GRANT)
    tenures.died("s")
    assert tenures.seen(claimed(), 8.2) == []
    assert tenures.seen(claimed(), 8.3) == [Open("s", GRANT)]


def test_one_that_is_quiet_is_not_opened_before_it_is_to_be(tenures):
    tenures.seen(claimed(), 8.1)
    tenures.opened("s", GRANT)
    tenures.quiesce("s", True)
    assert tenures.seen(claimed(), 8.2) == [] and not tenures.may_open("s", GRANT, 8.2)
    tenures.quiesce("s", False)
    assert tenures.seen(claimed(), 8.3) == [Open("s", GRANT)]
