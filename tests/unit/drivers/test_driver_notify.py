# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``notify``: mails, from apprise to a real SMTP server."""

import email
import json
import socketserver
import subprocess
import sys
import threading

import pytest
from fake_batond import wait_for

pytest.importorskip("apprise")


class Sink(socketserver.StreamRequestHandler):
    """As much of SMTP as it takes to get mails."""

    def handle(self):
        self.wfile.write(b"220 sink\r\n")
        for line in self.rfile:
            word = line.strip().upper()[:4]
            if self.server.broken and word == b"MAIL":
                self.wfile.write(b"451 not now\r\n")
            elif word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line)
                self.server.mails.append(email.message_from_bytes(b"".join(lines)))
                self.wfile.write(b"250 ok\r\n")
            else:
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")


@pytest.fixture
def smtp():
    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True
        mails, broken = [], False

        def url(self):
            return f"mailto://127.0.0.1:{self.server_address[1]}?from=baton@example.com&to=ops@example.com&mode=insecure&format=text"

        def subjects(self):
            return [str(email.header.make_header(email.header.decode_header(mail["Subject"]))) for mail in self.mails]

    with Server(("127.0.0.1", 0), Sink) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def file(smtp):
    return {"type": "notify", "urls": [smtp.url()], "title": "{id} on {node}: {active}, {epoch}"}


def told(smtp, *subjects):
    wait_for(lambda: len(smtp.mails) >= len(subjects), "a mail")
    assert smtp.subjects() == list(subjects)


def test_people_are_told_of_each_change_and_not_of_the_first_state(begin, smtp, file):
    process, connection = begin(file)
    connection.start(epoch=7)
    told(smtp, "it on n1: active, 7")
    assert "Driver it on n1 is active, epoch 7." in smtp.mails[0].as_string()
    connection.stop(epoch=7)
    told(smtp, "it on n1: active, 7", "it on n1: passive, 7")
    assert "mailto" not in process.log


def test_a_driver_that_is_started_again_is_no_news(batond, begin, launch, smtp, file):
    process, connection = begin(file)
    connection.start(epoch=7)
    told(smtp, "it on n1: active, 7")
    assert process.terminate() == 0
    launch(file, batond.environment)
    connection = batond.connected()
    connection.stop(epoch=7)
    connection.start(epoch=7)
    connection.close()
    connection = batond.connected()
    connection.stop(epoch=7)
    connection.start(epoch=8)
    told(smtp, "it on n1: active, 7", "it on n1: active, 8")


def test_the_state_is_kept_where_systemd_says(begin, smtp, file, tmp_path):
    (tmp_path / "state").mkdir()
    _process, connection = begin(file, STATE_DIRECTORY=str(tmp_path / "state"))
    connection.start(epoch=7)
    told(smtp, "it on n1: active, 7")
    assert json.loads((tmp_path / "state" / "notify-it.json").read_text()) == {"epoch": 7, "active": True}


def test_only_what_is_asked_for(begin, smtp, file):
    _process, connection = begin({**file, "on": ["passive"]})
    connection.start(epoch=7)
    path = connection.batond.run_dir / "notify-it.json"
    wait_for(lambda: path.exists() and json.loads(path.read_text())["active"], "the note that it is active")
    connection.stop(epoch=7)
    told(smtp, "it on n1: passive, 7")


def test_a_mail_that_fails_keeps_no_order_waiting_and_is_tried_again(begin, smtp, file):
    smtp.broken = True
    process, connection = begin(file)
    assert connection.start(epoch=7)["ok"]
    process.says("people could not be told that it is active; again in 2 s")
    smtp.broken = False
    told(smtp, "it on n1: active, 7")


@pytest.mark.parametrize(
    ("name", "environment"), [("urls", lambda folder: {}), ("urls_file", lambda folder: {"CREDENTIALS_DIRECTORY": str(folder)})]
)
def test_urls_from_a_file_or_from_the_copy_that_systemd_has_made(begin, smtp, file, tmp_path, name, environment):
    (tmp_path / name).write_text(f"# mail\n\n{smtp.url()}\n")
    _process, connection = begin({**file, "urls": [], "urls_file": str(tmp_path / "urls")}, **environment(tmp_path))
    connection.start(epoch=1)
    told(smtp, "it on n1: active, 1")


def run(zipapp, folder, file, *options):
    path = folder / "it.json"
    path.write_text(json.dumps(file))
    done = subprocess.run([sys.executable, *options, zipapp, "driver", path], capture_output=True, text=True, check=False, cwd=folder)
    assert len(done.stderr.splitlines()) == 1
    return done.returncode, done.stderr


def test_a_wrong_url_is_not_shown(zipapp, tmp_path):
    status, errors = run(zipapp, tmp_path, {"type": "notify", "urls": ["json://localhost", "nosuch://secret@x"]})
    assert status == 2
    assert "urls: number 2 is not a URL that apprise knows" in errors
    assert "secret" not in errors
    assert "can't be read" in run(zipapp, tmp_path, {"type": "notify", "urls_file": "nosuch"})[1]


def test_without_apprise_it_says_what_to_install(zipapp, tmp_path, monkeypatch):
    (tmp_path / "hidden" / "apprise").mkdir(parents=True)
    (tmp_path / "hidden" / "apprise" / "__init__.py").write_text("raise ImportError('no apprise')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"))
    status, errors = run(zipapp, tmp_path, {"type": "notify", "urls": ["json://localhost"]})
    assert status == 2
    assert "type notify needs apprise: `apt install apprise` or `pip install apprise`" in errors
