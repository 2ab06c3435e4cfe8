# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that are kept while DNS is out or slow; the tests' own DNS says what it is told to."""

import asyncio
import logging
import socket
import ssl
import threading
import time

import aiohttp
import pytest
from aiohttp import web

from baton.adapters import resolver as module
from baton.adapters.dcs.etcd import EtcdStore
from baton.adapters.dcs.etcd_gateway import Options
from baton.adapters.peers.links import PATH, Links
from baton.adapters.resolver import Resolver, Unresolved, host_of, reason
from baton.core.events import LinkUp
from support.certificates import Authority
from support.cluster import eventually
from support.etcd import Etcd

FOUR = [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET, "192.0.2.2")]
LOOPBACK = [(socket.AF_INET, "127.0.0.1")]


class Dns:
    """``answers``: what each name has. Asked for another it fails, and not ``awake`` it hangs."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): found for name, found in answers.items()}
        self.asked = []
        self.awake = threading.Event()
        self.awake.set()

    def __call__(self, host):
        self.asked.append(host)
        self.awake.wait(20)
        if not self.answers.get(host):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return list(self.answers[host])


@pytest.fixture
def quick(monkeypatch):
    """Look names up so often that a test need not wait for it."""
    monkeypatch.setattr(module, "PERIOD", 0.05)
    monkeypatch.setattr(module, "FRESH", 0.01)


async def timed(work):
    began = time.monotonic()
    found = await work
    return found, time.monotonic() - began


def hosts(found):
    return [one["host"] for one in found]


def run(dns, work):
    async def main():
        names = Resolver(dns)
        try:
            return await work(names)
        finally:
            names.stop()
            dns.awake.set()

    return asyncio.run(main())


@pytest.mark.parametrize("out", ["fails", "hangs"])
def test_a_known_name_is_answered_at_once_while_dns_is_out(quick, caplog, monkeypatch, out):
    monkeypatch.setattr(module, "LIMIT", 0.1)
    monkeypatch.setattr(module, "PATIENCE", 5.0)  # which is for names that are not known
    caplog.set_level(logging.INFO, "baton.resolver")
    dns = Dns(etcd1=FOUR)

    def said(text):
        return [record.levelname for record in caplog.records if text in record.getMessage()]

    async def work(names):
        names.ahead("https://etcd1:2379")
        assert hosts(await names.resolve("etcd1", 2379)) == ["192.0.2.1", "192.0.2.2"]
        if out == "hangs":
            dns.awake.clear()
        else:
            dns.answers = {}
        await eventually(lambda: said("can't be resolved any more"), "the journal has it")
        for _call in range(20):
            found, took = await timed(names.resolve("etcd1", 2379))
            assert hosts(found) == ["192.0.2.1", "192.0.2.2"] and took < 0.1
        asked = len(dns.asked)
        await eventually(lambda: len(dns.asked) > asked + 3 or out == "hangs", "it looks on")
        assert said("can't be resolved any more") == ["WARNING"], "once"
        dns.answers = {"etcd1": LOOPBACK}
        dns.awake.set()
        await eventually(lambda: said("can be resolved again"), "the journal has it")
        await eventually(lambda: len(dns.asked) > 5, "it goes on looking")
        assert said("can be resolved again") == ["INFO"]
        assert hosts(await names.resolve("etcd1")) == ["127.0.0.1"]

    run(dns, work)


def test_a_name_that_was_never_known_is_waited_for_briefly_and_the_error_says_dns():
    dns = Dns(slow=FOUR)
    dns.awake.clear()

    async def work(names):
        began = time.monotonic()
        says = "the name slow can't be resolved: DNS does not answer"
        with pytest.raises(Unresolved, match=says):
            await names.resolve("slow")
        assert time.monotonic() - began < 0.28, "an etcd call has 0.3 s for everything"
        for _call in range(20):
            began = time.monotonic()
            with pytest.raises(Unresolved):
                await names.resolve("slow")
            assert time.monotonic() - began < 0.1, "it is not waited for anew by each call"
        assert dns.asked == ["slow"], "one look-up at a time"
        dns.awake.set()
        await eventually(lambda: names._names["slow"].addresses, "a late answer is welcome")
        with pytest.raises(Unresolved, match="the name gone can't be resolved: Temporary failure"):
            await names.resolve("gone")

    run(dns, work)


def test_look_ups_that_hang_take_no_thread_from_anybody_and_are_bounded():
    dns = Dns()
    dns.awake.clear()

    async def work(names):
        for number in range(3 * module.MOST_NAMES):
            names.ahead(f"https://n{number}:8092")
        assert len(dns.asked) <= module.MOST_NAMES
        assert len(names._names) <= module.MOST_NAMES + 1
        loop = asyncio.get_running_loop()
        assert await asyncio.wait_for(loop.run_in_executor(None, lambda: "free"), 5) == "free"
        with pytest.raises(Unresolved, match="too many other look-ups"):
            await names.resolve("one.more")
        dns.awake.set()
        known = names._names
        await eventually(lambda: not any(one.answer for one in known.values()), "all have ended")
        dns.answers = {"etcd1": FOUR}
        assert await names.resolve("etcd1"), "and there is room again"

    run(dns, work)


def test_the_address_that_answers_is_tried_first_and_stays_first(quick):
    both = [(socket.AF_INET6, "2001:db8::1"), (socket.AF_INET, "192.0.2.1")]
    dns = Dns(etcd1=both)

    async def work(names):
        assert hosts(await names.resolve("etcd1")) == ["2001:db8::1", "192.0.2.1"]
        assert hosts(await names.resolve("etcd1", family=socket.AF_INET)) == ["192.0.2.1"]
        names.another("https://etcd1:2379")
        names.another("https://etcd1:2379")  # two calls failed at once, on one address
        asked = len(dns.asked)
        await eventually(lambda: len(dns.asked) > asked + 2, "it was looked up anew")
        assert hosts(await names.resolve("etcd1")) == ["192.0.2.1", "2001:db8::1"]
        dns.answers["etcd1"] = [*both, (socket.AF_INET, "192.0.2.9")]
        name = names._names["etcd1"]
        await eventually(lambda: len(name.addresses) == 3, "the new one is known")
        assert hosts(await names.resolve("etcd1"))[0] == "192.0.2.1"

    run(dns, work)


def test_names_are_taken_from_urls_and_addresses_are_none():
    assert host_of("https://Etcd1.example:2379") == "etcd1.example"
    addresses = ("https://192.0.2.1:2379", "https://[2001:db8::1]:2379", "https://[fe80::1%eth0]:1")
    assert [host_of(url) for url in (*addresses, "")] == [""] * 4


def test_the_system_knows_this_host():
    assert (socket.AF_INET, "127.0.0.1") in module.look_up("localhost")
    with pytest.raises(ValueError):
        module.look_up("a" * 70 + ".example")


# --- in use ---


@pytest.mark.parametrize("out", ["fails", "hangs"])
def test_etcd_is_found_by_name_while_dns_is_out(tmp_path, out):
    """Its connections are all made anew, and each call has 0.3 s as ever."""
    dns = Dns(etcd1_test=LOOPBACK)

    async def work(names):
        url = server.urls[0].replace("127.0.0.1", "etcd1.test")
        store = EtcdStore(Options((url,), "/k"), None, names)
        await store.start(lambda version, record: None)
        try:
            assert await store.read() == (-1, None)
            dns.answers = {}
            if out == "hangs":
                dns.awake.clear()
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, server.stop, 0)
            await eventually(lambda: not store.reachable, "it is gone")
            server.start(0)
            await eventually(lambda: store.reachable, "it is back")
            (_found, took) = await timed(store.read())
            assert took < 0.3
        finally:
            await store.stop()

    with Etcd(tmp_path) as server:
        run(dns, work)


def test_etcd_by_a_name_that_was_never_known_is_unreachable_because_of_dns(caplog):
    async def work(names):
        store = EtcdStore(Options(("https://etcd1.test:2379",), "/k"), None, names)
        await store.start(lambda version, record: None)
        try:
            says = "https://etcd1.test:2379: the name etcd1.test can't be resolved: Temporary"
            with pytest.raises(ConnectionError, match=says):
                await store.read()
            line = f"etcd is unreachable ({says}"
            await eventually(lambda: line in caplog.text, "the journal says so")
        finally:
            await store.stop()

    run(Dns(), work)


def test_tls_verifies_the_name_and_not_its_address(tmp_path):
    authority = Authority(tmp_path / "pki")
    _ca, ca, _cert, cert, _key, key = map(str, authority.issue("etcd", "127.0.0.1", "etcd1.test"))
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(cert, key)

    async def work(names):
        for host, verified in (("etcd1.test", True), ("etcd2.test", False)):
            url = server.urls[0].replace("127.0.0.1", host)
            store = EtcdStore(Options((url,), "/k"), context, names)
            await store.start(lambda version, record: None)
            try:
                if verified:
                    assert await store.read() == (-1, None)
                else:
                    with pytest.raises(ConnectionError, match="not valid for 'etcd2.test'"):
                        await store.read()
            finally:
                await store.stop()

    with Etcd(tmp_path, tls=(cert, key, ca)) as server:
        run(Dns(etcd1_test=LOOPBACK, etcd2_test=LOOPBACK), work)


def test_links_find_their_peers_while_dns_is_out(caplog):
    caplog.set_level(logging.INFO, "baton.peers")
    dns = Dns(n2_test=LOOPBACK)

    async def work(names):
        ups = []
        two = Links("n2", "p2", ["the-secret"], None, lambda event: None, names)
        one = Links("n1", "p1", ["the-secret"], None, ups.append, names)
        app = web.Application()
        app.add_routes([web.get(PATH, two.serve)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        await one.start()
        try:
            one.connect(f"http://n2.test:{port}")
            await eventually(lambda: LinkUp("n2") in ups, "the link is up")
            dns.answers = {}
            await two.renew()
            await eventually(lambda: ups.count(LinkUp("n2")) > 1, "it is up again")
            one.connect(f"http://n3.test:{port}")
            line = "the name n3.test can't be resolved: Temporary"
            await eventually(lambda: line in caplog.text, "why there is no link")
        finally:
            await one.stop()
            await two.stop()
            await runner.cleanup()

    run(dns, work)


def test_why_a_request_over_tls_failed_is_told_without_python_objects(tmp_path):
    Authority(tmp_path / "ours")
    ours = ssl.create_default_context(cafile=str(tmp_path / "ours/ca.pem"))
    _ca, _file, _cert, cert, _key, key = map(str, Authority(tmp_path / "theirs").issue("n2", "127.0.0.1"))
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(cert, key)

    async def why(port):
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError) as caught:
                await session.get(f"https://127.0.0.1:{port}/", ssl=ours)
            return reason(caught.value)

    async def work(_names):
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=theirs)
        port = server.sockets[0].getsockname()[1]
        untrusted = await why(port)
        server.close()
        await server.wait_closed()
        assert "certificate verify failed" in untrusted and "object at" not in untrusted and "ssl:" not in untrusted
        refused = await why(port)
        assert "Connect call failed" in refused and "object at" not in refused

    run(Dns(), work)
