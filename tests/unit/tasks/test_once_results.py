# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a result of something that is done once."""

import json

from baton.client.once import MOST_RESULT, kept, plain


def test_what_says_nothing_to_another_host_is_not_kept():
    result = {"rc": 0, "stdout": "x", "invocation": {"module_args": {"password": "p"}}, "_ansible_no_log": False, "ansible_facts": {"a": 1}}
    assert plain(result) == {"rc": 0, "stdout": "x"}


def test_what_is_no_json_is_kept_as_its_text():
    assert plain({"when": {1, 2} - {2}, 3: None}) == {"when": "{1}", "3": None}


def test_a_result_that_is_too_large_loses_its_text_and_keeps_its_numbers():
    result = {"rc": 3, "failed": True, "msg": "non-zero return code", "stdout": "x" * MOST_RESULT, "stdout_lines": ["x" * MOST_RESULT]}
    assert kept(result) == ({"rc": 3, "failed": True, "msg": "non-zero return code"}, True)
    assert kept(["x" * MOST_RESULT]) == (None, True)
    many, cut = kept({str(number): "x" * 50 for number in range(3000)})
    assert cut and len(json.dumps(many)) <= MOST_RESULT
