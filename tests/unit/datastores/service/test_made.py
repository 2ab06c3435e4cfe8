# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of sets."""

import ssl

import pytest

from baton.datastores.service.api import made
from baton.ground.problem import Problem


def test_each_set_has_a_certificate_that_fits_its_key(tmp_path):
    first, second = made.of_a_set(), made.of_a_set()
    assert not {*first.values()} & {*second.values()}
    (tmp_path / "pem").write_text(first["key"] + first["certificate"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(tmp_path / "pem"))
    context.load_verify_locations(cadata=first["certificate"])


@pytest.mark.parametrize(("program", "why"), [("/nowhere/openssl", "No such file"), ("false", "exits with 1")])
def test_without_openssl_it_says_what_to_install(program, why):
    with pytest.raises(Problem, match="install openssl") as refused:
        made.of_a_set(program)
    assert refused.value.status == 503 and why in refused.value.detail


def test_numbers_of_servers_differ():
    assert 0 < made.server_id([1, 2]) < 1 << 32
