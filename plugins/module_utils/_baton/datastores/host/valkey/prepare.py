# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a Valkey or Redis server: what is looked at before anything is touched, and its first data, which are people's users."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping

from ...model.passwords import sha256
from ..checks import COPY_PORT, Need, check_port, check_room
from ..files import remove, write
from ..runner import run
from ..trouble import Trouble
from . import state
from .config import TLS_PORT, parameters
from .instance import REST, Instance, executable

COPIES_ABOVE = COPY_PORT + 1000  # the server's port: where it receives a copy
LEAST_ROOM = 64 << 20  # bytes
FILLS_WITHIN = 30.0  # seconds
HASH = re.compile(r"[0-9a-f]{64}\Z")
NAME = re.compile(r"[!-~]{1,80}\Z")
PATTERN = re.compile(r"[!-~]{1,200}\Z")
NO_DATABASES = "databases of {datastore} have numbers, and are there: none can be created; leave them out"


def prepare(instance: Instance, datastore: str, args: Mapping[str, Any], need: Need) -> None:
    """Make the server and start it; one that was made already is started. ``need``: has a version here. Trouble: nothing is left of it."""
    files = instance.files
    if files.is_ours() and files.ready.exists():
        if not instance.memory.get("spec"):
            instance.remember_spec(args, follow=None, whole=False, made=True)
        instance.start()
        return
    users = _check(instance, datastore, args)
    need(datastore, str(args["version"]))
    files.make()
    try:
        _make(instance, args, users)
        write(files.ready, "")
    except BaseException:
        if instance.pid() is not None:
            instance.kill()
        instance.remember(spec=None, made=False)
        files.remove()
        raise


def _make(instance: Instance, args: Mapping[str, Any], users: List[Dict[str, Any]]) -> None:
    files = instance.files
    if instance.pid() is not None:  # of an attempt that was cut off
        instance.kill()
    for path in (files.data, files.incoming, files.aside):
        remove(path)
    files.data.mkdir()
    files.own(files.data, 0o700)
    files.write(args)
    instance.remember_spec(args, follow=None, own=None, made=False)
    instance.start()
    with instance.session(FILLS_WITHIN) as session:  # nobody else can come in yet
        session.ask("REPLICAOF", "NO", "ONE")
        session.ask(*state.loading(state.State(users=tuple(users))))
        session.at_once(*REST)
    instance.remember(whole=True, made=True)
    instance.start()


def _check(instance: Instance, datastore: str, args: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """Return the users as they are kept."""
    if not instance.files.is_ours():
        check_port(str(args["address"]), int(args["port"]), (TLS_PORT, COPIES_ABOVE))
    check_room(instance.files.folder, args.get("volume"), LEAST_ROOM)
    if args.get("databases"):
        raise Trouble(NO_DATABASES.format(datastore=datastore))
    parameters(args.get("parameters") or {})
    return [_user(user) for user in args.get("users") or ()]


def _user(user: Mapping[str, Any]) -> Dict[str, Any]:
    name = str(user["name"])
    if not NAME.match(name) or name.lower() == "default" or name.startswith(state.OURS):
        raise Trouble(f"{name[:80]!r} can't be the name of a user: choose another")
    hashed = str(user.get("hash") or (sha256(str(user["password"])) if user.get("password") else ""))
    if not HASH.match(hashed):
        raise Trouble(f"user {name} has no password: give one")
    keys = [str(each["name"]) for each in user.get("databases") or ()] or ["*"]
    wrong = [pattern for pattern in keys if not PATTERN.match(pattern)]
    if wrong:
        raise Trouble(f"{wrong[0][:80]!r} can't be a pattern of keys: choose letters that can be seen, and no spaces")
    return {"name": name, "hash": hashed, "keys": keys}


def found_version(name: str) -> str:
    """Return the version of a program that is installed, such as 8.1; Trouble says what to install."""
    found = re.search(r"\bv=([0-9]+\.[0-9]+)\.", run([executable(name), "--version"]))
    return found[1] if found else ""


def found_valkey() -> str:
    return found_version("valkey-server")


def found_redis() -> str:
    return found_version("redis-server")
