# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which TLS the API speaks: 1.2 with ciphers that authenticate what they encrypt, and 1.3."""

import socket
import ssl
import threading

import pytest

from baton.adapters.certificates import Certificates, Files
from support.certificates import Authority


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.issue("n1", "127.0.0.1")
    folder = authority.folder
    return Files(str(folder / "n1.pem"), str(folder / "n1.key"), str(folder / "ca.pem"))


def spoken(files, client):
    """Return (protocol, cipher) of a handshake with the API's context, or why there is none."""
    ours, theirs = socket.socketpair()
    server = Certificates().server(files)

    def answer():
        try:
            server.wrap_socket(ours, server_side=True).close()
        except OSError:
            ours.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(theirs, server_hostname="127.0.0.1") as connection:
            return connection.version(), connection.cipher()[0]
    except OSError:
        theirs.close()
        return "refused", ""
    finally:
        thread.join()


def client_of(files, version, ciphers="ALL:@SECLEVEL=0"):
    context = ssl.create_default_context(cafile=files.ca)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    context.set_ciphers(ciphers)
    return context


def test_a_client_of_today_gets_tls_1_3(files):
    assert spoken(files, client_of(files, ssl.TLSVersion.TLSv1_3))[0] == "TLSv1.3"


def test_a_client_of_yesterday_gets_tls_1_2_with_gcm(files):
    version, cipher = spoken(files, client_of(files, ssl.TLSVersion.TLSv1_2))
    assert version == "TLSv1.2" and ("GCM" in cipher or "CHACHA20" in cipher)


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-SHA"])
def test_ciphers_that_do_not_authenticate_are_refused(files, ciphers):
    assert spoken(files, client_of(files, ssl.TLSVersion.TLSv1_2, ciphers)) == ("refused", "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_versions_are_refused(files):
    assert spoken(files, client_of(files, ssl.TLSVersion.TLSv1_1)) == ("refused", "")
