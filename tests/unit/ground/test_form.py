# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes from links, disks and snapshots has the form that the rest relies on, or is refused in one line."""

import json
from dataclasses import fields

import pytest

from baton.core.model import messages
from baton.core.model.log import Entry, Epoch, Position
from baton.core.model.record import Member, Record
from baton.core.model.reigns import Reign, Reigns
from baton.core.model.stored import Header, read_document, read_reply
from baton.ground import form

E = Epoch(3, "p-1")
RECORD = Record("c", E, "n1", (Member("n1", "d1"), Member("n2", "d2")), active_url="https://n1:8092")
SHA = "a" * 64
ENTRY = Entry.make(6, E, 1000, {"effects": [{"kind": "files", "key": "f", "value": {"Sha256": SHA, "Size": 1}}]})
HELLO = messages.Hello(
    "n2", "https://n2:8092", "d2", "baton", "c", "0.1.0", "linux/x86_64", "passive", E, Position(E, 5), Position(E, 5), RECORD, 7, True,
    speaks=2, process="p", host="beta", twins=("a and b",),
)  # fmt: skip
SAID = [
    HELLO,
    messages.Append(E, "d2", Position(E, 5), (ENTRY,), 5, 12.5, RECORD, 7, 0),
    messages.Ack(E, "d2", 5, 12.5, True, "p"),
    messages.Reject(E, "d2", "gap", E, Position(E, 5), "p"),
    messages.Refuse("diverged", "the histories differ", Reigns([Reign(E, 4)])),
    messages.UseSnapshot(E, "d2"),
    messages.BlobWanted(SHA),
    messages.BlobHeld("d2", SHA),
    messages.TakeOver("n2", "d2"),
    messages.TailWanted(Position(E, 5)),
    messages.Tail(Position(E, 5), (ENTRY,)),
]
WRONG = [
    None, True, -2, 1.5, 1 << 53, 10**400, "", "x" * 5_000_000, "\ud800", "two\nlines", "../../etc/passwd", [], {}, [[]], ["x", "y"],
    [1, 2, 3, 4, 5], {"node": "n"}, float("nan"), float("inf"),
]  # fmt: skip


def wire(message):
    return json.loads(json.dumps(messages.to_json(message)))


def named(message):
    return type(message).__name__


@pytest.mark.parametrize("message", SAID, ids=named)
def test_what_is_said_is_understood(message):
    assert messages.read(json.dumps(messages.to_json(message))) == message


def test_every_field_has_a_form():
    assert {field.name for message in SAID for field in fields(message)} == set(messages._FIELDS)


@pytest.mark.parametrize("message", SAID, ids=named)
def test_a_field_of_another_form_is_one_line_that_names_it(message):
    """What is taken all the same means the same when it is said on: nothing is converted."""
    refused = 0
    for field in fields(message):
        for wrong in WRONG:
            frame = {**wire(message), field.name: wrong}
            try:
                found = messages.from_json(frame)
            except ValueError as error:
                refused += 1
                text = str(error)
                assert text.startswith(f"{named(message)}.{field.name}: ") and text.isprintable() and len(text) < 300
            else:
                assert json.dumps(messages.to_json(found)[field.name]) == json.dumps(wrong)
    assert refused > 5 * len(fields(message))


@pytest.mark.parametrize("message", SAID, ids=named)
def test_a_field_that_is_missing_has_its_default_or_is_named(message):
    for field in fields(message):
        frame = wire(message)
        del frame[field.name]
        try:
            messages.from_json(frame)
        except ValueError as error:
            assert str(error) == f"{named(message)} without {field.name}"


@pytest.mark.parametrize(
    "frame",
    [
        "{", "[]", "1", "null", '"Hello"', "[" * 100_000, '{"a":' * 100_000, '{"type": []}', '{"type": null}', "{}",
        '{"type": "Ack", "stamp": NaN}', '{"type": "Ack", "stamp": 1e999}', '{"type": "Ack", "matched": ' + "9" * 5000 + "}",
        '{"type": "BlobWanted", "sha256": "\\ud800"}',
    ],
    ids=range(14),
)  # fmt: skip
def test_what_is_no_message_is_one_line(frame):
    with pytest.raises(ValueError) as refused:
        messages.read(frame)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 300


def test_what_a_newer_version_says_is_unknown_and_its_fields_are_left_out():
    with pytest.raises(messages.UnknownMessage, match="Sing"):
        messages.read('{"type": "Sing"}')
    assert messages.from_json({**wire(HELLO), "mood": {"a": [1]}}) == HELLO


