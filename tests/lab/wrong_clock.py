# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a zipapp as if its host had a wrong wall clock: ``wrong_clock.py SECONDS ZIPAPP ARGUMENT…``.

The lab's hosts share the kernel's clock, so what Python tells of it is shifted instead. What C code
reads (the times of files, the validity of a certificate) stays right.
"""

import runpy
import sys
import time


def main(seconds, *command):
    right, right_ns, ahead = time.time, time.time_ns, float(seconds)
    time.time = lambda: right() + ahead
    time.time_ns = lambda: right_ns() + int(ahead * 1e9)
    sys.argv = list(command)
    del sys.path[0]  # the lab's modules are none of the zipapp's
    runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
