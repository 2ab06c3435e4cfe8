# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated cluster: the real core under a network, disks, a record store and clocks that a seed decides about.

Nothing here sleeps or opens anything. ``World`` owns time and an ordered queue of what happens next; ``Host`` is one machine
with a disk that survives crashes and a process that does not. What is checked stands in ``checks.py``.
"""

from __future__ import annotations

import heapq
import json
import random
from dataclasses import dataclass, field, replace
from functools import partial

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model import messages
from baton.core.model.config import NodeConfig
from baton.core.model.document import Document, Parsed
from baton.core.model.log import Epoch
from baton.core.model.record import Record
from baton.core.model.saved import Saved
from baton.core.model.timing import PROFILES
from baton.core.node import Node
from baton.core.state import heads
from simulation.checks import Checks, Violation
from simulation.drivers import HostDrivers

heads.Parsed = partial(Parsed, 0)  # no document stands parsed for longer than it must: what is parsed anew has to do
FULL = "the store is full"
READ = {"promised": lambda value: Epoch(*value), "record": Record.from_json, "log_offset": tuple}


@dataclass
class Disk:
    """What survives a crash. ``blobs`` are file contents."""

    saved: Saved
    record: tuple = (-1, None)  # only where nodes keep the record themselves
    blobs: set = field(default_factory=set)

    def store(self, command):
        saved = self.saved
        if command.truncate_after is not None:
            saved.entries = [entry for entry in saved.entries if entry.seq <= command.truncate_after]
        end = saved.entries[-1].seq if saved.entries else saved.log_start.seq
        if command.entries and command.entries[0].seq != end + 1:
            raise Violation(f"entry {command.entries[0].seq} is written where the disk's log ends at {end}: no start could read it")
        saved.entries.extend(command.entries)
        saved.commit = max(saved.commit, command.commit)
        for name, value in command.meta.items():
            setattr(saved, name, READ.get(name, lambda value: value)(value))

    def checkpoint(self, command):
        saved = self.saved
        documents = {(d.kind, d.key): d for d in saved.documents}
        for kind, key, document in command.documents:
            documents[(kind, key)] = None if document is None else _as_written(document)
        saved.documents = [d for d in documents.values() if d is not None]
        saved.checkpoint, saved.log_start = command.at, command.log_start
        saved.at = command.log_at
        saved.replies = [*saved.replies, *command.replies]
        saved.entries = [entry for entry in saved.entries if entry.seq > command.log_start.seq]

    def read(self):
        return replace(self.saved, entries=list(self.saved.entries), documents=list(self.saved.documents))


def _as_written(document):
    """Return what a disk has of a document: its text. With that the node itself need not keep it parsed."""
    kept = Document(document.kind, document.key, json.loads(document.text), document.revision, document.size)
    return Document.of_text(kept.kind, kept.key, document.text, kept.revision, kept.size) if kept.packable else kept


class RecordStore:
    """The shared DCS: linearizable, but requests may be slow, replies may be lost and outages happen."""

    def __init__(self, world):
        self.world = world
        self.version, self.record = -1, None
        self.down = False
        self.full = False  # it shows what it has, and takes no swap
        self.cut = set()  # hosts that can't reach it
        self.under_way = []  # records whose swaps have not reached the store yet
        self.next_is_late = False  # aimed faults: the next promotion's swap lands late; who sends one dies of it
        self.next_kills = False

    def read(self, host, proven, answer):
        def act():
            if proven and self.full:
                host.give(ev.DcsHealth(False, FULL))
            else:
                answer(self.version, self.record)

        self._later(host, act, lambda: None)

    def swap(self, host, command, answer):
        self.under_way.append(command.record)

        def act():
            if command.record in self.under_way:
                self.under_way.remove(command.record)
            if self.full:
                answer(None, self.version, FULL)
                return
            done = command.expected == self.version
            if done:
                self.version, self.record = max(self.version, 0) + 1, command.record
                self.world.checks.record_written(self.record)
                self._tell_watchers()
            answer(done, self.version)

        promotion = self.record is not None and command.record.active != self.record.active
        late, self.next_is_late = self.next_is_late and promotion, self.next_is_late and not promotion
        if not self._later(host, act, lambda: answer(None, -1), late):
            self.under_way.remove(command.record)

    def has_room(self):
        """It takes swaps again, if it did not, and whoever can reach it sees that."""
        was, self.full = self.full, False
        for host in self.world.hosts.values() if was else ():
            host.give(ev.DcsHealth(True))

    def shows(self, version, record):
        """The store was restored, or emptied: whoever looks at it from time to time sees that."""
        self.version, self.record = version, record
        for host in self.world.hosts.values():
            if host.name not in self.cut:
                host.give(ev.RecordRead(version, record))

    def _tell_watchers(self):
        for host in self.world.hosts.values():
            if host.name not in self.cut and self.world.dice.random() < 0.7:
                event = ev.RecordRead(self.version, self.record, watched=True)
                stale = self.world.dice.random() < self.world.trouble.stale_watches
                delay = self.world.dice.uniform(0.5, 3) if stale else self.world.dice.uniform(0.001, 0.05)
                host._later(delay, lambda host=host, event=event: host.give(event))

    def _later(self, host, act, give_up, late=False):
        """Run ``act`` after a delay that may outlast the client's patience, or never; its answer may be lost."""
        dice = self.world.dice
        if self.down or host.name in self.cut:
            self.world.after(0.3, give_up)
            return False
        aimed, late = late, late or dice.random() < self.world.trouble.late_swaps
        delay = dice.uniform(0.3, 3 if aimed else 10) if late else dice.uniform(0.001, 0.02)
        lost = dice.random() < self.world.trouble.lost_replies
        if late or lost:
            self.world.after(0.3, give_up)
            self.world.after(delay, lambda: self._silently(act))
        else:
            self.world.after(delay, act)
        return True

    def _silently(self, act):
        muted, self.world.muted = self.world.muted, True
        act()
        self.world.muted = muted


