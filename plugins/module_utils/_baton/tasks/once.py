# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do something once for all hosts, runs and controllers; the others wait and get its result.

The action plugin only: a run of ansible-playbook holds it, and a module runs for it on the host that does it.
"""
from __future__ import annotations

import time
from typing import Any, Callable, Dict, Optional, Sequence

from ..client.contender import since
from ..client.error import ClientError
from ..client.once import USUAL_PROFILE, Once, Record, Turn, kept, plain
from .common import Context, Result, spec

SPEC = spec(
    name={"type": "str", "required": True},
    profile={"type": "str", "default": USUAL_PROFILE},
    module={"type": "str"},
    args={"type": "raw"},
    state={"type": "str", "choices": ["begun", "done", "failed", "awaited", "absent"]},
    result={"type": "raw"},
    why={"type": "str", "default": ""},
    retry={"type": "bool", "default": False},
    wait_timeout={"type": "float", "default": 3600.0},
)
MUTUALLY_EXCLUSIVE = [("module", "state")]
REQUIRED_ONE_OF = [("module", "state")]
STANDS = "; that stands until it is tried again (retry: true) or forgotten (state: absent)"
CUT = "the result is too large to be kept (64 KiB): the others get it without its text"
HIDDEN = "the result is not kept, since the task has no_log"
OF_THE_HOST = ("ansible_facts", "diff", "warnings", "deprecations")
Work = Callable[[], Result]


def run(context: Context, work: Optional[Work] = None, hidden: bool = False, failed: Sequence[str] = ()) -> Result:
    """``work`` runs the module; ``hidden``: the task has no_log; ``failed``: owners of this run that do nothing any more."""
    params = context.params
    once = Once(context.client, params["profile"], params["name"], context.owner, context.run_lease.ensure)
    if params["state"] == "absent":
        return {**_result(None), "changed": _forget(context, once), "state": "absent"}
    if context.check:
        return _predicted(context, once, work)
    if params["state"] in ("done", "failed"):
        return _end(context, once, hidden)
    if params["state"] == "awaited":
        return _await(context, once, failed)
    return _begin(context, once, work, hidden)


def _forget(context: Context, once: Once) -> bool:
    """Return whether there was an outcome."""
    if not context.check:
        return once.read() is not None and once.forget()
    with context.foreseen.of(f"once {once.profile} {once.name}") as seen:
        return bool(once.read() or seen.pop("record", None))


def _begin(context: Context, once: Once, work: Optional[Work], hidden: bool) -> Result:
    stood, wait = once.read(), context.params["wait_timeout"] if work is not None else 0.0
    record, turn = once.claim(lambda found: not _again(context, stood, found), wait, context.say)
    if turn is None and work is not None:
        return _told(context, record)
    if turn is None:
        holder = once.holder() if record is None else None
        return {**_result(record), **({} if holder is None else {"by": holder["Owner"], "at": holder["At"]})}
    if work is None:
        return {**_result(None), "changed": turn.new, "mine": True, "state": "begun", "by": once.owner}
    return _do(context, once, turn, work, hidden)


def _again(context: Context, stood: Optional[Record], found: Record) -> bool:
    """Return whether a failure is to be tried again: it stood when this task began, and is not another host's in this run."""
    if not context.params["retry"] or stood is None or found["State"] != "failed" or found["Token"] != stood["Token"]:
        return False
    ours = context.play is not None and found["By"].endswith(f", {context.play.label}")
    return not ours or found["By"] == context.owner


def _do(context: Context, once: Once, turn: Turn, work: Work, hidden: bool) -> Result:
    """Run the module and record how it ended. A host that can't be reached lets the next one do it."""
    try:
        result = work()
    except Exception as error:
        if any(kind.__name__ == "AnsibleConnectionFailure" for kind in type(error).__mro__):
            once.leave()
        else:
            _record(context, once, turn, None, hidden, f"{error}")
        raise
    why = None
    if result.get("failed", result.get("rc") not in (None, 0, "0")):
        why = _why(result)
    record = _record(context, once, turn, result, hidden or bool(result.get("_ansible_no_log")), why)
    told = {**_result(record), "changed": bool(result.get("changed")), "mine": True, "result": plain(result)}
    told.update({name: result[name] for name in OF_THE_HOST if name in result})
    return told if why is None else {**told, "failed": True, "msg": why + STANDS}


def _why(result: Result) -> str:
    """Return why a module failed: its message, and what a command said last."""
    last = str(result.get("stderr") or "").strip().rpartition("\n")[2][:200]
    return ": ".join(text for text in (str(result.get("msg") or ""), last) if text) or "it failed"


