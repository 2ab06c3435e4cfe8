# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where servers stand as positions of a set, passwords as PostgreSQL keeps them, and its protocol against who says nonsense."""

import socket
import struct
import threading

import pytest

from baton.datastores.host.postgresql.config import errors
from baton.datastores.host.postgresql.place import Place, forks_in, lsn_number
from baton.datastores.host.postgresql.protocol import Connection, Refused, _Scram
from baton.datastores.model import positions
from baton.datastores.model.passwords import scram, scram_keys


def place(*ends, system="1"):
    """Return where somebody stands that left timelines 1, 2, … where it says."""
    return Place(system, len(ends), ends[-1], tuple(enumerate(ends[:-1], 1)))


def contains(one, other):
    return positions.contains(positions.parse(one.text), positions.parse(other.text))


def test_an_lsn_is_a_number():
    assert lsn_number("0/10000000") > lsn_number("0/9FFFFFF") and lsn_number("1/0") == 1 << 32


def test_a_history_is_where_each_timeline_was_left():
    text = '1\t0/3000110\tno recovery target specified\n\n2\t1/0\tbefore "x"\n'
    assert forks_in(text) == ((1, 0x3000110), (2, 1 << 32)) and forks_in("") == ()


@pytest.mark.parametrize(
    ("mine", "theirs", "is_behind"),
    [
        (place(100), place(100), True),
        (place(100), place(101), True),
        (place(101), place(100), False),
        (place(100), place(100, 300), True),
        (place(100, 200), place(100, 200), True),
        (place(101), place(100, 300), False),  # it went on where the other left
        (place(100, 200), place(100), False),
        (place(100, 200), place(90, 300), False),
        (place(100, 200), place(100, 150, 300), False),
        (place(100, 150), place(100, 150, 300), True),
    ],
)
def test_who_went_another_way_is_neither_behind_nor_ahead(mine, theirs, is_behind):
    assert mine.is_within(theirs) is is_behind
    assert contains(theirs, mine) is is_behind


def test_another_database_is_another():
    assert not place(1, system="2").is_within(place(100))
    assert not place(50, 100).is_within(place(60, 200))  # timelines of one number that were begun at different places


def test_a_position_has_room_for_any_number_of_promotions():
    old = place(*range(1, 1001))
    assert len(positions.parse(old.text)) <= positions.MOST_GTIDS
    for number in range(2, 300):
        now, before = place(*range(1, number + 1)), place(*range(1, number))
        assert len(positions.parse(now.text)) <= positions.MOST_GTIDS
        assert contains(now, before) or number % 32 == 0 and number > 32  # then a person is asked
        assert not contains(before, now)
    assert contains(place(*range(1, 65)), place(*range(33, 65))) is False  # it never was where the other was


def test_what_a_server_keeps_of_a_password_is_what_rfc_7677_says():
    import base64

    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    kept = scram("pencil", salt)
    client, stored, server = scram_keys("pencil", salt, 4096)
    assert kept == f"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==${base64.b64encode(stored).decode()}:{base64.b64encode(server).decode()}"
    proof = _Scram("pencil")
    proof._nonce, proof._bare = "rOprNGfwEbeRWgbNEkqO", "n=user,r=rOprNGfwEbeRWgbNEkqO"
    said = proof.last(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert said.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    with pytest.raises(ValueError, match="does not know the password itself"):
        proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=")
    for challenge in (b"r=other,s=W22Z,i=4096", b"r=rOprNGfwEbeRWgbNEkqOx,s=*,i=4096", b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=0", b""):
        with pytest.raises(ValueError):
            proof.last(challenge)


def test_errors_are_what_tells_why():
    lines = ["1 [2] LOG:  starting", '1 [2] FATAL:  invalid value for parameter "x"', "1 [3] FATAL:  the database system is starting up"]
    assert errors(lines) == ['invalid value for parameter "x"'] and errors(lines[2:]) == ["the database system is starting up"]
    assert errors(["nothing"]) == []


# --- the protocol -------------------------------------------------------------------------------------------------------------


def message(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


AUTHENTICATED = message(b"R", struct.pack("!I", 0)) + message(b"K", struct.pack("!II", 7, 8)) + message(b"Z", b"I")


def connected(*answers, password="x", seconds=2.0):
    """Return a connection to somebody who answers each message with one of these, and then is silent or gone."""
    ours, theirs = socket.socketpair()

    def answer():
        for each in answers:
            theirs.recv(65536)
            if each is None:
                break
            theirs.sendall(each)
        else:
            return
        theirs.close()

    threading.Thread(target=answer, daemon=True).start()
    connection = Connection(ours, {"user": "u"}, password, seconds, None)
    connection.keep = theirs
    return connection


def test_rows_notices_and_errors_are_told_apart():
    columns = struct.pack("!H", 2) + b"a\0" + b"\0" * 18 + b"b\0" + b"\0" * 18
    row = struct.pack("!H", 2) + struct.pack("!i", 1) + b"5" + struct.pack("!i", -1)
    notice = b"SWARNING\0C01000\0Mcancelled\0\0"
    good = message(b"T", columns) + message(b"D", row) + message(b"N", notice) + message(b"C", b"SELECT 1\0") + message(b"Z", b"I")
    bad = message(b"E", b"SERROR\0C42501\0Mno\0Dmore\0\0") + message(b"Z", b"I")
    connection = connected(AUTHENTICATED, good, bad)
    assert connection.pid == 7
    assert connection.ask("SELECT") == [{"a": "5", "b": None}] and connection.notices == [("01000", "cancelled")]
    with pytest.raises(Refused, match=r"no \(more\)") as refused:
        connection.ask("SELECT")
    assert refused.value.said.code == "42501" and connection.notices == []


@pytest.mark.parametrize(
    "answer",
    [
        message(b"R", struct.pack("!I", 5) + b"salt"),  # an older kind of proof, which gives the password away
        message(b"R", struct.pack("!I", 3)),
        message(b"R", struct.pack("!I", 12) + b"v=x"),
        b"R" + struct.pack("!I", 1 << 30),
        b"R" + struct.pack("!I", 1),
        message(b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0") + message(b"R", struct.pack("!I", 0)),  # without its own proof
    ],
)
def test_who_asks_for_what_is_no_proof_gets_none(answer):
    with pytest.raises(ValueError):
        connected(answer)


def test_who_ends_or_is_silent_is_left():
    with pytest.raises(OSError):
        connected(None)
    with pytest.raises(socket.timeout):
        connected(seconds=0.1)
    with pytest.raises(Refused, match="it shuts down"):
        connected(message(b"E", b"SFATAL\0C57P01\0Mit shuts down\0\0"))
    with pytest.raises(ValueError, match="wants data"):
        connected(AUTHENTICATED, message(b"G", b"\0\0\0")).ask("COPY t FROM STDIN")
    with pytest.raises(Refused, match="terminating"):
        connected(AUTHENTICATED, message(b"E", b"SFATAL\0C57P01\0Mterminating\0\0"), None).ask("SELECT")
