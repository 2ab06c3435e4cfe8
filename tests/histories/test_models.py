# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judges of histories: what each must let pass, and a lie that it must notice. No daemons."""

import copy
import math

import pytest

from histories.judging import judge
from histories.models import (
    answers,
    barriers,
    ending,
    fences,
    holding,
    keeping,
    lines,
    registers,
    repeats,
    strict,
    ties,
    waits,
)
from histories.plan import plan
from histories.record import Fault, History, Operation


def told(what, on, call, back, answer=None, *, client="a", status=200, code="", **ask):
    """Return an operation that was answered; ``code`` makes it a refusal."""
    if code:
        answer = {"type": f"urn:baton:{code}", **(answer or {})}
        status = 409 if status == 200 else status
    outcome = "refused" if status >= 400 else "ok"
    return Operation(client, what, on, ask, call, (), back, call, outcome, status, answer)


def unknown(what, on, call, **ask):
    return Operation("a", what, on, ask, call, doubtful=True)


def history(*operations, **final):
    made = History()
    made.operations = list(operations)
    made.final = final
    return made


def promises(model, made):
    return {violation.promise for violation in model.judge(made)}


def granted(lease, call, ttl=2.0):
    return told("grant", f"leases/{lease}", call, call + 0.1, {"Id": lease}, status=201, Ttl=ttl)


def held(owner, token, call, back, lease=None, on="locks/l", slots=1, **more):
    answer = {"Held": True, "Token": token, "Holders": [{"Owner": owner, "Token": token}]}
    return told(
        "acquire", on, call, back, answer, Owner=owner, Slots=slots, Lease=lease, Wait=0, **more
    )


def locked(owner, token, call, back, by=(), wait=0):
    holders = [{"Owner": name, "Token": number} for name, number in by]
    return told(
        "acquire", "locks/l", call, back, {"holders": holders, "ahead": 0, "token": token}, code="locked",
        Owner=owner, Slots=1, Lease=None, Wait=wait,
    )  # fmt: skip


def released(owner, call, back, on="locks/l"):
    return told("release", on, call, back, status=204, Owner=owner)


# --- locks and seats ----------------------------------------------------------------------------------------------------


def test_one_after_the_other_is_fine():
    made = history(held("a", 1, 0, 1), released("a", 2, 3), held("b", 2, 1, 3))
    assert not holding.judge(made) and not lines.judge(made)


def test_two_in_one_slot_are_noticed():
    assert promises(
        holding, history(held("a", 1, 0, 1), held("b", 2, 1, 2), released("a", 3, 4))
    ) == {holding.ROOM}
    assert not holding.judge(
        history(held("a", 1, 0, 1, slots=2), held("b", 2, 1, 2, slots=2), released("a", 3, 4))
    )
    three = [
        held(name, number, number, number + 0.5, slots=2) for number, name in enumerate("abc", 1)
    ]
    assert promises(holding, history(*three)) == {holding.ROOM}


def test_who_holds_under_a_lease_believes_it_no_longer_than_the_lease_lasts_from_sending():
    made = [granted("x", 0), held("a", 1, 0.2, 0.3, "x"), held("b", 2, 0.4, 2.1)]
    assert not holding.judge(history(*made))
    kept = told("keep", "leases/x", 1.5, 1.6, Ttl=2.0)
    assert promises(holding, history(*made, kept)) == {holding.ROOM}
    assert not holding.judge(history(*made, kept, unknown("revoke", "leases/x", 2.0)))


def test_readers_hold_together_and_never_beside_a_writer():
    readers = [held("a", 1, 0, 1, Shared=True), held("b", 2, 1, 2, Shared=True)]
    assert not holding.judge(history(*readers))
    assert promises(holding, history(*readers, held("c", 3, 2, 3))) == {holding.ROOM}


def test_tokens_that_go_backwards_or_come_twice_are_noticed():
    backwards = history(held("a", 2, 0, 1), released("a", 2, 3), held("b", 1, 4, 5))
    assert promises(holding, backwards) == {holding.GROW}
    elsewhere = history(held("a", 2, 0, 1), held("b", 1, 2, 3, on="locks/m"))
    assert promises(holding, elsewhere) == {holding.GROW}
    twice = history(held("a", 2, 0, 5), held("b", 2, 1, 4, on="locks/m"))
    assert holding.GROW in promises(holding, twice)


