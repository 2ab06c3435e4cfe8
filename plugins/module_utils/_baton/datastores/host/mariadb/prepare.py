# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a MariaDB server: what is looked at before anything is touched, its data, and who may do what in it.

Nothing of it stands in the binary log, so that a new server has written nothing. No password stands on a command line, in the
environment, or in a statement.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping, Sequence

from ...model.passwords import hashed
from ..checks import COPY_PORT, LEAST_ROOM, Need, check_port, check_room
from ..files import ROOT, remove, write
from ..runner import run
from ..trouble import Trouble
from . import sql
from .instance import ACKNOWLEDGES, CATCHES_UP, Instance, executable, ourselves
from .source import CREATE_TERM, make_user

DATASTORE = "mariadb"
OF_THE_SERVER = ("mysql", "sys", "information_schema", "performance_schema", "baton")


def prepare(instance: Instance, args: Mapping[str, Any], need: Need) -> None:
    """Make the server and start it; one that was made already is started. ``need``: has a version here. Trouble: nothing is left of it."""
    files = instance.files
    if files.is_ours() and files.ready.exists():
        if not instance.memory.get("spec"):
            instance.remember_spec(args, follow=None, whole=False)
        instance.start()
        return
    make_anew(instance, args, (COPY_PORT,), lambda: need(DATASTORE, str(args["version"])), _make)


def make_anew(
    instance: Instance, args: Mapping[str, Any], above: Sequence[int], need: Callable[[], None],
    make: Callable[[Any, Mapping[str, Any]], None], room: int = LEAST_ROOM,
) -> None:  # fmt: skip
    """Look whether it can be made here, and make it; nothing is left of one that can't. ``above``: see check_port."""
    files = instance.files
    _check(instance, args, above, room)
    need()
    files.make()
    try:
        if instance.pid() is not None:  # of an attempt that was cut off
            instance.kill()
        for path in (files.data, files.incoming, files.aside):
            remove(path)
        files.write(args)
        make(instance, args)
        write(files.ready, "")
    except BaseException:
        if instance.pid() is not None:
            instance.kill()
        instance.remember(spec=None)
        files.remove()
        raise


def _make(instance: Instance, args: Mapping[str, Any]) -> None:
    install(instance)
    instance.remember_spec(args, follow=None)
    instance.start()
    with instance.session(30.0) as session:
        _fill(session, instance, args)
    instance.remember(whole=True)


def install(instance: Instance) -> None:
    """Make the data of a server that has nothing yet, which we alone may use."""
    files = instance.files
    files.data.mkdir()
    files.own(files.data, 0o700)
    try:
        run(
            [
                executable("mariadb-install-db"), f"--defaults-file={files.settings}", "--skip-test-db", "--skip-name-resolve",
                "--auth-root-authentication-method=socket", f"--auth-root-socket-user={ourselves()}",
                *(["--user=root"] if files.user == ROOT else []),
            ],
            files.user, files.folder,
        )  # fmt: skip
    except Trouble as trouble:
        raise Trouble(f"a server can't be made: {files.last_error() or trouble}") from None


# --- what is looked at first ------------------------------------------------------------------------------------------------


def _check(instance: Instance, args: Mapping[str, Any], above: Sequence[int], room: int) -> None:
    if not instance.files.is_ours():
        check_port(str(args["address"]), int(args["port"]), above)
    check_room(instance.files.folder, args.get("volume"), room)
    for database in args.get("databases") or ():
        _check_database(str(database["name"]))
    for user in args.get("users") or ():
        _check_user(user)


def found_version() -> str:
    """Return the version that is installed, such as 10.11, "" for one that nobody knows; Trouble says what to install."""
    for name in ("mariadbd", "mariadb-install-db", "mariadb-backup", "mbstream"):
        executable(name)
    found = re.search(r"\b([0-9]+\.[0-9]+)\.[0-9]+-MariaDB", run([executable("mariadbd"), "--version"]))
    return found[1] if found else ""


def _check_database(name: str) -> None:
    if not 0 < len(name) <= 64 or name.lower() in OF_THE_SERVER or name.endswith(" ") or not name.isprintable():
        raise Trouble(f"{name[:64]!r} can't be the name of a database: choose another")


def _check_user(user: Mapping[str, Any]) -> None:
    name = str(user["name"])
    if not 0 < len(name) <= 80 or name.startswith("baton_") or name in ("root", "mysql", ourselves()) or not name.isprintable():
        raise Trouble(f"{name[:80]!r} can't be the name of a user: choose another")
    if not user.get("hash") and not user.get("password"):
        raise Trouble(f"user {name} has no password: give one")
    for database in user.get("databases") or ():
        _check_database(str(database["name"]))


# --- what is in it ------------------------------------------------------------------------------------------------------------


def _fill(session: sql.Session, instance: Instance, args: Mapping[str, Any]) -> None:
    session.ask("SET SESSION sql_log_bin=0")
    session.ask("CREATE DATABASE IF NOT EXISTS baton")
    session.ask(CREATE_TERM)
    make_user(session, CATCHES_UP + instance.id, instance.password, locked=False)
    make_user(session, ACKNOWLEDGES + instance.id, instance.password, locked=True)
    fill(session, args)


def fill(session: sql.Session, args: Mapping[str, Any]) -> None:
    """Make what people want to be in a new server, and nothing of what they don't."""
    session.ask("DROP USER IF EXISTS 'mysql'@'localhost'")  # other servers of this host run as this user
    for database in args.get("databases") or ():
        make_database(session, database)
    for user in args.get("users") or ():
        make_account(session, user)


def make_database(session: sql.Session, database: Mapping[str, Any]) -> None:
    statement = f"CREATE DATABASE IF NOT EXISTS {sql.name(str(database['name']))}"
    for word, key in (("CHARACTER SET", "character_set"), ("COLLATE", "collate")):
        if database.get(key):
            statement += f" {word} {sql.name(str(database[key]))}"
    session.ask(statement)


def make_account(session: sql.Session, user: Mapping[str, Any]) -> None:
    """Make a user of people: all of some databases, and no right that ``read_only`` does not stop."""
    who = (str(user["name"]), str(user.get("host") or "%"))
    session.ask("CREATE USER IF NOT EXISTS %s@%s IDENTIFIED BY PASSWORD %s", *who, user.get("hash") or hashed(str(user["password"])))
    for database in user.get("databases") or ():
        session.ask(f"GRANT ALL ON {sql.pattern(str(database['name'])).replace('%', '%%')}.* TO %s@%s", *who)
