# Copyright (c) 2026 The Baton authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that go out from a task's host, for a cluster that the controller does not reach: what requests' Session is to the client.

The task itself stays on the controller, so all that it promises holds. Each request is one command on the host, as its own user.
"""

from __future__ import annotations

import base64
import http.client
import json
import shlex
import socket
import ssl
from pathlib import Path
from urllib.parse import urlencode

from ansible_collections.baton.ha.plugins.module_utils._baton.client.error import ClientError
from ansible_collections.baton.ha.plugins.module_utils._baton.client.transport import requests
from ansible_collections.baton.ha.plugins.module_utils._baton.ground.tls import client_context, list_beside

PROGRAM = Path(__file__).with_name("far_request.py")
MOST_SAID = 200  # characters of what a host's Python says


class NewConnectionError(OSError):
    """No connection, so nothing was sent; the name is what failures.py goes by."""


class ConnectTimeoutError(OSError):
    """No connection within the time."""


class ReadTimeoutError(OSError):
    """No answer within the time."""


class IncompleteRead(ConnectionError):
    """The connection ended before the answer did."""


class FarSession:
    """``execute(command, text)`` runs a command on the host with ``text`` as its input, and returns rc, stdout and stderr."""

    def __init__(self, execute, python="python3"):
        self.verify = True
        self.headers = {}
        self._execute = execute
        self._command = f"{shlex.quote(python)} -c {shlex.quote(PROGRAM.read_text(encoding='utf-8'))}"

    def close(self):
        """Nothing stays open on the host."""

    def request(self, method, url, params, headers, data, allow_redirects, timeout, stream):
        """Return the answer; requests.RequestException where the host gets none, ClientError where it can't ask."""
        if stream or allow_redirects:
            raise ClientError("usage", "this can't be asked through a host: leave run_on out")
        sent = {**self.headers, **headers}
        if data is not None:
            data = data.encode() if isinstance(data, str) else data
            sent.setdefault("Content-Length", str(len(data)))
        order = {
            "method": method,
            "url": url + (f"?{urlencode(params)}" if params else ""),
            "headers": sent,
            "body": None if data is None else base64.b64encode(data).decode(),
            "ca": None if self.verify is True else _pem(self.verify),
            "crl": self._revoked(),
            "connect": timeout[0],
            "read": timeout[1],
        }
        answer = self._ask(order)
        if "error" in answer:
            raise self._exception(answer)
        return Answer(answer)

    def _revoked(self):
        """Return the list of revoked certificates beside the CA, if there is one; ClientError where it is none."""
        crl = None if self.verify is True else list_beside(self.verify)
        if crl is None:
            return None
        try:
            client_context(self.verify)  # the host has no such file, and could not say what is wrong with it
        except OSError as error:
            raise ClientError("usage", str(error)) from None
        return _pem(crl)

    def _ask(self, order):
        done = self._execute(self._command, json.dumps(order))
        try:
            answer = json.loads(done["stdout"])
        except ValueError:
            answer = None
        if done["rc"] != 0 or not isinstance(answer, dict):
            why = " ".join((done["stderr"].strip() or done["stdout"].strip()).split())[-MOST_SAID:] or f"status {done['rc']}"
            raise ClientError("usage", f"run_on is host, and Python on the host could not ask: {why}; see ansible_python_interpreter")
        return answer

    @staticmethod
    def _exception(answer):
        """Return the exception that the same failure would be here."""
        kind, text, number = answer["error"], str(answer["text"]), answer["errno"]
        if kind == "trust":
            cause = ssl.SSLCertVerificationError(1, text)
        elif kind == "tls":
            cause = ssl.SSLError(1, text)
            cause.reason = text
        elif kind == "timeout":
            cause = ReadTimeoutError(text) if answer["sent"] else ConnectTimeoutError(text)
        elif kind == "closed":
            cause = http.client.RemoteDisconnected(text)
        elif kind == "cut":
            cause = IncompleteRead(text)
        else:
            cause = OSError(number, text) if answer["sent"] else NewConnectionError(number, text)
            cause.__cause__ = socket.gaierror(number, text) if kind == "name" else None
        error = requests.ConnectionError(text)
        error.__cause__ = cause
        return error


def _pem(path):
    """Return a file's text for OpenSSL, which takes ASCII; what else is there is a comment."""
    return Path(path).read_bytes().decode("ascii", "ignore")


class Answer:
    """An answer as far as transport.py reads one."""

    def __init__(self, answer):
        self.status_code = answer["status"]
        self.headers = requests.structures.CaseInsensitiveDict(answer["headers"])
        self.content = base64.b64decode(answer["body"])
