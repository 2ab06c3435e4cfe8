# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all verbs of batonctl share: the parser class, global options, how arguments become JSON values, the run's context."""
from __future__ import annotations

import argparse
import getpass
import itertools
import json
import os
import platform
import re
import sys
from typing import Any, Callable, Container, Dict, Iterable, List, Mapping, Optional, Sequence

from ..client.api import DEFAULT_TIMEOUT, Client, connection_from
from ..client.connection import datastores_from
from ..client.datastores import Datastores
from ..client.error import ClientError
from ..core.model.kinds import OFFERED
from ..ground.values import rate_of
from .output import Output

DEFAULT_URL = "https://127.0.0.1:8092"
Verb = Callable[["Context"], Optional[int]]  # returns the exit status, None for 0


class Missing(ClientError):
    """Arguments are missing. ``options``: those that the parser of this verb knows."""

    def __init__(self, message: str, prog: str, options: Iterable[str]) -> None:
        super().__init__("usage", f"{message}; see {prog} --help")
        self.prog = prog
        self.options = options


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are ClientErrors, so that they end in one line like all others."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)  # an abbreviation that works today is ambiguous tomorrow

    def error(self, message: str) -> Any:
        if message.startswith("the following arguments are required"):
            raise Missing(message, self.prog, self._option_string_actions)
        raise ClientError("usage", f"{message}; see {self.prog} --help")

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Return the arguments. An unknown option is named before one that is missing: it may be why."""
        try:
            return self.parse_args(argv)
        except Missing as error:
            known = {*error.options, *self._option_string_actions}
            unknown = [word for word in _options_in(argv) if not _known(word, known)]
            if not unknown:
                raise
            raise ClientError("usage", f"unrecognized arguments: {' '.join(unknown)}; see {error.prog} --help") from None


def _options_in(argv: Sequence[str]) -> List[str]:
    """Return what looks like an option, and is no number."""
    words = itertools.takewhile(lambda word: word != "--", argv)
    return [word for word in words if word.startswith("-") and word != "-" and not re.match(r"-[0-9.]", word)]


def _known(word: str, options: Container[str]) -> bool:
    return word.partition("=")[0] in options or (not word.startswith("--") and word[:2] in options)


class Context:
    """One run: its arguments, where its output goes, and the client (made when it is first needed)."""

    def __init__(self, args: argparse.Namespace, environ: Mapping[str, str], out: Output) -> None:
        self.args = args
        self.out = out
        self._environ = environ
        self._client: Optional[Client] = None
        self._datastores: Optional[Datastores] = None

    @property
    def client(self) -> Client:
        if self._client is None:
            taken = ("token", "token_file", "ca", "timeout", "cluster")
            options = {"url": getattr(self.args, "endpoint", None), **{name: getattr(self.args, name, None) for name in taken}}
            options["as_node"] = getattr(self.args, "group", "") == "ha"
            connection = connection_from(options, self._environ, DEFAULT_URL)
            self._client = Client(connection, "batonctl", self.out.notice if self.out.talks else None)
        return self._client

    @property
    def datastores(self) -> Datastores:
        """The client of the API of datastores."""
        if self._datastores is None:
            taken = ("token", "token_file", "ca", "timeout", "cluster", "datastores_url", "project")
            options = {"url": getattr(self.args, "endpoint", None), **{name: getattr(self.args, name, None) for name in taken}}
            connection, project = datastores_from(options, self._environ)
            self._datastores = Datastores(connection, project, "batonctl", self.out.notice if self.out.talks else None)
        return self._datastores

    def close(self) -> None:
        for client in (self._client, self._datastores):
            if client is not None:
                client.close()

    @property
    def ref(self) -> Any:
        """The value of -r, or UNSET of the client module when it was not given."""
        return value_of(self.args.ref)

    @property
    def has_ref(self) -> bool:
        return getattr(self.args, "ref", None) is not None


def add_group(groups: Any, name: str, text: str, dest: str = "verb") -> Any:
    """Add a command that has verbs; return what its verbs are added to."""
    group = groups.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    add_global_options(group, at_root=False)
    return group.add_subparsers(dest=dest, metavar="VERB", required=True)


def add_verb(verbs: Any, name: str, run: Verb, text: str, **defaults: Any) -> argparse.ArgumentParser:
    """Add one verb with the global options; ``takes_ref`` says that -r means something to it."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(**{"run": run, "takes_ref": False, **defaults})
    add_global_options(parser, at_root=False)
    return parser


def add_global_options(parser: argparse.ArgumentParser, at_root: bool) -> None:
    """Add the options that may stand before or after the verb; after it they win."""
    default: Any = None if at_root else argparse.SUPPRESS
    group = parser.add_argument_group("global options")
    group.add_argument("-E", "--endpoint", metavar="URL", default=default, help="address, or several with commas (BATON_URL)")
    group.add_argument("-T", "--token", default=default, help="token; safer: BATON_TOKEN or --token-file (this shows in ps)")
    group.add_argument("--token-file", metavar="FILE", default=default, help="file that holds the token (BATON_TOKEN_FILE)")
    group.add_argument("--ca", metavar="FILE", default=default, help="CA certificate of the cluster (BATON_CA)")
    group.add_argument("--cluster", metavar="NAME", default=default, help="section of BATON_CONFIG (BATON_CLUSTER)")
    group.add_argument("-o", "--output", choices=("table", "json"), default=default, help="for people, or for scripts")
    timeout = f"of a request with retries ({DEFAULT_TIMEOUT:g})"
    group.add_argument("--timeout", type=seconds, metavar="SECONDS", default=default, help=timeout)
    group.add_argument("-r", "--ref", metavar="REF", default=default, help="only if this stands there now (set, remove, update)")


def who_we_are() -> str:
    """Return who runs this command, for people: user@host, behind sudo the user who called it."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # no such user here
        user = f"uid {os.getuid()}"
    return f"{user}@{platform.node()}"[:100]


def seconds(text: str) -> float:
    """Read a number of seconds from an argument."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def byte_rate(text: str) -> int:
    """Read a number of bytes a second from an argument, such as 50M."""
    found = rate_of(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes, such as 50M (k, M and G are of 1000)")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _parse(text: str) -> Any:
    return json.loads(text, parse_constant=_no_constant)


def value_of(text: str) -> Any:
    """Return an argument as a value: valid JSON is JSON, everything else a string; "-" reads it from stdin."""
    if text == "-":
        text = sys.stdin.read().strip()
    try:
        return _parse(text)
    except (ValueError, RecursionError):
        return text


def json_of(text: str, what: str) -> Any:
    """Return an argument that must be JSON; "-" reads it from stdin. ClientError "usage" says where it is not."""
    text = sys.stdin.read() if text == "-" else text
    try:
        return _parse(text)
    except RecursionError:
        raise ClientError("usage", f"{what} is nested too deep") from None
    except ValueError as error:
        raise ClientError("usage", f"{what} is not JSON: {error}") from None


def object_of(text: str, what: str) -> Dict[str, Any]:
    """Return an argument that must be a JSON object."""
    value = json_of(text, what)
    if not isinstance(value, dict):
        raise ClientError("usage", f"{what} must be a JSON object")
    return value


def key_word(kind: str) -> str:
    """Return what help calls the key of a document."""
    return OFFERED[kind].identity.upper()


def key_of(context: Context) -> str:
    """Return the key of the document that the arguments mean; Name:NAME looks a machine up."""
    return context.client.key_of(context.args.kind, context.args.name)
