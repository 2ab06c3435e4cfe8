# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback that plays given answers: the faults that a healthy server can't be made to show.

Each request takes the next step of the script; after the last one it is repeated. A step is an Answer, or a function
of the Request that returns one.
"""

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Answer:
    """``cut``: close the connection without an answer ("before"), or within the body ("within")."""

    status: int = 200
    body: object = None
    headers: dict = field(default_factory=dict)
    cut: str = ""


def problem(status, code, detail="no", headers=None, **extra):
    """Return a problem document as the API gives it."""
    body = {"type": f"urn:baton:{code}", "title": "Title", "status": status, "detail": detail, **extra}
    return Answer(status, body, {"Content-Type": "application/problem+json", **(headers or {})})


class ScriptedServer:
    """Plays ``steps``; ``requests`` is what came. Use as a context manager."""

    def __init__(self, *steps, certificate=None):
        self.steps = list(steps)
        self.requests = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_args: None  # clients that hang up are part of the play
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self._server.shutdown()
        self._server.server_close()

    def _next(self, request):
        with self._lock:
            self.requests.append(request)
            step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return step(request) if callable(step) else step

    def _handler(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_args):
                pass

            def date_time_string(self, timestamp=None):
                return getattr(outer, "date", None) or super().date_time_string(timestamp)

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = outer._next(Request(self.command, self.path, dict(self.headers), body))
                if answer.cut == "before":
                    self.close_connection = True
                    return
                data = answer.body if isinstance(answer.body, bytes) else b""
                headers = dict(answer.headers)
                if answer.body is not None and not isinstance(answer.body, bytes):
                    data = json.dumps(answer.body).encode()
                    headers.setdefault("Content-Type", "application/json")
                self.send_response(answer.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if answer.status not in (204, 304) and "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data[: len(data) // 2] if answer.cut == "within" else data)
                if answer.cut:
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        return Handler
