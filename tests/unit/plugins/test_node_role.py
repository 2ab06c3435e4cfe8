# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role baton.ha.node refuses before it changes anything."""

import json

import pytest

from support.plays import Runs, environ_of


class Nowhere:
    """In place of a cluster: the tasks under test ask none."""

    class n1:
        url, data = "http://127.0.0.1:1", None


@pytest.fixture
def checked(tmp_path):
    """Run the role's look at the stores of two hosts, and a task after it; return (exit status, output, hosts that came to that task)."""

    def run(dcs, **stores):
        for host in ("web-1", "web-2"):
            (tmp_path / host).mkdir()
            if host.replace("-", "_") in stores:
                (tmp_path / host / "STORE").write_text(stores[host.replace("-", "_")] + "\n")
        Nowhere.n1.data = tmp_path
        tasks = [
            {"ansible.builtin.import_role": {"name": "baton.ha.node", "tasks_from": "store"}},
            {"ansible.builtin.raw": f"touch {tmp_path}/{{{{ inventory_hostname }}}}/changed"},
        ]
        values = json.dumps({"baton_dcs": dcs, "baton_data_dir": f"{tmp_path}/{{{{ inventory_hostname }}}}"})
        with Runs(Nowhere, tmp_path) as runs:
            process = runs.begin(tasks, inventory="web-1,web-2,", options=["-e", values], environ=environ_of(Nowhere, tmp_path))
            output = "".join(process.communicate(timeout=120))
        return process.returncode, output, sorted(path.parent.name for path in tmp_path.glob("*/changed"))

    return run


def test_another_store_than_that_of_the_cluster_is_refused_before_anything_is_changed_on_any_host(checked):
    status, output, went_on = checked("etcd", web_2="manual")
    assert status and went_on == []
    assert "baton_dcs is etcd, but the cluster of this node keeps its record with manual" in output


@pytest.mark.parametrize("stores", [{}, {"web_1": "etcd"}, {"web_1": "etcd", "web_2": "etcd"}])
def test_the_same_store_and_none_yet_are_fine(checked, stores):
    status, output, went_on = checked("etcd", **stores)
    assert (status, went_on) == (0, ["web-1", "web-2"]), output
