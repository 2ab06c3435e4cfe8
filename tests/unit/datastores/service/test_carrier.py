# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager knows of documents: in the order in which they came to be, and never what it knows to be old."""

import pytest

from baton.datastores.engine.case import Case, Times
from baton.datastores.model.documents import set_document
from baton.datastores.model.replica_set import Member, ReplicaSet, Task
from baton.datastores.plans.mariadb import PLAN
from baton.datastores.service.carrier import Carrier, Documents
from baton.ground.problem import Problem


def whole(*hosts):
    return set_document(ReplicaSet("s", members={f"m{host}": Member(f"m{host}", host) for host in hosts}))


def host(name):
    return {"Name": name, "Meta": {}, "Params": {}}


def known():
    documents = Documents()
    documents.learn("pool", "h1", "1.1", host("h1"))
    documents.learn("pool", "h2", "1.2", host("h2"))
    assert documents.learn("sets", "s", "1.9", whole("h1", "h2")) == {"s"}
    return documents


def test_a_host_that_changes_is_about_its_sets():
    documents = known()
    assert documents.learn("pool", "h2", "1.10", host("h2")) == {"s"}
    assert documents.learn("pool", "h3", "1.11", host("h3")) == set()
    documents.learn("sets", "s", "1.12", whole("h1"))
    assert documents.learn("pool", "h2", "1.13", host("h2")) == set()


def test_what_comes_late_is_not_taken():
    documents = known()
    documents.learn("sets", "s", "1.10", whole("h1"))
    assert documents.learn("sets", "s", "1.9", whole("h1", "h2")) == set()  # revisions are numbers: 10 comes after 9
    assert sorted(documents.read("s")[1]) == ["h1"]


def test_what_we_wrote_is_waited_for():
    documents = known()
    documents.expect({("sets", "s"): "1.20", ("pool", "h1"): "1.1"})
    assert documents.read("s") is None
    documents.learn("sets", "s", "1.15", whole("h1"))
    assert documents.read("s") is None
    documents.learn("sets", "s", "1.20", whole("h1"))
    assert documents.read("s")[0].revision == "1.20"  # the host's was what it is: nothing is waited for


def test_a_set_that_is_gone_is_not_read():
    documents = known()
    documents.learn("sets", "s", "1.10", None)
    assert documents.read("s") is None and documents.sets() == set()


def test_a_server_that_no_set_knows_is_told_of():
    documents = known()
    servers = {"mh2": {"up": True, "set": "s"}, "old": {"up": True, "set": "gone"}, "mh1": {"up": True}}
    documents.learn("pool", "h2", "1.10", {**host("h2"), "Params": {"servers": servers}})
    assert documents.strays() == {
        "host h2 has instance old of set gone, which nobody knows",
        "host h2 has instance mh1 of set that it does not say, which nobody knows",  # it is of h1
    }
    documents.learn("pool", "h2", "1.11", host("h2"))
    assert documents.strays() == set()


class Store:
    """What a carrier writes to: ``refuses`` are sets that can't be written."""

    def __init__(self, refuses, problem):
        self.refuses, self.problem, self.looked = refuses, problem, []

    def case(self, found, _hosts, clock, silences):
        return Case(found, {}, 0.0, clock, 1, Times(2.0), silences)

    def commit(self, found, _hosts, case):
        self.looked.append(found.key)
        if found.key in self.refuses:
            raise self.problem
        return {}


def carrier_of(*names, **store):
    documents = Documents()
    for name in names:
        documents.learn("sets", name, "1.1", set_document(ReplicaSet(name)))
    carrier = Carrier(Store(**store), None, {"mariadb": PLAN})
    return carrier, documents


@pytest.mark.parametrize("problem", [Problem(413, "too_large", "it is too large"), ValueError("a bug")])
def test_a_set_that_can_not_be_carried_on_stops_no_other(problem):
    carrier, documents = carrier_of("a", "b", refuses={"a"}, problem=problem)
    for key in ("a", "b", "a", "b"):
        carrier._look(key, documents)
    assert carrier._store.looked == ["a", "b", "b"]  # and it is not tried again at once
    documents.learn("sets", "a", "1.2", set_document(ReplicaSet("a", project="changed")))
    carrier._look("a", documents)
    assert carrier._store.looked[-1] == "a"


def test_a_cluster_that_does_not_serve_is_asked_again():
    carrier, documents = carrier_of("a", refuses={"a"}, problem=Problem(503, "unavailable", "later"))
    with pytest.raises(Problem):
        carrier._look("a", documents)


def test_a_document_that_can_not_be_read_is_left_out():
    carrier, documents = carrier_of("a", refuses=(), problem=None)
    assert carrier._learn(documents, "sets", "b", "1.5", {"Set": 3}) == set()
    assert carrier._learn(documents, "sets", "c", "1.6", set_document(ReplicaSet("c"))) == {"c"}
    assert documents.sets() == {"a", "c"} and documents.busy() == set() and documents.read("b") is None


def test_quiet_sets_are_looked_at_less_often():
    _carrier, documents = carrier_of("a", refuses=(), problem=None)
    documents.learn("sets", "b", "1.5", set_document(ReplicaSet("b", task=Task("b.1", "promote"))))
    documents.learn("sets", "c", "1.5", set_document(ReplicaSet("c", needs="somebody")))
    assert documents.busy() == {"b", "c"} and documents.sets() == {"a", "b", "c"}


@pytest.mark.parametrize("servers", [[], "x", {"m1": 3}, {"m1": {"set": ["s"]}}])
def test_what_a_guest_says_of_servers_stops_nobody_whatever_it_is(servers):
    carrier, documents = carrier_of("a", refuses=(), problem=None)
    carrier._learn(documents, "pool", "h1", "1.5", {"Name": "h1", "Meta": {}, "Params": {"servers": servers}})
    assert len(documents.strays()) == (servers == {"m1": {"set": ["s"]}})


def test_nothing_is_kept_of_a_set_that_is_gone():
    carrier, documents = carrier_of("a", refuses={"a"}, problem=ValueError("a bug"))
    carrier._look("a", documents)
    assert "a" in carrier._broken and "a" in carrier._silences
    carrier._learn(documents, "sets", "a", "1.9", None)
    assert not {"a"} & {*carrier._broken, *carrier._silences, *carrier._said}


def test_the_journal_says_once_that_a_set_would_need_help_and_that_it_does(caplog):
    carrier, documents = carrier_of(refuses=(), problem=None)
    members = {"m1": Member("m1", "h1", joined=True), "m2": Member("m2", "h2", joined=True)}
    documents.learn("sets", "s", "1.2", set_document(ReplicaSet("s", source="m1", members=members)))
    for _look in range(2):
        carrier._warn(carrier._warnings(documents))
    assert caplog.messages == [
        "set s: no other would take its source's place unasked: no replica counts, so that each may lack what was acknowledged"
    ]
    documents.learn("sets", "s", "1.3", set_document(ReplicaSet("s", source="m1", members=members, needs="somebody")))
    carrier._warn(carrier._warnings(documents))
    assert caplog.messages[1:] == ["set s needs help: somebody"]
