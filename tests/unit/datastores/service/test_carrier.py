# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager knows of documents: in the order in which they came to be, and never what it knows to be old."""

from baton.datastores.model.documents import set_document
from baton.datastores.model.replica_set import Member, ReplicaSet
from baton.datastores.service.carrier import Documents


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