def _record(context: Context, once: Once, turn: Turn, result: Any, hidden: bool, why: Optional[str]) -> Record:
    value, cut = kept(plain(result))
    if hidden and result is not None:
        value, cut = None, False
        context.warnings.append(HIDDEN)
    if cut:
        context.warnings.append(CUT)
    reason = "" if why is None else "its output is hidden (no_log)" if hidden else why
    return once.record(turn, "done" if why is None else "failed", value, reason)


def _end(context: Context, once: Once, hidden: bool) -> Result:
    """Record how what this host has begun ended."""
    turn, state, why = once.ours(), context.params["state"], context.params["why"]
    if turn is None:
        record = once.read()
        if record is not None and (record["State"], record["By"]) == (state, once.owner):
            return {**_result(record), "mine": True}
        raise ClientError("conflict", f"{once.owner} has not begun {once.name!r}, or has lost it: {_stands(once, record)}")
    failure = None if state == "done" else why or "it failed"
    record = _record(context, once, turn, context.params["result"], hidden, failure)
    return {**_result(record), "changed": True, "mine": True}


def _await(context: Context, once: Once, failed: Sequence[str]) -> Result:
    """Wait for the outcome of what another host has begun."""
    if once.ours() is not None:
        raise ClientError("usage", f"{once.owner} has begun {once.name!r} itself: end it with state done or failed before it is awaited")

    def check() -> None:
        holder = once.holder()
        if holder is not None and holder["Owner"] in failed:
            lead = f"{holder['Owner']} has begun {once.name!r} and failed without a word"
            raise ClientError("conflict", f"{lead}: say state failed in a rescue")

    record, turn = once.claim(lambda _record: True, context.params["wait_timeout"], context.say, check)
    if turn is not None:
        once.leave()
        raise ClientError("conflict", f"who began {once.name!r} is gone without a word, or nobody has: run the play again")
    return _told(context, record)


def _stands(once: Once, record: Optional[Record]) -> str:
    if record is not None:
        return f"{record['By']} says {record['State']}"
    holder = once.holder()
    return "nobody does it" if holder is None else f"{holder['Owner']} does it"


def _told(context: Context, record: Optional[Record]) -> Result:
    """Return what another host's work came to: its result, or its failure."""
    result = _result(record)
    if record is not None and record["State"] == "failed":
        at = since(record["At"], time.time())
        tried = f"{record['By']} tried {context.params['name']!r} at {at} and failed: {record['Why']}"
        return {**result, "failed": True, "msg": tried + STANDS}
    return result


def _predicted(context: Context, once: Once, work: Optional[Work]) -> Result:
    """Say what would happen. The first host of the run that comes would do it; the others find what it would have left."""
    with context.foreseen.of(f"once {once.profile} {once.name}") as seen:
        return _foresee(context, once, work, seen)


def _foresee(context: Context, once: Once, work: Optional[Work], seen: Dict[str, Any]) -> Result:
    """``seen``: holder and record, as the tasks of this run before would have left them."""
    record, state = once.read() or seen.get("record"), context.params["state"]
    holder = once.holder() or seen.get("holder")
    mine = holder is not None and holder["Owner"] == once.owner
    us = {"Owner": once.owner, "At": int(time.time())}
    if state in ("done", "failed"):
        changed = record is None or record["State"] != state
        if changed and mine:
            failure = "" if state == "done" else context.params["why"] or "it failed"
            seen.update(holder=None, record=_would_be(us, state, context.params["result"], failure))
        return {**_result(record), "changed": changed, "mine": mine}
    if record is not None and not _again(context, record, record):
        return _told(context, record) if state != "begun" else _result(record)
    if state == "awaited" or (holder is not None and not mine):
        return {**_result(None), **({} if holder is None else {"by": holder["Owner"], "at": holder["At"]})}
    if work is None:
        seen["holder"] = us
        return {**_result(None), "changed": not mine, "mine": True}
    done = work()
    failed = done.get("failed", done.get("rc") not in (None, 0, "0"))
    seen["record"] = _would_be(us, "failed" if failed else "done", kept(plain(done))[0], _why(done) if failed else "")
    return {**done, **_result(None), "changed": bool(done.get("changed")), "mine": True, "result": plain(done)}


def _would_be(us: Dict[str, Any], state: str, result: Any, why: str) -> Record:
    """Return the outcome that would be recorded."""
    return {"State": state, "Result": result, "Why": why, "By": us["Owner"], "At": us["At"], "Token": 0}


def _result(record: Optional[Record]) -> Result:
    found: Dict[str, Any] = record or {}
    return {
        "changed": False,
        "mine": False,
        "state": found.get("State", "begun").lower(),
        "done": found.get("State") == "done",
        "result": found.get("Result"),
        "why": found.get("Why") or None,
        "by": found.get("By"),
        "at": found.get("At"),
    }
