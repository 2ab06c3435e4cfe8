# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real etcd would take is known before it is needed: out of space, users that may only read, ends of certificates."""

import asyncio
import ssl
import time

import pytest
from test_etcd import KEY, RECORD

from baton.adapters.dcs import etcd_health
from baton.adapters.dcs.etcd import EtcdStore
from baton.adapters.dcs.etcd_gateway import Options
from baton.adapters.dcs.etcd_words import CORRUPT, SPACE, alarms, ending, refused_write
from baton.adapters.dcs.store import WontTake
from baton.adapters.resolver import Resolver
from support.certificates import Authority
from support.cluster import eventually
from support.etcd import Etcd

QUOTA = ["--quota-backend-bytes", "4000000"]
DAY = 86400


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nodes ask often, so that tests need not wait."""
    for name in ("FIRST_SECONDS", "ASK_SECONDS"):
        monkeypatch.setattr(etcd_health, name, 0.05)


def watching(work, *urls, tls=None, ends=dict, **more):
    """Run ``work(store, told)`` with a store on these URLs; ``told`` lists what it said of its health."""

    async def main():
        store, told = EtcdStore(Options(tuple(urls), KEY, **more), tls, Resolver(), ends), []
        await store.start(lambda version, record: None, told.append)
        try:
            return await work(store, told)
        finally:
            await store.stop()

    return asyncio.run(main())


async def is_writable(told, writable=True):
    await eventually(lambda: told and told[-1].writable is writable, f"writable is {writable}: {told}")
    return told[-1].trouble


def test_a_store_that_takes_changes_is_proven_to_again_and_again_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(etcd_health, "PROVE_SECONDS", 0.05)
    with Etcd(tmp_path) as server:

        async def work(store, told):
            assert (await store.swap(-1, 0, RECORD))[0]
            assert await is_writable(told) == ""
            revision, proofs = server.revision(), server.proposals()
            await eventually(lambda: server.proposals() > proofs + 3, "it is proven again")
            assert server.revision() == revision and (await store.read())[1] == RECORD

        watching(work, *server.urls)


def test_a_full_store_is_seen_by_a_look_and_its_end_by_a_proof(tmp_path):
    with Etcd(tmp_path, options=QUOTA) as server:

        async def work(store, told):
            _done, version = await store.swap(-1, 0, RECORD)
            server.fill()
            assert await is_writable(told, False) == SPACE
            assert store.reachable
            server.make_room()
            assert await is_writable(told) == ""
            assert (await store.swap(version, 0, RECORD))[0]

        watching(work, *server.urls)


def test_a_full_store_is_seen_by_a_proof_before_there_is_an_alarm(tmp_path):
    """The write that does not fit raises the alarm: a proof does not wait for somebody else's."""
    with Etcd(tmp_path, options=["--quota-backend-bytes", "1"]) as server:

        async def work(_store, told):
            assert await is_writable(told, False) == SPACE

        watching(work, *server.urls)


def test_a_user_who_may_only_read_is_seen_and_one_who_may_write_again(tmp_path):
    with Etcd(tmp_path) as server:
        server.log_in_user("baton", "secret")
        root = server.token("root", "secret")

        async def work(store, told):
            assert await is_writable(told) == ""
            server.grant("baton", "READ", **root)
            said = await is_writable(told, False)
            assert said.startswith("the user baton may not write the cluster record in etcd: nobody can take over")
            assert f"`etcdctl role grant-permission ROLE readwrite {KEY}`" in said and "secret" not in said
            assert store.reachable
            server.grant("baton", "READWRITE", **root)
            assert await is_writable(told) == ""

        watching(work, *server.urls, user="baton", password="secret")


