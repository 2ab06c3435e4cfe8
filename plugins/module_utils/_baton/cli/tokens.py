# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl tokens: who may do what. A token is shown once, when it is made."""
from __future__ import annotations

from typing import Any, Mapping

from ..client.api import scope_of
from .common import Context, add_group, add_verb
from .output import when


def add(groups: Any) -> None:
    verbs = add_group(groups, "tokens", "make and revoke tokens")
    add_verb(verbs, "list", list_tokens, "list the tokens (not their secrets)")
    create = add_verb(verbs, "create", create_token, "make a token, which is shown this once")
    create.add_argument("--profile", metavar="NAME", help="for this profile and nothing else (without any of these: an admin token)")
    create.add_argument("--project", metavar="NAME", help="for what is named NAME or NAME:… and nothing else")
    create.add_argument("--guest", metavar="HOST", help="for the guest of this host of the pool")
    create.add_argument("--viewer", action="store_true", help="for reading alone; with --project, what is the project's")
    create.add_argument("--ttl", help="how long it lasts, such as 90s, 15m, 2h, 7d, 3y (for ever)")
    create.add_argument("--description", default="", metavar="TEXT", help="what it is for")
    revoke = add_verb(verbs, "revoke", revoke_token, "make a token worthless at once")
    revoke.add_argument("id", metavar="ID")


def scope_name(scope: Mapping[str, Any]) -> str:
    """Return a scope in a few words."""
    kind, name = str(scope.get("kind")), scope.get("name") or scope.get("project")
    if kind == "viewer" and name:
        return f"viewer of project {name}"
    return f"{kind} {name}" if name else kind


def list_tokens(context: Context) -> None:
    found = context.client.tokens()
    if context.out.as_json:
        context.out.json(found)
        return
    rows = [[t["Id"], scope_name(t["Scope"] or {}), when(t["Created"]), when(t["Expires"]), t.get("Description") or ""] for t in found]
    context.out.table(["ID", "SCOPE", "CREATED", "EXPIRES", "DESCRIPTION"], rows, "There are no tokens.")


def create_token(context: Context) -> None:
    args = context.args
    scope = scope_of(args.profile, args.project, args.viewer, args.guest)
    show_made(context, context.client.create_token(scope, args.ttl, args.description))


def show_made(context: Context, made: Mapping[str, Any]) -> None:
    """Show a new token: all of it to a script; to a person the token alone on stdout, and beside it what it is for."""
    if context.out.as_json:
        context.out.json(made)
        return
    context.out.line(made["Token"])
    if context.out.talks:
        context.out.notice(f"{scope_name(made['Scope'])} token, expires: {when(made['Expires'])}; id {made['Id']}")


def revoke_token(context: Context) -> None:
    context.client.revoke_token(context.args.id)
    context.out.done({"Id": context.args.id}, f"Revoked token {context.args.id}.")
