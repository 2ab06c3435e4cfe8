# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of links: what a message is on its way, how large it can be, and that what arrives is what was sent."""

import json

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model import messages
from baton.core.model.documents import Change
from baton.core.model.log import MOST_ENTRY, ORIGIN, Entry, Epoch
from baton.core.model.messages import MOST_FRAME, RAW, Append
from support.script import serving

EPOCH = Epoch(1, "e1")
MOST_BODY = 4 << 20  # bytes, of the API
WORST = ("x", "é", "€", "😀", '"', "\\", "\n", "\x01", "\u2028")


def append(value):
    entry = Entry.make(
        1, EPOCH, 5, {"effects": [{"kind": "profiles", "key": "p", "ops": [{"op": "add", "path": "/Params/x", "value": value}]}]}
    )
    return Append(EPOCH, "n2-disk", ORIGIN, (entry,), 0, 1.5, None, -1, 0)


def body_of(letter):
    """The longest text of this letter that fits into a body."""
    size = len(json.dumps(letter, ensure_ascii=False).encode()) - 2
    return letter * ((MOST_BODY - 2) // size)


@pytest.mark.parametrize("letter", WORST)
def test_the_largest_body_of_each_kind_of_letter_fits_into_a_frame(letter):
    message = append(body_of(letter))
    frame = messages.write(message)
    assert len(frame.encode()) <= 2 * MOST_BODY + 1000, "no letter takes more than twice its bytes of the body"
    assert message.entries[0].framed <= MOST_ENTRY, "and as versions before this one frame it, it is not refused either"
    assert len(json.dumps(messages.to_json(message))) < MOST_FRAME


@pytest.mark.parametrize("letter", WORST)
@pytest.mark.parametrize("size", [1, RAW // 16, RAW])
def test_what_arrives_is_what_was_sent_to_the_letter(letter, size):
    message = append([letter * size, 1.0, 10**30, {"é": None}])
    for frame in (messages.write(message), json.dumps(messages.to_json(message))):
        found = messages.read(frame)
        assert found == message and found.entries[0].text == message.entries[0].text
        assert found.entries[0].body == message.entries[0].body


def test_an_entry_whose_body_was_forgotten_is_sent_all_the_same():
    message = append("é" * RAW)
    old = Entry(1, EPOCH, 5, message.entries[0].text)
    frame = messages.write(Append(EPOCH, "n2-disk", ORIGIN, (old,), 0, 1.5, None, -1, 0))
    assert frame == messages.write(message) and "é" in frame


def test_half_of_a_surrogate_pair_ends_nothing_at_the_sender():
    frame = messages.write(append("\ud800" + "é" * RAW))
    assert frame.isascii()


def test_a_change_that_no_frame_takes_is_refused_and_changes_nothing():
    script = serving()
    end = script.node.state.log.end
    value = '"' * (MOST_ENTRY // 3)  # which the document has room for
    for number, change in ((1, Change("profiles", "p", "put", {"Params": {"x": value}})), (2, Change("profiles", "q", "put", {}))):
        script.give(ev.Submit(number, (change,), script.now))
        if number == 1:
            (reply,) = script.of(cmd.Reply)
            assert (reply.result.status, reply.result.code) == (413, "too_large") and "in the log" in reply.result.detail
            assert script.node.state.log.end == end
    assert script.node.state.log.end.seq == end.seq + 1
