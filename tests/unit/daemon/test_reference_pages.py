# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reference says what there is, no more and no less: options, the names of the drop-in, signals, metrics, how long clients try."""

import re

import pytest
import yaml

from baton.client.connection import DEFAULT_TIMEOUT
from baton.daemon import settings
from support.cluster import ROOT

REFERENCE = ROOT / "docs/reference"
SOURCE = ROOT / "plugins/module_utils/_baton"
METRIC = re.compile(r"\bbaton_[a-z_]+")


def rows(page, first):
    """Return the rows of a page's tables whose first cell begins with ``first``, as lists of cells."""
    lines = [line for line in (REFERENCE / page).read_text().splitlines() if line.startswith(f"| {first}")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_the_options_are_those_of_the_daemon():
    known = {flag: (default, more) for flag, default, _text, more in settings.OPTIONS}
    known.update({flag: ("", more) for flag, _text, more in settings.FLAGS})
    known.update({"peer": ("", ("RS_HA_JOIN",)), "limit": ("", ())})
    listed = {}
    for flag, environment, default, _text, _role in rows("options.md", "`--"):
        variable, *more = names(environment)
        assert variable == "BATON_" + names(flag)[0][2:].upper().replace("-", "_")
        listed[names(flag)[0][2:]] = ("".join(names(default)), tuple(more))
    assert listed == known
    told = set(re.findall(r"--([a-z][a-z-]+)", settings.parser().format_help())) - {"help", "version"}
    assert told == set(listed)


def test_the_variables_of_the_role_exist():
    options = yaml.safe_load((ROOT / "roles/node/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    named = {name for row in rows("options.md", "`--") for name in names(row[-1])}
    assert named and named <= set(options)


def test_how_long_clients_try_is_told_as_it_is():
    for page in ("docs/reference/batonctl.md", "plugins/doc_fragments/connection.py", "plugins/doc_fragments/plugin_connection.py"):
        told = re.findall(r"one request (?:may take )?with all its retries \((\d+)\)", (ROOT / page).read_text())
        assert told == [f"{DEFAULT_TIMEOUT:g}"], page


def test_the_names_of_the_drop_in_are_those_that_are_read():
    read = {name for path in SOURCE.rglob("*.py") for name in re.findall(r"\bRS_[A-Z][A-Z_]+", path.read_text())}
    assert {names(row[0])[0] for row in rows("environment.md", "`RS_")} == read


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGINT"])
def test_the_signals_of_the_daemon_are_told(name):
    handled = set(re.findall(r"signal\.(SIG[A-Z0-9]+)", (SOURCE / "daemon/wiring.py").read_text()))
    assert name in handled
    told = {found for row in rows("environment.md", "`SIG") for found in re.findall("SIG[A-Z0-9]+", row[0])}
    assert told - {"SIGKILL", "SIGSTOP"} == handled


def test_each_metric_that_a_page_names_exists():
    known = {names(row[0])[0] for row in rows("metrics.md", "`baton_")}
    variables = set()
    for role in (ROOT / "roles").iterdir():
        for part in role.rglob("*.yml"):
            variables |= set(METRIC.findall(part.read_text()))
    for page in (REFERENCE / "metrics.md", ROOT / "docs/guides/failover.md", ROOT / "docs/guides/certificates.md"):
        unknown = set(METRIC.findall(page.read_text())) - known - variables
        assert not unknown, (page.name, unknown)
