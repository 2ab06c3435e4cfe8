# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes in etcd is told, whatever a watch does; and whether etcd is there at all."""

import asyncio
import base64
import json
import shutil
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from baton.adapters.dcs import etcd as module
from baton.adapters.dcs import etcd_watch
from baton.adapters.dcs.etcd import EtcdStore
from baton.adapters.dcs.etcd_gateway import MOST_BYTES, Options
from baton.adapters.resolver import Resolver
from baton.core.model.log import Epoch
from baton.core.model.record import Member, Record
from support.bad_etcd import CREATED, HEADER, BadEtcd, cut, stream, whole
from support.cluster import eventually
from support.etcd import Etcd

RECORD = Record("c1", Epoch(1, "e1"), "n1", (Member("n1", "disk"),), nonce="a-1")
KEY = "/baton/test/record"
NEVER = 3600.0

DEEP = b"[" * 100_000 + b"]" * 100_000 + b"\n"
BAD_WATCHES = {
    "ends at once": stream(CREATED, end=True),
    "is empty": whole(),
    "is a proxy's error": whole(b"<html>bad gateway</html>", 502),
    "is a page": whole(b"<html>welcome</html>"),
    "is an error in JSON": whole(b'{"error":"x","code":12}', 501),
    "is refused": stream(b'{"error":{"grpc_code":7,"message":"permission denied"}}\n', end=True),
    "is cancelled": stream(CREATED.replace(b"true}}", b'true,"canceled":true}}')),
    "is compacted": stream(CREATED, b'{"result":{"compact_revision":"9"}}\n'),
    "is a list": stream(b"[1,2,3]\n"),
    "is nested deeply": stream(CREATED, DEEP),
    "has a strange event": stream(CREATED, b'{"result":{"events":[7]}}\n'),
    "has strange events": stream(CREATED, b'{"result":{"events":{"a":1}}}\n'),
    "never begins": stream(),
    "is another's": stream(b'{"result":{"header":{}}}\n'),
    "has a line without end": stream(CREATED, endless=b"x" * 10_000),
    "has lines without end": stream(CREATED, endless=b'{"result":{}}\n' * 1000),
    "sends you elsewhere": whole(b"", 307, Location="/v3/watch"),
    "is cut": cut,
}


@asynccontextmanager
async def watching(*urls, **more):
    """A store on these URLs; yields it and the queue of what it tells."""
    told = asyncio.Queue()
    names = Resolver()
    store = EtcdStore(Options(tuple(urls), KEY, **more), None, names)
    await store.start(lambda version, record: told.put_nowait((version, record)))
    try:
        yield store, told
    finally:
        await store.stop()
        names.stop()


async def until_told(told, wanted, seconds=10):
    """Return how long it took until this was told."""
    began = time.monotonic()
    while True:
        found = await asyncio.wait_for(told.get(), began + seconds - time.monotonic())
        if found == wanted:
            return time.monotonic() - began


async def elsewhere(work, *arguments):
    """Run what blocks."""
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)


def put(server, record, **more):
    """Write a record as another node would; return its version."""
    value = base64.b64encode(json.dumps(record.to_json()).encode()).decode()
    body = {"key": base64.b64encode(KEY.encode()).decode(), "value": value}
    return int(server.post("/v3/kv/put", body, **more).json()["header"]["revision"])


@pytest.mark.parametrize("kind", BAD_WATCHES)
def test_a_watch_that_fails_is_made_anew_after_longer_and_longer(kind, monkeypatch, caplog):
    monkeypatch.setattr(module, "BACKOFF", 0.02)
    monkeypatch.setattr(module, "LOOK_SECONDS", NEVER)
    monkeypatch.setattr(etcd_watch, "OPEN_SECONDS", 0.1)

    async def main():
        async with BadEtcd(BAD_WATCHES[kind]) as server:
            async with watching(server.url) as (store, told):
                await eventually(lambda: len(server.watches) >= 5, "it is tried again")
                gaps = [after - before for before, after in zip(server.watches, server.watches[1:])]
                for gap, least in zip(gaps, (0.02, 0.04, 0.08, 0.16)):
                    assert gap > least * 0.9, gaps
                assert len(server.reads) <= len(server.watches) * 2 + 1
                assert store.reachable, "calls are answered"
                await told.get()
        assert caplog.text.count("etcd can't be watched") == 1
        assert f"({server.url}: " in caplog.text

    asyncio.run(main())


