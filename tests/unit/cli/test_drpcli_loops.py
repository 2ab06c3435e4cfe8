# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell loops of Digital Rebar's multi-machine pattern, unchanged, with batonctl under the name drpcli.

Real bash and jq; each machine is a process of its own. The scripts are in drpcli/. A machine that holds has said where it is and
waits for the test to let all go on at once, so nothing here depends on who is quick.
"""

import os
import select
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from baton.client.api import Client, connection_from

SCRIPTS = Path(__file__).with_name("drpcli")
FLEET = 30 if os.environ.get("BATON_LONG") else 8  # machines; a machine costs about twenty starts of drpcli
DEADLINE = 900  # on a machine that is busy with other tests


@pytest.fixture(scope="module")
def drpcli(programs, tmp_path_factory):
    """The directory with `drpcli`."""
    folder = tmp_path_factory.mktemp("bin")
    shutil.copy(programs / "batonctl.pyz", folder / "drpcli")
    return folder


@pytest.fixture(scope="module")
def client(node):
    with Client(connection_from({"url": node[0], "token_file": str(node[1])}, {})) as client:
        client.create("params", {"Name": "my/leader", "Schema": {"type": "string", "default": "none"}})
        yield client
        client.delete("params", "my/leader")


class Fleet:
    """Machines that share a profile. ``run`` gives each a process; ``hold`` and ``release`` are explained above."""

    def __init__(self, client, folder, environ, profile, params):
        self.client, self.profile = client, profile
        client.create("profiles", {"Name": profile, "Params": params})
        self.evidence, self.gate = folder / "evidence", folder / "gate"
        self.evidence.touch()
        os.mkfifo(self.gate)
        self.open_gate = os.open(self.gate, os.O_RDWR)  # for both, so that nobody's open waits for the other side
        token = client.profile_token(profile)["Token"]
        more = {"CLUSTER_PROFILE": profile, "TOKEN": token, "EVIDENCE": str(self.evidence), "GATE": str(self.gate)}
        self.environ = {**environ, **more}
        self.processes = []

    def machines(self, count):
        uuids = [str(uuid.uuid4()) for _number in range(count)]
        for number, key in enumerate(uuids):
            self.client.create("machines", {"Uuid": key, "Name": f"{self.profile}-{number}", "Profiles": [self.profile]}, want=False)
        return uuids

    def run(self, machine, script, *arguments):
        process = subprocess.Popen(
            ["bash", str(SCRIPTS / script), *arguments], env={**self.environ, "RS_UUID": machine},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def release(self, count):
        os.write(self.open_gate, b"\n" * count)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        os.close(self.open_gate)

    def params(self):
        return self.client.params("profiles", self.profile).body

    def revision(self):
        return self.client.get("profiles", self.profile).revision


def ended(process):
    """Return exit status, lines of stdout and all of stderr."""
    out, err = process.communicate(timeout=DEADLINE)
    return process.returncode, out.splitlines(), err


def said(process):
    return process.stdout.readline().rstrip("\n")


@pytest.fixture
def fleet(client, node, drpcli, tmp_path, request):
    """Make a fleet with a profile of the test's own, which begins with some params."""
    token = client.create_token({"kind": "admin"}, "1h")["Token"]
    path = f"{drpcli}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {"PATH": path, "RS_ENDPOINT": node[0], "RS_TOKEN": token}
    fleets = []

    def make(**params):
        name = request.node.name.replace("[", "-").replace("]", "")
        fleets.append(Fleet(client, tmp_path, environ, name, {key.replace("__", "/"): value for key, value in params.items()}))
        return fleets[-1]

    yield make
    for made in fleets:
        made.close()


@pytest.mark.parametrize(("form", "count", "params"), [("bare", FLEET, {}), ("quoted", 6, {"my__leader": "none"})])
def test_one_of_all_machines_becomes_leader(fleet, form, count, params):
    cluster = fleet(other="untouched", **params)
    machines = cluster.machines(count)
    racers = [cluster.run(machine, "leader.sh", form) for machine in machines]
    assert {said(racer) for racer in racers} == {"read none" if form == "bare" else 'read "none"'}
    cluster.release(count)
    results = [ended(racer) for racer in racers]
    (winner,) = [machine for machine, result in zip(machines, results) if result == (0, ["leader"], "")]
    losers = [result for result in results if result[0] != 0]
    assert len(losers) == count - 1
    for status, out, err in losers:
        assert (status, out) == (1, ["lost with status 1"])
        assert err.count("\n") == 1 and f'is not "none": found "{winner}"; nothing was changed' in err
    assert cluster.params() == {"my/leader": winner, "other": "untouched"}
    before = cluster.revision()
    loser = machines[0] if machines[0] != winner else machines[1]
    again = [cluster.run(machine, "leader.sh", form) for machine in (winner, loser)]
    assert [ended(process) for process in again] == [(0, ["leader"], ""), (1, [], "")]
    assert cluster.revision() == before, "a second run changes nothing"