def entry(body, seq=6):
    return [seq, 3, "p-1", 1000, body if isinstance(body, str) else json.dumps(body)]


def with_entries(*entries):
    return {**wire(SAID[1]), "entries": list(entries)}


def put(kind, key, value):
    return {"effects": [{"kind": kind, "key": key, "value": value}]}


def patched(kind, ops):
    return {"effects": [{"kind": kind, "key": "k", "ops": ops}]}


DEEP = '{"effects": [{"kind": "p", "key": "k", "value": ' + "[" * 200 + "]" * 200 + "}]}"
BODIES = [
    "[]",
    "1",
    "{",
    "[" * 50_000,
    DEEP,
    {"effects": {}},
    {"effects": 5},
    {"effects": [1]},
    {"effects": [{}]},
    {"effects": [{"kind": "profiles", "key": "p"}]},
    {"idem": "k"},
    {"idem": [1, 2]},
    {"found": [["p"]]},
    put(1, "p", {}),
    put("profiles", None, {}),
    put("profiles", "\ud800", {}),
    put("files", "f", {"Sha256": "../../x"}),
    put("files", "f", 1),
    put("history", "3", {"Epoch": "3", "Id": "x"}),
    put("nodes", "n", {"Url": 7}),
    patched("profiles", 5),
    patched("files", [{"op": "replace", "path": "/Sha256", "value": "../x"}]),
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_an_entry_that_could_not_be_applied_is_no_entry(body):
    with pytest.raises(ValueError, match="Append.entries"):
        messages.from_json(with_entries(entry(body)))


def test_entries_follow_each_other_and_their_epochs_never_go_back():
    messages.from_json(with_entries(entry({}), entry({}, 7)))
    older = [7, 2, "p-0", 1000, "{}"]
    later = [6, 4, "p-2", 1000, "{}"]
    for wrong in ([entry({}, 7)], [entry({}), entry({}, 8)], [entry({}), older], [later], [entry({}, 0)]):
        with pytest.raises(ValueError, match="does not follow|later epoch|whole number"):
            messages.from_json(with_entries(*wrong))


def test_a_record_names_each_node_once_and_passes_a_little_on():
    raw = json.loads(json.dumps(RECORD.to_json()))
    assert Record.from_json({**raw, "new": [1]}).extra == {"new": [1]}
    for wrong in ({"in_sync": raw["in_sync"] * 2}, {"new": "x" * 70_000}, {"epoch": [1 << 21, "x"]}, {"active": "a/b"}, {"paused": 1}):
        with pytest.raises(ValueError):
            Record.from_json({**raw, **wrong})


def test_rows_of_a_snapshot_have_a_form_too():
    good = {"cluster_id": "c", "promised": [3, "p"], "position": [[3, "p"], 5], "documents": 1, "replies": 1}
    assert Header.read(good).facts()["commit"] == 5
    for name in good:
        for wrong in (None, -1, "x" * 300, [1], {}):
            with pytest.raises(ValueError, match=name):
                Header.read({**good, name: wrong})
    assert read_document(["profiles", "p", "3.5", 9, {"a": 1}])[1] == "p"
    assert read_reply(["k", "f", 1, "3.5", [["profiles", "p"]]])[4] == (("profiles", "p"),)
    file = ["files", "f", "3.5", 9, {"Sha256": "../../x"}]
    for wrong in (file, ["profiles", 5, "3.5", 9, {}], ["profiles", "p", "x", 9, {}], ["profiles", "p", "3.5", True, {}], [], "12345"):
        with pytest.raises(ValueError):
            read_document(wrong)
    for wrong in (["k", "f", 1, "3.5", [["p"]]], [None, "f", 1, "3.5", []], ["k", "f", 1.5, "3.5", []], ["k", "f", 1, 3.5, []]):
        with pytest.raises(ValueError):
            read_reply(wrong)


@pytest.mark.parametrize("url", ["http://n1:1", "https://[::1]:8092", "https://n1.example:8092/", "http://10.0.0.1"])
def test_urls_of_nodes(url):
    assert form.url(url) == url


@pytest.mark.parametrize("url", ["http://[", "ftp://x", "n1:8092", "http://", "http://x:99999", "http://a b", "file:///etc/passwd", 7])
def test_what_is_no_url(url):
    with pytest.raises(ValueError, match="was expected"):
        form.url(url)


def test_depth_is_the_longest_way_down():
    def nested(depth):
        return [] if depth < 2 else [1, {"a": nested(depth - 2)}, "[" * 500]

    assert not form.is_deep(nested(98), 100) and form.is_deep(nested(100), 100) and not form.is_deep([[]] * 500, 5)
