# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may have the VIP on its interface, and when: the state machine that the guard process runs.

A VIP may be several addresses (IPv4 and IPv6, several interfaces): they come and go together, and what is said here of the
address is said of all of them.

Pure: events and the time go in (``Vip.handle``), commands come out; no I/O, no clock, no random. All times are seconds
of one clock that the caller chooses (CLOCK_BOOTTIME). The invariant: an Add is only ever ordered before the deadline
that the daemon stated, and at the deadline a Remove is, so that nobody has to do anything for the address to go away.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple, Union

SLACK = 2.0
"""How late the kernel may drop an address whose valid lifetime has passed (measured: up to 1.64 s)."""

MOST_FORGET = 86400.0  # seconds

RELEASED = "released"  # not ours; an address that appears is removed
PROBING = "probing"  # asking the network whether somebody has it
CONTESTED = "contested"  # somebody has: wait for silence or for the end of our patience
ADDING = "adding"  # ordered, not confirmed by the kernel
HELD = "held"  # on the interface


def two_holders_bound(lease: float, grace: float, valid: float, rate_error: float = 0.1) -> float:
    """Seconds for which a promoted node may meet an old holder whose daemon *and* guard froze at once."""
    return max(0.0, lease * (1 + rate_error) + valid + SLACK - grace * (1 - rate_error))


@dataclass(frozen=True)
class Settings:
    """``valid``: the kernel's lifetime of the address, whole seconds. ``patience`` ends the wait for another holder."""

    valid: int = 2
    patience: float = 5.0
    renew_every: float = 0.25
    retry_every: float = 0.1
    probes: int = 3
    probe_gap: float = 0.07  # three probes and the wait after the last: 0.2 s
    fresh: float = 1.0  # how long a silent round of probes counts
    announce_at: Tuple[float, ...] = (0.0, 0.05, 0.1, 0.5, 1.0, 2.0, 4.0)
    defend_every: float = 1.0  # at most one burst in this time against a rival
    watch_at: Tuple[float, ...] = (0.15, 0.3, 0.6)  # after taking: a rival that speaks only when asked may be there
    watch_every: float = 10.0  # while holding
    steady: float = 1.0  # how long an interface must work again before we say that it does
    give_up: float = 0.5  # adding that fails for so long is no accident
    forget: float = 600.0  # nobody knows whether adding would work now: after this it may be tried again


# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prepare:
    """The daemon may soon want the VIP: probe already, beside the swap."""


@dataclass(frozen=True)
class Hold:
    """The daemon may hold the VIP until ``deadline``; comes again at each renewal of its lease.

    ``free``: the one before has given it up for certain, so that the network need not be asked.
    """

    deadline: float
    free: bool = False


@dataclass(frozen=True)
class Drop:
    """The daemon gives the VIP up and wants to know when it is gone."""

    number: int


@dataclass(frozen=True)
class Leave:
    """Remove the VIP and end. ``notice``: the daemon is dead, so that its successor may be told."""

    reason: str
    notice: bool = False


@dataclass(frozen=True)
class Seen:
    """The kernel says that the address was added, changed or (not ``present``) removed, anywhere on the host.

    ``ours``: in the form and on the interface that the guard gives it. It may be otherwise again by now.
    """

    present: bool = True
    ours: bool = True


@dataclass(frozen=True)
class Found:
    """How many of the addresses stand where we put them now, ``of`` how many.

    ``twins``: where else on this host they stand, by another program, in words; "" where they do not.
    """

    own: int = 0
    of: int = 1
    twins: str = ""


@dataclass(frozen=True)
class Uncertain:
    """The kernel's events were lost: look."""


@dataclass(frozen=True)
class LinkUp:
    """An interface came (back), or has another hardware address."""


@dataclass(frozen=True)
class Health:
    """What is wrong with the interfaces now, in words; "" when the VIP would work on them."""

    problem: str


@dataclass(frozen=True)
class Claim:
    """Another hardware address says on the network that the VIP is its own."""

    mac: str


@dataclass(frozen=True)
class Added:
    """The last Add succeeded."""


@dataclass(frozen=True)
class Removed:
    """The last Remove succeeded: the kernel shows the address nowhere on this host."""


@dataclass(frozen=True)
class Failed:
    """The last Add or Remove did not succeed."""

    error: str


