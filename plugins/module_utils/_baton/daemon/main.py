# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batond: the only place that wires the core to its adapters, and the process that systemd runs.

Events come in from HTTP, peers, the disk, the record store, timers and signals; ``tell`` hands them to the core and
carries out what it answers. Everything here runs in one asyncio loop; disk writes run in the writer's thread.
"""
from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
import os
import platform
import secrets
import signal
import sqlite3
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Awaitable, Callable, Collection, Dict, List, Optional, Sequence, Set, Tuple

from ..adapters import systemd
from ..adapters.aio import AIOHTTP_ERROR, aiohttp, unhandled
from ..adapters.dcs import kind as store_kind
from ..adapters.dcs.etcd import EtcdStore
from ..adapters.dcs.etcd_gateway import Options as EtcdOptions
from ..adapters.dcs.on_disk import LocalStore, ManualStore, RecordStore, WontTake
from ..adapters.disk import owner
from ..adapters.disk.data_lock import claim
from ..adapters.disk.durable import make_directory, write_durably
from ..adapters.disk.files import BlobStore
from ..adapters.disk.reserve import DiskReserve
from ..adapters.disk.sqlite import DataDirectory, Writer, distrust, load
from ..adapters.drivers.files import DriverFiles
from ..adapters.drivers.links import PATH as DRIVER_PATH
from ..adapters.drivers.links import DriverLinks
from ..adapters.http.app import build_app
from ..adapters.http.server import Server
from ..adapters.http.tokens import fresh_token
from ..adapters.loop_watch import LoopWatch
from ..adapters.peers.certificates import Certificates, Files
from ..adapters.peers.links import PATH as LINK_PATH
from ..adapters.peers.links import Links
from ..adapters.peers.notice import PATH as NOTICE_PATH
from ..adapters.peers.notice import Notice
from ..adapters.peers.snapshots import PATH as SNAPSHOT_PATH
from ..adapters.peers.snapshots import copy, serve
from ..adapters.resolver import Resolver, reason
from ..adapters.vip import guard
from ..adapters.vip.guard_client import GuardClient
from ..core import commands as cmd
from ..core import events as ev
from ..core.model import access
from ..core.model.config import NodeConfig
from ..core.model.saved import Saved
from ..core.node import Node
from ..core.state.loaded import Loaded
from ..core.vip.vip import two_holders_bound
from ..ground.problem import Problem
from ..ground.version import VERSION
from . import settings as settings_module
from .service import Service
from .settings import Settings
from .status import Store
from .stop_post import GUARDED, REIGN

LOG = logging.getLogger("baton")
SWITCH_SECONDS = 0.0005  # a writer whose fsync has ended must not wait 5 ms for the interpreter while requests keep it busy
GARBAGE_THRESHOLD = 20_000  # new objects before a look for garbage: there is little, and most of what a request makes is gone by then
EXPIRY_DAYS = 21  # before a certificate's end from which on the journal says so every day
STOP_SECONDS = 5.0  # for handing over when told to end
DISK_SECONDS = 2.0  # between looks at the room on the disk
LOOK_FOR_DRIVERS = 2.0  # seconds between looks at the files of drivers
GONE_SECONDS = 1.0  # for which a file is gone after SIGHUP that was removed: an editor's moment is shorter
LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _same_content(one: str, other: str) -> bool:
    """Whether two files hold the same, such as one CA for nodes and etcd."""
    return Path(one).read_bytes() == Path(other).read_bytes()


def boottime() -> float:
    """Seconds on a clock that counts while the machine sleeps: what leases are measured with."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot_id() -> str:
    """Return what names this boot of the machine, or ""."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class Daemon:
    """One node with its adapters."""

    def __init__(self, settings: Settings, tokens: Sequence[str]) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(unhandled)
        self.process = secrets.token_hex(8)
        self.certificates = Certificates()
        self.directory = DataDirectory(settings.data_dir)
        self.reserve = DiskReserve(settings.data_dir)  # on a full disk it makes the room that all else needs
        self.resolver = Resolver()
        self.store = self._record_store()
        self.blobs = BlobStore(settings.data_dir / "files", settings.keep_contents, self.reserve)
        self._store_tasks: Set["asyncio.Task[None]"] = set()
        self._store_said: Dict[str, str] = {}
        self.copy_thread = ThreadPoolExecutor(2, "baton-copy")
        incarnation = self._incarnation()
        self.directory.tidy()  # a snapshot that a crash cut short
        self.node = self._load(incarnation)
        store_kind.check(settings.data_dir, settings.dcs[0], self.node.state.known)
        self._note_store_kind()
        self.writer: Optional[Writer] = self._writer(incarnation)
        tls = self._tls(self.certificates.client)
        self.links = Links(
            settings.node_id, self.process, tokens, tls, self.tell, self.resolver
        )  # fmt: skip
        self.drivers = DriverLinks(settings.run_dir, settings.node_id, settings.driver_stop, self.tell)
        self.driver_files = DriverFiles(settings.drivers_dir, settings.data_dir / "drivers.json")
        self.files_thread = ThreadPoolExecutor(1, "baton-drivers")  # one look at a time
        self.guard = self._guard()
        self.service = Service(self.node, self.tell, boottime)
        self.service.dcs = lambda: Store(settings.dcs[0], self.store.reachable, self.store.last_contact)
        if self.guard is not None:
            self.service.vip, self.service.vip_trouble = self.guard.status, self.guard.trouble
        self.service.driver_files = lambda: self.driver_files.troubles
        self.loop_watch = LoopWatch()
        self.service.stalls = lambda: (self.loop_watch.longest, self.loop_watch.cpu)
        self.stopping = asyncio.Event()
        self.exit_code = 0
        self._flush_due = False
        self._copying: Set[str] = set()
        self._commands: Dict[type, Callable[[Any], None]] = {
            cmd.Store: self._write,
            cmd.Checkpoint: self._write,
            cmd.Send: self._send,
            cmd.SendBack: self._send_back,
            cmd.Connect: self._connect,
            cmd.Disconnect: lambda c: self.links.disconnect(c.node),
            cmd.Renounce: self._renounce,
            cmd.ReadRecord: self._read_record,
            cmd.Swap: self._swap,
            cmd.Adopt: self._adopt,
            cmd.Reply: self.service.reply,
            cmd.Changed: self._changed,
            cmd.Lease: self._lease,
            cmd.Prepare: self._prepare,
            cmd.RoleChanged: self._role_changed,
            cmd.FetchSnapshot: self._fetch_snapshot,
            cmd.InstallSnapshot: self._install_snapshot,
            cmd.DropSnapshot: self._drop_snapshot,
            cmd.FetchBlob: self._fetch_blob,
            cmd.ForgetRecord: self._forget_record,
            cmd.KeepTail: self._keep_tail,
            cmd.Note: self._note,
            cmd.DriverWelcome: self.drivers.welcome,
            cmd.DriverOrder: self.drivers.order,
            cmd.DriverLease: self.drivers.lease,
            cmd.DropDriver: self.drivers.drop,
            cmd.DriverMarker: self.drivers.mark,
            cmd.DriversCleared: lambda c: self._keep_notice(),
            cmd.Later: lambda c: self.tell_soon(ev.GoOn()),
        }  # fmt: skip

    def _incarnation(self) -> str:
        """Return the incarnation to use; one that was copied gets a name of its own."""
        current = self.directory.current()
        name, copied = owner.claim(self.settings.data_dir, current or self._first_incarnation(), secrets.token_hex(8))
        if copied:
            LOG.warning("the data in %s are a copy: they are a disk of their own now, and no member of the in-sync set",
                        self.settings.data_dir)  # fmt: skip
        return name

    def _first_incarnation(self) -> str:
        stray = self.directory.stray()
        if stray:
            raise Problem(
                500, "data_directory", f"{self.settings.data_dir}/CURRENT is missing or wrong, but {stray} holds data: write that name "
                "into it to use them, or empty the directory",
            )  # fmt: skip
        incarnation = secrets.token_hex(8)
        self.directory.create(incarnation)
        self.directory.use(incarnation)
        return incarnation

    def _load(self, incarnation: str) -> Node:
        """Start from the disk; Problem when it is full, damaged, or holds what only a newer version knows."""
        try:
            return Node(self._config(), load(self.directory.database(incarnation), incarnation))
        except (sqlite3.Error, ValueError, LookupError, TypeError, Problem) as error:
            if isinstance(error, Problem) and error.code == "data_directory":
                raise
            raise Problem(
                500, "data_directory", f"the data in {self.settings.data_dir} can't be used by this version, {VERSION} ({error}): if "
                "a newer one has run here, start that one again; if the disk is full, make room; only if they are damaged and other "
                "nodes are in sync, empty the directory, and this node copies them from the active",
            ) from None  # fmt: skip

    def _note_store_kind(self) -> None:
        if self.node.state.cluster_id:
            store_kind.note(self.settings.data_dir, self.settings.dcs[0])

    def _record_store(self) -> RecordStore:
        s = self.settings
        kind, argument = s.dcs
        try:
            if kind == "local":
                return LocalStore(Path(argument))
            if kind == "manual":
                return ManualStore(s.data_dir / store_kind.RECORD)
        except OSError as error:
            raise Problem(500, "record", str(error)) from None
        secure = argument.startswith("https")
        crl = s.tls_crl if s.etcd_ca and s.tls_crl and _same_content(s.etcd_ca, s.tls_ca) else ""
        tls = self.certificates.client(Files(s.etcd_cert, s.etcd_key, s.etcd_ca, crl)) if secure else None
        password = Path(s.etcd_password_file).read_text().strip() if s.etcd_password_file else ""
        key = f"{s.etcd_prefix.rstrip('/')}/{s.ha_id}/record"
        options = EtcdOptions(tuple(argument.split(",")), key, s.etcd_user, password)
        return EtcdStore(options, tls, self.resolver, self._etcd_ends if secure else dict)

    def _etcd_ends(self) -> Dict[str, float]:
        """Return when the certificates that we use for etcd end, by file."""
        used = (self.settings.etcd_cert, self.settings.etcd_ca)
        return {name: end for name, end in self.certificates.expiries().items() if name in used}

    def _config(self) -> NodeConfig:
        s = self.settings
        return NodeConfig(
            node=s.node_id, url=s.advertise, ha_id=s.ha_id, version=VERSION, timing=s.timing, process=self.process,
            system=f"{platform.system()}/{platform.machine()}".lower(), shared=self.store.shared, mode=s.mode,
            may_create=self.store.shared and not s.passive, min_in_sync=s.min_in_sync, discard=s.discard,
            no_failover=s.no_failover, priority=s.priority, wall_offset=time.time() - boottime(),
            host=platform.node(), boot=_boot_id(),
            checkpoint_entries=s.checkpoint_entries, keep_entries=s.keep_entries, driver_stop=s.driver_stop,
            limits=s.limits,
        )  # fmt: skip

    def _guard(self) -> Optional[GuardClient]:
        s = self.settings
        if not s.vip:
            return None
        static = [s.static_ip] if s.static_ip else []
        timing = s.timing
        patience = two_holders_bound(timing.lease, timing.grace, timing.valid, timing.rate_error)
        options = guard.Options(s.vip, s.interface, int(timing.valid), patience, static, s.watchdog)
        client = GuardClient(guard.program(), options)
        client.on_change(lambda: self.tell(ev.VipHealth(client.unable)))
        return client

    # --- the core -------------------------------------------------------------------------------------------------------

    def tell(self, event: ev.Event) -> None:
        """Give the core an event and carry out its commands."""
        self._feed(event)
        if self.node.to_flush and not self._flush_due:
            self._flush_due = True
            self.loop.call_soon(self._flush)

    def tell_soon(self, event: ev.Event) -> None:
        self.loop.call_soon(self.tell, event)

    def _flush(self) -> None:
        self._flush_due = False
        self._feed(ev.Flush())

    def _feed(self, event: ev.Event) -> None:
        """A core that broke off in the middle of an event can't be trusted: stop at once, and start anew from the disk."""
        try:
            for command in self.node.handle(event, boottime()):
                self._commands[type(command)](command)
        except OSError as error:
            LOG.critical("can't go on (%s): stopping, to start with what is on disk", error)
            os._exit(1)
        except Exception:
            LOG.critical("bug: %s can't be handled; stopping", type(event).__name__, exc_info=True)
            os._exit(1)

    def _tell_room(self) -> None:
        self.loop.call_soon_threadsafe(self.tell, ev.DiskRoom(self.reserve.low))

    async def _watch_disk(self) -> None:
        """Others fill the disk, too, and make room on it."""
        self.reserve.on_change = self._tell_room
        self._tell_room()
        while True:
            await asyncio.sleep(DISK_SECONDS)
            try:
                await self.loop.run_in_executor(self.copy_thread, self.reserve.look)
            except OSError as error:
                LOG.warning("can't keep room on the disk of %s: %s", self.settings.data_dir, error)

    async def _tick(self) -> None:
        period = self.settings.timing.heartbeat / 2
        while True:
            self.tell(ev.Tick(time.time()))
            await asyncio.sleep(period)

    # --- disk -----------------------------------------------------------------------------------------------------------

    def _writer(self, incarnation: str) -> Writer:
        def stored(store: int) -> None:
            self.loop.call_soon_threadsafe(self.tell, ev.Stored(store))

        def failed(error: BaseException) -> None:
            distrust(self.directory.database(incarnation))
            LOG.critical("can't write to %s (%s): stopping, since a later write might hide it", self.settings.data_dir, error)
            os._exit(1)

        writer = Writer(self.directory.database(incarnation), self.reserve, stored, failed)
        writer.start()
        return writer

    def _write(self, command: Any) -> None:
        if self.writer is not None:
            self.writer.put(command)

    def _keep_tail(self, command: cmd.KeepTail) -> None:
        """Write entries to a file that is named for what is in it: another tail with the same numbers is another file."""
        first, last = command.entries[0], command.entries[-1]
        text = "".join(
            json.dumps({"seq": e.seq, "epoch": e.epoch.number, "id": e.epoch.id, "entry": e.body}, separators=(",", ":")) + "\n"
            for e in command.entries
        )
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
        path = self.settings.data_dir / f"tail-{first.epoch.number}-{first.seq}-{last.seq}-{name}.jsonl"
        if not path.exists():
            write_durably(path, text)
            LOG.warning("kept %d entries that the others do not have in %s", len(command.entries), path)

    def _renounce(self, command: cmd.Renounce) -> None:
        """Our disk is a copy of one in use: the next start gives it an incarnation of its own."""
        owner.disown(self.settings.data_dir, self.node.state.incarnation)
        LOG.critical("%s: stopping, to start as a new disk", command.reason)
        os._exit(1)

    # --- the cluster record ---------------------------------------------------------------------------------------------

    def _on_store(
        self,
        what: str,
        work: Awaitable[Any],
        then: Callable[[Any], None],
        failed: Callable[[BaseException], None] = lambda _error: None,
    ) -> None:
        async def do() -> None:
            try:
                found = await work
            except (OSError, ValueError) as error:
                self._store_failed(what, str(error))
                failed(error)
            else:
                self._store_failed(what, "")
                then(found)

        task = self.loop.create_task(do())
        self._store_tasks.add(task)
        task.add_done_callback(self._store_tasks.discard)

    def _read_record(self, _command: cmd.ReadRecord) -> None:
        self._on_store("read", self.store.read(), lambda found: self.tell(ev.RecordRead(*found)))

    def _swap(self, command: cmd.Swap) -> None:
        if self.guard is not None and command.record.active == self.settings.node_id and self.node.leading is None:
            self.guard.prepare()  # probe for another holder beside the swap
        nonce = command.record.nonce

        def answer(done: Optional[bool], version: int = -1) -> None:
            self.tell(ev.SwapAnswer(nonce, done, version))

        def failed(error: BaseException) -> None:
            self.tell(ev.SwapAnswer(nonce, None, refused=str(error) if isinstance(error, WontTake) else ""))

        swapping = self.store.swap(command.expected, command.version, command.record)
        self._on_store("written", swapping, lambda found: answer(*found), failed)

    def _store_failed(self, what: str, why: str) -> None:
        """Say once what is wrong, since it is soon tried again; and when that is over (why: "")."""
        said, self._store_said[what] = self._store_said.get(what, ""), why
        if why == said or self.settings.dcs[0] == "etcd":  # which says so itself
            return
        if why:
            LOG.error("the cluster record can't be %s: %s", what, why)
        else:
            LOG.info("the cluster record can be %s again", what)

    def _adopt(self, command: cmd.Adopt) -> None:
        adopting = self.store.adopt(command.version, command.record)
        self._on_store("written", adopting, lambda _none: self._read_record(cmd.ReadRecord()))

    def _forget_record(self, _command: cmd.ForgetRecord) -> None:
        self._on_store("removed", self.store.forget(), lambda _none: None)

    # --- peers ----------------------------------------------------------------------------------------------------------

    def _send(self, command: cmd.Send) -> None:
        self.links.send(command.node, command.message)

    def _send_back(self, command: cmd.SendBack) -> None:
        self.links.send_back(command.node, command.process, command.message)

    def _connect(self, command: cmd.Connect) -> None:
        self.links.connect(command.url, command.node)

    def _node_url(self, node: str) -> str:
        return self.links.url_of(node) or self.node.members().get(node, "")

    def _fetch_snapshot(self, command: cmd.FetchSnapshot) -> None:
        if "snapshot" not in self._copying:
            self._copying.add("snapshot")
            self.loop.create_task(self._copy_snapshot(command.node))

    async def _copy_snapshot(self, node: str) -> None:
        incarnation = secrets.token_hex(8)
        run = partial(self.loop.run_in_executor, self.copy_thread)
        try:
            header, reigns = await copy(self.links, self._node_url(node), node, partial(self.directory.create, incarnation), run)
            LOG.info("the snapshot of %s is here: %d documents at entry %d", node, header.documents, header.position.seq)
            self.tell(ev.SnapshotFetched(node, incarnation, header.cluster_id, reigns, header.forced))
        except (OSError, ValueError, LookupError, TypeError, sqlite3.Error, aiohttp.ClientError, asyncio.TimeoutError) as error:
            LOG.warning("no snapshot from %s: %s", node, reason(error))
            await self.loop.run_in_executor(self.copy_thread, self.directory.tidy)
            self._copying.discard("snapshot")

    def _drop_snapshot(self, command: cmd.DropSnapshot) -> None:
        LOG.warning("the snapshot is not used: %s", command.reason)
        removing = self.loop.run_in_executor(self.copy_thread, self.directory.tidy)
        removing.add_done_callback(lambda _done: self._copying.discard("snapshot"))

    def _install_snapshot(self, command: cmd.InstallSnapshot) -> None:
        """Put a whole snapshot in place of our data. What the core stores from now on is dropped: there is no way back."""
        old, self.writer = self.writer, None
        self.loop.create_task(self._use_snapshot(old, command.incarnation))

    async def _use_snapshot(self, old: Optional[Writer], incarnation: str) -> None:
        try:
            if old is not None:
                await self.loop.run_in_executor(self.copy_thread, old.close)
            self.directory.use(incarnation)
            saved, loaded = await self.loop.run_in_executor(self.copy_thread, self._loaded, incarnation)
            self.writer = self._writer(incarnation)
        except (OSError, ValueError, sqlite3.Error) as error:
            LOG.critical("can't put the snapshot in place (%s): stopping, to start with what is on disk", error)
            os._exit(1)
        self._copying.discard("snapshot")
        self.tell(ev.SnapshotInstalled(saved, loaded))
        self.service.replaced()

    def _loaded(self, incarnation: str) -> Tuple[Saved, Loaded]:
        """Read what an incarnation holds, and make tables of it: the loop goes on meanwhile."""
        saved = load(self.directory.database(incarnation), incarnation)
        return saved, Loaded.of(saved.documents, saved.checkpoint.seq, saved.replies, self.node.config.limits)

    def _fetch_blob(self, command: cmd.FetchBlob) -> None:
        if self.blobs.has(command.sha256):
            self.tell_soon(ev.BlobStored(command.sha256))
        elif command.sha256 not in self._copying:
            self._copying.add(command.sha256)
            self.loop.create_task(self._copy_blob(command.sha256, command.node))

    async def _copy_blob(self, sha256: str, node: str) -> None:
        try:
            while not self.blobs.has(sha256):
                source = self._node_url(self.node.following.active or node)
                try:
                    await self.links.fetch_blob(source, sha256, self.blobs)
                except (OSError, ValueError, aiohttp.ClientError, asyncio.TimeoutError) as error:
                    LOG.warning("can't copy file content %s yet: %s", sha256[:12], reason(error))
                    self.tell(ev.BlobUnavailable(sha256))
                    await asyncio.sleep(1)
                    if sha256 not in self.node.following.awaited():
                        return
        finally:
            self._copying.discard(sha256)
        self.tell(ev.BlobStored(sha256))

    async def _collect_contents(self) -> None:
        """Remove file contents that are of no use any more, on each node by itself.

        A content stays as long as
        - a file names it, or an entry that the log still has: whoever follows from there needs it;
        - it is on its way: being received or copied, offered to us, or stored here while the passives are copying it;
        - it came, or a copy of it was asked for, less than ten minutes ago, or this process is younger than that.
        Nothing is removed while this node is neither the serving active nor in sync: its documents may not be the cluster's.
        """
        while True:
            await asyncio.sleep(self.blobs.keep / 2)
            now, named = time.monotonic(), self.node.contents()
            if named is None:
                continue
            try:
                removed = await self.loop.run_in_executor(self.copy_thread, self.blobs.collect, named | self._copying, now)
                if removed:
                    LOG.info("removed %d file contents that nothing names any more", len(removed))
            except OSError as error:
                LOG.warning("can't remove unused file contents: %s", error)

    # --- VIP and role ---------------------------------------------------------------------------------------------------

    def _prepare(self, _command: cmd.Prepare) -> None:
        if self.guard is not None:
            self.guard.prepare()

    def _lease(self, command: cmd.Lease) -> None:
        if command.until is not None:
            if self.guard is not None:
                self.guard.hold(command.until, command.free)
        elif self.guard is None:
            self.tell_soon(ev.Released())
        else:
            self.loop.create_task(self._drop_vip(self.guard))

    def _changed(self, command: cmd.Changed) -> None:
        self.service.changed(command)
        if self.node.leading is not None and any(kind == "nodes" for kind, _key, _document in command.documents):
            self._keep_notice()

    def _keep_notice(self) -> None:
        """Leave word of this reign with those who outlive this process: the guard, and a file for ExecStopPost."""
        notice = self._notice()
        if self.guard is not None:
            self.guard.reign(notice)
        write_durably(self.settings.data_dir / REIGN, notice.to_text())

    def _notice(self) -> Notice:
        """Return what the others are to be told when this process is dead."""
        s, record = self.settings, self.node.record
        urls = tuple(url for node, url in sorted(self.node.members().items()) if node != s.node_id and url)
        running = str(self.drivers.running) if self.node.driving.drivers.cleared else ""
        return Notice(
            s.node_id, (record.epoch.number, record.epoch.id), urls, self.links.token, s.tls_cert, s.tls_key, s.tls_ca,
            running, s.timing.lease + s.driver_stop, s.tls_crl,
        )  # fmt: skip

    async def _look_for_drivers(self) -> None:
        """Notice which drivers are configured, and when a file of theirs is gone or damaged."""
        while self.settings.drivers_dir is not None:
            await asyncio.sleep(LOOK_FOR_DRIVERS)
            await self._look_for_drivers_once()

    async def _look_for_drivers_once(self, forget: Collection[str] = ()) -> None:
        if await self.loop.run_in_executor(self.files_thread, self.driver_files.look, forget):
            self.tell(ev.DriversExpected(self.driver_files.drivers))

    async def _forget_drivers(self) -> None:
        """A person said that what stands in the directory now is what is meant: forget those whose file is gone, and not for a moment."""
        await self._look_for_drivers_once()
        gone = tuple(self.driver_files.gone)
        if gone:
            await asyncio.sleep(GONE_SECONDS)
            await self._look_for_drivers_once(gone)

    async def _drop_vip(self, client: GuardClient) -> None:
        await client.drop()
        self.tell(ev.Released())

    def _role_changed(self, command: cmd.RoleChanged) -> None:
        systemd.notify(f"STATUS={command.role}; active: {command.active or 'nobody'}")
        self._note_store_kind()
        if command.role == "active":
            self._keep_notice()
        self.service.role_changed()

    def _note(self, command: cmd.Note) -> None:
        LOG.log(LEVELS[command.level], "%s", command.text)

    # --- process --------------------------------------------------------------------------------------------------------

    def _tls(self, make: Callable[[Files], ssl.SSLContext]) -> Optional[ssl.SSLContext]:
        s = self.settings
        return None if s.insecure else make(Files(s.tls_cert, s.tls_key, s.tls_ca, s.tls_crl))

    def _reload(self) -> None:
        """SIGHUP: use the certificates and the secret that stand in the files now, for every connection from here on, and the drivers.

        No write is disturbed.
        """
        self.loop.create_task(self._forget_drivers())
        try:
            tokens = settings_module.ha_tokens(self.settings, _make_secret)
            revoked = self.certificates.reload()
        except (OSError, Problem) as error:
            why = error.detail if isinstance(error, Problem) else error
            LOG.error("certificates and secret can't be reloaded (%s): the old ones stay in use", why)
            return
        self.links.tokens = tokens
        if self.node.leading is not None:
            self._keep_notice()
        LOG.info("certificates and secret reloaded")
        self._look_at_certificates()
        if revoked:
            LOG.info("the list of revoked certificates has changed: every link is made anew")
            self.loop.create_task(self.links.renew())

    def _look_at_certificates(self) -> None:
        """Note when our certificates end, and warn a person in time."""
        try:
            self.service.certificates = self.certificates.expiries()
        except (OSError, ValueError) as error:
            LOG.warning("can't tell when the certificates end: %s", error)
        for name, end in self.service.certificates.items():
            days = (end - time.time()) / 86400
            if days <= 0:
                LOG.error("the certificate %s has ended %.0f days ago: other nodes refuse it; run the playbook baton.ha.renew", name, -days)
            elif days < EXPIRY_DAYS:
                LOG.warning("the certificate %s ends in %.0f days; run the playbook baton.ha.renew", name, days)

    async def _watch_certificates(self) -> None:
        while True:
            self._look_at_certificates()
            await asyncio.sleep(86400)

    async def run(self) -> int:
        """Serve until told to stop; return the exit status."""
        for number, order in ((signal.SIGUSR1, "promote"), (signal.SIGUSR2, "give_up")):
            self.loop.add_signal_handler(number, self._signalled, order)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.stopping.set)
        self.loop.add_signal_handler(signal.SIGHUP, self._reload)
        gc.freeze()  # what the start has made stays for ever
        if self.guard is not None:
            marker = self.settings.data_dir / GUARDED
            marker.unlink(missing_ok=True)
            await self.guard.start()
            write_durably(marker, f"{self.settings.vip}\n")
        await self.links.start()
        try:
            await self.drivers.start()
        except OSError as error:
            text = f"--run-dir (BATON_RUN_DIR): can't use {error.filename or self.settings.run_dir}: {error.strerror}"
            raise Problem(400, "bad_setting", text) from None
        self.driver_files.look()
        self.tell(ev.DriversExpected(self.driver_files.drivers))
        await self.store.start(
            lambda version, record: self.tell(ev.RecordRead(version, record, watched=True)),
            lambda health: self.tell(ev.DcsHealth(*health)),
        )

        async def snapshot(request: Any) -> Any:
            return await serve(request, self.links, self.node)

        app = build_app(
            self.service, self.blobs, is_ha_token=self.links.knows, may_order=self.links.may_order, is_node=self.links.allowed,
            version=VERSION,
            extra_routes={
                f"GET {LINK_PATH}": self.links.serve, f"GET {SNAPSHOT_PATH}": snapshot,
                f"POST {NOTICE_PATH}": self.links.serve_notice, f"GET {DRIVER_PATH}": self.drivers.serve,
            },
        )  # fmt: skip
        server = Server(app)
        self.service.connections, self.service.connections_trouble = server.status, server.trouble
        await server.start(self.settings.host, self.settings.port, self._tls(self.certificates.server))
        LOG.info("%s serves on %s", self.settings.node_id, self.settings.advertise)
        self.tell(ev.Started())
        for url in self.settings.peers:
            if url.rstrip("/") != self.settings.advertise.rstrip("/"):
                self.links.connect(url)
        tasks = [self.loop.create_task(self._tick()), self.loop.create_task(self._admin_token())]
        tasks.append(self.loop.create_task(self.loop_watch.run()))
        tasks += [self.loop.create_task(self._watchdog()), self.loop.create_task(self._collect_contents())]
        tasks.append(self.loop.create_task(self._watch_disk()))
        tasks += [self.loop.create_task(self._watch_certificates()), self.loop.create_task(self._look_for_drivers())]
        systemd.notify("READY=1")
        await self.stopping.wait()
        systemd.notify("STOPPING=1")
        await self._make_way()
        await self._stop(tasks, server)
        return self.exit_code

    async def _make_way(self) -> None:
        """An active that is told to end hands its role over first, where that needs no person's decision."""
        if self.node.leading is None or not self.store.shared or self.node.record.paused:
            return
        patience = STOP_SECONDS + 2 * self.settings.driver_stop
        early = self.node.driving.drivers.free_at - boottime()
        if 0 < early < patience:
            await asyncio.sleep(early)
        try:
            await asyncio.wait_for(self.service.order("switch", text="batond was stopped", force=True), patience)
        except (Problem, asyncio.TimeoutError) as error:
            LOG.info("stopping without a successor: %s", error.detail if isinstance(error, Problem) else "the switch took too long")

    async def _stop(self, tasks: List["asyncio.Task[None]"], server: Server) -> None:
        for task in tasks:
            task.cancel()
        server.close()  # or a peer whose link is cut would be back before the end
        if self.guard is not None:
            await self.guard.stop()
        self.service.stop("batond is stopping")
        await self.drivers.stop()
        await self.links.stop()
        await self.store.stop()
        self.resolver.stop()
        await server.stop()
        if self.writer is not None:
            self.writer.close()

    def _signalled(self, order: str) -> None:
        self.loop.create_task(self._obey(order))

    async def _obey(self, order: str) -> None:
        try:
            LOG.info("signal: %s: %s", order, await self.service.order(order))
        except Problem as problem:
            LOG.error("signal: %s refused: %s", order, problem.detail)

    async def _watchdog(self) -> None:
        period = systemd.watchdog_period()
        while period is not None:
            systemd.notify("WATCHDOG=1")
            await asyncio.sleep(period)

    async def _admin_token(self) -> None:
        """Make the first token of a new cluster; the file that only we can read appears when the token is good.

        It is tried again until it is stored: in mode strict a cluster serves before it takes writes.
        """
        path = self.settings.data_dir / "admin.token"
        draft, said = path.with_name("admin.token.draft"), ""
        while True:
            await self.service.until_serving()
            token = draft.read_text().strip() if draft.exists() else ""
            known = {document.key for document in self.node.state.heads.list("tokens")}
            if known and access.token_id(token) in known:
                draft.replace(path)
                LOG.info("the admin token is in %s", path)
                return
            if known:
                draft.unlink(missing_ok=True)
                return
            try:
                if not token:
                    token = fresh_token()
                    write_durably(draft, token + "\n")
                await self.service.make_admin(token)
            except (Problem, OSError) as error:
                why = error.detail if isinstance(error, Problem) else str(error)
                if why != said:
                    said = why
                    LOG.info("the first admin token can't be stored yet: %s", said)
                await asyncio.sleep(1)


async def _serve(argv: Sequence[str]) -> int:
    chosen = settings_module.read(argv, os.environ)
    claim(chosen.data_dir)  # before its first byte is touched, and until this process ends
    DataDirectory(chosen.data_dir).check_format()
    store_kind.check(chosen.data_dir, chosen.dcs[0])
    return await Daemon(chosen, settings_module.ha_tokens(chosen, _make_secret)).run()


def _make_secret(path: Path) -> None:
    make_directory(path.parent)
    write_durably(path, secrets.token_urlsafe(32) + "\n")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run batond or its guard; return the exit status (2: wrong settings)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["guard"]:
        return guard.main(arguments[1:])
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(GARBAGE_THRESHOLD)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    if AIOHTTP_ERROR is not None:
        sys.stderr.write(f"batond: {AIOHTTP_ERROR}\n")
        return 1
    try:
        return asyncio.run(_serve(arguments))
    except Problem as problem:
        sys.stderr.write(f"batond: {problem.detail}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"batond: {error}\n")
        return 1
    except sqlite3.Error as error:
        sys.stderr.write(f"batond: the data directory can't be read ({error}): is its disk full, or broken?\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