def test_who_let_go_is_not_seen_again():
    look = told(
        "look", "locks/l", 5, 6, {"Holders": [{"Owner": "a", "Token": 1}], "Queue": [], "Slots": 1}
    )
    assert promises(holding, history(held("a", 1, 0, 1), released("a", 2, 3), look)) == {
        holding.GONE
    }
    gone = told("peek", "leases/x", 3, 4, code="no_lease", status=404)
    assert promises(holding, history(granted("x", 0), held("a", 1, 0.2, 0.3, "x"), gone, look)) == {
        holding.GONE
    }
    assert not holding.judge(history(held("a", 1, 0, 1), look))


def test_who_was_told_that_nothing_was_done_is_not_there():
    refused = told("acquire", "locks/l", 0, 1, Owner="b", Slots=1)
    refused.outcome, refused.answer = "not_applied", None
    look = told("look", "locks/l", 2, 3, {"Holders": [{"Owner": "b", "Token": 1}], "Queue": []})
    assert promises(holding, history(refused, look)) == {holding.TOLD}
    refused.doubtful = True
    assert not holding.judge(history(refused, look))


def test_seats_are_judged_as_locks_are():
    def elected(name, token, call, back, leaders):
        answer = {"Elected": True, "Token": token, "Leaders": leaders, "Position": 0}
        return told(
            "elect",
            "seats/s",
            call,
            back,
            answer,
            Owner=name,
            Seats=None,
            Lease=None,
            Candidate=name,
        )

    first = elected("a", 1, 0, 1, ["a"])
    assert promises(holding, history(first, elected("b", 2, 2, 3, ["b"]))) == {holding.ROOM}
    resigned = told("resign", "seats/s", 1, 2, {"Leaders": [], "Elected": False}, Owner="a")
    assert not holding.judge(history(first, resigned, elected("b", 2, 2, 3, ["b"])))
    assert holding.ROOM in promises(
        holding, history(first, resigned, elected("b", 2, 3, 4, ["b", "c"]))
    )


# --- the line -----------------------------------------------------------------------------------------------------------


def test_one_who_is_overtaken_in_the_line_is_noticed():
    queued = locked("a", 2, 0, 1)
    overtaken = history(queued, held("b", 3, 2, 3), locked("a", 2, 4, 5))
    assert promises(lines, overtaken) == {lines.FAIR}
    assert not lines.judge(history(queued, held("b", 1, 0, 3), locked("a", 2, 4, 5)))


def test_a_look_at_a_line_tells_of_idle_slots_and_wrong_order():
    def look(holders, queue, slots=1):
        return told("look", "locks/l", 0, 1, {"Holders": holders, "Queue": queue, "Slots": slots})

    def entry(token, **more):
        return {"Owner": f"o{token}", "Token": token, **more}

    first = held("z", 9, 5, 6)
    assert not lines.judge(history(look([entry(1)], [entry(2)]), first))
    assert promises(lines, history(look([entry(3)], [entry(2)]), first)) == {lines.FAIR}
    assert promises(lines, history(look([entry(1)], [entry(2)], 2), first)) == {lines.IDLE}
    readers = [entry(1, Shared=True)], [entry(2, Shared=True)]
    assert promises(lines, history(look(*readers), first)) == {lines.IDLE}
    assert not lines.judge(
        history(look([entry(1, Shared=True)], [entry(2), entry(3, Shared=True)]), first)
    )


def test_who_waits_in_vain_is_not_told_of_somebody_long_gone():
    made = [held("a", 1, 0, 1), released("a", 2, 3)]
    assert promises(lines, history(*made, locked("b", 2, 2, 9, [("a", 1)], wait=4))) == {lines.TRUE}
    assert not lines.judge(history(*made, locked("b", 2, 1, 2.5, [("a", 1)], wait=1)))


# --- fences and leases --------------------------------------------------------------------------------------------------

FENCE = {"on": "locks/l", "owner": "a", "lease": "x", "token": 1}
TERM = (granted("x", 0), held("a", 1, 0.2, 0.3, "x"))


def fenced(call, back, **more):
    return told("write", "fenced/p", call, back, fence=FENCE, **more)


