# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a PostgreSQL server: what is looked at before anything is touched, its data, and who may do what in it.

It is filled while nobody but us can reach it; then it is started anew, read-only. No password stands on a command line, in the
environment, or in a statement.
"""

from __future__ import annotations

import re
import secrets
from typing import Any, Dict, List, Mapping

from ...model.passwords import SCRAM, scram
from ..checks import LEAST_ROOM, Need, check_port, check_room
from ..files import remove, write
from ..runner import run
from ..trouble import Trouble
from . import sql
from .config import State
from .instance import BIN, Instance, executable
from .source import CREATE, keep_password

DATASTORE = "postgresql"
PROGRAMS = ("postgres", "initdb", "pg_basebackup", "pg_controldata", "pg_rewind")
OF_THE_SERVER = ("postgres", "template0", "template1", "baton")
READS = (  # what pg_rewind asks a source for
    "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)", "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)  # fmt: skip
FILLS_WITHIN = 60.0  # seconds


def prepare(instance: Instance, args: Mapping[str, Any], need: Need) -> None:
    """Make the server and start it; one that was made already is started. ``need``: has a version here. Trouble: nothing is left of it."""
    files = instance.files
    if files.is_ours() and files.ready.exists():
        if not instance.memory.get("spec"):
            instance.remember_spec(args, follow=None)
        instance.start()
        return
    _check(instance, args)
    need(DATASTORE, str(args["version"]))
    files.make()
    try:
        _make(instance, args)
    except BaseException:
        instance.making = False
        if instance.pid() is not None:
            instance.kill()
        instance.remember(spec=None)
        files.remove()
        raise


def _make(instance: Instance, args: Mapping[str, Any]) -> None:
    files = instance.files
    if instance.pid() is not None:  # of an attempt that was cut off
        instance.kill()
    for path in (files.data, files.incoming, files.aside):
        remove(path)
    files.write(args)
    instance.remember_spec(args, follow=None, counted=None)
    files.data.mkdir()
    files.own(files.data, 0o700)
    command = [
        executable("initdb", str(args["version"])), "-D", str(files.data), "-U", sql.ADMIN, "--data-checksums", "--encoding=UTF8",
        "--locale=C.UTF-8", "--auth=peer", "--no-instructions",
    ]  # fmt: skip
    run(command, files.user, files.folder)
    instance.making = True
    instance.start()
    _fill(instance, args)
    instance.stop()
    instance.making = False
    write(files.ready, "")
    instance.start()


# --- what is looked at first ------------------------------------------------------------------------------------------------


def _check(instance: Instance, args: Mapping[str, Any]) -> None:
    if not instance.files.is_ours():
        check_port(str(args["address"]), int(args["port"]))
    check_room(instance.files.folder, args.get("volume"), LEAST_ROOM)
    for database in args.get("databases") or ():
        _check_database(str(database["name"]))
    for user in args.get("users") or ():
        _check_user(user)
    instance.files.postgresql_conf(args, State())


def found_version() -> str:
    """Return the newest version that is installed in full, such as 17; Trouble says what to install."""
    there: Dict[int, List[str]] = {}
    for path in sorted(BIN.glob("[0-9][0-9]/bin/*")):
        there.setdefault(int(path.parts[-3]), []).append(path.name)
    full = [version for version, names in there.items() if set(PROGRAMS) <= set(names)]
    if not full:
        raise Trouble(f"there is no server of PostgreSQL in {BIN} on this host: install the package postgresql")
    return str(max(full))


def _check_database(name: str) -> None:
    if not 0 < len(name.encode()) <= 63 or name.lower() in OF_THE_SERVER or not name.isprintable():
        raise Trouble(f"{name[:63]!r} can't be the name of a database: choose another")


def _check_user(user: Mapping[str, Any]) -> None:
    name = str(user["name"])
    is_ours = name.lower().startswith(("baton", "pg_")) or name.lower() in ("postgres", "public", "none")
    if not 0 < len(name.encode()) <= 63 or is_ours or not name.isprintable():
        raise Trouble(f"{name[:63]!r} can't be the name of a user: choose another")
    kept = user.get("hash")
    if kept and not re.fullmatch(rf"{SCRAM}\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+", str(kept)):
        raise Trouble(f"what is kept of the password of user {name} is not PostgreSQL's: give the password")
    if not kept and not user.get("password"):
        raise Trouble(f"user {name} has no password: give one")
    for database in user.get("databases") or ():
        _check_database(str(database["name"]))


# --- what is in it ------------------------------------------------------------------------------------------------------------


def _fill(instance: Instance, args: Mapping[str, Any]) -> None:
    with instance.session(FILLS_WITHIN) as session:
        session.ask(CREATE)
        keep_password(session, instance.password)
        for database in ("postgres", "template1"):
            session.ask(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        session.ask(f"GRANT CONNECT ON DATABASE {sql.DATABASE} TO {sql.REPLICATION}")
        session.ask(f"GRANT USAGE ON SCHEMA baton TO {sql.REPLICATION}; GRANT SELECT ON baton.reigns TO {sql.REPLICATION}")
        for function in READS:
            session.ask(f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {sql.REPLICATION}")
        users = list(args.get("users") or ())
        for user in users:
            _make_user(session, user)
        for database in args.get("databases") or ():
            _make_database(session, database, users)
    for database in args.get("databases") or ():
        others = _users_of(str(database["name"]), users)[1:]
        with instance.session(FILLS_WITHIN, str(database["name"])) as session:
            for user in others:
                session.ask(f"GRANT ALL ON SCHEMA public TO {sql.name(user)}")


def _make_user(session: sql.Session, user: Mapping[str, Any]) -> None:
    """Make a user of people, who is nobody but the owner of some databases."""
    kept = str(user.get("hash") or scram(str(user["password"]), secrets.token_bytes(16)))
    session.ask(f"CREATE ROLE {sql.name(str(user['name']))} LOGIN PASSWORD {sql.quoted(kept)}")


def _make_database(session: sql.Session, database: Mapping[str, Any], users: List[Mapping[str, Any]]) -> None:
    """Make a database; it belongs to the first user who is to have it, and others may do in it what they are let do."""
    name = str(database["name"])
    whose = _users_of(name, users)
    owner = f" OWNER {sql.name(whose[0])}" if whose else ""
    session.ask(f"CREATE DATABASE {sql.name(name)}{owner} TEMPLATE template0{_letters(database)}")
    session.ask(f"REVOKE ALL ON DATABASE {sql.name(name)} FROM PUBLIC")
    for user in whose[1:]:
        session.ask(f"GRANT ALL ON DATABASE {sql.name(name)} TO {sql.name(user)}")


def _letters(database: Mapping[str, Any]) -> str:
    encoding, collate = database.get("character_set"), database.get("collate")
    words = f" ENCODING {sql.quoted(str(encoding))}" if encoding else ""
    return f"{words} LOCALE {sql.quoted(str(collate))}" if collate else words


def _users_of(database: str, users: List[Mapping[str, Any]]) -> List[str]:
    return [str(user["name"]) for user in users if any(str(each["name"]) == database for each in user.get("databases") or ())]
