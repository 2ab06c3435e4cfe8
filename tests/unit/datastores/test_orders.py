# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which orders a guest carries out: each once, one at a time for an instance, none that is taken back or of an older term."""

from baton.datastores.guest.orders import Orders
from baton.datastores.model.channel import Channel, Grant, Order, Report


def order(verb="seal", instance="m1", term=3):
    return Order(verb, instance, "s", term)


def test_an_order_is_begun_once_and_told_until_the_manager_has_read_it():
    orders, channel = Orders({}, {}), Channel(orders={"s.1": order()})
    assert orders.seen(channel).begin == [("s.1", order())] and orders.stands("s.1")
    assert orders.seen(channel).begin == []
    orders.ended("s.1", order(), Report())
    assert orders.seen(channel) == ([], [("s.1", Report())])
    assert orders.seen(Channel(orders={"s.1": order()}, reports={"s.1": Report()})) == ([], [])
    orders.seen(Channel())
    assert orders.reports == {}


def test_what_was_done_in_a_life_before_is_not_done_again():
    assert Orders({"s.1": Report()}, {}).seen(Channel(orders={"s.1": order()})) == ([], [("s.1", Report())])


def test_an_instance_has_one_order_at_a_time_and_others_go_on():
    orders = Orders({}, {})
    channel = Channel(orders={"s.1": order(), "s.2": order("follow"), "s.3": order(instance="m2")})
    assert [key for key, _order in orders.seen(channel).begin] == ["s.1", "s.3"]
    orders.ended("s.1", order(), Report())
    assert [key for key, _order in orders.seen(channel).begin] == ["s.2"]


def test_an_order_that_is_taken_back_is_not_carried_out_and_nobody_is_told():
    orders = Orders({}, {})
    orders.seen(Channel(orders={"s.1": order()}))
    orders.seen(Channel())
    assert not orders.stands("s.1")
    orders.ended("s.1", order(), Report())
    assert orders.reports == {}


def test_an_order_of_an_older_term_is_not_carried_out_whatever_told_of_the_newer_one():
    orders = Orders({}, {"s": 2})
    orders.seen(Channel(orders={"s.1": order(term=2)}))
    assert orders.stands("s.1")
    orders.seen(Channel(orders={"s.1": order(term=2)}, grants={"s": Grant(3)}))
    assert not orders.stands("s.1") and orders.terms == {"s": 3}


def test_what_was_put_off_begins_later():
    orders = Orders({}, {})
    channel = Channel(orders={"s.1.0.do.prepare.m1": Order("prepare", "m1", "s", 1)})
    work = orders.seen(channel)
    assert orders.seen(channel).begin == []
    orders.put_off(work)
    assert orders.seen(channel).begin == work.begin