def test_a_write_under_a_term_that_is_over_is_noticed():
    assert not fences.judge(history(*TERM, fenced(0.5, 1)))
    for end in (
        released("a", 0.5, 0.6),
        held("b", 2, 0.5, 0.6),
        told("revoke", "leases/x", 0.5, 0.6, status=204),
    ):
        assert promises(fences, history(*TERM, end, fenced(0.7, 0.8))) == {fences.LATE}
        assert not fences.judge(history(*TERM, end, fenced(0.55, 0.8)))
        assert not fences.judge(
            history(*TERM, end, fenced(0.7, 0.8, code="lease_lost", status=412))
        )


def test_who_holds_may_write():
    refused = fenced(0.5, 1, code="lease_lost", status=412)
    assert promises(fences, history(*TERM, refused)) == {fences.EARLY}
    assert not fences.judge(history(*TERM, unknown("revoke", "leases/x", 0.4), refused))
    own = told(
        "release", "locks/l", 0.5, 0.6, status=412, code="lease_lost", Owner="a", fence=FENCE
    )
    assert promises(fences, history(*TERM, own)) == {fences.EARLY}


def test_a_lease_that_was_kept_in_time_stands():
    gone = told("keep", "leases/x", 1, 1.5, code="no_lease", status=404, Ttl=2.0)
    assert promises(keeping, history(granted("x", 0), gone)) == {keeping.STANDS}
    assert not keeping.judge(history(granted("x", 0, 1.2), gone))
    assert not keeping.judge(history(granted("x", 0), unknown("revoke", "leases/x", 0.5), gone))
    assert promises(
        keeping, history(told("grant", "leases/x", 0, 1, code="no_lease", status=404))
    ) == {keeping.MADE}


# --- ties ---------------------------------------------------------------------------------------------------------------


def test_a_param_that_stays_or_goes_against_its_lease_is_noticed():
    def expect(value, stands, alive=()):
        answer = {"code": "not_set", "status": 404} if stands is None else {"answer": stands}
        return told("expect", "tied/p", 0.5, 0.6, value=value, alive=list(alive), **answer)

    assert not ties.judge(history(granted("x", 0), expect("v", "v", ["x"]), expect(None, None)))
    assert promises(ties, history(granted("x", 0), expect("v", None, ["x"]))) == {ties.TIED}
    assert promises(ties, history(expect(None, "v"))) == {ties.TIED}
    assert not ties.judge(history(granted("x", 0, 0.55), expect("v", None, ["x"]))), (
        "the lease may have ended"
    )


def test_a_lease_that_shows_other_ties_is_noticed():
    shown = {"Ties": [{"Kind": "profiles", "Key": "tied", "Path": ["Params", "p"]}]}
    made = [
        granted("x", 0),
        told("ties", "leases/x", 0.5, 0.6, shown, alive=["x"], param="tied/p", ties=[]),
    ]
    assert promises(ties, history(*made)) == {ties.SHOWN}
    made[1].ask["ties"] = [["profiles", "tied", ["Params", "p"]]]
    assert not ties.judge(history(*made))


def test_what_the_last_writer_tied_is_gone_in_the_end():
    final = {"ended": True, "kept": ["kept"], "profiles": [{"Name": "tied", "Params": {"p": "v"}}]}
    assert promises(
        ties, history(told("write", "tied/p", 0, 1, value="v", lease="x"), **final)
    ) == {ties.TIED}
    for lease in (None, "kept"):
        assert not ties.judge(
            history(told("write", "tied/p", 0, 1, value="v", lease=lease), **final)
        )
    assert not ties.judge(history(unknown("write", "tied/p", 0, value="v", lease="x"), **final))


# --- registers, events, waits -------------------------------------------------------------------------------------------


def swap(call, back, old, new, **more):
    return told("swap", "registers/a", call, back, old=old, new=new, **more)


CHAIN = (swap(0, 1, "", "1"), swap(2, 3, "1", "2"))


def test_a_register_that_is_not_linearizable_is_noticed():
    assert not registers.judge(history(*CHAIN, told("look", "registers/a", 4, 5, "2")))
    assert promises(registers, history(*CHAIN, told("look", "registers/a", 4, 5, "1"))) == {
        registers.LINEAR
    }
    both = told("batch", "registers", 2, 3, swaps={"a": ("1", "3"), "b": ("", "4")})
    assert promises(registers, history(*CHAIN, both)) == {registers.LINEAR}


