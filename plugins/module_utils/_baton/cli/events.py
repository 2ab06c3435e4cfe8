# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl events: every change as it is committed, a line each."""
from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any, Dict

from ..client.event_stream import follow
from ..core.model.kinds import IN_EVENTS, singular
from .common import Context, add_global_options


def add(groups: Any) -> None:
    parser: argparse.ArgumentParser = groups.add_parser(
        "events", help="show every change as it is committed", description="Show every change as it is committed, until stopped."
    )
    parser.set_defaults(run=show_events, takes_ref=False)
    add_global_options(parser, at_root=False)
    parser.add_argument("--since", metavar="CURSOR", help="go on after this event, without losing or repeating one")
    parser.add_argument("--kinds", metavar="LIST", help=f"only these ({', '.join(IN_EVENTS)})")
    parser.add_argument("--key", metavar="KEY", help="only documents with this key")
    parser.add_argument("--documents", action="store_true", help="with each event the document as it is now (JSON output)")
    parser.add_argument("--count", type=int, metavar="N", help="stop after so many")


def show_events(context: Context) -> None:
    args = context.args
    query = {name: getattr(args, name) for name in ("kinds", "key") if getattr(args, name)}
    if args.documents:
        query["documents"] = "yes"
    for number, event in enumerate(follow(context.client, args.since, query), 1):
        if context.out.as_json:
            context.out.script(json.dumps(event, ensure_ascii=False) + "\n")
        else:
            kind = singular(event["Kind"])
            context.out.line(f"{_time(event['At'])}  {event['Action']:6} {kind:8} {_what(event)}")
        sys.stdout.flush()
        if number == args.count:
            return


def _time(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03}Z"


def _what(event: Dict[str, Any]) -> str:
    """Say in a few words what became of the document."""
    steps = [f"{item['path']} {'gone' if item['op'] == 'remove' else _short(item.get('value'))}" for item in event.get("Patch", ())]
    return f"{event['Key']}  {', '.join(steps)}".rstrip()


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
