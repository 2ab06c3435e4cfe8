# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of clusters, each left out: schedules have to notice. ``MUTATIONS``: name → what leaves it out, as a context.

``schedule``, where one has it: the aimed schedule that has to notice.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

from baton.datastores.engine import engine
from baton.datastores.engine.case import Case
from baton.datastores.engine.program import all_of
from baton.datastores.guest.orders import Orders
from baton.datastores.model.channel import Report
from baton.datastores.plans import forgotten, galera, group, revival
from baton.datastores.plans.asked import concerned
from simulation.clusters.hosts import FOREVER, Host
from simulation.datastores.mutations import _plays
from simulation.datastores.store import Store


def _never(program):
    """Leave what is due alone, if it is this program."""

    def due(case):
        found = galera.due(case)
        return None if found is not None and found.program == program else found

    return patch.object(galera, "PLAN", galera.PLAN._replace(due=due))


def _step(program, name, **changes):
    """Change a step of a program."""
    old = galera.PROGRAMS[program]
    steps = tuple(step._replace(**changes) if step.name == name else step for step in old.steps)
    return patch.dict(galera.PROGRAMS, {program: old._replace(steps=steps)})


# --- who forms the group ------------------------------------------------------------------------------------------------------


def _chooses(which):
    """Have who forms the group be another one of those who have said how far they are."""

    def choose(case):
        outcome = real(case)
        positions = case.task.data["positions"]
        case.task.data["by"] = which({key: at for key, at in positions.items() if at["seqno"] >= 0}) or case.task.data.get("by")
        return outcome

    real = revival.choose
    return _step("revive", "choose", do=choose)


@_plays("all_die_and_one_alone_has_what_was_acknowledged")
def the_first_one_forms_the_group():
    return _chooses(lambda positions: min(positions, default=""))


def positions_are_compared_as_strings():
    return _chooses(lambda positions: max(sorted(positions), key=lambda key: str(positions[key]["seqno"]), default=""))


@_plays("all_die_and_one_alone_has_what_was_acknowledged")
def who_is_silent_is_passed_over():
    def heard(case):
        return [each for each in group.data_members(case) if case.channel(each).alive]

    return patch.object(revival, "data_members", heard)


@_plays("one_comes_into_the_group_unheard_and_has_most")
def who_came_in_unheard_is_passed_over():
    halt = Host._halt

    def silent(self, args):
        report = halt(self, args)
        return report and replace(report, found={**report.found, "group": ""})

    return patch.object(Host, "_halt", silent)


def a_group_is_formed_twice_in_a_term():
    choose = revival.choose

    def chosen(case):
        outcome = choose(case)
        case.whole.term = 1
        return outcome

    return _step("revive", "choose", do=chosen)


def a_server_forms_the_group_wherever_it_is():
    """And whoever says how far it is runs on."""
    both = ExitStack()
    both.enter_context(patch.object(Host, "_is_elsewhere", lambda self, position, is_again: False))
    both.enter_context(patch.object(Host, "_has_ended", lambda self: True))
    return both


@_plays("nobody_hears_that_the_group_was_formed")
def a_group_that_was_formed_unheard_is_left_alone():
    halt = Host._halt
    return patch.object(Host, "_halt", lambda self, args: halt(self, {**args, "idle": "idle" in args}))


def nobody_forms_the_group_anew():
    return _never("revive")


@_plays("a_cluster_is_stopped_and_started")
def what_people_have_stopped_is_formed_anew():
    def due(case):
        stopped = case.whole.own.pop("stopped", None)
        found = galera.due(case)
        if stopped:
            case.whole.own["stopped"] = stopped
        return found

    return patch.object(galera, "PLAN", galera.PLAN._replace(due=due))


# --- who comes in -------------------------------------------------------------------------------------------------------------


@_plays("one_that_was_given_up_comes_back")
def who_was_ahead_comes_in_as_it_is():
    why = Host._why_apart
    return patch.object(Host, "_why_apart", lambda self, formed: why(self, None))


