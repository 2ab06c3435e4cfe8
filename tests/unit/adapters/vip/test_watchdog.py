# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's watchdog. The device is a FIFO here, and only the ioctl, which it has not got, is played."""

import fcntl
import os
import struct

import pytest

from baton.adapters.vip.watchdog import SET_TIMEOUT, Watchdog, calm


@pytest.fixture
def device(tmp_path):
    path = tmp_path / "watchdog"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield str(path), lambda: os.read(reader, 100)
    os.close(reader)


@pytest.fixture
def takes(monkeypatch):
    """Return a function that says how many seconds the device takes, whatever it is asked for."""
    asked = []

    def set_up(seconds):
        def ioctl(_handle, request, data):
            asked.append((request, struct.unpack("i", data)[0]))
            return struct.pack("i", seconds)

        monkeypatch.setattr(fcntl, "ioctl", ioctl)
        return asked

    return set_up


def test_armed_kept_and_disarmed(device, takes):
    path, written = device
    asked = takes(2)
    watchdog = Watchdog(path, 2)
    watchdog.check()
    watchdog.release()
    watchdog.keep()
    watchdog.keep()
    assert asked == [(SET_TIMEOUT, 2)] and written() == b"\0\0"
    watchdog.release()
    assert written() == b"V"
    watchdog.keep()
    assert written() == b"\0"
    watchdog.release()


def test_a_device_that_waits_too_long_is_disarmed_again(device, takes):
    path, written = device
    takes(60)
    with pytest.raises(OSError, match="60 s at least, and 2 s are needed"):
        Watchdog(path, 2).keep()
    assert written() == b"V"


def test_what_is_no_watchdog_is_refused(device, tmp_path):
    path, written = device
    with pytest.raises(OSError, match="ioctl"):
        Watchdog(path, 2).keep()
    assert written() == b"V"
    with pytest.raises(FileNotFoundError):
        Watchdog(str(tmp_path / "none"), 2).check()


def test_what_a_killed_guard_left_armed_is_disarmed(device, tmp_path):
    path, written = device
    calm(path)
    assert written() == b"V"
    calm(str(tmp_path / "none"))
