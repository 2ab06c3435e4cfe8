# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of datastores, each left out: schedules have to notice. ``MUTATIONS``: name → what leaves it out, as a context.

``schedule``, where one has it: the aimed schedule that has to notice.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

from baton.datastores.engine import engine
from baton.datastores.engine.case import Case, Times
from baton.datastores.engine.program import DONE, Outcome
from baton.datastores.engine.traces import left_by_others, without
from baton.datastores.guest.orders import Orders
from baton.datastores.guest.tenure import Tenures
from baton.datastores.model import positions
from baton.datastores.model.channel import Report
from baton.datastores.plans import asked, mariadb
from simulation.datastores import managers
from simulation.datastores.store import Store
from simulation.datastores.world import Host


def _plan(**changes):
    return patch.object(mariadb, "PLAN", mariadb.PLAN._replace(**changes))


def _never(program):
    """Leave what is due alone, if it is this program."""

    def due(case):
        found = mariadb.due(case)
        return None if found is not None and found.program == program else found

    return _plan(due=due)


def _step(program, name, **changes):
    """Change a step of a program."""
    old = mariadb.PROGRAMS[program]
    steps = tuple(step._replace(**changes) if step.name == name else step for step in old.steps)
    return patch.dict(mariadb.PROGRAMS, {program: old._replace(steps=steps)})


def _plays(name):
    def aim(mutation):
        mutation.schedule = name
        return mutation

    return aim


# --- D1 -----------------------------------------------------------------------------------------------------------------------


def a_term_is_granted_before_the_last_one_is_over():
    return patch.object(Case, "is_over", lambda self: True)


def a_grant_that_is_gone_is_an_end():
    return patch.object(Case, "is_over", lambda self: self.source is None or self.granted is None and self.source.host not in self._grants)


def nobody_waits_on_a_clock_of_his_own():
    return patch.object(Times, "wait", -1.0)


def a_guest_counts_on_a_longer_lease():
    renewed = Tenures.renewed
    return patch.object(Tenures, "renewed", lambda self, sent, ttl: renewed(self, sent, ttl * 1.4))


def a_server_is_opened_before_its_claim_stands():
    settle = Tenures._settle

    def hasty(self, key, channel):
        grant = channel.grants.get(key)
        return settle(self, key, channel if grant is None else replace(channel, claims={**channel.claims, key: grant.term}))

    return patch.object(Tenures, "_settle", hasty)


def nobody_looks_at_the_end_of_a_lease():
    return patch.multiple(Host, _guard=lambda self: None, _carry_out=_all_but_closing(Host._carry_out))


def _all_but_closing(carry_out):
    return lambda self, commands: carry_out(self, [each for each in commands if self.tenures.stands(self.clock)])


@_plays("a_guest_and_its_guard_die_and_know_nothing_after")
def a_guest_that_starts_trusts_what_it_finds():
    begin = Tenures.__init__
    return patch.object(Tenures, "__init__", lambda self, spare, found=(): begin(self, spare))


def a_grant_that_is_taken_back_ends_nothing():
    settle = Tenures._settle

    def keeps(self, key, channel):
        held = self._held.get(key)
        return [] if held is not None and not held.closing and key not in channel.grants else settle(self, key, channel)

    return patch.object(Tenures, "_settle", keeps)


def a_manager_writes_whatever_has_changed():
    commit = Store.commit

    def blind(self, whole, written, parted, read, _revision):
        now = {host: self.channels[host] for host in read}
        return whole.id in self.sets and commit(self, whole, written, parted, now, self.revisions[whole.id])

    return patch.object(Store, "commit", blind)


# --- D2 -----------------------------------------------------------------------------------------------------------------------


@_plays("an_old_source_goes_on_while_others_are_sealed")
def nobody_is_sealed():
    def seal(self, _args):
        at = f"1-1-{self.server.received}"
        return Report(found={"received": at, "had": at})

    return patch.object(Host, "_seal", seal)


def any_replica_will_do():
    def choose(case, reports):
        name, report = reports[-1]
        case.task.data.update(candidate=name, position=report.found["received"])
        return DONE

    return patch.object(mariadb, "_choose", choose)


def positions_are_compared_as_strings():
    return patch.object(positions, "contains", lambda one, other: all(str(one.get(key, 0)) >= str(at) for key, at in other.items()))


def who_is_silent_is_not_asked():
    def up(case):
        return [case.member(key) for key in case.whole.counted if mariadb._is_up(case, case.member(key))]

    return patch.object(mariadb, "_counted", up)


@_plays("a_source_that_was_told_to_ask_nobody_dies_before_it_says_that_it_does")
def a_source_that_asks_nobody_is_like_the_others():
    def count(self, counted):
        if self.source is None or self.granted is None or self.source.host in self._grants:
            return
        self.whole.counted = sorted({*self.whole.counted, *counted})
        self._give(self.source, counted)

    return patch.object(Case, "count", count)


def who_is_asked_next_counts_alone_at_once():
    count = Case.count

    def alone(self, counted):
        count(self, counted)
        self.whole.confirmed = self.whole.counted = sorted(counted)

    return patch.object(Case, "count", alone)


