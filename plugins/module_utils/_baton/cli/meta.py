# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl profiles|machines meta: their metadata (icon, color, …), member by member, so that unrelated writes never conflict."""
from __future__ import annotations

import argparse
from typing import Any, Dict, List

from ..client.api import described
from ..client.error import ClientError, short
from ..core.model.kinds import singular
from ..ground.merging import escaped
from .common import Context, add_group, add_verb, key_of, key_word, value_of


def add(verbs: Any, kind: str) -> None:
    """Add the verbs of one kind's metadata."""
    inner = add_group(verbs, "meta", f"show and change the metadata of a {singular(kind)} (icon, color, …)", "meta_verb")
    get = add_verb(inner, "get", get_meta, "show one member of the metadata, or all", kind=kind)
    get.add_argument("name", metavar=key_word(kind))
    get.add_argument("key", metavar="KEY", nargs="?")
    put = _verb(inner, kind, "set", set_meta, "set one member of the metadata; with -r REF only if REF stands there now")
    put.add_argument("to", choices=("to",), metavar="to")
    new = _verb(inner, kind, "add", add_meta, "set one member of the metadata that is not set; fails if it is")
    new.add_argument("to", choices=("val", "to"), metavar="val")
    for verb in (put, new):
        verb.add_argument("value", metavar="VALUE", help="JSON, or else a string; - reads stdin")
    gone = _verb(inner, kind, "remove", remove_meta, "remove one member; with -r REF only if REF stands there now")
    for verb in (put, gone):
        verb.set_defaults(takes_ref=True)


def _verb(inner: Any, kind: str, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser = add_verb(inner, name, run, text, kind=kind)
    parser.add_argument("name", metavar=key_word(kind))
    parser.add_argument("word", choices=("key",), metavar="key")
    parser.add_argument("key", metavar="KEY")
    return parser


def get_meta(context: Context) -> None:
    key = key_of(context)
    meta = context.client.get(context.args.kind, key).body.get("Meta") or {}
    if context.args.key is None:
        context.out.value(meta) if context.out.as_json else context.out.members(meta)
    elif context.args.key in meta:
        context.out.value(meta[context.args.key])
    else:
        raise ClientError("not_found", f"{singular(context.args.kind)} {key!r} has no metadata {context.args.key!r}", 404)


def set_meta(context: Context) -> None:
    args, key = context.args, key_of(context)
    value = value_of(args.value)
    operations = [*_test_meta(context), {"op": "add", "path": _meta_path(args), "value": value}]
    context.client.patch(args.kind, key, operations, want=False)
    context.out.done(value, f"Set {args.key} in the metadata of {key}.")


def add_meta(context: Context) -> None:
    args, key = context.args, key_of(context)
    value = value_of(args.value)
    while True:
        now = context.client.get(args.kind, key)
        meta = now.body.get("Meta") or {}
        if args.key in meta:
            found = f"found {short(meta[args.key])}; nothing was changed"
            raise ClientError("conflict", f"metadata {args.key!r} of {described(args.kind, key, None)} is set already: {found}")
        try:
            context.client.patch(args.kind, key, [{"op": "add", "path": _meta_path(args), "value": value}], now.revision, want=False)
        except ClientError as error:
            if error.status != 412:  # 412: something of the document changed since; each time somebody else got on
                raise
        else:
            context.out.done(value, f"Set {args.key} in the metadata of {key}.")
            return


def remove_meta(context: Context) -> None:
    args, key = context.args, key_of(context)
    context.client.patch(args.kind, key, [*_test_meta(context), {"op": "remove", "path": _meta_path(args)}], want=False)
    context.out.done(None, f"Removed {args.key} from the metadata of {key}.")


def _meta_path(args: argparse.Namespace) -> str:
    return f"/Meta/{escaped(args.key)}"


def _test_meta(context: Context) -> List[Dict[str, Any]]:
    return [{"op": "test", "path": _meta_path(context.args), "value": context.ref}] if context.has_ref else []
