# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server that takes every request and keeps what came: a line of JSON each in /var/lib/hooksink/hooks. For tests."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOOKS = Path("/var/lib/hooksink/hooks")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with HOOKS.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**json.loads(body), "authorization": self.headers["Authorization"]}) + "\n")
        self.send_response(204)
        self.end_headers()


ThreadingHTTPServer(("", 8080), Handler).serve_forever()
