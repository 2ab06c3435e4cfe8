# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl users: what drpcli's scripts call a user's token. Baton has tokens and no users, so it is an admin token with a name on it.

A role, scope, action or specific as drpcli has them is refused: a token that may do more than was asked for would be worse than none.
"""
from __future__ import annotations

from typing import Any

from ..client.error import ClientError
from .common import Context, add_group, add_verb
from .tokens import show_made

DEFAULT_TTL = "1h"  # as drpcli's


def add(groups: Any) -> None:
    verbs = add_group(groups, "users", "make tokens in drpcli's words")
    token = add_verb(verbs, "token", make_token, "make an admin token that is described as this user's")
    token.add_argument("name", metavar="NAME")
    token.add_argument("word", nargs="?", choices=("ttl",), metavar="ttl")
    token.add_argument("ttl", nargs="?", metavar="TTL", help="how long it lasts: seconds, or such as 90s, 15m, 2h, 7d, 3y (1h)")


def make_token(context: Context) -> None:
    args = context.args
    if (args.word is None) != (args.ttl is None):
        raise ClientError("usage", "users token … ttl needs a time such as 7200 or 3y")
    show_made(context, context.client.create_token({"kind": "admin"}, args.ttl or DEFAULT_TTL, f"user {args.name}"))
