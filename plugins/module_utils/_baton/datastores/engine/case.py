# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One set and the channels of its hosts as they were read, and what is to be written to them, all at once or nothing. Pure.

Steps of plans are written against this. An order is asked for anew each time that a step looks; one that nobody asked for is taken
back. So what guests are told follows from the documents alone, whoever reads them.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..model.channel import Channel, End, Grant, Order, Report, Server
from ..model.replica_set import Member, ReplicaSet, Task


class Times(NamedTuple):
    """Seconds. ``lease``: a guest's, after which its server takes no writes; ``rate_error``: by how much clocks may run off.

    ``most_failovers``: of one set, that are begun unasked within ``failover_window``; 0 for none ever.
    """

    lease: float
    rate_error: float = 0.1
    most_failovers: int = 3
    failover_window: float = 3600.0

    @property
    def wait(self) -> float:
        """How long a source may go on that was told nothing, on its own clock."""
        return self.lease * (1 + self.rate_error)


UNHEARD = Channel()  # of a host whose document was never read


class Silences:
    """Since when, on this manager's clock, a host has had neither grant nor claim of a term.

    It is all that a manager remembers; one that has just begun waits the whole time again.
    """

    def __init__(self) -> None:
        self._since: Dict[Tuple[str, str, int], float] = {}

    def lasts(self, key: Tuple[str, str, int], now: float) -> float:
        return now - self._since.setdefault(key, now)

    def broken(self, key: Tuple[str, str, int]) -> None:
        self._since.pop(key, None)


