# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases and users that a new server is to have: which a datastore can have, and what is kept of the users' passwords.

What a server keeps itself is kept of a password, and nothing else: the manager has none.
"""
from __future__ import annotations

import re
import secrets
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from ...model.passwords import hashed, scram, sha256
from .errors import bad

Named = Dict[str, Any]


class Rules(NamedTuple):
    """Of a datastore. ``databases`` and ``users`` are names that are the server's own or ours, in small letters; ``most``: bytes of a name.

    ``letters``: what ``character_set`` and ``collate`` may be, anything where they are not said; ``hosts``: whether a user may be let in
    from some addresses alone; ``named``: whether databases have names; ``kept``: what is kept of a password.
    """

    databases: str
    users: str
    kept: Callable[[str], str]
    most: int = 0
    letters: Mapping[str, Tuple[str, ...]] = {}
    hosts: bool = True
    named: bool = True


def _scram(password: str) -> str:
    return scram(password, secrets.token_bytes(16))


_MARIADB = Rules(
    r"baton|information_schema|mysql|performance_schema|sys", r"root|mysql|mariadb\.sys|mariabackup|baton.*|[as]_[0-9a-f-]{36}", hashed
)
_VALKEY = Rules("", r"default|baton.*", sha256, hosts=False, named=False)
RULES: Mapping[str, Rules] = {
    "mariadb": _MARIADB,
    "galera": _MARIADB,
    "postgresql": Rules(
        r"postgres|template[01]|baton", r"postgres|public|none|baton.*|pg_.*", _scram, most=63,
        # Collations of the system differ between hosts: an index that one of them has sorted would be wrong on another
        letters={"character_set": ("UTF8",), "collate": ("C", "C.UTF-8")}, hosts=False,
    ),
    "valkey": _VALKEY,
    "redis": _VALKEY,
}  # fmt: skip


def kept(datastore: str, databases: Sequence[Named], users: Sequence[Named]) -> Tuple[List[Named], List[Named]]:
    """Return databases and users as they are kept; Problem 400 says what the datastore can't have of them."""
    rules = RULES[datastore]
    if databases and not rules.named:
        raise bad(f"databases of {datastore} have numbers, and are there: none can be made; leave databases out")
    for database in databases:
        _check_name(datastore, rules, str(database["name"]), rules.databases, "database")
        for member, words in rules.letters.items():
            if database.get(member) is not None and database[member] not in words:
                raise bad(f"{member} of database {database['name']!r} is {' or '.join(words)} for {datastore}; give that, or leave it out")
    return list(databases), [_user(datastore, rules, user) for user in users]


def _user(datastore: str, rules: Rules, user: Named) -> Named:
    name = str(user["name"])
    _check_name(datastore, rules, name, rules.users, "user")
    if not rules.hosts and user.get("host") not in (None, "%"):
        raise bad(f"host of user {name!r} can't be given: users of {datastore} come from anywhere; leave it out")
    others = {member: value for member, value in user.items() if member != "password" and (rules.hosts or member != "host")}
    return {**others, "hash": rules.kept(str(user["password"]))}


def _check_name(datastore: str, rules: Rules, name: str, own: str, what: str) -> None:
    if re.fullmatch(own, name, re.IGNORECASE):
        raise bad(f"{name!r} can't be the name of a {what}: it is the server's own; choose another")
    if rules.most and len(name.encode()) > rules.most:
        raise bad(f"{name!r} can't be the name of a {what}: it has more than the {rules.most} bytes that {datastore} takes")
