# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps lead from a set of databases as it is to the one that a task wants."""

import pytest

from baton.client.error import ClientError
from baton.tasks.datastore_set import Instance, Seen, Wanted, of_a_set, plan, remains, seen


def a_set(*names, source=0, **more):
    """A set of ACTIVE instances, whose ids are i-NAME; ``more``: members of some by name, as db_1={"status": …}."""
    made = [
        Instance(f"i-{name}", name, number == source, **more.get(name.replace("-", "_"), {})) for number, name in enumerate(names)
    ]  # fmt: skip
    return Seen(tuple(made))


def steps(now, **wanted):
    return [step.text for step in plan(Wanted(**{"key": "db", "name": "db", **wanted}), now)[0]]


def test_a_set_is_made_with_its_replicas_and_nothing_follows():
    wanted = Wanted("db", "db", replicas=2)
    found, then = plan(wanted, Seen(()))
    assert [(step.verb, step.names) for step in found] == [("create", ("db",)), ("replicate", ("db-1", "db-2"))]
    assert [(each.name, each.is_source) for each in then.instances] == [("db", True), ("db-1", False), ("db-2", False)]
    assert plan(wanted, then)[0] == []


def test_what_a_task_does_not_say_is_left_as_it_is():
    assert steps(a_set("db", "db-1", "db-2", source=2, db={"status": "RESTART_REQUIRED", "configuration": "c"})) == []


@pytest.mark.parametrize(
    ("names", "replicas", "taken", "made"),
    [
        (["db"], 2, [], [("db-1", "db-2")]),
        (["db", "db-1"], 2, [], [("db-2",)]),
        (["db", "db-1"], 3, [], [("db-2",), ("db-3",)]),  # the API would number both from 1 on
        (["db", "db-2"], 3, [], [("db-1",), ("db-3",)]),
        (["db"], 1, ["db-1"], [("db-2",)]),  # it is one of another set
        (["db", "db-1"], 1, [], []),
    ],
)
def test_replicas_are_made_under_names_that_are_free(names, replicas, taken, made):
    found, _then = plan(Wanted("db", "db", replicas=replicas, taken=frozenset([*names, *taken])), a_set(*names))
    assert [step.names for step in found] == made


def test_those_that_are_not_well_go_first_then_the_youngest_and_never_source_or_name():
    now = a_set("db", "db-1", "db-2", "db-3", source=1, db_2={"status": "ERROR"})
    assert steps(now, replicas=1) == ["take db-2 away", "take db-3 away"]
    assert steps(a_set("db", "db-1", "db-2", source=2), replicas=1) == ["take db-1 away"]


def test_the_only_one_that_stays_is_the_source_and_has_the_name():
    with pytest.raises(ClientError, match="with replicas 0 only the source stays, and db is a replica: say source db"):
        steps(a_set("db", "db-1", source=1), replicas=0)
    assert steps(a_set("db", "db-1", source=1), replicas=0, source="db") == ["make db the source", "take db-1 away"]


def test_a_source_is_chosen_among_those_that_are_there_or_will_be():
    assert steps(a_set("db", "db-1"), source="db-1") == ["make db-1 the source"]
    assert steps(a_set("db", "db-1"), source="i-db-1") == ["make db-1 the source"]
    assert steps(a_set("db", "db-1", source=1), source="db-1") == []
    assert steps(Seen(()), source="db-1", replicas=1) == ["make instance db", "make db-1 of db", "make db-1 the source"]
    with pytest.raises(ClientError, match="source other is not in the set of db, which has db, db-1"):
        steps(a_set("db", "db-1"), source="other")


def test_a_configuration_comes_to_all_replicas_first_and_what_needs_it_is_restarted():
    now, restarting = a_set("db", "db-1", db_1={"configuration": "new"}), frozenset([("", "new")])
    assert steps(now, configuration="new") == ["change the configuration of db"]
    assert steps(now, configuration="new", restart="required", restarting=restarting) == ["change the configuration of db", "restart db"]
    assert steps(now, configuration="new", restart="required") == ["change the configuration of db"]
    assert steps(now, configuration="") == ["take its configuration off db-1"]


def test_all_are_restarted_once_the_source_last():
    now = a_set("db", "db-1", "db-2", db_2={"status": "RESTART_REQUIRED"})
    assert steps(now, restart="always") == ["restart db-1", "restart db-2", "restart db"]
    assert steps(now, restart="required") == ["restart db-2"]
    assert plan(Wanted("db", "db", restart="always"), now, frozenset(["i-db", "i-db-1", "i-db-2"]))[0] == []


def test_an_instance_that_is_named_by_its_id_is_renamed():
    assert steps(a_set("old", "old-1"), key="i-old-1", replicas=1) == ["rename old-1 to db"]


def test_one_is_taken_away_or_all_the_source_last():
    now = a_set("db", "db-1", "db-2", source=1)
    gone = {"is_present": False}
    assert steps(now, **gone) == ["take db away"] and steps(Seen(()), **gone) == []
    assert steps(now, whole_set=True, **gone) == ["take db-2 away", "take db away", "take db-1 away"]
    with pytest.raises(ClientError, match="db is the source of db-1, db-2: say whole_set to take all away, or make another one the source"):
        steps(a_set("db", "db-1", "db-2"), **gone)


# --- what the API says ----------------------------------------------------------------------------------------------------


def raw(key, name, set_id, **more):
    return {"id": key, "name": name, "set": set_id, "status": "ACTIVE", "created": "2026-01-01T00:00:00", **more}


def test_a_set_is_found_by_any_of_its_instances():
    every = [raw("1", "db", "s"), raw("2", "db-1", "s", replica_of={"id": "1"}), raw("3", "other", "t")]
    assert of_a_set(every, "db-1", None) == of_a_set(every, "x", "1") == every[:2] and of_a_set(every, "none", None) == []
    with pytest.raises(ClientError, match="2 sets have an instance that is called db: say which one is meant with id"):
        of_a_set([*every, raw("4", "db", "u")], "db", None)
    found = seen(of_a_set(every, "db", None))
    assert [(each.name, each.is_source) for each in found.instances] == [("db", True), ("db-1", False)]


def test_what_is_left_of_a_set_is_known_by_its_names():
    every = [raw(name, name, "s") for name in ("db-2", "db-10", "db-x", "xdb-1", "db-1-1", "d.b-1")]
    assert remains(every, "db") == ["db-10", "db-2"] and remains(every, "d.b") == ["d.b-1"]