def test_a_watch_that_told_something_is_soon_made_anew(monkeypatch):
    monkeypatch.setattr(module, "BACKOFF", 0.05)
    event = {"kv": {"key": "aw==", "mod_revision": "6", "value": "e30="}, "type": "DELETE"}
    line = json.dumps({"result": {"header": HEADER, "events": [event]}}).encode() + b"\n"

    async def main():
        async with BadEtcd(stream(CREATED, line, end=True)) as server:
            async with watching(server.url):
                await eventually(lambda: len(server.watches) >= 8, "it is tried again", 3)
                assert server.watches[7] - server.watches[0] > 7 * 0.045

    asyncio.run(main())


def test_of_an_endless_answer_only_so_much_is_taken():
    endless = stream(endless=b"x" * 100_000)

    async def main():
        async with BadEtcd(endless, endless) as server, watching(server.url) as (store, _told):
            with pytest.raises(ConnectionError, match=f"more than {MOST_BYTES} bytes: is that"):
                await store.read()

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["ends at once", "never begins", "is a proxy's error"])
def test_another_endpoint_is_preferred_after_a_bad_watch(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", NEVER)
    monkeypatch.setattr(etcd_watch, "WATCH_SECONDS", NEVER)

    async def main():
        async with BadEtcd(BAD_WATCHES[kind]) as bad:
            async with watching(bad.url, good.urls[0]) as (store, told):
                first = good.urls[0]
                await eventually(lambda: store._gateway.first == first, "the other is preferred")
                await eventually(lambda: told.qsize() > 1, "it is watched")
                version = await elsewhere(put, good, RECORD)
                assert await until_told(told, (version, RECORD)) < 1

    with Etcd(tmp_path) as good:
        asyncio.run(main())


def test_a_watch_tells_at_once_and_a_read_what_no_watch_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", NEVER)

    async def main():
        async with watching(*server.urls) as (_store, told):
            await eventually(lambda: told.qsize() > 1, "it is watched")
            for number in range(3):
                record = replace(RECORD, nonce=f"a-{number}")
                version = await elsewhere(put, server, record)
                assert await until_told(told, (version, record)) < 1
            key = base64.b64encode(KEY.encode()).decode()
            await elsewhere(server.post, "/v3/kv/deleterange", {"key": key})
            assert await until_told(told, (-1, None)) < 1

    with Etcd(tmp_path) as server:
        asyncio.run(main())


def test_a_watch_whose_token_has_expired_gets_another(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", NEVER)
    monkeypatch.setattr(etcd_watch, "WATCH_SECONDS", 2.0)

    async def main():
        async with watching(*server.urls, user="root", password="root-secret") as (store, told):
            await eventually(lambda: told.qsize() > 1, "it is watched")
            first = store._gateway._token
            await eventually(lambda: store._gateway._token not in ("", first), "it has expired")
            mine = {"Authorization": store._gateway._token}
            version = await elsewhere(lambda: put(server, RECORD, headers=mine))
            assert await until_told(told, (version, RECORD)) < 2

    with Etcd(tmp_path, options=["--auth-token-ttl", "1"]) as server:
        server.log_in("root", "root-secret")
        asyncio.run(main())


def test_a_watch_that_alone_has_to_log_in_does_so():
    """A member that has just started does not know the token, while the one that is read does."""
    why = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"
    line = {"result": {"created": True, "canceled": True, "cancel_reason": why}}
    shown = []

    async def watch(request):
        shown.append(request.headers["Authorization"])
        known = shown[-1] != shown[0]
        return await stream(CREATED if known else json.dumps(line).encode() + b"\n")(request)

    async def main():
        async with BadEtcd(watch) as server:
            async with watching(server.url, user="root", password="root-secret"):
                await eventually(lambda: shown[1:] and shown[-1] != shown[0], "it logs in", 5)

    asyncio.run(main())


# --- whether etcd can be reached ---


@pytest.mark.parametrize("size", [1, 3])
def test_a_frozen_etcd_is_known_within_three_seconds_though_all_is_quiet(tmp_path, size, caplog):
    async def main():
        async with watching(*server.urls) as (store, _told):
            await eventually(lambda: store.reachable, "it answers")
            for number in range(size):
                server.freeze(number)
            began = time.monotonic()
            await eventually(lambda: not store.reachable, "the outage is known", 3.3)
            for number in range(size):
                server.freeze(number, False)
            began = time.monotonic()
            await eventually(lambda: store.reachable, "it is back", 5)
            assert size > 1 or time.monotonic() - began < 2
        assert caplog.text.count("etcd is unreachable") == 1

    with Etcd(tmp_path, size) as server:
        asyncio.run(main())


def test_one_frozen_member_of_three_is_no_outage(tmp_path, caplog):
    leader = None

    async def main():
        frozen = server.urls[follower]
        order = [frozen, *(url for url in server.urls if url != frozen)]
        newer = replace(RECORD, nonce="b")
        async with watching(*order) as (store, told):
            done, version = await store.swap(-1, 0, RECORD)
            assert done
            server.freeze(follower)
            with pytest.raises(ConnectionError):
                await store.swap(version, 0, replace(RECORD, nonce="a-2"))
            assert store.reachable
            version = await elsewhere(lambda: put(server, newer, number=leader))
            assert await until_told(told, (version, newer)) < 5
            server.freeze(follower, False)
        assert "unreachable" not in caplog.text

    with Etcd(tmp_path, 3) as server:
        leader = server.leader()
        follower = (leader + 1) % 3
        asyncio.run(main())


def test_while_all_is_quiet_etcd_is_read_every_two_seconds_and_not_more_often(monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.4)

    async def main():
        async with BadEtcd(stream(CREATED)) as server, watching(server.url) as (store, _told):
            await eventually(lambda: len(server.reads) >= 6, "it is read")
            gaps = [after - before for before, after in zip(server.reads, server.reads[1:])]
            assert min(gaps[1:]) > 0.39, "but for the one when the watch begins"
            await store.read()
            asked = time.monotonic()
            await eventually(lambda: server.reads[-1] > asked, "it is read again")
            assert server.reads[-1] - asked > 0.39, "another's read is a proof, too"

    asyncio.run(main())


NOT_ETCD = [
    b"{}",
    b"[]",
    b"null",
    b'"x"',
    b"<html>",
    b'{"header":{"revision":null}}',
    b'{"header":{"revision":1e999}}',
    b'{"header":{"revision":1},"kvs":7}',
    DEEP,
]


@pytest.mark.parametrize("body", NOT_ETCD)
def test_who_is_not_etcd_is_not_believed(body, caplog):
    """An empty answer must not look like a record that is gone, nor end the looking."""

    async def main():
        async with BadEtcd(stream(CREATED), whole(body)) as server:
            async with watching(server.url) as (store, told):
                with pytest.raises(ConnectionError, match="is that etcd|it says"):
                    await store.read()
                await eventually(lambda: "etcd is unreachable" in caplog.text, "it is said")
                assert not store.reachable and told.empty()
                server.read = whole(json.dumps({"header": HEADER}).encode())
                await eventually(lambda: store.reachable, "it looks on")
                assert await told.get() == (-1, None)

    asyncio.run(main())


def test_a_restored_backup_is_told_though_its_version_is_older(tmp_path, caplog):
    """A watch from a revision that was lost would wait for it in silence."""
    newer = replace(RECORD, nonce="a-2")

    async def main():
        async with watching(*server.urls) as (store, told):
            old = await elsewhere(put, server, RECORD)
            await until_told(told, (old, RECORD))
            server.stop(0)
            shutil.copytree(tmp_path / "m0", tmp_path / "backup")
            server.start(0)
            await eventually(lambda: server.healthy(0), "etcd is back")
            for _number in range(5):
                new = await elsewhere(put, server, newer)
            await until_told(told, (new, newer))
            server.stop(0)
            shutil.rmtree(tmp_path / "m0")
            shutil.move(tmp_path / "backup", tmp_path / "m0")
            server.start(0)
            assert await until_told(told, (old, RECORD), 10) < 5
            assert await store.read() == (old, RECORD)
            again = await elsewhere(put, server, newer)
            assert old < again < new, "changes that come after are told, too"
            assert await until_told(told, (again, newer)) < 3

    with Etcd(tmp_path) as server:
        asyncio.run(main())
