# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl profiles|machines, and what else has params: the params, waiting for them, and tokens for one profile.

``set`` with -r, ``add`` and ``remove`` compare that one member and nothing else, so unrelated writes never conflict. Where drpcli says
a thing in other words than ours, both are taken; what only the name drpcli changes asks ``as_drpcli``.
"""
from __future__ import annotations

import argparse
import json
from typing import Any, Tuple

from ..client.api import UNSET, described
from ..client.error import ClientError, short
from ..client.patience import Patience
from ..core.model.conditions import CONDITIONS, WITH_VALUE
from ..core.model.kinds import singular
from . import meta
from .common import Context, add_verb, key_of, key_word, seconds, value_of
from .output import cell, when

OFFERED = tuple(name for name in CONDITIONS if name not in ("in", "count"))  # of a param, compared with one word
PARAM_TIMEOUT, FIELD_TIMEOUT = 300.0, 86400.0


class Offered(Tuple[str, ...]):
    """Choices that help and completion offer, and beside which something else may stand."""

    def __contains__(self, _word: object) -> bool:
        return True


def add(verbs: Any, kind: str) -> None:
    """Add the verbs of one kind; the words param and to are part of the sentence, as Digital Rebar's drpcli has it."""
    one = singular(kind)
    params = add_verb(verbs, "params", show_params, f"show all params that are set on a {one}", kind=kind)
    params.add_argument("name", metavar=key_word(kind))
    get = _param_verb(verbs, kind, "get", get_param, f"show a param of a {one}: its value, or its schema's default")
    get.set_defaults(aggregate=False)
    if kind == "machines":
        get.add_argument("--aggregate", action="store_true", help="if it is not set there, as the first of its Profiles has it")
    put = _param_verb(verbs, kind, "set", set_param, f"set a param of a {one}; with -r REF only if REF stands there now")
    put.add_argument("to", choices=("to",), metavar="to")
    put.add_argument("value", metavar="VALUE", help="JSON, or else a string; - reads stdin")
    put.set_defaults(takes_ref=True)
    new = _param_verb(verbs, kind, "add", add_param, f"set a param of a {one} that is not set; fails if it is")
    new.add_argument("to", choices=Offered(["to"]), metavar="to", help="may be left out")
    new.add_argument("value", nargs="?", metavar="VALUE", help="JSON, or else a string; - reads stdin")
    gone = _param_verb(verbs, kind, "remove", remove_param, f"unset a param of a {one}; with -r REF only if REF stands there")
    gone.set_defaults(takes_ref=True)
    wait = add_verb(verbs, "wait", wait_for, f"wait until a param of a {one} meets a condition, or FIELD of the {one} is VALUE", kind=kind)
    wait.add_argument("name", metavar=key_word(kind))
    wait.add_argument("word", choices=Offered(["param"]), metavar="param", help="or FIELD, followed by VALUE [TIMEOUT]")
    wait.add_argument("param", metavar="PARAM")
    wait.add_argument("condition", nargs="?", choices=Offered(OFFERED), help="exists, if nothing is said")
    wait.add_argument("value", nargs="?", metavar="VALUE", help="for equals and differs")
    wait.add_argument("--wait-timeout", type=seconds, metavar="SECONDS", help="how long in all (300; a day for a FIELD)")
    meta.add(verbs, kind)
    if kind == "profiles":
        token = add_verb(verbs, "token", make_token, "make a token for this profile and nothing else", kind=kind)
        token.add_argument("name", metavar="NAME")
        token.add_argument("--ttl", help="how long it lasts, such as 90s, 15m, 2h, 7d (2h)")


