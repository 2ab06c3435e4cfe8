# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl ha status: how the cluster is, once or again and again, with an exit status of its own.

0 healthy, 1 degraded, 3 no node is active, 4 nobody could tell (2, as everywhere: wrong usage).
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Callable, Optional

from ..client.error import ClientError
from .common import Context, add_verb, seconds
from .health import NO_ANSWER, Status, exit_status, failover, notices, rows, sentence, warnings
from .output import RED, YELLOW

HEADERS = ["NODE", "ROLE", "STATE", "IN SYNC", "ELECTABLE", "LAG", "HEARD", "URL"]
EVERY = 2.0
MOST_PATIENCE = 5.0  # seconds that one look of --watch may take


def add(verbs: Any) -> None:
    text = "show who is active, who holds the VIP, who is in sync, and who would take over; exit status 0 healthy, 1 degraded, 3 no active"
    status = add_verb(verbs, "status", show_status, text)
    status.add_argument(
        "--watch", nargs="?", type=seconds, const=EVERY, metavar="SECONDS", help=f"look again every SECONDS ({EVERY:g}), until Ctrl-C"
    )


def show_status(context: Context) -> int:
    if context.args.watch is not None:
        _watch(context, context.args.watch)
    try:
        status = context.client.cluster_status()
    except ClientError as error:
        if error.kind == "usage":
            raise
        context.out.error(error.message)
        return NO_ANSWER
    if context.out.as_json:
        context.out.json(status)
    else:
        _show(context, status)
    return exit_status(status, time.time())


def _show(context: Context, status: Status) -> None:
    out, now = context.out, time.time()
    out.line(sentence(status))
    for text in (failover(status), *warnings(status, now), *notices(status, now)):
        if text:
            out.line(text)
    if status.get("error"):
        out.table(["TROUBLE"], [[out.paint(str(status["error"]), RED)]], "")
    out.line()
    shown = [[cell if column != 2 else out.state(cell) for column, cell in enumerate(row)] for row in rows(status, now)]
    out.table(HEADERS, shown, "No node is known.")


def _watch(context: Context, every: float) -> None:
    """Look again and again until somebody ends it; that nobody answers is a look, too."""
    context.out.talks = False  # a word of retrying between two looks would stay on the screen
    show: Callable[[Context, Optional[Status], str], None] = _line if context.out.as_json else _frame
    patience = min(MOST_PATIENCE, context.client.connection.timeout)
    while True:
        try:
            status, why = context.client.cluster_status(patience), ""
        except ClientError as error:
            if error.kind == "usage":
                raise
            status, why = None, error.message
        show(context, status, why)
        sys.stdout.flush()
        time.sleep(every)


def _line(context: Context, status: Optional[Status], why: str) -> None:
    """Write one line of JSON; of a look that nobody answered it has ``error`` alone."""
    value = {"error": why} if status is None else status
    context.out.script(json.dumps(value, ensure_ascii=False) + "\n")


def _frame(context: Context, status: Optional[Status], why: str) -> None:
    """Draw the screen anew; where there is none, write one look below the other."""
    context.out.redraw()
    context.out.line(time.strftime("%Y-%m-%d %H:%M:%S"))
    if status is None:
        context.out.line(context.out.paint(why, YELLOW))
    else:
        _show(context, status)
    context.out.line()