STEP = 3


def test_a_queue_lets_every_machine_through_and_few_at_once(fleet):
    cluster = fleet()
    cluster.environ["CLUSTER_STEP"] = str(STEP)
    machines = cluster.machines(FLEET)
    waiting, coming = [], []
    for machine in machines:  # two at a time come and race: with all at once the losers' new attempts would take minutes
        if len(coming) == 2:
            for stream in select.select(coming, [], [])[0]:
                assert stream.readline() == "queued\n"
                coming.remove(stream)
        waiting.append(cluster.run(machine, "queue.sh", "add", "step", "work", "remove", "sync"))
        coming.append(waiting[-1].stdout)
    assert [stream.readline() for stream in coming] == ["queued\n"] * len(coming)
    line = cluster.params()["cluster/machines"]
    assert sorted(line) == sorted(machines) and cluster.evidence.read_text() == ""
    stranger = cluster.machines(1)[0]
    assert ended(cluster.run(stranger, "queue.sh", "step", "work", "remove")) == (1, ["not queued"], "")
    cluster.release(FLEET)
    assert [ended(process) for process in waiting] == [(0, [], "")] * FLEET
    assert cluster.params()["cluster/machines"] == []

    evidence = [row.split() for row in cluster.evidence.read_text().splitlines()]
    inside, through = set(), []
    for what, machine in evidence:
        if what == "in":
            assert line.index(machine) < len(through) + STEP, "it overtook"
            inside.add(machine)
            assert len(inside) <= STEP
        elif what == "out":
            inside.remove(machine)
            through.append(machine)
        else:
            assert len(through) == FLEET, "it went on before all were through"
    assert sorted(through) == sorted(machines)
    assert sorted(machine for what, machine in evidence if what == "synced") == sorted(machines)


@pytest.mark.parametrize("status", [0, 1])
def test_an_operator_lets_machines_escape_from_the_queue(fleet, status):
    cluster = fleet(cluster__escape=status)
    assert ended(cluster.run(cluster.machines(1)[0], "queue.sh", "escape", "step", "work")) == (status, ["escaped"], "")
    assert cluster.evidence.read_text() == ""


def test_progress_is_shown_by_metadata(fleet):
    cluster = fleet()
    status, out, err = ended(cluster.run(cluster.machines(1)[0], "progress.sh"))
    assert out == [
        '{"icon":"anchor","color":"green"}', '{"icon":"anchor","color":"yellow"}', '"ship"', '"ship"', "status 1", '"chess queen"',
        '"yes"', "status 1", "null", "status 1", '{"icon":"chess queen","color":"yellow"}',
    ]  # fmt: skip
    assert status == 0
    assert [line.rpartition(": ")[2] for line in err.splitlines()] == [
        'another value stands there; found "ship"', 'found "yes"; nothing was changed', "there is nothing at '/Meta/seen'",
    ]  # fmt: skip


def test_waiting_for_a_field(fleet):
    cluster = fleet()
    status, out, err = ended(cluster.run(cluster.machines(1)[0], "wait.sh"))
    assert out == ["complete", "complete", "complete", "complete", "timeout", "status 1", '"none"']
    assert (status, err.count("\n")) == (0, 1)
    assert 'waited 0.2 s in vain for Stage to be "gone"; found "deployed"' in err


def test_tokens(fleet):
    cluster = fleet()
    status, out, err = ended(cluster.run(cluster.machines(1)[0], "tokens.sh"))
    assert (status, out) == (0, [cluster.profile, cluster.profile, '"yes"', "status 1"])
    assert "does not allow" in err and err.count("\n") == 1
    made = [token for token in cluster.client.tokens() if token["Description"] == "user rocketskates"]
    assert [token["Scope"] for token in made] == [{"kind": "admin"}] * 2
    assert sorted(token["Expires"] - token["Created"] for token in made) == [7200, 3 * 365 * 86400]
