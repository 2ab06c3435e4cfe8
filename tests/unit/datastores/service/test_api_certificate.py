# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate of the API of datastores is the one in its files, without a restart."""

import asyncio
import os
import ssl

import pytest

from baton.datastores.service.certificate import Certificate
from support.certificates import Authority


@pytest.fixture
def files(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("n1", "127.0.0.1")
    return authority, tmp_path / "n1.pem", tmp_path / "n1.key"


def shown(certificate):
    """Return the certificate that whoever connects now is shown."""

    async def ask():
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=certificate.context)
        port = server.sockets[0].getsockname()[1]
        try:
            return await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        finally:
            server.close()

    return asyncio.run(ask())


def older(*paths):
    for path in paths:
        os.utime(path, (1, 1))


def test_one_that_is_renewed_is_shown_to_who_comes_next(files):
    authority, pem, key = files
    older(pem, key)
    certificate = Certificate(str(pem), str(key))
    assert shown(certificate) == pem.read_text()
    authority.issue("n1", "127.0.0.1")
    assert shown(certificate) != pem.read_text()
    certificate.look()
    assert shown(certificate) == pem.read_text()


@pytest.mark.parametrize("how", ["half", "gone", "no certificate"])
def test_what_was_there_stays_while_the_files_do_not_go_together(files, caplog, how):
    authority, pem, key = files
    older(pem, key)
    certificate = Certificate(str(pem), str(key))
    was, old_key = pem.read_text(), key.read_text()
    authority.issue("n1", "127.0.0.1")
    new_key = key.read_text()
    {"half": lambda: key.write_text(old_key), "gone": key.unlink, "no certificate": lambda: key.write_text("x")}[how]()
    certificate.look()
    assert shown(certificate) == was and "the certificate stays as it was: " in caplog.text
    key.write_text(new_key)
    certificate.look()
    assert shown(certificate) == pem.read_text()