@dataclass(frozen=True)
class Tick:
    """Time passed."""


Event = Union[Prepare, Hold, Drop, Leave, Seen, Found, Uncertain, LinkUp, Claim, Added, Removed, Failed, Tick, Health]


# --- commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Add:
    """Add the address, or renew it, for ``valid`` seconds. Answer with Added or Failed.

    ``fresh``: it is not here yet; of several addresses none is added when one can't be.
    """

    valid: int
    fresh: bool = False


@dataclass(frozen=True)
class Remove:
    """Remove the address from the whole host, whatever its prefix length and whoever added it. Answer with Removed or Failed."""


@dataclass(frozen=True)
class Look:
    """Read whether the address is on the interface; answer with Found."""


@dataclass(frozen=True)
class Probe:
    """Ask the network once who has the address, without claiming it."""


@dataclass(frozen=True)
class Announce:
    """Tell the network once that the address is here."""


@dataclass(frozen=True)
class Tell:
    """A line for the daemon: kind ``state`` | ``dropped`` | ``conflict`` | ``error`` | ``unable`` | ``twin``, and its text.

    ``unable``: why the VIP would not work here, "" when it would. ``twin``: where another program has it, "" when none has.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Released:
    """The daemon is dead and the address is gone: the moment to tell a successor that it need not wait."""

    reason: str


@dataclass(frozen=True)
class Exit:
    """Nothing is left to do."""


Command = Union[Add, Remove, Look, Probe, Announce, Tell, Released, Exit]


class Vip:
    """One VIP on this host. ``state``, ``conflicts`` and ``announcements`` may be read at any time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = RELEASED
        self.conflicts = 0
        self.announcements = 0
        self._now = 0.0
        self._out: List[Command] = []
        self._deadline: Optional[float] = None
        self._removing = False
        self._leaving: Optional[Leave] = None
        self._drops: List[int] = []
        # Each of these is the time at which something is due, None when nothing is.
        self._probe_at: Optional[float] = None
        self._patience_at: Optional[float] = None
        self._renew_at: Optional[float] = None
        self._remove_at: Optional[float] = None
        self._leave_at: Optional[float] = None
        self._defend_at: Optional[float] = None
        self._announce_at: List[float] = []
        self._probes_sent = 0
        self._answered = False
        self._clear_at: Optional[float] = None  # when a round of probes last ended in silence
        self._defended_at: Optional[float] = None
        self._rival = ""
        self._told = (RELEASED, 0, 0)
        self._told_error = ""
        self._watch_due: List[float] = []
        self._whole = False  # all addresses were added in this hold
        self._twins = ""
        self._problem = ""
        self._failing_since: Optional[float] = None
        self._failed = ""  # why adding fails, again and again
        self._forget_at: Optional[float] = None
        self._forget_after = settings.forget
        self._able_at: Optional[float] = None
        self._told_unable: Optional[str] = None
        self._handlers: Dict[type, Callable[..., None]] = {
            Prepare: self._on_prepare, Hold: self._on_hold, Drop: self._on_drop, Leave: self._on_leave,
            Seen: self._on_seen, Found: self._on_found, Uncertain: self._on_uncertain, LinkUp: self._on_link_up,
            Claim: self._on_claim, Added: self._on_added, Removed: self._on_removed, Failed: self._on_failed,
            Tick: self._on_tick, Health: self._on_health,
        }  # fmt: skip

    def handle(self, now: float, event: Event) -> List[Command]:
        """Take one event that happened at ``now`` and return what to do, in order."""
        self._now = now
        self._out = []
        self._handlers[type(event)](event)
        self._advance()
        self._tell_unable()
        if self._told != (self.state, self.conflicts, self.announcements):
            self._tell_state()
        return self._out

    def next_wakeup(self) -> Optional[float]:
        """When a Tick is due at the latest; None when only an event can change anything."""
        due = [self._deadline, self._probe_at, self._patience_at, self._renew_at, self._remove_at, self._leave_at]
        due += [self._defend_at, self._announce_at[0] if self._announce_at else None]
        due += [self._watch_due[0] if self._watch_due else None, self._able_at, self._forget_at]
        times = [at for at in due if at is not None]
        return min(times) if times else None

    # --- the daemon's wishes ---

    def _on_prepare(self, event: Prepare) -> None:
        if self.state == RELEASED and not self._busy():
            self._start_probing()

    def _on_hold(self, event: Hold) -> None:
        # While a removal is under way the daemon is waiting for its end; it repeats what it wants after that.
        if self._busy():
            return
        if event.deadline > self._now:
            self._deadline = event.deadline
            if self.state == RELEASED:
                if event.free or (self._clear_at is not None and self._now - self._clear_at <= self.settings.fresh):
                    self._take()
                else:
                    self._start_probing()
            elif self.state == PROBING and event.free:
                self._take()
        elif self._deadline is not None:
            self._deadline = event.deadline  # shortened to the past: _advance ends it
        self._tell_state()

    def _on_drop(self, event: Drop) -> None:
        self._drops.append(event.number)
        self._release()
        self._remove()

    def _on_leave(self, event: Leave) -> None:
        if self._leaving is None:
            self._leaving = event
            self._leave_at = self._now + self.settings.valid + SLACK
            self._release()
            self._remove()

    # --- what the kernel and the network say ---

    def _on_seen(self, event: Seen) -> None:
        # Our own renewals come back as events too; only what should not be there, or is missing, is worth a look.
        wanted = self.state in (ADDING, HELD)
        if not event.ours or (not wanted if event.present else self._whole):
            self._out.append(Look())

    def _on_uncertain(self, event: Uncertain) -> None:
        self._out.append(Look())

    def _on_found(self, event: Found) -> None:
        if event.twins != self._twins:
            self._twins = event.twins
            self._out.append(Tell("twin", event.twins))
        ours = self._deadline is not None and self._now < self._deadline
        if (event.own or event.twins) and not ours:
            self._remove()
        elif event.own and self.state in (PROBING, CONTESTED):
            self._whole = True
            self._take()  # left by a guard that died within the lease: adopt it, without a gap
        elif event.own < event.of and ours and self.state in (ADDING, HELD):
            self._take()

    def _on_link_up(self, event: LinkUp) -> None:
        if self.state in (ADDING, HELD):
            self._renew_at = self._now
            self._burst()

    def _on_health(self, event: Health) -> None:
        came = bool(self._problem) and not event.problem
        if event.problem == self._problem:
            return
        self._problem = event.problem
        if came:
            self._may_work_again()
        # A cable that is pulled and put back, again and again, must not pull the role along.
        self._able_at = self._now + self.settings.steady if came and self._told_unable else None

    def _on_claim(self, event: Claim) -> None:
        self._clear_at = None
        if self.state in (PROBING, CONTESTED):
            self._answered = True
            self._rival = event.mac
            if self.state == PROBING:
                self._conflict()
                self.state = CONTESTED
        elif self.state in (ADDING, HELD):
            self._rival = event.mac
            if self._defend_at is None:
                # The last word must be ours: a claim that comes too soon after a burst is answered later, not dropped.
                soonest = self._now if self._defended_at is None else self._defended_at + self.settings.defend_every
                self._defend_at = max(self._now, soonest)

    def _on_added(self, event: Added) -> None:
        self._may_work_again()
        self._tell_error("")
        self._failing_since = None
        if self.state == ADDING:
            self.state, self._whole = HELD, True
            self._burst()
            self._watch_due = [self._now + offset for offset in self.settings.watch_at]

    def _on_removed(self, event: Removed) -> None:
        self._removing = False
        self._remove_at = None
        self._tell_error("")
        if self._twins:
            self._twins = ""
            self._out.append(Tell("twin", ""))
        self._out += [Tell("dropped", str(number)) for number in self._drops]
        self._drops = []
        if self._leaving is not None and self._leave_at is not None:
            self._leave_at = None
            if self._leaving.notice:
                self._out.append(Released(self._leaving.reason))
            self._out.append(Exit())

    def _on_failed(self, event: Failed) -> None:
        if self._removing:
            self._remove_at = self._now + self.settings.retry_every
        elif self.state in (ADDING, HELD):
            self.state = ADDING
            self._renew_at = self._now + self.settings.retry_every
            self._count_failure(event.error)
        self._tell_error(event.error)

    def _on_tick(self, event: Tick) -> None:
        pass

    # --- what is due ---

    def _advance(self) -> None:
        if self._deadline is not None and self._now >= self._deadline:
            had_it = self.state in (ADDING, HELD)
            self._release()
            if had_it:
                self._remove()
        if self._removing and self._due(self._remove_at):
            self._remove()
        if self._due(self._leave_at):
            self._leave_at = None  # the kernel's lifetime has ended too: nothing more can be done
            self._out.append(Exit())
        if self._due(self._patience_at):
            self._end_patience()
        if self._due(self._probe_at):
            self._probe()
        if self._due(self._renew_at):
            self._add()
        if self._due(self._defend_at):
            self._defend_at = None
            self._defended_at = self._now
            self._conflict()
            self._burst()
        self._announce()
        self._watch()
        if self._due(self._able_at):
            self._able_at = None
        if self._due(self._forget_at):
            after = self._forget_after
            self._may_work_again()
            # Two on which it always fails must not hand the role to and fro.
            self._forget_after = min(2 * after, MOST_FORGET)

    def _due(self, at: Optional[float]) -> bool:
        return at is not None and self._now >= at

    def _busy(self) -> bool:
        return self._removing or self._leaving is not None

    def _start_probing(self) -> None:
        self.state = PROBING
        self._patience_at = self._now + self.settings.patience
        self._probe_at = self._now
        self._probes_sent = 0
        self._answered = False

    def _probe(self) -> None:
        if self._probes_sent == self.settings.probes:
            if not self._answered:
                self._clear_at = self._now
                if self._deadline is not None:
                    self._take()
                else:
                    self._release(clear=False)
                return
            self._probes_sent = 0
            self._answered = False
        self._probes_sent += 1
        self._probe_at = self._now + self.settings.probe_gap
        self._out.append(Probe())

    def _end_patience(self) -> None:
        if self._deadline is not None:
            self._take()
        else:
            self._release()

    def _take(self) -> None:
        self._probe_at = self._patience_at = self._clear_at = None
        self.state = ADDING
        self._add()

    def _add(self) -> None:
        self._renew_at = self._now + self.settings.renew_every
        self._out.append(Add(self.settings.valid, not self._whole))

    def _count_failure(self, error: str) -> None:
        """Adding that fails for long makes us unable, also for a while after the VIP was given up for it."""
        if self._failing_since is None:
            self._failing_since = self._now
        if self._now - self._failing_since >= self.settings.give_up:
            self._failed, self._forget_at = error, self._now + self._forget_after

    def _may_work_again(self) -> None:
        self._failed, self._forget_at, self._forget_after = "", None, self.settings.forget

    def _watch(self) -> None:
        """Ask who else has the VIP while we hold it: whoever is asked must answer, although he never spoke."""
        if self._watch_due and self._now >= self._watch_due[0]:
            later = [at for at in self._watch_due if at > self._now]
            self._watch_due = later or [self._now + self.settings.watch_every]
            self._out.append(Probe())

    def _tell_error(self, error: str) -> None:
        if error != self._told_error:
            self._told_error = error
            self._out.append(Tell("error", error))

    def _tell_unable(self) -> None:
        unable = self._problem or self._failed
        if unable != self._told_unable and (unable or self._able_at is None):
            self._told_unable = unable
            self._out.append(Tell("unable", unable))

    def _release(self, clear: bool = True) -> None:
        self.state = RELEASED
        self._deadline = None
        self._probe_at = self._patience_at = self._renew_at = self._defend_at = self._defended_at = None
        self._announce_at, self._watch_due = [], []
        self._whole = False
        self._failing_since = None
        if clear:
            self._clear_at = None

    def _remove(self) -> None:
        self._removing = True
        self._remove_at = self._now + self.settings.retry_every
        self._out.append(Remove())

    def _burst(self) -> None:
        self._announce_at = [self._now + offset for offset in self.settings.announce_at]

    def _announce(self) -> None:
        if self._announce_at and self._now >= self._announce_at[0]:
            # A late wakeup sends one announcement, not all that were missed.
            self._announce_at = [at for at in self._announce_at if at > self._now]
            self.announcements += 1
            self._out.append(Announce())

    def _conflict(self) -> None:
        self.conflicts += 1
        self._out.append(Tell("conflict", self._rival))

    def _tell_state(self) -> None:
        self._told = (self.state, self.conflicts, self.announcements)
        self._out.append(Tell("state", f"{self.state} {self.conflicts} {self.announcements}"))