def _param_verb(verbs: Any, kind: str, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser = add_verb(verbs, name, run, text, kind=kind)
    parser.add_argument("name", metavar=key_word(kind))
    parser.add_argument("word", choices=("param",), metavar="param")
    parser.add_argument("param", metavar="PARAM")
    return parser


# --- params -----------------------------------------------------------------------------------------------------------


def show_params(context: Context) -> None:
    found = context.client.params(context.args.kind, key_of(context)).body
    if context.out.as_json:
        context.out.json(found)
        return
    context.out.table(["PARAM", "VALUE"], [[name, cell(found[name])] for name in sorted(found)], "No param is set.")


def get_param(context: Context) -> None:
    args, key = context.args, key_of(context)
    try:
        found = _aggregated(context, key) if args.aggregate else context.client.get_param(args.kind, key, args.param).body
    except ClientError as error:
        if not args.as_drpcli or error.code != "not_set":
            raise
        found = None  # drpcli prints null and is content; its loops look for that
    context.out.value(found)


def _aggregated(context: Context, machine: str) -> Any:
    """Return a param as Digital Rebar computes it: the machine's, else its first profile's that has one, else the default."""
    param, client = context.args.param, context.client
    profiles = client.get("machines", machine).body.get("Profiles") or []
    for kind, name in [("machines", machine), *(("profiles", str(profile)) for profile in profiles)]:
        try:
            return client.get_param(kind, name, param, default=False).body
        except ClientError as error:
            if error.kind != "not_found":
                raise
    return client.get_param("machines", machine, param).body


def set_param(context: Context) -> None:
    args, key = context.args, key_of(context)
    value = value_of(args.value)
    if not context.has_ref:
        context.client.set_param(args.kind, key, args.param, value)
    else:
        _swap_param(context, key, value)
    context.out.done(value, f"Set {args.param} on {key}.")


def _swap_param(context: Context, key: str, value: Any) -> None:
    args, ref = context.args, context.ref
    try:
        context.client.swap_param(args.kind, key, args.param, ref, value)
    except ClientError as error:
        if not (args.as_drpcli and ref is None and error.problem.get("missing")):
            raise
        context.client.add_param(args.kind, key, args.param, value)  # there, null is what get says of a param that is not set


def add_param(context: Context) -> None:
    args, key = context.args, key_of(context)
    if args.value is not None and args.to != "to":
        raise ClientError("usage", f"add … param {args.param} takes one value, or to and a value")
    value = value_of(args.to if args.value is None else args.value)
    context.client.add_param(args.kind, key, args.param, value)
    context.out.done(value, f"Set {args.param} on {key}.")


def remove_param(context: Context) -> None:
    args, key = context.args, key_of(context)
    context.client.delete_param(args.kind, key, args.param, context.ref if context.has_ref else UNSET)
    context.out.done(None, f"Unset {args.param} on {key}.")


# --- waiting ----------------------------------------------------------------------------------------------------------


def wait_for(context: Context) -> None:
    if context.args.word == "param":
        _wait_param(context)
    else:
        _wait_field(context)


def _wait_param(context: Context) -> None:
    args, condition = context.args, context.args.condition or "exists"
    if condition not in OFFERED:
        raise ClientError("usage", f"wait … param {args.param} {condition}: not one of {', '.join(OFFERED)}")
    compares = condition in WITH_VALUE
    if compares != (args.value is not None):
        raise ClientError("usage", f"wait … {condition} " + ("needs a value" if compares else "takes no value"))
    value = value_of(args.value) if compares else None
    key = key_of(context)
    answer = context.client.wait(args.kind, key, args.param, condition, value, timeout=args.wait_timeout or PARAM_TIMEOUT)
    if answer.status == 204:
        context.out.done(None, f"{args.param} is not set on {key}.")
    else:
        context.out.value(answer.body)


def _wait_field(context: Context) -> None:
    """Wait as drpcli does, whose scripts read the word complete or timeout."""
    args, client, field, text = context.args, context.client, context.args.word, context.args.param
    value, timeout = value_of(text), _field_timeout(args)
    key, patience = key_of(context), Patience(timeout)
    now = client.get(args.kind, key)
    while not _is(now.body.get(field), text, value):
        try:
            now = client.wait(args.kind, key, condition="changed", revision=now.revision, timeout=patience.left)
        except ClientError as error:
            if error.status != 408:
                raise
            context.out.line("timeout")
            found = f"found {short(now.body[field])}" if field in now.body else "it has no such field"
            message = f"{described(args.kind, key, None)}: waited {patience.spent} in vain for {field} to be {short(value)}; {found}"
            raise ClientError("conflict", message, 408, error.problem) from None
    context.out.line("complete")


def _field_timeout(args: argparse.Namespace) -> float:
    if args.value is not None:
        raise ClientError("usage", f"wait … {args.word} is followed by VALUE [TIMEOUT], or did you mean param?")
    if args.condition is None:
        return args.wait_timeout or FIELD_TIMEOUT
    try:
        return seconds(args.condition)
    except argparse.ArgumentTypeError as error:
        raise ClientError("usage", str(error)) from None


def _is(found: Any, text: str, value: Any) -> bool:
    """Say whether a field is ``text``, or ``value``, which that is as JSON. An empty text is also what a missing field has."""
    same = json.dumps(found, sort_keys=True) == json.dumps(value, sort_keys=True)  # unlike ==, this tells true from 1
    return same or bool(found == text) or (found is None and text == "")


# --- tokens ------------------------------------------------------------------------------------------------------------


def make_token(context: Context) -> None:
    made = context.client.profile_token(context.args.name, context.args.ttl)
    if context.out.as_json:
        context.out.json(made)
        return
    context.out.line(made["Token"])
    if context.out.talks:
        context.out.notice(f"valid until {when(made['Expires'])}, for profile {context.args.name} only; id {made['Id']}")
