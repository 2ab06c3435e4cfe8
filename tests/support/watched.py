# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays that exclude each other, with a diary: who is inside of which lock, and who has done what is done once."""

import copy
from collections import Counter, defaultdict

LOCK, ONCE, EXCLUSIVE = "baton.ha.lock", "baton.ha.once", "baton.ha.exclusive"


def excludes(plays):
    """Return whether plays hold a lock or do something once."""
    return any(word in str(plays) for word in (LOCK, ONCE, EXCLUSIVE))


def watched(plays, diary):
    """Return the plays with tasks that write "in NAME", "out NAME" and "did NAME"; and how many may be in each lock at once."""
    plays, room = copy.deepcopy(plays), {}
    for play in plays:
        held = {}
        tasks = _tasks(play.get("tasks", []), diary, room, held)
        if any(EXCLUSIVE in str(role) for role in play.get("roles", ())):
            room["the play"] = len(play["hosts_of_one_run"])
            tasks = [_write(diary, "in the play"), *tasks, _write(diary, "out the play")]
        play["tasks"] = [*tasks, *({**_write(diary, f"out {name}"), **how} for name, how in held.items())]
    return plays, room


def _tasks(tasks, diary, room, held):
    """``held``: name -> keywords, of what this play has taken and not given back yet."""
    found = []
    for task in tasks:
        for part in ("block", "rescue", "always"):
            if part in task:
                task[part] = _tasks(task[part], diary, room, held)
        lock, once = task.get(LOCK), task.get(ONCE)
        if lock and not lock.get("shared"):
            found += _locked(task, lock, diary, room, held)
        elif once and once.get("state") == "begun":
            found += [task, {**_write(diary, f"did {once['name']}"), "when": f"{task['register']}.mine"}]
        elif once and "module" in once:
            once["args"]["cmd"] = f"sh -c 'echo did {once['name']} >> {diary}; {once['args']['cmd']}'"
            found.append(task)
        else:
            found.append(task)
    return found


def _locked(task, lock, diary, room, held):
    how = {"run_once": True} if task.get("run_once") else {}
    if lock.get("state") == "released":
        held.pop(lock["name"], None)
        return [{**_write(diary, f"out {lock['name']}"), **how}, task]
    room[lock["name"]], held[lock["name"]] = lock.get("slots", 1), how
    return [task, {**_write(diary, f"in {lock['name']}"), **how}]


def _write(diary, line):
    return {"name": line, "ansible.builtin.raw": f"echo {line} >> {diary}", "changed_when": False}


def most_inside(lines):
    """Return {name: how many were inside at once, at most}, and {name: how often it was done}."""
    inside, most, did = Counter(), defaultdict(int), Counter()
    for line in lines:
        word, _space, name = line.partition(" ")
        if word == "did":
            did[name] += 1
            continue
        inside[name] += 1 if word == "in" else -1
        most[name] = max(most[name], inside[name])
    return dict(most), dict(did)