@dataclass(frozen=True)
class Trouble:
    """How often what goes wrong; chances per event, or mean seconds between faults."""

    loss: float = 0.0
    late_copies: float = 0.0  # a message of an old connection that arrives among those of the new one
    lost_replies: float = 0.0
    late_swaps: float = 0.0
    stale_watches: float = 0.0  # what a watch tells comes seconds after the store has moved on
    damage: float = 0.0  # frames that arrive with a character changed: the link ends by it
    fault_every: float = 3.0


class Host:
    """One machine: a disk, and a node process that may be up, frozen or down."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.node = None
        self.life = 0
        self.frozen = []  # events that wait while the process is stopped; empty tuple when it runs
        self.is_frozen = False
        self.disk = self.new_disk()
        self.rate = 1 + world.dice.uniform(-0.09, 0.09)
        self.wall_off = world.wall_off(name)  # seconds: wall clocks may be hours apart
        self.copies = []  # of the disk, as a backup or a virtual machine's snapshot keeps them
        self.set_back_to = None
        self.tails = []  # entries that were kept in files
        self.fetching, self.fetched, self.installs = False, None, 0
        self.vip_until = 0.0  # on this host's clock: the guard removes the address then, whatever the daemon does
        self.drivers = HostDrivers(self, world.seed) if world.drivers else None
        self.unable = ""  # why the VIP would not work here
        self.full = False  # its disk has no room but for the node's own writes

    def new_disk(self):
        self.world.disks += 1
        return Disk(Saved(f"{self.name}-disk{self.world.disks}"))

    def clock(self):
        return self.world.now * self.rate

    def wall(self):
        return 1_700_000_000 + self.world.now + self.wall_off

    def start(self):
        world = self.world
        self.life += 1
        self.is_frozen, self.frozen = False, []
        self.queue, self.fetching = [], False
        world.processes += 1
        config = NodeConfig(
            self.name, f"http://{self.name}.sim", "ha", "1.0.0", "sim/sim", PROFILES["balanced"], f"p{world.processes}",
            shared=world.shared, may_create=world.shared and self.name == "n1", discard=False, priority=world.priorities[self.name],
            no_failover=self.name in world.no_failover, boot=f"boot-{self.name}", **world.config,
        )  # fmt: skip
        self.node = Node(config, self.disk.read())
        self.give(ev.Started())
        if self.unable:
            self.give(ev.VipHealth(self.unable))
        if self.full:
            self.give(ev.DiskRoom(True))
        if self.drivers is not None:
            if self.drivers.configured:
                self.give(ev.DriversExpected(self.drivers.expected()))
            self.drivers.connect()
        for other in world.hosts.values():
            if other is not self:
                self.give(ev.LinkUp(other.name))
                if other.node is not None:
                    world.relink(other.name, self.name)
        self._tick(self.life)

    def crash(self, notice=False):
        """Lose the process and every write that is not on disk yet; the guard, if it lives on, tells the others (M4)."""
        leading = self.node.leading if self.node is not None else None
        if notice and leading is not None:
            cleared = self.node.driving.drivers.cleared
            for other in self.world.hosts.values():
                if other is not self and not self.world.blocked(self.name, other.name):
                    event = ev.ReleaseNotice(self.name, leading.epoch)
                    self.world.after(self.world.dice.uniform(0.005, 0.3), lambda other=other, event=event: other.give(event))
            if self.drivers is not None and cleared:
                self._tell_when_stopped(ev.ReleaseNotice(self.name, leading.epoch, True), self.world.now + 6)
        if self.drivers is not None and self.node is not None:
            self.drivers.lost()
        self.node = None
        self.life += 1
        self.queue = []
        self.vip_until = 0.0

    def _tell_when_stopped(self, event, end):
        """The guard lives on until the drivers have stopped."""
        if not self.drivers.stopped():
            if self.world.now < end:
                self.world.after(0.01, lambda: self._tell_when_stopped(event, end))
            return
        for other in self.world.hosts.values():
            if other is not self and not self.world.blocked(self.name, other.name):
                other.give(event)

    def interface(self, works):
        """The VIP's interface dies, or comes back; that outlives the process."""
        self.unable = "" if works else "the VIP's interface eth0 has no carrier"
        self.give(ev.VipHealth(self.unable))

    def room(self, there):
        """Others fill the disk, or make room on it; that outlives the process."""
        self.full = not there
        self.give(ev.DiskRoom(self.full))

    def back_up(self):
        """Keep a copy of the disk; the newest few are there to be put back."""
        copy = Disk(self.disk.read(), self.disk.record, set(self.disk.blobs))
        self.copies = [*self.copies[-9:], copy]

    @property
    def damaged(self):
        """Whether this disk was set back, and is not known to have caught up since."""
        return self.set_back_to is not None and self.disk.saved.incarnation == self.set_back_to

    def set_back(self, copy):
        """The machine comes back with an older disk: nothing tells it so."""
        self.crash()
        self.world.destroyed_at = self.world.now
        self.set_back_to = copy.saved.incarnation
        self.disk = Disk(copy.read(), copy.record, set(copy.blobs))

    def wipe(self):
        self.crash()
        self.world.destroyed_at = self.world.now
        self.disk = self.new_disk()

    def _tick(self, life):
        if life == self.life and self.node is not None:
            self.give(ev.Tick(self.wall()))
            self.world.after(0.125, lambda: self._tick(life))

    def give(self, event):
        """Feed an event to the process and carry out its commands."""
        if self.node is None:
            return
        if self.is_frozen:
            self.frozen.append(event)
            return
        node = self.node
        commands = node.handle(event, self.clock())
        self.world.checks.after_event(self)
        for command in commands:
            self._do(command)
        if node.leading is not None and not isinstance(event, ev.Flush):
            life = self.life
            self.world.after(0.0005, lambda: life == self.life and self.give(ev.Flush()))

    def thaw(self):
        self.is_frozen = False
        waiting, self.frozen = self.frozen, []
        for event in waiting:
            self.give(event)

    def _do(self, command):
        handler = getattr(self, "_do_" + type(command).__name__.lower(), None)
        if handler is not None:
            handler(command)

    def _later(self, delay, action):
        life = self.life
        self.world.after(delay, lambda: life == self.life and action())

    # --- disk: writes complete in order, each after a while ---

    def _do_store(self, command):
        self._enqueue(command)

    def _do_checkpoint(self, command):
        self._enqueue(command)

    def _enqueue(self, command):
        self.queue.append(command)
        if len(self.queue) == 1:
            self._later(self.world.dice.uniform(0.0005, 0.02), self._write)

    def _write(self):
        batch, self.queue = self.queue, []
        for command in batch:
            if isinstance(command, cmd.Store):
                self.disk.store(command)
            else:
                self.disk.checkpoint(command)
        stores = [command.id for command in batch if isinstance(command, cmd.Store)]
        if stores:
            self.give(ev.Stored(stores[-1]))

    # --- record ---

    def _do_readrecord(self, command):
        if self.world.shared:
            life = self.life
            proven = command.proven
            self.world.store.read(self, proven, lambda v, r: self._answer(life, ev.RecordRead(v, r, proven=proven)))
        else:
            self._later(0.002, lambda: self.give(ev.RecordRead(*self.disk.record, proven=command.proven)))

    def _answer(self, life, event):
        """What was read or swapped; one answer in ten is overtaken by what happens meanwhile."""
        if life == self.life and not self.world.muted:
            dice = self.world.dice
            self._later(dice.uniform(0.01, 0.28) if dice.random() < 0.1 else 0.001, lambda: self.give(event))

    def _do_swap(self, command):
        life = self.life
        if self.world.store.next_kills and self.world.shared:
            self.world.store.next_kills = False
            self.world.after(0.0001, lambda: life == self.life and self.crash())
            self.world.after(self.world.dice.uniform(0.01, 1), lambda: self.node is None and self.start())
        if self.world.shared:
            nonce = command.record.nonce
            self.world.store.swap(self, command, lambda d, v, why="": self._answer(life, ev.SwapAnswer(nonce, d, v, why)))
        else:
            self._later(0.002, lambda: self._swap_own(command))

    def _swap_own(self, command):
        done = self.disk.record[0] == command.expected
        if done:
            self.disk.record = (command.version, command.record)
        self.give(ev.SwapAnswer(command.record.nonce, done, self.disk.record[0]))

    def _do_adopt(self, command):
        def act():
            if command.version > self.disk.record[0]:
                self.disk.record = (command.version, command.record)
            self.give(ev.RecordRead(*self.disk.record))

        self._later(0.002, act)

    # --- network and the rest ---

    def _do_send(self, command):
        if command.node not in self.world.hosts:
            return  # nobody is there
        self.world.send(self.name, command.node, command.message)

    def _do_reply(self, command):
        self.world.checks.reply(self, command)

    def _do_lease(self, command):
        if command.until is None:
            self.vip_until = 0.0
            self._later(0.01, lambda: self.give(ev.Released()))
        else:
            taken = self.vip_until <= self.clock()
            self.vip_until = command.until
            self.world.checks.vip(self, taken)

    def _do_later(self, _command):
        self._later(self.world.dice.uniform(0.0001, 0.001), lambda: self.give(ev.GoOn()))

    def _do_keeptail(self, command):
        self.tails.append(command.entries)

    # --- drivers ---

    def _do_driverorder(self, command):
        self.drivers.order(command)

    def _do_driverlease(self, command):
        self.drivers.renew(command)

    def _do_dropdriver(self, command):
        self.drivers.drop(command)

    def _do_drivermarker(self, command):
        self.drivers.mark(command)

    def _do_fetchsnapshot(self, command):
        if not self.fetching:
            self.fetching = True
            self._later(self.world.dice.uniform(0.01, 0.3), lambda: self._fetch(command.node))

    def _fetch(self, source):
        self.fetching = False
        if source not in self.world.hosts:
            raise Violation(f"{self.name} copies a snapshot from {source}, whom no record has named")
        other = self.world.hosts[source]
        if other.node is None or other.node.leading is None or self.world.blocked(source, self.name):
            return
        state = other.node.state
        self.world.disks += 1
        self.fetched = Saved(
            f"{self.name}-disk{self.world.disks}", state.cluster_id, state.promised, commit=state.commit, checkpoint=state.applied,
            documents=state.heads.all(), log_start=state.applied, replies=list(state.replies.rows(state.commit)), at=state.last_at,
        )  # fmt: skip
        told = ev.SnapshotFetched(source, self.fetched.incarnation, state.cluster_id, state.reigns(), other.node.record.forced_epoch)
        self._later(self.world.dice.uniform(0.001, 0.1), lambda: self.give(told))

    def _do_installsnapshot(self, command):
        """What was queued for the old disk goes with it; putting the new one in place takes a while, in which a crash finds either."""
        saved = self.fetched
        self.installs += 1
        self.queue = []

        def put():
            self.queue = []
            self.disk = Disk(saved, self.disk.record, self.disk.blobs)
            self._later(self.world.dice.uniform(0.001, 0.1), lambda: self.give(ev.SnapshotInstalled(self.disk.read())))

        self._later(self.world.dice.uniform(0.001, 0.1), put)

    def _do_fetchblob(self, command):
        def act():
            source = self.world.hosts.get(command.node)
            here = command.sha256 in self.disk.blobs
            if not here and source is not None and command.sha256 in source.disk.blobs:
                here = not self.world.blocked(command.node, self.name)
            if here:
                self.disk.blobs.add(command.sha256)
                self.give(ev.BlobStored(command.sha256))
            else:
                self._later(0.5, act)

        self._later(self.world.dice.uniform(0.001, 0.05), act)