@dataclass
class Case:
    """``whole``: the set, which steps change; ``channels``: by host, as they were read; ``now``: of the log, in seconds, for people and
    the limits of steps; ``clock``: this manager's, which never jumps; ``token``: the manager's.
    """

    whole: ReplicaSet
    channels: Mapping[str, Channel]
    now: float
    clock: float
    token: int
    times: Times
    silences: Silences
    silent: List[str] = field(default_factory=list)  # who was asked, and can't answer: nobody hears the guest
    parted: List[ReplicaSet] = field(default_factory=list)  # sets that begin with what leaves this one, written with it or not at all
    _asked: Dict[str, Tuple[str, Order]] = field(default_factory=dict)  # id of order → host, order
    _grants: Dict[str, Optional[Grant]] = field(default_factory=dict)  # by host; None where it is taken back

    # --- looking --------------------------------------------------------------------------------------------------------

    @property
    def task(self) -> Task:
        if self.whole.task is None:
            raise ValueError(f"set {self.whole.id} has no task")
        return self.whole.task

    def channel(self, member: Member) -> Channel:
        return self.channels.get(member.host, UNHEARD)

    def server(self, member: Member) -> Server:
        return self.channel(member).server(member.id)

    def member(self, key: str) -> Member:
        return self.whole.members[key]

    @property
    def source(self) -> Optional[Member]:
        return self.whole.members.get(self.whole.source)

    def reigns(self, member: Member) -> bool:
        """Return whether a member has claimed this term: its server takes writes, or is about to."""
        return self.channel(member).claims.get(self.whole.id) == self.whole.term

    @property
    def is_giving(self) -> bool:
        """Whether a grant is about to be given or taken back: what follows from that is seen once it is written."""
        return bool(self._grants)

    def is_over(self) -> bool:
        """Return whether nobody takes writes for this term, and nobody will: its grant and claim are gone, and the guest says that it is
        over, or has had its time on two clocks, the cluster's (by which its claim went) and ours.
        """
        old = self.source
        if old is None:
            return True
        channel, key = self.channel(old), (old.host, self.whole.id, self.whole.term)
        if self.whole.id in channel.grants or self.whole.id in channel.claims or old.host in self._grants:
            self.silences.broken(key)
            return False
        lasted = self.silences.lasts(key, self.clock)
        return self.end() is not None or lasted > self.times.wait

    def end(self) -> Optional[End]:
        """Return what the source's guest says of the end of this term, if it does."""
        end = self.channel(self.source).ends.get(self.whole.id) if self.source is not None else None
        return end if end is not None and end.term == self.whole.term else None

    @property
    def granted(self) -> Optional[Grant]:
        """The grant of this term, as it was read."""
        source = self.source
        grant = self.channel(source).grants.get(self.whole.id) if source is not None else None
        return grant if grant is not None and grant.term == self.whole.term else None

    @property
    def opened(self) -> Optional[Grant]:
        """By which grant of this term the source takes writes."""
        source = self.source
        if source is None or not self.reigns(source):
            return None
        grant = self.channel(source).opened.get(self.whole.id)
        return grant if grant is not None and grant.term == self.whole.term else None

    # --- changing -------------------------------------------------------------------------------------------------------

    def begin(self, program: str, why: str = "", asked: bool = False, **data: Any) -> None:
        """Begin a task; the set has none. ``asked``: by a person, rather than because it was due."""
        if self.whole.task is not None:
            raise ValueError(f"{program} begins while {self.whole.task.program} has not ended")
        self.whole.tasks += 1
        key, wanted = f"{self.whole.id}.{self.whole.tasks}", dict(data) if asked else {}
        self.whole.task = Task(key, program, self.now, asked, since=self.now, data=data, wanted=wanted)
        self.whole.note(self.now, f"{program} begins", why)

    def ask(self, member: Member, verb: str, about: str = "", **args: Any) -> Optional[Report]:
        """Order a verb of a member's guest, unless it has been; return what came of it, None while nothing has.

        ``about``: of several orders of one verb in one step, which one.
        """
        way = "undo" if self.task.undoing else "do"
        key = f"{self.task.id}.{self.task.step}.{way}.{verb}.{member.id}{about and f'.{about}'}"
        self._asked[key] = member.host, Order(verb, member.id, self.whole.id, self.whole.term, self.token, args)
        report = self.channel(member).reports.get(key)
        if report is None and not self.channel(member).alive:
            self.silent.append(member.id)
        return report

    def take_back(self) -> None:
        """Take the grant of this term back."""
        if self.source is not None and self.whole.id in self.channel(self.source).grants:
            self._grants[self.source.host] = None

    def grant(self, member: Member, counted: Sequence[str]) -> None:
        """Let a member be the source, in a term of its own. Only where the last one is over."""
        if not self.is_over():
            raise ValueError(f"{member.id} is granted term {self.whole.term + 1} before term {self.whole.term} is over")
        whole = self.whole
        before = {"source": whole.source, "confirmed": list(whole.confirmed), "counted": list(whole.counted)}
        whole.before = before if whole.source else None  # whoever is the first keeps its grant: there is nobody to go back to
        self.whole.term, self.whole.since = self.whole.term + 1, self.now
        self.whole.source = member.id
        self.whole.confirmed, self.whole.counted = [], sorted(counted)
        self._give(member, self.whole.counted)

    @property
    def was_claimed(self) -> bool:
        """Whether this term's source has ever claimed it; once its grant is gone, one who has not never will."""
        if self.source is None or self.source.host not in self.channels or not self.channel(self.source).is_whole:
            return True  # as far as anybody knows
        return self.channel(self.source).claimed.get(self.whole.id, 0) >= self.whole.term

    def call_back(self) -> bool:
        """Have all be as in the term before, since nobody has claimed this one; False where its grant stands still."""
        whole = self.whole
        if self.was_claimed or whole.before is None or self.source is None:
            raise ValueError(f"term {whole.term} was claimed, and can't be called back")
        self.take_back()
        if self.is_giving or whole.id in self.channel(self.source).grants:
            return False
        whole.source, whole.confirmed, whole.counted = whole.before["source"], whole.before["confirmed"], whole.before["counted"]
        whole.before = None
        return True

    def count(self, counted: Sequence[str]) -> None:
        """Have the source ask others for acknowledgements; until it says that it does, old and new count.

        A source that asks nobody may return at once what nobody else has: from here on none of the others is sure to have all.
        """
        if self.source is None or self.granted is None or self.source.host in self._grants:
            return
        self.whole.counted = sorted({*self.whole.counted, *counted})
        self.whole.confirmed = self.whole.confirmed if counted else []
        self._give(self.source, counted)

    def _give(self, member: Member, counted: Sequence[str]) -> None:
        self.whole.grants += 1
        self._grants[member.host] = Grant(self.whole.term, tuple(sorted(counted)), self.whole.grants)

    def part(self, member: Member, key: str, secrets: Mapping[str, str]) -> None:
        """Have a member be a set of its own from here on, with what it has; nobody is its source until one is granted to be."""
        whole = self.whole
        new = ReplicaSet(key, whole.datastore, whole.version, whole.project, dict(secrets), self.now)
        new.members = {member.id: replace(member, follows=0, joined=True, fault="", again_at=0.0)}
        new.own = {name: value for name, value in whole.own.items() if name == "copy_limit"}
        new.note(self.now, f"{member.id} was detached", f"it was of set {whole.id}")
        whole.members = {name: other for name, other in whole.members.items() if other is not member}
        self.parted.append(new)

    # --- what is to be written ------------------------------------------------------------------------------------------

    def written(self) -> Dict[str, Channel]:
        """Return the channels that change: orders of the task that were asked for, other ones of this set taken back, grants.

        Nothing is left of a task that has ended: its hosts may not be this set's any more.
        """
        changed: Dict[str, Channel] = {}
        task = f"{self.whole.task.id}." if self.whole.task is not None else None
        asked = {key: order for key, order in self._asked.items() if task is not None and key.startswith(task)}
        concerned = {*self._grants, *(at for at, _order in asked.values())}
        for host, channel in self.channels.items():
            if not (channel.orders or channel.reports or host in concerned):
                continue  # most are at rest
            orders = {key: order for key, order in channel.orders.items() if key in asked or key.partition(".")[0] != self.whole.id}
            orders.update({key: order for key, (at, order) in asked.items() if at == host})
            grants = dict(channel.grants)
            if host in self._grants:
                grants.pop(self.whole.id, None)
                given = self._grants[host]
                grants.update({} if given is None else {self.whole.id: given})
            reports = {key: report for key, report in channel.reports.items() if key in orders}
            if orders != channel.orders or grants != channel.grants or reports != channel.reports:
                changed[host] = replace(channel, orders=orders, grants=grants, reports=reports)
        return changed
