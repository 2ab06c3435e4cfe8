# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl: Baton's command line. Exit status 0 done, 1 the answer was no, 2 wrong usage, 3 no usable answer.

Installed under the name drpcli it answers in JSON unless told otherwise, and null for a param that is not set, as Digital Rebar's
scripts expect.
"""
from __future__ import annotations

import os
import sys
from typing import Any, Optional, Sequence, TextIO

from ..client.error import ClientError
from ..ground.version import VERSION
from . import barriers, clusters, completion, datastores, documents, drivers, events, files, ha, instances, leases, locks, tokens, users
from .common import Context, Parser, add_global_options
from .output import Output

EPILOG = (
    "The environment configures it too: BATON_URL, BATON_TOKEN, BATON_TOKEN_FILE, BATON_CA (also RS_ENDPOINT, RS_TOKEN). "
    "Exit status: 0 done, 1 the answer was no (conflict, refused, not found), 2 wrong usage, 3 no usable answer; `ha status` has its own."
)


def build_parser(prog: str) -> Parser:
    """Return the whole tree of commands."""
    parser = Parser(prog=prog, description="Show and change what a Baton cluster holds.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    add_global_options(parser, at_root=True)
    groups = parser.add_subparsers(dest="group", metavar="COMMAND", required=True)
    documents.add(groups)
    files.add(groups)
    locks.add(groups)
    leases.add(groups)
    barriers.add(groups)
    events.add(groups)
    tokens.add(groups)
    users.add(groups)
    ha.add(groups)
    drivers.add(groups)
    instances.add(groups)
    clusters.add(groups)
    datastores.add(groups)
    completion.add(groups, parser)
    return parser


def program_name() -> str:
    name = os.path.basename(sys.argv[0])
    return "drpcli" if name == "drpcli" else "batonctl"


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command; return its exit status."""
    prog = program_name()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    out = Output(sys.stdout, sys.stderr, prog == "drpcli", os.environ, prog)
    context: Optional[Context] = None
    try:
        args = build_parser(prog).parse(sys.argv[1:] if argv is None else argv)
        args.as_drpcli = prog == "drpcli"
        if args.output is not None:
            out.as_json = args.output == "json"
        if args.ref is not None and not args.takes_ref:
            raise ClientError("usage", "-r has no meaning here: it goes with set, remove and update")
        context = Context(args, os.environ, out)
        status = args.run(context)
        sys.stdout.flush()
        return status or 0
    except ClientError as error:
        out.error(error.message)
        return error.exit_status
    except SystemExit as done:  # --help, --version
        return int(done.code or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard(sys.stdout)
        return 0
    finally:
        if context is not None:
            context.close()


def _discard(stream: TextIO) -> Any:
    """Let the interpreter's last flush go nowhere: who read our output has gone."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