def test_events_that_are_lost_or_come_twice_are_noticed():
    def seen(*values, seqs=(1, 2, 3)):
        made = history(*CHAIN)
        patches = [[{"op": "replace", "path": "/Params/a", "value": value}] for value in values]
        events = [{"Cursor": f"1.x.{seq}.1", "Patch": patch} for seq, patch in zip(seqs, patches)]
        made.events["r"] = [{"begin": -1.0}, *events]
        return made

    assert not registers.judge(seen("1", "2"))
    for bad in (seen("1"), seen("1", "1", "2"), seen("2", "1"), seen("1", "2", seqs=(2, 1))):
        assert promises(registers, bad) == {registers.EVENTS}
    assert promises(registers, history(told("watch", "events", 0, 1, status=410))) == {
        registers.EVENTS
    }


def test_what_was_added_twice_or_lost_is_noticed():
    add = told("add", "grown/list", 0, 1, item="i")
    for found, said in (["i"], set()), (["i", "i"], {registers.KEPT}), ([], {registers.KEPT}):
        assert (
            promises(registers, history(add, told("size", "grown/list", 2, 3, found), ended=True))
            == said
        )


def test_who_waits_in_vain_for_what_is_there_is_noticed():
    add = told("add", "grown/list", 0, 1, item="i")
    vain = told("await", "grown/list", 0, 2.1, code="wait_timeout", status=408, count=1, timeout=2)
    assert promises(waits, history(add, vain)) == {waits.WOKEN}
    assert not waits.judge(
        history(
            add,
            told(
                "await", "grown/list", 0, 2.1, code="wait_timeout", status=408, count=2, timeout=2
            ),
        )
    )
    assert promises(waits, history(told("await", "grown/list", 0, 1, [], count=1, timeout=2))) == {
        waits.HOLDS
    }
    since = told(
        "await changed", "grown/list", 0, 2.1, code="wait_timeout", status=408, after=-1, timeout=2
    )
    assert promises(waits, history(add, since)) == {waits.WOKEN}


# --- barriers -----------------------------------------------------------------------------------------------------------


def arrived(client, call, back, generation=1, outcome="opened", **more):
    answer = {"Generation": generation, "Outcome": outcome, **more}
    return told(
        "arrive", "barriers/b", call, back, answer, client=client, of=["a", "b"], began=call
    )


def test_barriers():
    both = [arrived("a", 0, 3), arrived("b", 1, 2)]
    assert not barriers.judge(history(*both, barriers=[{"Name": "b", "Generation": 2}]))
    assert promises(barriers, history(both[0])) == {barriers.ALL}
    assert promises(barriers, history(arrived("a", 0, 1), arrived("b", 2, 3))) == {barriers.ALL}
    assert promises(barriers, history(*both, arrived("b", 1, 3, outcome="broken", Why="w"))) == {
        barriers.ONE
    }
    assert promises(barriers, history(*both, barriers=[])) == {barriers.LOST}
    refused = told("arrive", "barriers/b", 0, math.inf, client="b")
    refused.outcome = "not_applied"
    assert promises(barriers, history(both[0], refused)) == {barriers.TOLD}
    end = told("break", "barriers/b", 0, 1, {}, Why="w")
    assert promises(barriers, history(end, arrived("a", 2, 3, outcome="broken", Why="w"))) == {
        barriers.ANEW
    }
    assert not barriers.judge(history(end, arrived("a", 0.5, 3, outcome="broken", Why="w")))


# --- the rest -----------------------------------------------------------------------------------------------------------


def test_a_repeat_that_is_answered_otherwise_is_noticed():
    first = held("a", 1, 0, 1)
    again = copy.deepcopy(first)
    again.repeats = first
    assert not repeats.judge(history(first, again))
    again.answer["Token"] = 2
    assert promises(repeats, history(first, again)) == {repeats.FIRST}
    again.outcome, again.status = "unknown", 0
    assert not repeats.judge(history(first, again))
    first.ask["Wait"], again.outcome, again.status = 2, "refused", 409
    again.answer = {"type": "urn:baton:out_of_line"}
    assert promises(repeats, history(first, again)) == {repeats.FIRST}, "it holds it still"
    assert not repeats.judge(history(first, released("a", 0.5, 0.6), again)), (
        "what came of a wait is not remembered"
    )