def test_a_swap_that_is_refused_says_why_and_is_no_outage(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(etcd_health, "FIRST_SECONDS", 1e6)
    with Etcd(tmp_path, options=QUOTA) as server:

        async def work(store, told):
            server.fill()
            with pytest.raises(WontTake, match="out of space"):
                await store.swap(-1, 0, RECORD)
            assert await is_writable(told, False) == SPACE
            assert store.reachable and await store.read() == (-1, None)
            server.make_room()
            assert (await store.swap(-1, 0, RECORD))[0]
            assert await is_writable(told) == ""

        watching(work, *server.urls)
    assert "unreachable" not in caplog.text


def test_a_proven_read_shows_the_record_only_where_a_swap_would_be_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(etcd_health, "FIRST_SECONDS", 1e6)
    with Etcd(tmp_path, options=QUOTA) as server:

        async def work(store, told):
            assert await store.read(proven=True) == (-1, None)
            _done, version = await store.swap(-1, 0, RECORD)
            assert await store.read(proven=True) == (version, RECORD) == await store.read()
            server.fill()
            assert await store.read() == (version, RECORD)
            with pytest.raises(WontTake, match="out of space"):
                await store.read(proven=True)
            assert await is_writable(told, False) == SPACE
            server.make_room()
            assert await store.read(proven=True) == (version, RECORD), "and nothing was written"
            assert await is_writable(told) == ""

        watching(work, *server.urls)


def test_of_a_store_that_does_not_answer_nothing_is_known(tmp_path):
    with Etcd(tmp_path) as server:

        async def work(_store, told):
            await is_writable(told)
            assert told[-1].reachable
            server.stop(0)
            assert await is_writable(told, None) == ""
            await eventually(lambda: not told[-1].reachable, "and that it does not answer")
            server.start(0)
            assert await is_writable(told) == "" and told[-1].reachable

        watching(work, *server.urls)


def test_what_refused_goes_on_to_while_it_does_not_answer(tmp_path):
    with Etcd(tmp_path, options=QUOTA) as server:

        async def work(_store, told):
            server.fill()
            assert await is_writable(told, False) == SPACE
            server.stop(0)
            await eventually(lambda: not told[-1].reachable, "that it does not answer")
            assert told[-1].writable is False and told[-1].trouble == SPACE

        watching(work, *server.urls)


def test_the_end_of_a_certificate_is_seen_whose_ever_it_is(tmp_path):
    authority = Authority(tmp_path / "pki")
    ca, cert, key = authority.issue("etcd", "127.0.0.1")[1::2]  # for a day
    with Etcd(tmp_path, tls=(cert, key, ca)) as server:
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(cert, key)

        async def work(_store, told):
            await eventually(lambda: told and told[-1].writable and told[-1].trouble.count("; ") == 1, str(told))
            ours, theirs = told[-1].trouble.split("; ")
            assert ours.startswith("the certificate /etc/our.pem, for etcd, has ended on ")
            assert theirs.startswith(f"the certificate that {server.urls[0]} shows ends on ")

        ends = {"/etc/our.pem": time.time() - DAY, "/etc/ca.pem": time.time() + 100 * DAY}
        watching(work, *server.urls, tls=context, ends=lambda: ends)


# --- words ---


def test_a_refusal_means_something_only_when_every_member_would_say_it():
    assert refused_write(8, "it says 'etcdserver: mvcc: database space exceeded'", "", KEY) == SPACE
    assert refused_write(8, "it says 'etcdserver: too many requests'", "", KEY) is None
    assert refused_write(14, "it says 'etcdserver: no leader'", "", KEY) is None
    assert refused_write(15, "it says 'etcdserver: corrupt cluster'", "", KEY) == CORRUPT
    assert refused_write(7, "it says 'etcdserver: permission denied'", "ann", KEY).startswith("the user ann may not write")


def test_alarms_are_read_whatever_a_status_holds():
    assert alarms({"errors": ["memberID:1 alarm:NOSPACE "]}) == SPACE
    assert alarms({"errors": ["memberID:1 alarm:CORRUPT "]}) == CORRUPT
    for status in ({}, {"errors": None}, {"errors": []}, {"errors": ["etcdserver: no leader"]}, {"errors": [7, {}]}):
        assert alarms(status) == ""


def test_certificates_are_told_from_three_weeks_before_their_end():
    assert ending({"a": 22 * DAY}, 0) == ""
    assert ending({"a": 20 * DAY}, 0).startswith("a ends on 1970-01-21 00:00 UTC: renew it")
    assert ending({"a": 20 * DAY, "b": -DAY}, 0).startswith("b has ended on 1969-12-31")
