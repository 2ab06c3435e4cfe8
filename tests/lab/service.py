# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that must never run twice: ``service.py start|stop NAME FOLDER``. It answers on UDP with its name.

Does what a good init script does, so that a driver and keepalived's notify scripts may call the very same: one call at a time, a start
returns when it answers, starting what runs and stopping what does not are no errors. FOLDER/watch is a socket (holders.Services)
which is told when it begins and ends; a killed one is noticed by the end of its connection.
"""

import fcntl
import os
import signal
import socket
import sys
import time

PORT = 7777


def main(verb, name, folder):
    os.chdir(folder)
    turn, life = (os.open(f"{name}.{lock}", os.O_WRONLY | os.O_CREAT, 0o600) for lock in ("turn", "life"))
    fcntl.flock(turn, fcntl.LOCK_EX)  # until this process ends
    runs = not taken(life)
    if verb == "start" and not runs:
        serve(name, turn)
    elif verb == "stop" and runs:
        with open(f"{name}.pid") as file:
            os.kill(int(file.read()), signal.SIGTERM)
        fcntl.flock(life, fcntl.LOCK_EX)


def taken(life):
    """Take the lock that a running service has, whose parent we may become."""
    try:
        fcntl.flock(life, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def serve(name, turn):
    """Return once the service answers; it goes on in a child."""
    watch = socket.socket(socket.AF_UNIX)
    watch.connect("watch")
    watch.sendall(f"start {name} {boottime()}\n".encode())
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", PORT))
    child = os.fork()
    if child:
        with open(f"{name}.pid", "w") as file:
            file.write(str(child))
        return
    os.close(turn)
    signal.signal(signal.SIGTERM, lambda *_unused: end(server, watch))
    while True:
        _data, source = server.recvfrom(64)
        server.sendto(name.encode(), source)


def end(server, watch):
    server.close()
    watch.sendall(f"end {boottime()}\n".encode())
    os._exit(0)


def boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


if __name__ == "__main__":
    main(*sys.argv[1:])