def test_a_strict_pair_lets_nothing_change_hands_while_one_is_away():
    refusal = told("refused_write", "cluster", 1.1, 1.2)
    looks = [
        told("look", "locks/l", moment, moment + 0.1, {"Holders": [{"Owner": name, "Token": 1}]})
        for moment, name in ((3, "a"), (4, "b"))
    ]
    made = history(held("a", 1, 0, 0.5), refusal, *looks)
    made.faults = [Fault(1.0, 5.0, "kill passive", "n2")]
    assert not strict.judge(made)
    made.strict = True
    assert promises(strict, made) == {strict.HANDS}
    made.operations = [swap(3, 4, "", "1")]
    assert promises(strict, made) == {strict.WRITES}
    made.operations = [swap(0.9, 4, "", "1")]
    assert not strict.judge(made)


FINAL = {
    "ended": True, "alike": True, "kept": ["k"], "holds": [("k", "locks/l", 7)],
    "profiles": [{"Name": "seats", "Params": {"leader": "none"}}],
    "leases": [{"Id": "k", "Ties": [{"Kind": "locks", "Key": "l", "Owner": "a", "Lease": "k"}]}], "barriers": [],
    "raw": [{"Id": "k", "Ties": [{"Kind": "locks", "Key": "l", "Owner": "a", "Lease": "k"}]}],
    "locks": [{"Name": "l", "Holders": [{"Owner": "a", "Token": 7, "Lease": "k"}], "Queue": []}],
    "nodes": {"n1": {"locks": []}, "n2": {"locks": [1]}},
}  # fmt: skip


def test_what_is_left_in_the_end():
    kept = granted("k", 0)
    assert not ending.judge(history(kept, **FINAL))
    for change, promise in (
        ({"ended": False, "leases": [*FINAL["leases"], {"Id": "old", "Ties": []}]}, ending.END),
        ({"alike": False}, ending.ALIKE),
        ({"kept": [], "holds": []}, ending.LEFT),
        ({"profiles": [{"Name": "seats", "Params": {"leader": "a"}}]}, ending.LEFT),
        ({"holds": [("k", "locks/l", 6)]}, ending.STAY),
        ({"locks": [], "holds": []}, ending.SIZE),
        ({"raw": [None]}, ending.TOLD),
        ({"leases": [{"Id": "k", "Ties": FINAL["raw"][0]["Ties"] * 2}]}, ending.SIZE),
        (
            {"raw": [{"Id": "k", "Ties": [{"Kind": "locks", "Key": "old", "Owner": "a"}] * 9}]},
            ending.SIZE,
        ),
    ):
        assert promise in promises(ending, history(kept, **{**FINAL, **change})), change


def test_of_a_lease_that_was_kept_too_late_nothing_is_expected():
    lost = {**FINAL, "locks": [], "leases": [{"Id": "k", "Ties": []}]}
    late = [granted("k", 0), granted("k", 2.5)]
    assert promises(ending, history(late[0], granted("k", 1.5), **lost)) == {ending.STAY}
    assert not ending.judge(history(*late, **lost))
    while_refused = history(*late, told("refused_write", "cluster", 1.1, 1.2), **lost)
    while_refused.faults, while_refused.strict = [Fault(1.0, 2.4, "kill passive", "n2")], True
    assert promises(ending, while_refused) == {ending.STAY}, (
        "no time passes while strict refuses writes"
    )


def test_an_error_that_nobody_caused_is_noticed():
    assert promises(answers, history(told("write", "p", 0, 1, status=500))) == {answers.RIGHT}
    assert not judge(
        history(told("write", "p", 0, 1, value="v"), unknown("write", "p", 0, value="w"))
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_is_always_the_same_plan(seed):
    assert plan(seed) == plan(seed) != plan(seed + 5)
    assert (
        plan(seed).faults
        and sum(1 for _client in plan(seed).clients) > 40
        and math.isfinite(plan(seed).load)
    )
