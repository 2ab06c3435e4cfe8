# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules and action plugins share: connection options, and the way from a task's options to its result.

Each task is one file here: a SPEC and ``run(context)``. The module of that name runs it on the host, the action plugin on
the controller. ``run`` returns the result or raises ClientError, which becomes ``fail_json`` in one place.
"""
from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional

from ..client.api import REQUESTS_ERROR, Client, connect
from ..client.contender import Run, this_machine
from ..client.datastores import Datastores
from ..client.datastores import connect as connect_datastores
from ..client.error import ClientError
from ..run.foreseen import Foreseen
from ..run.lease import RunLease

Result = Dict[str, Any]

CONNECTION: Dict[str, Any] = {
    "url": {"type": "list", "elements": "str"},
    "token": {"type": "str", "no_log": True},
    "token_file": {"type": "path"},
    "ca": {"type": "path"},
    "cluster": {"type": "str"},
    "timeout": {"type": "float"},
    "run_on": {"type": "str", "choices": ["controller", "host"], "default": "controller"},
}

DATASTORES: Dict[str, Any] = {
    **CONNECTION,
    "datastores_url": {"type": "list", "elements": "str"},
    "project": {"type": "str"},
}

# What messages of the API begin with, and the options by which a task says the same.
OPTIONS = {
    "Changes is": "batch is", "Count is": "count is", "Data is": "data is", "Members is": "members is", "Owner is": "owner is",
    "Seats is": "seats is", "Slots is": "slots is", "wait=in needs value=": "condition in needs value, ",
}  # fmt: skip
OF_THE_API = re.compile("|".join(rf"\A{re.escape(words)}" for words in OPTIONS))
FENCING = "token is a number: that is a fencing token, so give it as only_under.token; the option token is for the cluster's"


@dataclass
class Context:
    """One run of a task. ``host``: a name for this host when the task gives none; ``say`` shows a line of progress.

    ``text_for_numbers``: a number that a template gave may have come as its text.
    ``session``: what sends the requests, if not this machine does; ``keeper`` is RunLease's.
    ``play``: the run of ansible-playbook that the task is part of; None on a host, where nobody knows it.
    ``temporary``: the run's directory for what its tasks in check mode foresee, None where there is none.
    """

    params: Mapping[str, Any]
    check: bool
    host: str
    diff: bool = False
    say: Callable[[str], None] = lambda _text: None
    warnings: List[str] = field(default_factory=list)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    text_for_numbers: bool = False
    play: Optional[Run] = None
    temporary: Optional[str] = None
    session: Any = None
    keeper: Optional[Callable[[Dict[str, Any]], str]] = None
    _client: Optional[Client] = None
    _datastores: Optional[Datastores] = None

    @property
    def client(self) -> Client:
        """Return the connection that the options describe."""
        if REQUESTS_ERROR is not None:
            raise ClientError("usage", f"{REQUESTS_ERROR}")
        if self._client is None:
            if str(self.params.get("token") or "").isdigit():
                raise ClientError("usage", FENCING)
            self._client = connect(self.params, self.environ, session=self.session)
        return self._client

    @property
    def datastores(self) -> Datastores:
        """Return the connection to the API of datastores that the options describe."""
        if self._datastores is None:
            self._datastores = connect_datastores(self.params, self.environ, session=self.session)
        return self._datastores

    @property
    def foreseen(self) -> Foreseen:
        """Return what other tasks of the run would have changed by now, in check mode."""
        return Foreseen(self.temporary, ",".join(sorted(self.client.connection.urls)))

    @property
    def run_lease(self) -> RunLease:
        """Return the lease under which the run holds what it takes."""
        if self.play is None:
            raise ClientError("usage", "there is no run of ansible-playbook here that could hold it: give ttl or lease")
        return RunLease(self.client, self.play, self.keeper)

    @property
    def owner(self) -> str:
        """Return who takes what the task takes: this machine in this run."""
        return self.owner_of(self.host)

    def owner_of(self, machine: str) -> str:
        """Return who takes it for another machine of the play."""
        return self.play.owner(machine) if self.play is not None else machine

    def close(self) -> None:
        for client in (self._client, self._datastores):
            if client is not None:
                client.close()


def spec(**options: Any) -> Dict[str, Any]:
    """Return an argument spec with the connection options."""
    return {**CONNECTION, **options}


def datastores_spec(**options: Any) -> Dict[str, Any]:
    """Return an argument spec with the connection options of what asks the API of datastores."""
    return {**DATASTORES, **options}


def perform(run: Callable[[Context], Result], context: Context) -> Result:
    """Run a task; a ClientError becomes a failed result in one line."""
    try:
        _check(context.params)
        result = run(context)
    except ClientError as error:
        error.message = OF_THE_API.sub(lambda found: OPTIONS[found.group()], error.message)
        result = {"failed": True, "changed": False, **error.result()}
    finally:
        context.close()
    if context.warnings:
        result["warnings"] = [*result.get("warnings", ()), *context.warnings]
    return result


def _check(params: Mapping[str, Any]) -> None:
    """Raise ClientError for values that no task can do anything with, whichever it is."""
    if params.get("param") == "":
        raise ClientError("usage", "param is empty: name a param, or leave the option out")
    seconds = params.get("wait_timeout")
    if seconds is not None and not 0 <= seconds < 1e9:
        raise ClientError("usage", f"wait_timeout is a number of seconds from 0, not {seconds:g}")


def text_for_numbers(version: str) -> bool:
    """Return whether templates of this ansible-core make text of numbers ("0.0": nobody said which one it is)."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (0, 0) < (int(found.group(1)), int(found.group(2))) < (2, 19)


def answer(module: Any, run: Callable[[Context], Result]) -> None:
    """Run a task as an AnsibleModule and end the process; where a task names no host, it is this one."""
    context = Context(module.params, module.check_mode, this_machine(), module._diff)
    context.text_for_numbers = text_for_numbers(str(getattr(module, "ansible_version", "")))
    result = perform(run, context)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
