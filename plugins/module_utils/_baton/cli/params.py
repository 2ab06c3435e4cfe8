# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl profiles|machines: their params and metadata, waiting for them, and tokens for one profile.

``set`` with -r, ``add`` and ``remove`` compare that one member and nothing else, so unrelated writes never conflict.
"""
from __future__ import annotations

import argparse
from typing import Any

from ..client import UNSET
from ..client_error import ClientError
from ..merging import escaped
from .common import KEYS, Context, add_group, add_verb, key_of, seconds, value_of
from .output import cell, when

CONDITIONS = ("equals", "differs", "exists", "absent", "changed")


def add(verbs: Any, kind: str) -> None:
    """Add the verbs of one kind; the words param and to are part of the sentence, as Digital Rebar's drpcli has it."""
    one = kind[:-1]
    params = add_verb(verbs, "params", show_params, f"show all params that are set on a {one}", kind=kind)
    params.add_argument("name", metavar=KEYS[kind])
    get = _param_verb(verbs, kind, "get", get_param, f"show a param of a {one}: its value, or its schema's default")
    get.set_defaults(takes_ref=False)
    put = _param_verb(verbs, kind, "set", set_param, f"set a param of a {one}; with -r REF only if REF stands there now")
    put.add_argument("to", choices=("to",), metavar="to")
    put.add_argument("value", metavar="VALUE", help="JSON, or else a string; - reads stdin")
    put.set_defaults(takes_ref=True)
    new = _param_verb(verbs, kind, "add", add_param, f"set a param of a {one} that is not set; fails if it is")
    new.add_argument("value", metavar="VALUE", help="JSON, or else a string; - reads stdin")
    gone = _param_verb(verbs, kind, "remove", remove_param, f"unset a param of a {one}; with -r REF only if REF stands there")
    gone.set_defaults(takes_ref=True)
    wait = _param_verb(verbs, kind, "wait", wait_param, f"wait until a param of a {one} meets a condition, and show it")
    wait.add_argument("condition", nargs="?", choices=CONDITIONS, default="exists", help="exists, if nothing is said")
    wait.add_argument("value", nargs="?", metavar="VALUE", help="for equals and differs")
    wait.add_argument("--wait-timeout", type=seconds, default=300.0, metavar="SECONDS", help="how long in all (300)")
    _add_meta(verbs, kind)
    if kind == "profiles":
        token = add_verb(verbs, "token", make_token, "make a token for this profile and nothing else", kind=kind)
        token.add_argument("name", metavar="NAME")
        token.add_argument("--ttl", help="how long it lasts, such as 90s, 15m, 2h, 7d (2h)")


def _param_verb(verbs: Any, kind: str, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser = add_verb(verbs, name, run, text, kind=kind)
    parser.add_argument("name", metavar=KEYS[kind])
    parser.add_argument("word", choices=("param",), metavar="param")
    parser.add_argument("param", metavar="PARAM")
    return parser


def _add_meta(verbs: Any, kind: str) -> None:
    inner = add_group(verbs, "meta", f"show and change the metadata of a {kind[:-1]} (icon, color, …)", "meta_verb")
    get = add_verb(inner, "get", get_meta, "show one member of the metadata, or all", kind=kind)
    get.add_argument("name", metavar=KEYS[kind])
    get.add_argument("key", metavar="KEY", nargs="?")
    put = add_verb(inner, "set", set_meta, "set one member of the metadata; with -r REF only if REF stands there now", kind=kind)
    put.add_argument("name", metavar=KEYS[kind])
    put.add_argument("word", choices=("key",), metavar="key")
    put.add_argument("key", metavar="KEY")
    put.add_argument("to", choices=("to",), metavar="to")
    put.add_argument("value", metavar="VALUE", help="JSON, or else a string; - reads stdin")
    put.set_defaults(takes_ref=True)


# --- params -----------------------------------------------------------------------------------------------------------


def show_params(context: Context) -> None:
    found = context.client.params(context.args.kind, key_of(context)).body
    if context.out.as_json:
        context.out.json(found)
        return
    context.out.table(["PARAM", "VALUE"], [[name, cell(found[name])] for name in sorted(found)], "No param is set.")


def get_param(context: Context) -> None:
    args = context.args
    context.out.value(context.client.get_param(args.kind, key_of(context), args.param).body)


def set_param(context: Context) -> None:
    args, key = context.args, key_of(context)
    value = value_of(args.value)
    if context.has_ref:
        context.client.swap_param(args.kind, key, args.param, context.ref, value)
    else:
        context.client.set_param(args.kind, key, args.param, value)
    context.out.done(value, f"Set {args.param} on {key}.")


def add_param(context: Context) -> None:
    args, key = context.args, key_of(context)
    value = value_of(args.value)
    context.client.add_param(args.kind, key, args.param, value)
    context.out.done(value, f"Set {args.param} on {key}.")


def remove_param(context: Context) -> None:
    args, key = context.args, key_of(context)
    context.client.delete_param(args.kind, key, args.param, context.ref if context.has_ref else UNSET)
    context.out.done(None, f"Unset {args.param} on {key}.")


def wait_param(context: Context) -> None:
    args, key = context.args, key_of(context)
    compares = args.condition in ("equals", "differs")
    if compares != (args.value is not None):
        raise ClientError("usage", f"wait … {args.condition} " + ("needs a value" if compares else "takes no value"))
    value = value_of(args.value) if compares else None
    answer = context.client.wait(args.kind, key, args.param, args.condition, value, timeout=args.wait_timeout)
    if answer.status == 204:
        context.out.done(None, f"{args.param} is not set on {key}.")
    else:
        context.out.value(answer.body)


# --- metadata, tokens -------------------------------------------------------------------------------------------------


def get_meta(context: Context) -> None:
    key = key_of(context)
    meta = context.client.get(context.args.kind, key).body.get("Meta") or {}
    if context.args.key is None:
        context.out.value(meta) if context.out.as_json else context.out.members(meta)
    elif context.args.key in meta:
        context.out.value(meta[context.args.key])
    else:
        raise ClientError("not_found", f"{context.args.kind[:-1]} {key!r} has no metadata {context.args.key!r}", 404)


def set_meta(context: Context) -> None:
    args, key = context.args, key_of(context)
    value, path = value_of(args.value), f"/Meta/{escaped(args.key)}"
    operations = [{"op": "test", "path": path, "value": context.ref}] if context.has_ref else []
    context.client.patch(args.kind, key, [*operations, {"op": "add", "path": path, "value": value}], want=False)
    context.out.done(value, f"Set {args.key} in the metadata of {key}.")


def make_token(context: Context) -> None:
    made = context.client.profile_token(context.args.name, context.args.ttl)
    if context.out.as_json:
        context.out.json(made)
        return
    context.out.line(made["Token"])
    if context.out.talks:
        context.out.notice(f"valid until {when(made['Expires'])}, for profile {context.args.name} only; id {made['Id']}")
