# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members that left while nobody heard their hosts: they are kept out, and wiped as soon as they are heard."""

from baton.datastores.engine.case import Case
from baton.datastores.model.channel import Server
from baton.datastores.model.documents import set_document
from baton.datastores.plans import forgotten
from baton.datastores.service.carrier import Documents, hosts_of
from support.a_cluster import UUID, Cluster


def shrunk():
    """m4 left, while its host was not heard."""
    pool = Cluster(4).cut("h4").ask("shrink", members=["m4"])
    assert pool.step == ("shrink", "announce", False)
    for n in (1, 2, 3):
        assert pool.order(f"h{n}", "announce").args["gone"] == ["m4"], "they keep it out before it is forgotten"
        pool.answer(f"h{n}", "announce")
    assert pool.on().whole.task is None and "m4" not in pool.whole.members
    return pool


def heard(pool):
    """Its host is heard again, and its server runs."""
    pool.say("h4", alive=True, servers={"m4": Server(False, "it was put out", view={"state": "Disconnected"})})
    return pool.on()


def test_who_left_unheard_is_kept_in_sight():
    pool = shrunk()
    assert pool.whole.own["gone"]["m4"]["host"] == "h4" and pool.whole.hosts == ["h1", "h2", "h3", "h4"]
    assert hosts_of(set_document(pool.whole)) == pool.whole.hosts


def test_who_left_unheard_is_ended_and_wiped_when_it_is_heard():
    pool = heard(shrunk())
    assert pool.step == ("clear", "wipe", False) and pool.told("h4") == ["halt"]
    pool.answer("h4", "halt", uuid=UUID, seqno=9)
    assert pool.told("h4") == ["wipe"]
    pool.answer("h4", "wipe")
    assert not pool.whole.own["gone"] and pool.whole.hosts == ["h1", "h2", "h3"] and pool.step == ("clear", "announce", False)
    assert pool.order("h1", "announce").args["gone"] == []
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "announce")
    assert pool.on().whole.task is None


def test_what_it_has_is_not_wiped_before_the_others_go_on_without_it():
    pool = heard(shrunk())
    for n in (1, 2, 3):
        pool.serve(pool.whole.members[f"m{n}"], 4)
    pool.answer("h4", "halt", uuid=UUID, seqno=9)
    assert pool.on().told("h4") == []
    assert pool.all_serve().on().told("h4") == ["wipe"]


def test_nothing_is_wiped_while_nobody_serves():
    pool = shrunk().dies_alone("m1", "m2", "m3")
    assert heard(pool).whole.task is None and pool.told("h4") == []


def test_what_can_not_be_wiped_is_tried_again_later():
    pool = heard(shrunk()).answer("h4", "halt", uuid=UUID, seqno=9)
    pool.answer("h4", "wipe", "its disk is gone")
    assert pool.whole.task is None and "its disk is gone" in pool.whole.own["gone"]["m4"]["fault"]
    assert pool.on(10).whole.task is None
    assert pool.on(forgotten.AGAIN).step == ("clear", "wipe", False)


def test_who_was_halted_and_not_wiped_is_wiped_later():
    pool = Cluster(4).ask("shrink", members=["m4"])
    pool.dies_alone("m4").answer("h4", "halt", uuid=UUID, seqno=9)
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "announce")
    pool.say("h4", alive=False)
    assert pool.on().step == ("clear", "announce", False) and list(pool.whole.own["gone"]) == ["m4"]
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "announce")
    pool.say("h4", alive=True)
    assert pool.on().told("h4") == ["halt"]


def test_who_is_heard_while_it_leaves_is_wiped_with_the_others():
    pool = Cluster(4).cut("h4").ask("shrink", members=["m4"])
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "announce")
        if n == 2:
            pool.say("h4", alive=True)
    assert pool.told("h4") == ["wipe"]
    pool.answer("h4", "wipe")
    assert not pool.whole.own["gone"]


def test_who_serves_again_is_told_whom_it_must_keep_out():
    pool = Cluster(4).cut("h4").ask("shrink", members=["m4"])
    pool.say("h3", alive=False)
    pool.answer("h1", "announce").answer("h2", "announce")
    assert pool.on().whole.task is None and pool.whole.own["gone"]["m4"]["told"] == ["m1", "m2"]
    pool.say("h3", alive=True)
    assert pool.on().step == ("clear", "announce", False) and pool.told("h3") == ["announce"]
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "announce")
    assert pool.on().whole.task is None and pool.whole.own["gone"]["m4"]["told"] == ["m1", "m2", "m3"]


def test_what_is_left_of_it_goes_with_the_cluster():
    pool = heard(shrunk()).on()
    pool.whole.task = None
    pool.ask("delete", members=["m1", "m2", "m3"])
    assert pool.told("h1") == pool.told("h2") == pool.told("h3") == ["wipe"]
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "wipe")
    assert pool.told("h4") == ["wipe"]
    pool.answer("h4", "wipe")
    assert not pool.whole.members and pool.whole.task is None


def test_so_many_are_kept_in_sight():
    pool = Cluster(3)
    case = Case(pool.whole, pool.channels, pool.now, pool.now, 1, pool.times, pool.silences)
    for number in range(forgotten.MOST + 5):
        case.now += 1
        forgotten.note(case, pool.make(100 + number))
    kept = case.whole.own["gone"]
    assert len(kept) == forgotten.MOST and "m104" not in kept and f"m{104 + forgotten.MOST}" in kept


def test_its_server_is_no_stray():
    pool = heard(shrunk())
    documents = Documents()
    documents.learn("sets", "c-1", "1.1", set_document(pool.whole))
    servers = {"m4": {"up": True, "set": "c-1"}, "m9": {"up": True, "set": "c-1"}}
    documents.learn("pool", "h4", "1.2", {"Name": "h4", "Meta": {}, "Params": {"servers": servers}})
    assert [stray for stray in documents.strays() if "m4" in stray] == [] and len(documents.strays()) == 1
