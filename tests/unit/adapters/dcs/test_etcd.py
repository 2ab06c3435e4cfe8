# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record in a real etcd: compare-and-swap, several endpoints, frozen members, users, TLS, watching, and an outage."""

import asyncio
import ssl
from dataclasses import replace

import pytest

from baton.adapters.dcs.etcd import EtcdStore
from baton.adapters.dcs.etcd_gateway import Options, Unreachable
from baton.adapters.resolver import Resolver
from baton.core.model.log import Epoch
from baton.core.model.record import Member, Record
from support.certificates import Authority
from support.cluster import Cluster, free_port, until
from support.etcd import Etcd

RECORD = Record("c1", Epoch(1, "e1"), "n1", (Member("n1", "disk"),), nonce="a-1")
KEY = "/baton/test/record"


def use(work, *urls, tls=None, **more):
    """Run ``work(store)`` with a store on these URLs."""

    async def main():
        store = EtcdStore(Options(tuple(urls), KEY, **more), tls, Resolver())
        await store.start(lambda version, record: None)
        try:
            return await work(store)
        finally:
            await store.stop()

    return asyncio.run(main())


@pytest.fixture
def etcd(tmp_path):
    with Etcd(tmp_path) as server:
        yield server


def test_a_record_is_made_once_and_changed_by_version_only(etcd):
    async def work(store):
        assert await store.read() == (-1, None)
        done, version = await store.swap(-1, 0, RECORD)
        assert done and await store.read() == (version, RECORD)
        assert await store.swap(-1, 0, replace(RECORD, nonce="b-1")) == (False, version)
        done, newer = await store.swap(version, 0, replace(RECORD, nonce="a-2"))
        assert done and newer > version
        assert await store.swap(version, 0, RECORD) == (False, newer)

    use(work, *etcd.urls)


def test_of_many_that_swap_at_once_one_wins(etcd):
    async def work(store):
        records = [replace(RECORD, nonce=f"r-{number}") for number in range(20)]
        answers = await asyncio.gather(*(store.swap(-1, 0, record) for record in records))
        assert [done for done, _version in answers].count(True) == 1

    use(work, *etcd.urls)


def test_dead_endpoints_are_passed_over(etcd):
    async def work(store):
        assert (await store.swap(-1, 0, RECORD))[0], "a refused connection has not swapped anything: the next is asked"
        assert (await store.read())[1] == RECORD

    use(work, f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}", *etcd.urls)


def test_a_frozen_member_even_the_leader_costs_one_call(tmp_path):
    with Etcd(tmp_path, 3) as server:
        leader = server.leader()

        async def work(store):
            done, version = await store.swap(-1, 0, RECORD)
            assert done
            server.freeze(leader)
            with pytest.raises(Unreachable):
                await store.swap(version, 0, replace(RECORD, nonce="a-2"))
            # Unknown: the core repeats it until a read or an answer settles it. Here: until the others have a leader.
            for _attempt in range(60):
                try:
                    done, standing = await store.swap(version, 0, replace(RECORD, nonce="a-2"))
                    break
                except ConnectionError:
                    continue
            assert done or (await store.read())[1].nonce == "a-2"
            server.freeze(leader, False)

        order = [server.urls[leader], *(url for url in server.urls if url != server.urls[leader])]
        use(work, *order)


def test_a_user_with_a_password_whose_token_expires(tmp_path):
    with Etcd(tmp_path, options=["--auth-token-ttl", "1"]) as server:
        server.log_in("root", "root-secret")

        async def work(store):
            assert (await store.swap(-1, 0, RECORD))[0]
            store._gateway._token = "expired.1"
            assert (await store.read())[1] == RECORD

        use(work, *server.urls, user="root", password="root-secret")

        async def refused(store):
            with pytest.raises(Unreachable, match="authentication failed"):
                await store.read()

        use(refused, *server.urls, user="root", password="wrong")


def test_tls_with_client_certificates(tmp_path):
    authority = Authority(tmp_path / "pki")
    _ca, ca, _cert, cert, _key, key = map(str, authority.issue("etcd", "127.0.0.1"))
    with Etcd(tmp_path, tls=(cert, key, ca)) as server:
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(cert, key)

        async def work(store):
            assert (await store.swap(-1, 0, RECORD))[0]

        use(work, *server.urls, tls=context)

        async def stranger(store):
            with pytest.raises(Unreachable):
                await store.read()

        use(stranger, *server.urls, tls=ssl.create_default_context(cafile=ca))


def test_a_watch_tells_of_changes_and_survives_its_member(tmp_path):
    with Etcd(tmp_path, 3) as server:

        async def work(writer):
            seen = asyncio.Queue()
            reader = EtcdStore(Options(tuple(server.urls), KEY), None, Resolver())
            await reader.start(lambda version, record: seen.put_nowait(record))
            try:
                done, version = await writer.swap(-1, 0, RECORD)
                while await asyncio.wait_for(seen.get(), 10) != RECORD:
                    pass
                server.members[0].kill()
                newer = replace(RECORD, nonce="a-2")
                until_swapped = asyncio.get_running_loop().time() + 20
                while True:
                    try:
                        await writer.swap(version, 0, newer)
                        break
                    except ConnectionError:
                        assert asyncio.get_running_loop().time() < until_swapped
                while await asyncio.wait_for(seen.get(), 20) != newer:
                    pass
            finally:
                await reader.stop()

        use(work, *server.urls[1:])


def test_an_outage_does_not_disturb_a_healthy_pair_and_an_idle_one_writes_nothing(tmp_path):
    """I6, and the promise that one etcd serves thousands of clusters."""
    with Etcd(tmp_path) as server, Cluster(tmp_path, 2, dcs="etcd:" + server.urls[0]) as pair:
        before = server.revision()
        node = pair.n1
        assert pair.call(node, "POST", "/profiles", json={"Name": "p"}).status_code == 201
        until(lambda: node.status()["seq"] > 0 and node.status()["in_sync"] == ["n1", "n2"], "both in sync")
        assert server.revision() == before, "nothing is written while nothing changes in the record"
        server.members[0].kill()
        until(lambda: not node.status()["dcs_reachable"], "the outage is noticed")
        assert node.said("etcd is unreachable")
        for number in range(20):
            body = [{"op": "add", "path": "/Params/n", "value": number}]
            assert pair.call(node, "PATCH", "/profiles/p", json=body).status_code == 200
        assert node.status()["in_sync"] == ["n1", "n2"] and node.status()["serving"]
        server.start(0)
        until(lambda: node.status()["dcs_reachable"], "etcd is back")
