# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: the small process that alone adds, renews and removes the VIP, so that it goes when the daemon does.

The daemon starts it with one end of a SOCK_SEQPACKET pair and sends lines: ``prepare``, ``hold SECONDS`` (a deadline on
CLOCK_BOOTTIME; ``free SECONDS`` where the VIP has been given up before), ``drop NUMBER``, ``reign JSON`` (whom to tell when the
daemon is dead), ``leave``. The guard answers ``ready`` or ``fatal TEXT`` once, then ``state STATE CONFLICTS ANNOUNCEMENTS``,
``dropped NUMBER``, ``conflict MAC``, and ``error TEXT``, ``unable TEXT``, ``twin TEXT``, where no text says that it is over.
It decides nothing: core/vip/vip.py does.
It may not import asyncio, aiohttp or anything else that makes it start slowly, nor wait for anything but its events.
"""
from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import math
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Deque, Dict, List, Optional, Sequence, Tuple

from ...core.vip import vip
from ...core.vip.address import parse_vips
from .netlink import Address, Link, LinkEvent, Monitor, Netlink
from .places import Place, problems
from .watchdog import Watchdog

NOTICE = __name__.rpartition(".vip.")[0] + ".peers.notice"
MUTE_SECONDS = 0.02  # without hearing, after a flood
LONGEST_LINE = 65536
DEATH_SECONDS = 1.0  # that a daemon which closed its end may take to die


@dataclass(frozen=True)
class Options:
    """What a guard is started for. ``valid`` and ``patience``: see core/vip/vip.py Settings.

    ``address``: the VIP as ADDRESS/PREFIX, or several; see core/vip/address.py parse_vips. ``static``: the node's own addresses,
    which the VIP must not be. ``watchdog``: a device that is armed while the VIP is held.
    """

    address: str
    interface: str
    valid: int
    patience: float = vip.Settings.patience
    static: Sequence[str] = ()
    watchdog: str = ""


def now() -> float:
    """Return the time that deadlines are stated in: seconds since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def program() -> List[str]:
    """Return a command that starts this very code without importing the daemon, from a zipapp or a source tree.

    Isolated from the environment and from site-packages: a guard needs the standard library only, and starts in a third
    of the time.
    """
    package = Path(__file__).resolve().parents[2]
    start = f"import sys; sys.path.insert(0, {str(package.parent)!r}); from {package.name}.adapters.vip.guard import main; "
    return [sys.executable, "-I", "-S", "-c", start + "raise SystemExit(main(sys.argv[2:]))"]


