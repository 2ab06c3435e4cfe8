# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that wires the core to its adapters.

Events come in from HTTP, peers, the disk, the record store, timers and signals; ``tell`` hands them to the core and
carries out what it answers. Everything here runs in one asyncio loop; disk writes run in the writer's thread.
"""
from __future__ import annotations

import asyncio
import gc
import logging
import os
import platform
import secrets
import signal
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, Optional, Sequence

from ..adapters import systemd
from ..adapters.aio import unhandled
from ..adapters.certificates import Certificates, Files
from ..adapters.dcs import kind as store_kind
from ..adapters.dcs.open import Etcd, open_store
from ..adapters.dcs.store import STORES, RecordStore
from ..adapters.disk.durable import make_directory, write_durably
from ..adapters.disk.files import BlobStore
from ..adapters.drivers.files import DriverFiles
from ..adapters.drivers.links import PATH as DRIVER_PATH
from ..adapters.drivers.links import DriverLinks
from ..adapters.http.app import build_app
from ..adapters.http.server import Server
from ..adapters.loop_watch import LoopWatch
from ..adapters.peers.links import PATH as LINK_PATH
from ..adapters.peers.links import Links
from ..adapters.peers.notice import PATH as NOTICE_PATH
from ..adapters.peers.notice import Notice
from ..adapters.peers.snapshots import PATH as SNAPSHOT_PATH
from ..adapters.peers.snapshots import serve
from ..adapters.resolver import Resolver
from ..adapters.vip import guard
from ..adapters.vip.guard_client import GuardClient
from ..core import commands as cmd
from ..core import events as ev
from ..core.model.config import NodeConfig
from ..core.vip.vip import two_holders_bound
from ..ground.problem import Problem
from ..ground.version import VERSION
from . import expiry
from . import settings as settings_module
from .copying import Copying
from .disk import Disk
from .first_token import first_token
from .record import Recorder
from .service import Service
from .settings import Settings
from .status import Store
from .stop_post import GUARDED, REIGN

LOG = logging.getLogger("baton")
STOP_SECONDS = 5.0  # for handing over when told to end
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
        self.copy_thread = ThreadPoolExecutor(2, "baton-copy")
        self.disk = Disk(settings.data_dir, self.tell, self.copy_thread)
        self.resolver = Resolver()
        self.store = self._store()
        self.record = Recorder(self.store, self.tell, quiet=STORES[settings.dcs[0]].is_remote)
        self.blobs = BlobStore(settings.data_dir / "files", settings.keep_contents, self.disk.reserve)
        self.node = self.disk.node(self._config())
        store_kind.check(settings.data_dir, settings.dcs[0], self.node.state.known)
        self._note_store_kind()
        self.disk.start(self.node.state.incarnation)
        tls = self._tls(self.certificates.client)
        self.links = Links(settings.node_id, self.process, tokens, tls, self.tell, self.resolver)
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
        self.copying = Copying(self.node, self.disk, self.blobs, self.links, self.copy_thread, self.tell, self.service.replaced)
        self._commands: Dict[type, Callable[[Any], None]] = {
            cmd.Store: self.disk.write,
            cmd.Checkpoint: self.disk.write,
            cmd.Send: self._send,
            cmd.SendBack: self._send_back,
            cmd.Connect: self._connect,
            cmd.Disconnect: lambda c: self.links.disconnect(c.node),
            cmd.Renounce: self._renounce,
            cmd.ReadRecord: self.record.read,
            cmd.Swap: self._swap,
            cmd.Adopt: self.record.adopt,
            cmd.Reply: self.service.reply,
            cmd.Changed: self._changed,
            cmd.Lease: self._lease,
            cmd.Prepare: self._prepare,
            cmd.RoleChanged: self._role_changed,
            cmd.FetchSnapshot: self.copying.fetch_snapshot,
            cmd.InstallSnapshot: self.copying.install_snapshot,
            cmd.DropSnapshot: self.copying.drop_snapshot,
            cmd.FetchBlob: self.copying.fetch_blob,
            cmd.ForgetRecord: self.record.forget,
            cmd.KeepTail: self.disk.keep_tail,
            cmd.Note: self._note,
            cmd.DriverWelcome: self.drivers.welcome,
            cmd.DriverOrder: self.drivers.order,
            cmd.DriverLease: self.drivers.lease,
            cmd.DropDriver: self.drivers.drop,
            cmd.DriverMarker: self.drivers.mark,
            cmd.DriversCleared: lambda c: self._keep_notice(),
            cmd.Later: lambda c: self.tell_soon(ev.GoOn()),
        }  # fmt: skip

    def _store(self) -> RecordStore:
        s = self.settings
        name, argument = s.dcs
        asked = STORES[name].is_remote  # else none of its files is looked at
        crl = s.tls_crl if asked and s.etcd_ca and s.tls_crl and _same_content(s.etcd_ca, s.tls_ca) else ""
        password = Path(s.etcd_password_file).read_text().strip() if asked and s.etcd_password_file else ""
        key = f"{s.etcd_prefix.rstrip('/')}/{s.ha_id}/record"
        etcd = Etcd(key, s.etcd_user, password, Files(s.etcd_cert, s.etcd_key, s.etcd_ca, crl))
        return open_store(name, argument, s.data_dir, etcd, self.certificates, self.resolver)

    def _note_store_kind(self) -> None:
        if self.node.state.cluster_id:
            store_kind.note(self.settings.data_dir, self.settings.dcs[0])

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

    async def _tick(self) -> None:
        period = self.settings.timing.heartbeat / 2
        while True:
            self.tell(ev.Tick(time.time()))
            await asyncio.sleep(period)

    def _renounce(self, command: cmd.Renounce) -> None:
        self.disk.renounce(self.node.state.incarnation, command.reason)

    def _swap(self, command: cmd.Swap) -> None:
        if self.guard is not None and command.record.active == self.settings.node_id and self.node.leading is None:
            self.guard.prepare()  # probe for another holder beside the swap
        self.record.swap(command)

    def _send(self, command: cmd.Send) -> None:
        self.links.send(command.node, command.message)

    def _send_back(self, command: cmd.SendBack) -> None:
        self.links.send_back(command.node, command.process, command.message)

    def _connect(self, command: cmd.Connect) -> None:
        self.links.connect(command.url, command.node)

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
        urls = tuple(url for node, url in sorted(self.node.standing.members().items()) if node != s.node_id and url)
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
            tokens = settings_module.ha_tokens(self.settings, make_secret)
            revoked = self.certificates.reload()
        except (OSError, Problem) as error:
            why = error.detail if isinstance(error, Problem) else error
            LOG.error("certificates and secret can't be reloaded (%s): the old ones stay in use", why)
            return
        self.links.tokens = tokens
        if self.node.leading is not None:
            self._keep_notice()
        LOG.info("certificates and secret reloaded")
        expiry.look_at(self.certificates, self.service)
        if revoked:
            LOG.info("the list of revoked certificates has changed: every link is made anew")
            self.loop.create_task(self.links.renew())

    async def run(self) -> int:
        """Serve until told to stop; return the exit status."""
        for number, order in ((signal.SIGUSR1, ev.Order.PROMOTE), (signal.SIGUSR2, ev.Order.GIVE_UP)):
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
        tasks = [self.loop.create_task(self._tick()), self.loop.create_task(first_token(self.settings.data_dir, self.node, self.service))]
        tasks.append(self.loop.create_task(self.loop_watch.run()))
        tasks += [self.loop.create_task(self._watchdog()), self.loop.create_task(self.copying.collect())]
        tasks.append(self.loop.create_task(self.disk.watch()))
        tasks += [self.loop.create_task(expiry.watch(self.certificates, self.service)), self.loop.create_task(self._look_for_drivers())]
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
            await asyncio.wait_for(self.service.order(ev.Order.SWITCH, text="batond was stopped", force=True), patience)
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
        self.disk.close()

    def _signalled(self, order: ev.Order) -> None:
        self.loop.create_task(self._obey(order))

    async def _obey(self, order: ev.Order) -> None:
        try:
            LOG.info("signal: %s: %s", order.value, await self.service.order(order))
        except Problem as problem:
            LOG.error("signal: %s refused: %s", order.value, problem.detail)

    async def _watchdog(self) -> None:
        period = systemd.watchdog_period()
        while period is not None:
            systemd.notify("WATCHDOG=1")
            await asyncio.sleep(period)


def make_secret(path: Path) -> None:
    """Make the secret that nodes share, where there is none: the role does so beforehand."""
    make_directory(path.parent)
    write_durably(path, secrets.token_urlsafe(32) + "\n")
