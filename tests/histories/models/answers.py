# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that no request of ours should ever get. Pure."""

from histories.record import Violation

MODEL = "answers"
RIGHT = "what is asked rightly is not called wrong"
WRONG = (400, 401, 403, 405, 413, 415, 422)


def judge(history):
    found = []
    for one in history.operations:
        if one.status >= 500 or one.status in WRONG or one.code == "not_found":
            found.append(
                Violation(MODEL, RIGHT, one.on, f"{one.what} was answered with {one.status}", [one])
            )
    return found[:5]