@_plays("a_replica_forgets_what_it_alone_had")
def what_a_server_had_is_forgotten_when_it_starts():
    seal = Host._seal

    def forgets(self, args):
        report = seal(self, args)
        return Report(found={**report.found, "had": report.found["received"]})

    return patch.object(Host, "_seal", forgets)


@_plays("a_candidate_loses_what_it_has_received")
def what_was_received_is_not_looked_at_again():
    def drain(self, _args):
        self.server.apply(len(self.server.relay))
        return Report()

    return patch.object(Host, "_drain", drain)


@_plays("a_quiet_source_is_opened_again_in_a_promotion")
def a_promotion_trusts_the_first_position():
    return _step("promote", "retire", do=lambda case: case.take_back() or (DONE if case.is_over() else Outcome()))


@_plays("an_order_is_tried_until_it_is_taken_back")
def an_order_is_carried_out_when_it_was_taken_back():
    return patch.object(Orders, "stands", lambda self, key: True)


# --- D3, D4 -------------------------------------------------------------------------------------------------------------------


def a_step_waits_for_ever():
    return patch.object(engine, "_answered", lambda case, program, step, look: look(case))


def what_was_begun_is_not_undone():
    return _step("promote", "quiesce", undo=lambda case: DONE)


def nobody_gives_the_role_back():
    return _never("restore")


def who_comes_back_is_left_alone():
    return _never("rejoin")


def nobody_takes_over():
    return _never("failover")


def orders_have_the_ids_of_those_before():
    def begin(self, program, why="", **data):
        self.whole.tasks = 0
        real(self, program, why, **data)

    real = Case.begin
    return patch.object(Case, "begin", begin)


def who_is_gone_is_waited_for():
    return _plan(keep=lambda case: None)


def an_undo_wipes_the_source():
    wipe = mariadb._wipe

    def wipes(case):
        return wipe(case) if case.source is None else mariadb.all_of([(case.whole.source, case.ask(case.source, "wipe"))])

    return _step("replicate", "copy", undo=wipes)


# --- what people ask for ------------------------------------------------------------------------------------------------------


def who_is_deleted_counts_still():
    return _step("delete", "release", do=_released)


def who_is_detached_counts_still():
    return _step("detach", "release", do=_released)


def _released(case):
    asked.release(case)
    return DONE


def what_is_detached_stays_where_it_was():
    def part(self, member, key, secrets):
        members = dict(self.whole.members)
        real(self, member, key, secrets)
        self.whole.members = members

    real = Case.part
    return patch.object(Case, "part", part)


@_plays("a_replica_is_detached_and_serves")
def what_was_detached_is_left_alone():
    return _never("adopt")


def a_guest_keeps_an_instance_in_the_set_it_was_of():
    carried_out = Host._carried_out

    def stays(self, order):
        before = self.journal["set"]
        report = carried_out(self, order)
        self.journal["set"] = before if order.verb == "adopt" else self.journal["set"]
        return report

    return patch.object(Host, "_carried_out", stays)


def who_does_not_leave_after_all_is_not_what_it_was():
    both = ExitStack()
    for program in ("delete", "detach"):
        both.enter_context(_step(program, "release", undo=lambda case: DONE))
    return both


def what_gave_way_is_forgotten():
    def give_way(case, why):
        case.task.gave_way = True
        engine._turn_back(case, why)

    return patch.object(engine, "_give_way", give_way)


def another_source_is_looked_for_while_the_last_one_is_deleted():
    return patch.object(asked, "ends_the_source", lambda case: False)


@_plays("a_source_is_lost_while_it_is_restarted")
def a_restart_is_an_end_before_it_is_one():
    return patch.object(Host, "_begin_restart", lambda self: self.tenures.died(self.set))


@_plays("a_source_comes_back_after_a_replica_that_counts_was_given_up")
def others_are_sure_to_have_all_that_one_had_who_was_given_up():
    def given_up(case, leaving):
        sure = list(case.whole.confirmed)
        outcome = real(case, leaving)
        case.whole.confirmed = [name for name in sure if name in case.whole.counted] if outcome.done else sure
        return outcome

    real = asked._given_up
    return patch.object(asked, "_given_up", given_up)


@_plays("a_source_comes_back_after_a_replica_that_counts_was_given_up")
def a_source_may_count_on_one_who_was_given_up():
    def given_up(case, leaving):
        case.whole.counted = [name for name in case.whole.counted if name not in {member.id for member in leaving}]
        case.whole.confirmed = []
        return DONE

    return patch.object(asked, "_given_up", given_up)


@_plays("a_source_and_a_replica_that_counts_are_gone_for_good")
def a_source_that_is_gone_is_asked_to_do_without_who_is_gone():
    return patch.object(asked, "_given_up", lambda case, leaving: Outcome(on="the source"))


def traces_are_swept_whether_their_set_is_gone_or_not():
    def sweep(self, host, read, left):
        self.channels[host] = without(self.channels[host], left) if not self.out and self.channels[host] == read else self.channels[host]

    both = ExitStack()
    both.enter_context(patch.object(Store, "sweep", sweep))
    both.enter_context(patch.object(managers, "left_by_others", lambda channel, _known: left_by_others(channel, ())))
    return both


MUTATIONS = {
    name: value for name, value in list(vars().items())
    if getattr(value, "__module__", "") == __name__ and callable(value) and not name.startswith("_")
}  # fmt: skip