def size_of(message):
    """Return about how many bytes a message has on a link."""
    return 200 + sum(len(entry.text) + 80 for entry in getattr(message, "entries", ()))


def has_drivers(seed):
    """Every fifth schedule has drivers on its hosts."""
    return seed % 5 == 2


class World:
    """All hosts, the network between them, the record store, and time."""

    def __init__(self, seed, nodes=3, shared=True, trouble=None, **config):
        """``config``: settings of every node, such as mode or checkpoint_entries."""
        self.seed, self.shared, self.config = seed, shared, config
        self.dice = random.Random(seed)
        self._walls = random.Random(f"walls {seed}")
        self.drivers = has_drivers(seed)
        self.trouble = trouble or Trouble()
        self.now = 0.0
        self.queue, self.count = [], 0
        self.disks = self.processes = 0
        self.muted = False
        self.destroyed_at = -100.0  # when a disk was lost or set back
        self.cut = set()  # (from, to) pairs that lose everything
        self.bandwidth = {}  # (from, to) → bytes a second
        self.drops = None  # of an aimed schedule: (from, to, message) → whether it is lost
        self.arrival, self.links = {}, {}  # (from, to) → when the last message arrives; how often the link was made anew
        self.checks = Checks(self)
        self.store = RecordStore(self)
        self.hosts = {}
        names = [f"n{number}" for number in range(1, nodes + 1)]
        self.priorities = {name: self.dice.choice((0, 0, 0, 10)) for name in names}
        self.no_failover = {name for name in names[2:] if self.dice.random() < 0.1}
        for name in names:
            self.hosts[name] = Host(self, name)

    def after(self, delay, action):
        self.count += 1
        heapq.heappush(self.queue, (self.now + delay, self.count, action))

    def run_until(self, end):
        while self.queue and self.queue[0][0] <= end:
            self.now, _count, action = heapq.heappop(self.queue)
            action()
        self.now = end

    def run_while(self, condition, most):
        """Run until ``condition`` is false; return whether it became so within ``most`` seconds."""
        end = self.now + most
        while condition() and self.now < end:
            self.run_until(min(end, self.now + 0.05))
        return not condition()

    def blocked(self, source, target):
        return (source, target) in self.cut

    def wall_off(self, _name):
        """Half of the clocks are right; others are seconds, minutes or hours off."""
        return self._walls.choice((0, 0, 0, 5, -400, 660, -7200, 20_000))

    def send(self, source, target, message):
        """Deliver in order after a delay, or lose it."""
        if self.blocked(source, target) or self.dice.random() < self.trouble.loss:
            return
        if self.drops is not None and self.drops(source, target, message):
            return
        before = self.arrival.get((source, target), 0)
        arrival = max(before, self.now + self.dice.uniform(0.0005, 0.01))
        if (source, target) in self.bandwidth:
            arrival = max(arrival, max(before, self.now) + size_of(message) / self.bandwidth[(source, target)])
        self.arrival[(source, target)] = arrival
        life, link = self.hosts[target].life, self.links.get((source, target), 0)

        def arrive():
            host = self.hosts[target]
            if host.life == life and link == self.links.get((source, target), 0) and not self.blocked(source, target):
                if self.trouble.damage and self.dice.random() < self.trouble.damage:
                    self.damage(source, host, message)
                else:
                    host.give(ev.Received(source, message))

        self.after(arrival - self.now, arrive)
        if self.dice.random() < self.trouble.late_copies:
            self.after(arrival - self.now + self.dice.choice((0.01, 0.1, 1, 3)), arrive)

    def relink(self, source, target):
        """The link is made anew: what was on its way is lost."""
        self.links[(source, target)] = self.links.get((source, target), 0) + 1
        self.arrival.pop((source, target), None)
        self.hosts[source].give(ev.LinkDown(target))
        self.hosts[source].give(ev.LinkUp(target))

    def speed_up(self):
        """Slow links are as fast as the others again."""
        slow, self.bandwidth = self.bandwidth, {}
        for source, target in slow:
            if source != target:
                self.relink(source, target)

    def damage(self, source, host, message):
        """A frame with one character changed is no message, or ignored; whatever else would be a bug. The link ends."""
        text = json.dumps(messages.to_json(message))
        at = self.dice.randrange(len(text))
        try:
            messages.from_json(json.loads(text[:at] + self.dice.choice('x"}]0{[:,') + text[at + 1 :]))
        except ValueError:
            pass
        self.relink(source, host.name)

    def active(self):
        """Return the host that serves, or None."""
        for host in self.hosts.values():
            if host.node is not None and not host.is_frozen and host.node.serving(host.clock()):
                return host
        return None
