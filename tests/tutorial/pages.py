# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page as a reader takes it: files to write, commands to give, and what these print. Pure, but for reading the page.

A block whose first line is `# NAME` is a file. In a block of `console` each line after `$ ` is a command; what follows is what it
prints: `…` is anything, as a line or within one.
"""

import re
from collections import Counter
from dataclasses import dataclass

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# ([\w-]+(?:\.[\w-]+)+)\n")


@dataclass
class File:
    name: str
    text: str


@dataclass
class Command:
    line: str
    prints: str


def steps(text):
    """Yield files and commands of a page in their order."""
    for kind, block in BLOCK.findall(text):
        named = NAME.match(block)
        if kind == "console":
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                line, _newline, prints = part.partition("\n")
                yield Command(line, prints)
        elif kind == "sh":
            yield from (Command(line, "") for line in block.splitlines())
        elif named:
            yield File(named[1], block)


def lines(text):
    """Return the lines of an output as they can be compared: without numbers, which names of hosts end in, and single spaces."""
    return [re.sub(r"\d+", "N", re.sub(r"\s+", " ", line)).strip() for line in text.splitlines() if line.strip()]


def missing(prints, output):
    """Return the lines that a page shows and an output has not, or not as often."""
    seen = Counter(lines(output))
    left = []
    for line in lines(prints):
        if line == "…":
            continue
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        found = next((one for one, times in seen.items() if times and re.fullmatch(pattern, one)), None)
        if found is None:
            left.append(line)
        else:
            seen[found] -= 1
    return left