@_plays("one_that_was_given_up_runs_on_and_meets_the_others")
def a_group_has_one_name_for_ever():
    def one_name(case, *coming):
        return {**named(case, *coming), "cluster": f"{case.whole.id}-1"}

    named, both = group.group_of, ExitStack()
    for where in (galera, group):
        both.enter_context(patch.object(where, "group_of", one_name))
    return both


@_plays("one_that_was_given_up_comes_back_a_term_later")
def who_comes_back_is_judged_by_the_latest_term_alone():
    both = ExitStack()
    for where in (galera, revival):
        both.enter_context(patch.object(where, "last_common", lambda case, term: case.whole.formed["seqno"]))
    return both


def who_comes_back_is_left_alone():
    return _never("rejoin")


@_plays("one_that_was_forgotten_runs_on_and_meets_the_others")
def who_was_forgotten_may_come_in():
    return patch.object(Host, "_announce", lambda self, args: Report())


@_plays("one_that_was_forgotten_runs_on_and_meets_the_others")
def who_was_forgotten_is_left_alone():
    return patch.object(forgotten, "_heard", lambda case: [])


# --- who is taken out ---------------------------------------------------------------------------------------------------------


@_plays("all_others_die_while_one_leaves")
def who_leaves_is_emptied_at_once():
    return patch.object(galera, "_halted", lambda case, member: all_of([(member.id, case.ask(member, "halt"))]))


@_plays("all_others_die_as_a_new_one_has_come_in")
def a_new_one_has_nothing_before_it_says_that_it_is_in():
    both = ExitStack()
    for where in (galera, revival):
        both.enter_context(patch.object(where, "may_have_data", lambda member: member.joined))
    both.enter_context(patch.object(galera, "_parted", lambda case, member: all_of([(member.id, case.ask(member, "halt"))])))
    return both


def nobody_looks_whether_the_others_are_well():
    return patch.object(galera, "unwell", lambda case, but: "")


@_plays("an_arbiter_freezes_and_thaws")
def an_arbiter_is_believed_whatever_the_others_say():
    return patch.object(group, "said_of", lambda case, member: case.server(member))


def all_are_restarted_at_once():
    def roll(case):
        return all_of((each.id, galera._restarted(case, each).done and Report() or None) for each in concerned(case))

    return _step("restart", "restart", do=roll)


@_plays("a_member_freezes_and_thaws")
def nobody_ends_a_server_that_does_not_answer():
    return patch.object(Host, "_tell_guard", lambda self, life, begun: setattr(self, "deadline", FOREVER))


# --- D3, D4 -------------------------------------------------------------------------------------------------------------------


def an_undo_wipes_members_that_stay():
    def wipe(case):
        return all_of((each.id, case.ask(each, "wipe")) for each in case.whole.members.values())

    return _step("grow", "prepare", undo=wipe)


@_plays("a_directory_has_what_is_not_ours")
def a_directory_is_taken_whatever_is_there():
    def prepare(self, args):
        self.server.foreign, self.server.log = False, []
        return real(self, args)

    real = Host._prepare
    return patch.object(Host, "_prepare", prepare)


def a_step_waits_for_ever():
    return patch.object(engine, "_answered", lambda case, program, step, look: look(case))


def orders_have_the_ids_of_those_before():
    def begin(self, program, why="", **data):
        self.whole.tasks = 0
        real(self, program, why, **data)

    real = Case.begin
    return patch.object(Case, "begin", begin)


def an_order_is_carried_out_when_it_was_taken_back():
    return patch.object(Orders, "stands", lambda self, key: True)


def a_manager_writes_whatever_has_changed():
    commit = Store.commit

    def blind(self, whole, written, parted, read, _revision):
        now = {host: self.channels[host] for host in read}
        return whole.id in self.sets and commit(self, whole, written, parted, now, self.revisions[whole.id])

    return patch.object(Store, "commit", blind)


MUTATIONS = {
    name: value for name, value in list(vars().items())
    if getattr(value, "__module__", "") == __name__ and callable(value) and not name.startswith("_")
}  # fmt: skip
