# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""New tokens can stand behind an option of a command line."""

from baton.adapters.http import tokens


def test_none_begins_like_an_option(monkeypatch):
    drawn = iter(["-looks-like-an-option", "_is-fine"])
    monkeypatch.setattr(tokens.secrets, "token_urlsafe", lambda _bytes: next(drawn))
    assert tokens.fresh_token() == "_is-fine"