def command(program: Sequence[str], options: Options, daemon_fd: int, daemon_pid: int) -> List[str]:
    """Return the command line of a guard; ``program`` as from ``program()``, or ``[sys.executable, "batond.pyz"]``."""
    return [
        *program, "guard", "--vip", options.address, "--interface", options.interface, "--valid", str(options.valid),
        "--patience", str(options.patience), "--daemon-fd", str(daemon_fd), "--daemon-pid", str(daemon_pid),
        *(["--watchdog", options.watchdog] if options.watchdog else []),
    ]  # fmt: skip


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run a guard; ``argv`` is what follows the word ``guard``. Return the exit status."""
    parser = argparse.ArgumentParser(prog="batond guard", description="Hold the VIP while batond says so.")
    parser.add_argument("--vip", required=True)
    parser.add_argument("--interface", required=True)
    parser.add_argument("--valid", type=int, required=True)
    parser.add_argument("--patience", type=float, required=True)
    parser.add_argument("--watchdog", default="")
    parser.add_argument("--daemon-fd", type=int, required=True)
    parser.add_argument("--daemon-pid", type=int, required=True)
    given = parser.parse_args(argv)
    control = socket.socket(fileno=given.daemon_fd)
    control.setblocking(False)
    try:
        options = Options(given.vip, given.interface, given.valid, given.patience, watchdog=given.watchdog)
        guard = Guard(options, control, given.daemon_pid)
    except OSError as error:
        _send(control, f"fatal the VIP's guard can't work: {error.strerror} (it needs CAP_NET_ADMIN and CAP_NET_RAW)")
        return 1
    return guard.run()


class Guard:
    """Feeds core/vip/vip.py with what happens and does what it says. The constructor raises OSError."""

    def __init__(self, options: Options, control: socket.socket, daemon_pid: int) -> None:
        self._options = options
        self._control = control
        self._daemon_pid = daemon_pid
        self._vip = vip.Vip(vip.Settings(valid=options.valid, patience=options.patience))
        self._done = False
        self._reign = ""
        self._handlers: Dict[int, Callable[[], None]] = {}
        self._poll = select.poll()
        self._pidfd = -1
        self._signals = -1
        self._netlink = Netlink()
        self._monitor = Monitor()  # before the first look, so that nothing happens between the two
        self._places = [Place(address, self._netlink) for address in parse_vips(options.address, options.interface)]
        self._wires: Dict[int, Place] = {}  # descriptor of a wire that we listen to → whose it is
        self._mute_until: Optional[float] = None
        self._macs: Dict[int, bytes] = {}  # of this host, by interface
        links, addresses = self._all()
        for place in self._places:
            place.use(place.find(links, addresses))
        self._netlink.check_permission()
        self._watchdog = Watchdog(options.watchdog, options.valid) if options.watchdog else None

    def run(self) -> int:
        """Guard until the daemon is gone or says ``leave``. Whatever happens, the address is removed at the end."""
        _raise_priority()
        self._watch_signals()
        self._watch_daemon()
        self._watch(self._monitor.fileno(), self._on_kernel)
        self._listen()
        try:
            self._look_at_health()
            self._on_control()  # a deadline that waits already decides whether an address that stands here is adopted
            self._feed(self._look())
            self._send("ready")
            importlib.import_module(NOTICE)  # 30 ms, spent while there is nothing to do
            while not self._done:
                ready = self._poll.poll(self._timeout())
                self._feed(vip.Tick())  # what is due comes first, however much there is to read
                for descriptor, _events in ready:
                    if descriptor in self._handlers:
                        self._handlers[descriptor]()
                self._listen_again()
        finally:
            self._remove()
        return 0

    # --- what happens ---

    def _on_control(self) -> None:
        while not self._done:
            try:
                line = self._control.recv(LONGEST_LINE).decode()
            except BlockingIOError:
                return
            except OSError:
                line = ""
            if not line:
                self._unwatch(self._control.fileno())
                self._feed(vip.Leave("the daemon has closed its end", notice=True))
                return
            if line.startswith("reign "):
                self._reign = line[6:]
                continue
            event = _parse(line)
            if event is not None:
                self._feed(event)

    def _on_pidfd(self) -> None:
        self._unwatch(self._pidfd)
        self._on_daemon_end()

    def _on_signal(self) -> None:
        """A guard ends with its daemon and not before: systemd signals all of a service at once, and the daemon may hand over first."""
        os.read(self._signals, 64)
        if self._pidfd >= 0 and select.select([self._pidfd], [], [], 0)[0]:
            self._on_daemon_end()

    def _on_daemon_end(self) -> None:
        self._feed(vip.Leave("the daemon has died", notice=True))

    def _on_kernel(self) -> None:
        events = self._monitor.read()
        if events is None:
            self._follow_anew()
            return
        seen: Dict[vip.Seen, None] = {}  # what was seen a hundred times is worth one look
        for event in events:
            if isinstance(event, LinkEvent):
                self._on_link(event)
                continue
            for place in self._places:
                if event.address.ip == place.ip:
                    seen[vip.Seen(event.present, place.is_own(event.address))] = None
        for one in seen:
            self._feed(one)
        if events:
            self._look_at_health()

    def _follow_anew(self) -> None:
        """Events were lost: look at all there is.

        What waits in the old socket is older than what we see now, and until it has been read the
        kernel drops what is newer, without another word.
        """
        self._unwatch(self._monitor.fileno())
        self._monitor.close()
        self._monitor = Monitor()
        self._watch(self._monitor.fileno(), self._on_kernel)
        self._find(self._places)
        self._look_at_health()
        self._feed(vip.Uncertain())

    def _all(self) -> Tuple[List[Link], List[Address]]:
        """Return the interfaces and addresses of this host."""
        links = self._netlink.links()
        self._macs = {link.index: link.mac for link in links}
        return links, self._netlink.addresses()

    def _find(self, places: Sequence[Place]) -> None:
        links, addresses = self._all()
        for place in places:
            self._use(place, place.find(links, addresses))

    def _on_link(self, event: LinkEvent) -> None:
        self._macs.pop(event.link.index, None)
        if event.present:
            self._macs[event.link.index] = event.link.mac
        for place in self._places:
            if place.concerns(event):
                self._on_own_link(place, event)

    def _on_own_link(self, place: Place, event: LinkEvent) -> None:
        old = place.link
        if event.present and old is not None and old.name != event.link.name:
            _log(f"interface {old.name} is called {event.link.name} now: the VIP stays on it until batond starts anew")
        self._use(place, event.link if event.present else None)
        if not event.present:
            self._find([place])  # another may have had its name for long

    def _use(self, place: Place, link: Optional[Link]) -> None:
        again = place.use(link)
        self._listen()
        if again:
            self._feed(vip.LinkUp())

    def _look_at_health(self) -> None:
        self._feed(vip.Health(problems(self._places)))

    def _on_wire(self, place: Place) -> None:
        if place.wire is None:
            return
        for mac in place.wire.claims():
            if mac not in self._macs.values():  # of two interfaces on one network each answers for the other
                self._feed(vip.Claim(mac.hex(":")))
        if place.wire.more:  # a flood: what we need to know of it we know
            for descriptor in list(self._wires):
                self._deafen(descriptor)
            self._mute_until = now() + MUTE_SECONDS

    def _listen(self) -> None:
        """Hear the wires that there are now, and no others."""
        wanted = {place.wire.fileno(): place for place in self._places if place.wire is not None}
        for descriptor, place in list(self._wires.items()):
            if wanted.get(descriptor) is not place:
                self._deafen(descriptor)
        if self._mute_until is None:
            for descriptor, place in wanted.items():
                if descriptor not in self._wires:
                    self._wires[descriptor] = place
                    self._watch(descriptor, functools.partial(self._on_wire, place))

    def _deafen(self, descriptor: int) -> None:
        del self._wires[descriptor]
        self._unwatch(descriptor)

    def _listen_again(self) -> None:
        if self._mute_until is not None and now() >= self._mute_until:
            self._mute_until = None
            self._listen()

    # --- what is to be done ---

    def _feed(self, event: vip.Event) -> None:
        events: Deque[vip.Event] = deque([event])
        while events:
            for order in self._vip.handle(now(), events.popleft()):
                answer = self._do(order)
                if answer is not None:
                    events.append(answer)

    def _do(self, order: vip.Command) -> Optional[vip.Event]:
        if isinstance(order, vip.Add):
            return self._add(order)
        if isinstance(order, vip.Remove):
            return self._remove()
        if isinstance(order, vip.Look):
            return self._look()
        if isinstance(order, vip.Tell):
            self._send(f"{order.kind} {order.text}")
        elif isinstance(order, (vip.Probe, vip.Announce)):
            for place in self._places:
                if place.wire is not None:
                    (place.wire.probe if isinstance(order, vip.Probe) else place.wire.announce)()
        elif isinstance(order, vip.Released):
            _log(f"VIP {self._options.address} is off {self._options.interface}: {order.reason}")
            if self._reign and self._daemon_is_dead():
                notice = importlib.import_module(NOTICE)
                notice.send(notice.Notice.from_text(self._reign), _log)
        else:
            self._done = True
        return None

    def _add(self, order: vip.Add) -> vip.Event:
        try:
            if self._watchdog is not None:
                self._watchdog.keep()
        except OSError as error:
            return vip.Failed(f"no VIP without the watchdog {self._options.watchdog}: {error.strerror}")
        added: List[Place] = []
        failed = ""
        for place in sorted(self._places, key=lambda place: place.link is not None):  # what can't be added comes first
            try:
                place.add(order.valid)
                added.append(place)
            except OSError as error:
                failed = failed or f"the VIP {place.address.cidr} can't be added to {place.address.interface}: {error.strerror}"
                if order.fresh:
                    break
        for place in added if failed and order.fresh else ():
            with contextlib.suppress(OSError):  # then its lifetime ends it
                place.withdraw()
        return vip.Failed(failed) if failed else vip.Added()

    def _remove(self) -> vip.Event:
        failed = ""
        try:
            self._netlink.remove({place.ip: place.link.index if place.link is not None else 0 for place in self._places})
        except OSError as error:
            failed = f"the VIP {self._options.address} can't be removed: {error.strerror}"
        try:
            if self._watchdog is not None and not failed:
                self._watchdog.release()
        except OSError as error:
            failed = f"the watchdog {self._options.watchdog} can't be released: {error.strerror}"
        return vip.Failed(failed) if failed else vip.Removed()

    def _look(self) -> vip.Found:
        standing = self._netlink.addresses()
        own = 0
        twins: List[Address] = []
        for place in self._places:
            found = [address for address in standing if address.ip == place.ip]
            own += sum(place.is_own(address) for address in found)
            twins += [address for address in found if not place.is_own(address)]
        return vip.Found(own, len(self._places), self._in_words(twins) if twins else "")

    def _in_words(self, twins: Sequence[Address]) -> str:
        names = {link.index: link.name for link in self._netlink.links()}  # a long list, on some hosts
        return ", ".join(f"{address.cidr} on {names.get(address.index, '?')}" for address in twins)

    def _send(self, line: str) -> None:
        _send(self._control, line)

    def _daemon_is_dead(self) -> bool:
        """A daemon that merely closed its end might still acknowledge writes: nobody is told that it won't."""
        if self._pidfd < 0:
            return os.getppid() != self._daemon_pid
        return bool(select.select([self._pidfd], [], [], DEATH_SECONDS)[0])

    # --- what is waited for ---

    def _timeout(self) -> Optional[int]:
        due = [at for at in (self._vip.next_wakeup(), self._mute_until) if at is not None]
        return max(0, math.ceil((min(due) - now()) * 1000)) if due else None

    def _watch(self, descriptor: int, handler: Callable[[], None]) -> None:
        self._handlers[descriptor] = handler
        self._poll.register(descriptor, select.POLLIN)

    def _unwatch(self, descriptor: int) -> None:
        del self._handlers[descriptor]
        self._poll.unregister(descriptor)

    def _watch_daemon(self) -> None:
        self._watch(self._control.fileno(), self._on_control)
        try:
            self._pidfd = os.pidfd_open(self._daemon_pid)
        except ProcessLookupError:
            self._on_daemon_end()
        except OSError:
            return  # Linux before 5.3: the end of the socket must do
        else:
            self._watch(self._pidfd, self._on_pidfd)
            if os.getppid() != self._daemon_pid:  # it died before we looked, and its number may be another's by now
                self._on_daemon_end()

    def _watch_signals(self) -> None:
        """All of them are meant for the daemon, whose end we notice anyway."""
        self._signals, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        signal.set_wakeup_fd(writer)
        self._watch(self._signals, self._on_signal)


def _parse(line: str) -> Optional[vip.Event]:
    word, _space, rest = line.partition(" ")
    if word in ("hold", "free"):
        deadline = float(rest)
        return vip.Hold(deadline, word == "free") if math.isfinite(deadline) else None
    if word == "drop":
        return vip.Drop(int(rest))
    if word == "leave":
        return vip.Leave("the daemon ends it")
    return vip.Prepare() if word == "prepare" else None


def _send(control: socket.socket, line: str) -> None:
    try:
        control.send(line.encode())
    except OSError:
        pass  # frozen (its buffer is full) or dead; the deadline or the end of the socket takes care of both


def _raise_priority() -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    except OSError:
        pass  # needs CAP_SYS_NICE; the kernel's lifetime is what safety rests on


def _log(line: str) -> None:
    sys.stderr.write(f"batond guard: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
