# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's loop: what stands in the cluster goes to tenures and orders, and what they say is done. It decides nothing itself."""
from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Set

from ...client.error import ClientError
from ..guest.lag import Lags
from ..guest.orders import Orders
from ..guest.tenure import NEVER, Claim, Close, Command, End, Open, Tenures
from ..model import channel
from ..model.channel import Grant, Order, Report
from .channel import Link, Seen
from .guard import boottime
from .guarded import Guarded
from .instance import Hands, Instance, kind_of
from .journal import Journal
from .sends import SENDS
from .tasks import PAUSE, Tasks
from .trouble import Trouble
from .watching import LONG, Watch

LOG = logging.getLogger("baton.guest")
SPARE = 0.2  # of the lease, before whose end a server is closed
KILLING = 0.05  # of the lease: what is left of it for a kill
LEAST = 0.1  # of the lease: what a server has to close where nobody knows how much is left
RENEWALS = 8  # in the time of a lease
TICK = 0.05  # seconds
SURE = 1.0  # seconds after which the document is read, whether it is said to have changed or not
PATIENCE = 2.0  # seconds for what is said of ourselves
AGAIN = 0.02  # seconds until an order that is not done is looked at again


class Guest:
    """``make``: returns the hands of an instance, given its id and memory. ``links``: one for each thread that asks the cluster."""

    def __init__(self, link: Callable[[], Link], journal: Journal, guard: Guarded, make: Callable[[str, Dict[str, Any]], Hands],
                 lease: float, heartbeat: Dict[str, Any]) -> None:  # fmt: skip
        self._links = {name: link() for name in ("renew", "wait", "ask")}
        self._asking = {name: ThreadPoolExecutor(1, name) for name in (*self._links, "guard", "journal")}
        self._journal, self._guard, self._make = journal, guard, make
        self._lease, self._heartbeat = lease, heartbeat
        self.instances: Dict[str, Instance] = {}
        for name, kept in sorted(journal.instances.items()):
            self.instances[name] = Instance(name, kept["set"], make(name, kept["memory"]))
        granted = {instance.set for instance in self.instances.values() if not instance.hands.by_quorum}
        self._tenures = Tenures(SPARE * lease, granted)
        self._orders, self._lags = Orders(journal.reports, journal.terms), Lags()
        self._seen: Optional[Seen] = None
        self._born, self._is_renewed = boottime(), False
        self._is_heard = True  # as far as we know: a life before this one may have left a lease that stands
        self._wake, self._changed = asyncio.Event(), asyncio.Event()
        self._work = asyncio.Lock()
        self._telling: Set[str] = set()
        self._tasks = Tasks()
        self._begin = self._tasks.begin
        self._sight = Watch(self.instances, self._tenures.died, self._changed, self._begin, self._tell_guard)
        self.heard = asyncio.Event()  # once, when we have had a lease

    # --- life -------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until ``stop``."""
        sight = self._sight
        await self._tasks.run(self._renew, self._wait, self._read, self._settle, self._tick, sight.watch, sight.look)
        await sight.end()

    def stop(self) -> None:
        self._tasks.stop()

    async def offer(self, datastores: Dict[str, Any]) -> None:
        """Say that other servers can be made here than we said. ClientError: nobody was told, so that it is to be said again."""
        if datastores != self._heartbeat.get("datastores"):
            news = {**self._heartbeat, "datastores": datastores}
            if self.heard.is_set():
                await self._ask("ask", self._links["ask"].say, news, PATIENCE)
            self._heartbeat["datastores"] = datastores
            LOG.info("servers here may be of %s", datastores or "nothing")

    async def _ask(self, who: str, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._asking[who], partial(work, *args))

    # --- the lease ----------------------------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        sent = boottime()
        if not self._is_heard:
            sent = await self._begin_lease()
        try:
            ttl = await self._ask("renew", self._links["renew"].renew, self._lease)
        except ClientError as error:
            if error.status != 404:
                raise
            LOG.warning("we have no lease, and make one: nobody hears us without")
            self._is_heard = False
            return
        self._is_renewed = True
        self.heard.set()
        self._tenures.renewed(sent, min(ttl, self._lease))  # a life before this one may have asked for less
        for instance in self.instances.values():
            if self._tenures.holds(instance.set) and instance.pid is not None and not instance.hands.by_quorum:
                await self._tell_guard(instance.pid, self._tenures.until)
        await asyncio.sleep(max(0.0, sent + self._lease / RENEWALS - boottime()))

    async def _begin_lease(self) -> float:
        """Have a lease again, once all is closed that went with the last one; return when it was asked for."""
        self._tenures.until = NEVER
        for command in self._tenures.tick(boottime()):
            self._carry_out(command)
        while any(instance.is_closing for instance in self.instances.values()):
            await asyncio.sleep(TICK)
        sent = boottime()
        await self._ask("renew", self._links["renew"].begin, self._lease, self._heartbeat, self._lease)
        self._is_heard = True
        self._wake.set()
        return sent

    async def _tell_guard(self, pid: int, until: Optional[float]) -> None:
        try:
            await self._ask("guard", self._guard.tell, pid, until)
        except Trouble as trouble:
            LOG.error("%s", trouble)

    # --- what stands in the cluster -----------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Hear of each change at once."""
        if self._seen is None:
            await asyncio.sleep(TICK)
            return
        found = await self._ask("wait", self._links["wait"].wait, self._seen.revision)
        if found is not None:
            await self._take(found)

    async def _settle(self) -> None:
        """Something has happened here: see to what follows from it, with what we saw last. What is written depends on that it stands."""
        await self._changed.wait()
        self._changed.clear()
        if self._seen is not None:
            await self._see(self._seen)

    async def _read(self) -> None:
        """Look when what we saw last was old, and now and then."""
        try:
            await asyncio.wait_for(self._wake.wait(), SURE)
        except asyncio.TimeoutError:
            pass
        self._wake.clear()
        await self._take(await self._ask("ask", self._links["ask"].read))

    async def _take(self, seen: Seen) -> None:
        if self._seen is not None and seen.order < self._seen.order:
            return
        self._seen = seen
        self._is_heard = self._is_heard and seen.host.channel.alive
        await self._see(seen)

    @property
    def _knows(self) -> bool:
        """Whether we know how it stands with our lease. One that has just begun may have a lease, and servers that take writes by it, for
        which its guard has the time.
        """
        return self._is_renewed or boottime() >= self._born + self._lease

    async def _see(self, seen: Seen) -> None:
        if not self._knows:
            return
        async with self._work:
            work = self._orders.seen(seen.host.channel)
            SENDS.told(seen.host.channel.orders.values())
            commands = self._tenures.seen(seen.host.channel, boottime())
            for command in commands:
                if isinstance(command, (Close, End)):  # which wait for no disk
                    self._carry_out(command)
            try:
                await self._keep()
            except Trouble:
                self._orders.put_off(work)
                raise
            for command in commands:
                if isinstance(command, (Claim, Open)):
                    self._carry_out(command)
            for key, order in work.begin:
                self._begin(self._do(key, order))
            for key, report in work.tell:
                self._tell(f"report {key}", self._links["ask"].report, key, report)
            known = [instance for instance in self.instances.values() if not instance.busy or instance.seen.up]
            told = seen.host.channel.servers
            seen_now = {each.name: replace(each.seen, set=each.set, sends=SENDS.of(each.name)) for each in known}
            said = self._lags.told(seen_now, told, boottime())
            if said != told:
                self._tell("servers", self._links["ask"].servers, said)

    async def _keep(self) -> None:
        await self._ask("journal", self._journal.keep, dict(self._orders.reports), dict(self._orders.terms))

    def _tell(self, name: str, tell: Callable[..., None], *what: Any) -> None:
        """Have something written, unless that is being done."""
        if name not in self._telling:
            self._telling.add(name)
            self._begin(self._told(name, tell, *what))

    async def _told(self, name: str, tell: Callable[..., None], *what: Any) -> None:
        """Write something if all is as we saw it last; if it is not, or nobody answers, we look again and see what is to be said."""
        try:
            if self._seen is not None:
                await self._ask("ask", tell, *what, self._seen)
        except ClientError as error:
            if error.kind not in ("conflict", "not_found"):
                LOG.warning("%s", error)
                await asyncio.sleep(PAUSE)
            self._wake.set()
        finally:
            self._telling.discard(name)

    # --- tenures --------------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Close what must be closed: this waits for nothing."""
        for command in self._tenures.tick(boottime()) if self._knows else ():
            self._carry_out(command)
        await asyncio.sleep(TICK)

    def _of(self, key: str) -> List[Instance]:
        """Return the servers of a set that take writes by its grants."""
        return [instance for instance in self.instances.values() if instance.set == key and not instance.hands.by_quorum]

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, Claim):
            self._tell(f"claim {command.set}", self._links["ask"].claim, command.set, command.term)
        elif isinstance(command, Open):
            for instance in self._of(command.set):
                if not instance.is_opening and not instance.is_closing:
                    instance.is_opening = True
                    self._begin(self._open(instance, command.grant))
        elif isinstance(command, Close):
            for instance in self._of(command.set):
                if not instance.is_closing:
                    instance.is_closing = True
                    self._begin(self._close(instance))
            if not self._of(command.set):
                self._tenures.closed(command.set)
        elif isinstance(command, End) and f"end {command.set}" not in self._telling:
            self._telling.add(f"end {command.set}")
            self._begin(self._end(command))

    async def _open(self, instance: Instance, grant: Grant) -> None:
        key = instance.set

        def may() -> bool:
            return self._tenures.may_open(key, grant, boottime())

        if instance.pid is None or not may():
            instance.is_opening = False
            return
        try:
            await self._ask("guard", self._guard.tell, instance.pid, self._tenures.until)
            instance.may_be_open = True
            await instance.run("hands", instance.hands.open, grant.counted, may)
            self._tenures.opened(key, grant)
            LOG.info("%s takes writes in term %s of set %s; %s count", instance.name, grant.term, key, len(grant.counted))
            self._begin(self._mark(instance, grant))
        except Trouble as trouble:
            if may():
                LOG.error("%s can't be opened: %s", instance.name, trouble)
                await asyncio.sleep(PAUSE)
        finally:
            instance.is_opening = False
            self._changed.set()

    async def _mark(self, instance: Instance, grant: Grant) -> None:
        """Say that it is open once one that counts has acknowledged something since; that may take as long as nobody does."""
        while self._tenures.may_open(instance.set, grant, boottime()):
            try:
                await instance.run("mark", instance.hands.mark, grant.term, grant.number)
                break
            except Trouble as trouble:
                LOG.warning("%s: %s", instance.name, trouble)
                await asyncio.sleep(PAUSE)
        while self._tenures.may_open(instance.set, grant, boottime()):
            if self._seen is not None and self._seen.host.channel.opened.get(instance.set) == grant:
                return
            self._tell(f"opened {instance.set}", self._links["ask"].opened, instance.set, grant)
            await asyncio.sleep(TICK)

    async def _close(self, instance: Instance) -> None:
        """Close a server before the lease's end, or kill it."""
        left = max(LEAST * self._lease, self._tenures.until - boottime() - KILLING * self._lease)  # the guard knows when it is over
        try:
            if instance.may_be_open and await instance.run("life", instance.hands.pid) is not None:
                await asyncio.wait_for(instance.run("close", instance.hands.close, left), left)
        except (Trouble, asyncio.TimeoutError) as error:
            LOG.error("%s could not be closed in time, and is killed: %s", instance.name, error)
            await instance.run("life", instance.hands.kill)
        finally:
            instance.is_closing = False
        if instance.pid is not None:
            await self._tell_guard(instance.pid, None)
        LOG.info("%s takes no writes", instance.name)
        self._tenures.closed(instance.set)
        self._changed.set()

    async def _end(self, command: End) -> None:
        position = ""
        for instance in self._of(command.set):
            try:
                position = await instance.run("close", instance.hands.position)
            except Trouble as trouble:
                LOG.warning("%s does not say how far it came: %s", instance.name, trouble)
        await self._told(f"end {command.set}", self._links["ask"].end, command.set, channel.End(command.term, position))

    # --- orders ---------------------------------------------------------------------------------------------------------------

    async def _do(self, key: str, order: Order) -> None:
        stands = partial(self._orders.stands, key)
        LOG.info("%s: %s", order.instance, order.verb)
        try:
            report = await self._carried_out(order, stands)
        except Trouble as trouble:
            report = Report(str(trouble))
        except Exception:
            LOG.exception("unexpected error")
            report = Report("an unexpected error: see the guest's journal")
        self._orders.ended(key, order, report)
        if report.problem:
            LOG.warning("%s: %s: %s", order.instance, order.verb, report.problem)
        while True:
            try:
                await self._keep()
                break
            except Trouble as trouble:  # nothing is told that a guest that is started again would not know
                LOG.error("%s", trouble)
                await asyncio.sleep(PAUSE)
        self._changed.set()

    async def _carried_out(self, order: Order, stands: Callable[[], bool]) -> Report:
        instance = self.instances.get(order.instance)
        if instance is None:
            if order.verb == "wipe":
                return Report()
            instance = self._new(order)
            if order.verb != "prepare" and not instance.hands.is_ours():  # nor do we know of which datastore it will be
                self._forget(instance)
                return Report(f"{order.instance} was not prepared on this host")
        instance.busy = order.verb
        await self._sight.unfence(instance, order.verb)
        try:
            while stands():
                report = await self._verb(instance, order, stands)
                if report is not None:
                    return report
                await asyncio.sleep(AGAIN)
            return Report("it is taken back")
        finally:
            instance.busy, instance.starts, instance.may_start = "", 0, 0.0
            instance.ends += 1
            if order.verb == "wipe" and not instance.hands.is_ours():
                self._forget(instance)

    def _new(self, order: Order) -> Instance:
        kept: Dict[str, Any] = {"set": order.set, "memory": kind_of(order.args)}
        instance = Instance(order.instance, order.set, self._make(order.instance, kept["memory"]))
        self._journal.instances[order.instance], self.instances[order.instance] = kept, instance
        return instance

    def _forget(self, instance: Instance) -> None:
        self.instances.pop(instance.name, None)
        self._journal.instances.pop(instance.name, None)
        instance.end()

    async def _verb(self, instance: Instance, order: Order, stands: Callable[[], bool]) -> Optional[Report]:
        if instance.set != order.set and order.verb != "wipe" and not self._move(instance, order):
            return None if order.verb == "adopt" else Report(f"it is of set {instance.set}, and not of {order.set}")
        if order.verb in ("quiesce", "restart"):  # a restart ends its tenure as soon as its process has ended, and not before
            self._tenures.quiesce(instance.set, True)
        elif order.verb == "resume":
            self._tenures.quiesce(instance.set, False)
        thread = "long" if order.verb in LONG else "hands"
        try:
            found = await instance.run(thread, instance.hands.do, order.verb, dict(order.args), stands)
        finally:
            await self._sight.find(instance)
            if order.verb == "restart":
                self._tenures.quiesce(instance.set, False)
        return found if found is None or isinstance(found, Report) else Report("its hands gave no report")

    def _move(self, instance: Instance, order: Order) -> bool:
        """Have an instance be of another set, once it can't take writes for the one it was of; return whether it is."""
        if order.verb != "adopt" or self._tenures.holds(instance.set) or instance.is_opening or instance.is_closing:
            return False
        instance.set = self._journal.instances[instance.name]["set"] = order.set
        return True
