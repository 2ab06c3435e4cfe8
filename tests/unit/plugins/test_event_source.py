# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source for rulebooks, with real nodes: its main() as ansible-rulebook loads it, and ansible-rulebook itself."""

import asyncio
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from baton.client.api import connect
from support.certificates import Authority
from support.cluster import ROOT, Cluster, free_port, until
from support.scripted_server import Answer, ScriptedServer, problem

SOURCE = ROOT / "extensions/eda/plugins/event_source/events.py"
HERE = Path(__file__).resolve().parent
COMMANDS = Path(os.environ.get("TEST_ANSIBLE_BIN", ROOT / ".venv/bin"))
RULEBOOK = Path(sys.executable).parent / "ansible-rulebook"  # starts what PATH has as ansible-playbook
OTHER = "1.other.7.1"  # a cursor of another cluster's log


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("events"), 2, dcs="local") as made:
        yield made


@pytest.fixture
def client(cluster):
    with connect({"url": [node.url for node in cluster.nodes.values()], "token": cluster.token, "timeout": 60}, {}) as client:
        yield client


@pytest.fixture
def profile(client, request):
    """The name of a profile of this test."""
    name = request.node.name.partition("[")[0]
    client.create("profiles", {"Name": name})
    return name


class Source:
    """Runs the source's main() in a thread; ``seen`` grows, ``error`` is why it ended. Takes nothing out of a ``full`` queue.

    ``silence``: seconds after which it leaves a node that says nothing.
    """

    def __init__(self, cluster=None, full=False, silence=20.0, **args):
        if cluster is not None:
            args = {"url": [node.url for node in cluster.nodes.values()], "token": cluster.token, **args}
        self.args, self.full, self.seen, self.error = args, full, [], None
        self.queue, self._stopping = None, threading.Event()
        self._main = runpy.run_path(str(SOURCE))["main"]
        self._main.__globals__["SILENCE"] = silence
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self):
        self._thread.start()
        until(lambda: self.queue, "the source runs")
        return self

    def __exit__(self, *_exc):
        self._stopping.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    async def _run(self):
        self.queue = asyncio.Queue(1)  # one place, as in ansible-rulebook
        tasks = [asyncio.ensure_future(work) for work in (self._main(self.queue, self.args), self._take())]
        stopping = asyncio.get_running_loop().run_in_executor(None, self._stopping.wait)
        await asyncio.wait([tasks[0], stopping], return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            self.error = f"{type(tasks[0].exception()).__name__}: {tasks[0].exception()}"
        for task in tasks:
            task.cancel()
        await stopping

    async def _take(self):
        while not self.full:
            self.seen.append(await self.queue.get())

    def values(self):
        return [event["patch"][0]["value"] for event in self.seen if event["action"] == "patch"]

    def until(self, count):
        until(lambda: self.error or len(self.seen) >= count, f"{count} events of {self.args}, not {self.seen}")
        assert self.error is None
        return self.seen


class Writer:
    """Writes 0, 1, 2 … to a param in a thread, each as soon as the one before is acknowledged; ``count`` are."""

    def __init__(self, cluster, profile):
        self._cluster, self._profile, self.count, self._stop = cluster, profile, 0, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._stop.set()
        self._thread.join(60)

    def _run(self):
        with connect(
            {"url": [node.url for node in self._cluster.nodes.values()], "token": self._cluster.token, "timeout": 60}, {}
        ) as client:
            while not self._stop.is_set():
                client.set_param("profiles", self._profile, "n", self.count)
                self.count += 1

    def more(self, count):
        wanted = self.count + count
        until(lambda: self.count >= wanted, f"{count} more writes")


def write(client, profile, *values):
    for value in values:
        client.set_param("profiles", profile, "n", value)


def begun(path):
    """Wait until a source with this cursor file has its place in the log."""
    until(lambda: path.exists() and path.read_text(), "the source has begun")
    return path


# --- main() -----------------------------------------------------------------------------------------------------------


def test_an_event_has_the_members_of_the_api_in_lower_case_and_a_meta_that_stays(cluster, client, tmp_path):
    with (
        Source(cluster, kinds=["machines"], cursor_file=str(tmp_path / "c")) as source,
        Source(cluster, since=OTHER, documents=False) as bare,
    ):
        begun(tmp_path / "c")
        bare.until(1)
        uuid = client.create("machines", {"Name": "web-1", "Meta": {"color": "red"}}).body["Uuid"]
        client.delete("machines", uuid)
        created, deleted = source.until(2)
        again = Source(cluster, kinds="machines", since=bare.until(3)[0]["cursor"])
    assert created["kind"] == "machines" and created["key"] == uuid and created["action"] == "put" and created["value"]["Name"] == "web-1"
    assert deleted["action"] == "delete" and deleted["document"] is None
    assert set(created) == {"kind", "key", "action", "value", "document", "revision", "at", "cursor", "meta"}
    assert "document" not in bare.seen[1]
    with again:
        assert [event["meta"] for event in again.until(2)] == [created["meta"], deleted["meta"]] and created["meta"] != deleted["meta"]


def test_all_events_once_and_in_order_over_a_switch(cluster, profile):
    with Source(cluster, key=profile, since=OTHER) as source:
        source.until(1)
        with Writer(cluster, profile) as writer:
            for _switch in range(2):
                writer.more(20)
                old = cluster.active()
                assert cluster.call(old, "POST", "/system/switch", json={}).status_code == 200
                until(lambda old=old: cluster.active() not in (None, old), "another is active")
            writer.more(20)
        source.until(1 + writer.count)
    assert source.values() == list(range(writer.count)) and [event["kind"] for event in source.seen].count("gap") == 1


def test_all_that_is_acknowledged_comes_once_when_the_active_is_killed(cluster, profile):
    with Source(cluster, key=profile, since=OTHER) as source:
        source.until(1)
        with Writer(cluster, profile) as writer:
            writer.more(20)
            old = cluster.active()
            old.kill()
            writer.more(20)
        source.until(1 + writer.count)
    assert source.values() == list(range(writer.count)) and [event["kind"] for event in source.seen].count("gap") == 1
    old.start().until("/in-sync")


def test_an_active_that_freezes_is_left(cluster, profile):
    with Source(cluster, key=profile, since=OTHER, silence=1.0) as source:
        source.until(1)
        frozen = cluster.active()
        frozen.process.send_signal(signal.SIGSTOP)
        other = next(node for node in cluster.nodes.values() if node is not frozen).until("/active")
        with connect({"url": other.url, "token": cluster.token}, {}) as client:
            write(client, profile, 0, 1)
        source.until(3)
        frozen.process.send_signal(signal.SIGCONT)
    assert source.values() == [0, 1]
    frozen.until("/in-sync")


def test_a_restart_goes_on_after_the_last_event_of_the_cursor_file(cluster, client, profile, tmp_path):
    file = tmp_path / "cursor"
    options = {"key": profile, "cursor_file": str(file), "since": "ignored once the file is there"}
    with Source(cluster, **{**options, "since": "now"}) as first:
        begun(file)
        write(client, profile, 0, 1, 2)
        first.until(3)
        until(lambda: file.read_text().strip() == first.seen[-1]["cursor"], "the cursor is kept")
    write(client, profile, 3, 4)
    with Source(cluster, **options) as second:
        second.until(2)
    write(client, profile, 5)
    with Source(cluster, **options) as third:
        third.until(1)
    assert first.values() + second.values() + third.values() == list(range(6))
    assert os.listdir(tmp_path) == ["cursor"]


def test_what_a_rulebook_left_in_its_queue_comes_again_after_the_restart(cluster, client, profile, tmp_path):
    file = tmp_path / "cursor"
    with Source(cluster, full=True, key=profile, cursor_file=str(file)) as source:
        before = begun(file).read_text()
        write(client, profile, 0, 1)
        until(source.queue.full, "an event waits for the rulebook")
    assert file.read_text() == before
    with Source(cluster, key=profile, cursor_file=str(file)) as source:
        source.until(2)
    assert source.values() == [0, 1]


def test_a_gap_is_told_once_and_what_follows_it_comes(cluster, client, profile, tmp_path):
    file = tmp_path / "cursor"
    file.write_text(f"{OTHER}\n")
    with Source(cluster, key=profile, cursor_file=str(file)) as source:
        source.until(1)
        write(client, profile, 0)
        gap, event = source.until(2)
    assert (gap["kind"], gap["action"], gap["after"]) == ("gap", "lost", OTHER) and gap["cursor"] != OTHER and "lost" in gap["detail"]
    with Source(cluster, key=profile, cursor_file=str(file)) as again:
        write(client, profile, 1)
        again.until(1)
    assert source.values() + again.values() == [0, 1]


def test_a_document_may_be_longer_than_any_buffer(cluster, client, profile):
    with Source(cluster, key=profile, since=OTHER) as source:
        source.until(1)
        client.set_param("profiles", profile, "large", "x" * 700_000)
        write(client, profile, 1)
        source.until(3)
    assert len(source.seen[1]["document"]["Params"]["large"]) == 700_000 and source.seen[2]["patch"][0]["value"] == 1


def test_nodes_are_tried_in_order_and_a_passive_points_to_the_active(cluster, client, profile, tmp_path):
    (tmp_path / "token").write_text(f"{cluster.token}\n")
    away, passive = free_port(), next(node for node in cluster.nodes.values() if node is not cluster.active())
    with Source(url=f"http://127.0.0.1:{away}, {passive.url}", token_file=str(tmp_path / "token"), since=OTHER) as source:
        source.until(1)
        write(client, profile, 1)
        source.until(2)


def test_it_goes_on_when_all_nodes_were_away(tmp_path):
    with Cluster(tmp_path, 1, dcs="local") as cluster, connect({"url": cluster.n1.url, "token": cluster.token}, {}) as client:
        client.create("profiles", {"Name": "p"})
        with Source(cluster, key="p", since=OTHER) as source:
            source.until(1)
            write(client, "p", 0)
            source.until(2)
            cluster.n1.kill()
            cluster.n1.start().until("/active")
            write(client, "p", 1, 2)
            source.until(4)
        assert source.values() == [0, 1, 2]


def test_tls_is_verified_against_the_ca(tmp_path, monkeypatch):
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    made = Cluster(tmp_path, 1, dcs="local")
    node = made.n1
    node.command.remove("--insecure")
    node.command += map(str, authority.issue("n1", "127.0.0.1"))
    node.url = node.url.replace("http:", "https:")
    ca = str(authority.folder / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca)
    monkeypatch.setenv("BATON_CA", ca)
    with made as cluster:
        token = str(node.data / "admin.token")
        with Source(url=node.url, token_file=token, since=OTHER) as trusting:
            trusting.until(1)
        program = [sys.executable, str(SOURCE)]
        environ = {**os.environ, "BATON_URL": node.url, "BATON_TOKEN_FILE": token, "BATON_CA": str(other.folder / "ca.pem")}
        with subprocess.Popen(program, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            said = process.stderr.readline()
            process.kill()
        assert "certificate verify failed" in said and "trying again" in said
        environ["BATON_CA"] = ca
        with subprocess.Popen(program, env=environ, stdout=subprocess.PIPE, text=True) as process:
            writer = threading.Timer(0, _write_until, (cluster, process))
            writer.start()
            assert json.loads(process.stdout.readline())["kind"] == "profiles"
            process.kill()
        writer.join()


def _write_until(cluster, process):
    """Create profiles until the program has printed one and was killed; when its stream has begun it does not say."""
    number = 0
    while process.poll() is None:
        number += 1
        cluster.call(cluster.n1, "PUT", f"/profiles/t{number}", json={"Name": f"t{number}"})


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"token": "wrong"}, "401: this token is unknown"),
        ({"token": ""}, "401: send a token"),
        ({"token": None, "token_file": "/nowhere/token"}, "can't read the token file /nowhere/token: No such file"),
        ({"token": "a b"}, "characters that no token has"),
        ({"kinds": "tokens"}, "400: kinds is a list"),
        ({"kinds": 7}, "kinds is a list, or text with commas, not 7"),
        ({"kind": "machines"}, "there is no option 'kind'"),
        ({"since": "yesterday"}, "400: a cursor is what"),
        ({"documents": "perhaps"}, "documents is true or false"),
        ({"url": ""}, "no address"),
        ({"url": "http://192.0.2.1:8092"}, "plain http is for loopback"),
        ({"url": "https://me@192.0.2.1"}, "is not a URL such as"),
        ({"ca": "/nowhere/ca.pem"}, "can't use the CA file /nowhere/ca.pem: No such file"),
        ({"cursor_file": "/nowhere/cursor"}, "can't write the cursor file /nowhere/cursor: No such file"),
        ({"cursor_file": "/proc"}, "can't read the cursor file /proc: Is a directory"),
    ],
)
def test_what_can_not_work_ends_it_with_one_line(cluster, args, says, monkeypatch):
    monkeypatch.delenv("BATON_URL", raising=False)
    with Source(cluster, **args) as source:
        until(lambda: source.error, "it ends", 5)
    assert source.error.startswith("EventsError: ") and says in source.error and "\n" not in source.error
    assert cluster.token not in source.error and source.seen == []


def test_the_documentation_has_the_options_and_its_examples_use_them():
    source = runpy.run_path(str(SOURCE))
    documented = yaml.safe_load(source["DOCUMENTATION"])["options"]
    assert tuple(documented) == source["OPTIONS"]
    for example in yaml.safe_load(source["EXAMPLES"]):
        assert set(example["baton.ha.events"]) <= set(documented)


def test_a_node_that_does_not_know_the_token_yet_is_not_the_end(cluster):
    unknowing = ScriptedServer(problem(401, "bad_token", "this token is unknown, expired or revoked"))
    with unknowing, Source(url=[unknowing.url, cluster.active().url], token=cluster.token, since=OTHER) as source:
        source.until(1)


def test_a_wrong_token_ends_it_though_another_node_is_down(cluster):
    with Source(url=[f"http://127.0.0.1:{free_port()}", cluster.active().url], token="wrong") as source:
        until(lambda: source.error, "it ends")
    assert "401: this token is unknown" in source.error


@pytest.mark.parametrize("target", ["http://192.0.2.1:8092/api/v3/events", "ftp://127.0.0.1/api/v3/events", ""])
def test_the_token_goes_to_no_target_that_shows_it(target):
    server = ScriptedServer(Answer(307, "", {"Location": target}))
    with server, Source(url=server.url, token="T0ken") as source:
        until(lambda: source.error, "it ends")
    assert "points to another node, which can't be followed" in source.error and len(server.requests) == 1


def test_from_https_it_is_led_to_no_plain_http(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("n1", "127.0.0.1")
    plain = ScriptedServer(problem(500, "no"))
    pair = (tmp_path / "n1.pem", tmp_path / "n1.key")
    server = ScriptedServer(Answer(307, "", {"Location": f"{plain.url}/api/v3/events"}), certificate=pair)
    with plain, server, Source(url=server.url, token="T0ken", ca=str(tmp_path / "ca.pem")) as source:
        until(lambda: source.error, "it ends")
    assert "not encrypted: not followed" in source.error and plain.requests == []


def test_busy_nodes_are_asked_again(cluster):
    busy = problem(503, "no_active", "no node is active now; try again")
    lead = Answer(307, "", {"Location": f"{cluster.active().url}/api/v3/events"})
    server = ScriptedServer(busy, Answer(cut="before"), problem(429, "slow"), Answer(502, "<html>"), lead)
    with server, Source(url=server.url, token=cluster.token, since=OTHER) as source:
        source.until(1)
    assert source.seen[0]["kind"] == "gap" and len(server.requests) >= 5


# --- ansible-rulebook -------------------------------------------------------------------------------------------------


def rulebook(cluster, folder, path, hosts, *options, **environ):
    """Start ansible-rulebook; every host is this machine. What it says is in ``said`` in the folder."""
    if "TEST_ANSIBLE_BIN" in os.environ and not RULEBOOK.exists():
        pytest.skip("no ansible-rulebook beside this Python; see tools/cores")
    interpreter = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    (folder / "hosts.ini").write_text("".join(f"{host} {interpreter}\n" for host in hosts))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "ANSIBLE_"))}
    kept["PATH"] = f"{COMMANDS}{os.pathsep}{kept['PATH']}"
    kept.update(BATON_URL=",".join(node.url for node in cluster.nodes.values()), BATON_TOKEN=cluster.token)
    kept.update(ANSIBLE_COLLECTIONS_PATH=str(ROOT / "build/collections"), **environ)
    program = [RULEBOOK, "--rulebook", path, "--inventory", folder / "hosts.ini", *options]
    with open(folder / "said", "w") as said:
        return subprocess.Popen(program, env=kept, stdout=said, stderr=subprocess.STDOUT, cwd=folder)


def playbook(path):
    """Write one that says on which host it runs."""
    message = "I am {{ inventory_hostname }} in {{ ansible_eda.event.document.Meta.color }}"
    path.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": message}}]}]))
    return str(path)


def test_a_rulebook_plays_on_the_machine_that_turned_red_and_goes_on_after_a_restart(cluster, client, tmp_path):
    cursor = tmp_path / "cursor"
    variables = {"CURSOR_FILE": str(cursor), "PLAYBOOK": playbook(tmp_path / "play.yml")}
    hosts = [f"web-{number}" for number in range(3)]
    machines = [client.create("machines", {"Name": host}).body["Uuid"] for host in hosts]

    def turns_red(number):
        client.merge("machines", machines[number], {"Meta": {"color": "red"}})

    def start():
        return rulebook(cluster, tmp_path, HERE / "rulebook.yml", hosts, "--env-vars", ",".join(variables), **variables)

    with start() as process:
        begun(cursor)
        turns_red(1)
        assert process.wait(120) == 0, (tmp_path / "said").read_text()
    assert [host for host in hosts if f"I am {host} in red" in (tmp_path / "said").read_text()] == ["web-1"]
    turns_red(2)  # while nobody listens
    with start() as process:
        assert process.wait(120) == 0, (tmp_path / "said").read_text()
    assert [host for host in hosts if f"I am {host} in red" in (tmp_path / "said").read_text()] == ["web-2"]


def test_the_rulebook_of_the_documentation(cluster, client, tmp_path):
    section = (ROOT / "docs/guides/plugins.md").read_text().partition("\n## Events\n")[2]
    text = section.partition("```yml\n")[2].partition("```")[0]
    urls = ",".join(node.url for node in cluster.nodes.values())
    (tmp_path / "red.yml").write_text(text.replace("https://192.0.2.10:8092,https://192.0.2.11:8092", urls))
    (tmp_path / "red.cursor").write_text(OTHER)
    playbook(tmp_path / "mend.yml")
    said = tmp_path / "said"
    with rulebook(cluster, tmp_path, "red.yml", ["db-1", "db-2"]) as process:
        try:
            until(lambda: "events were lost: the log" in said.read_text(), "the gap")
            uuid = client.create("machines", {"Name": "db-1", "Meta": {"color": "red"}}).body["Uuid"]
            until(lambda: "I am db-1 in red" in said.read_text(), "the first machine")
            client.set_param("machines", uuid, "again", 1)
            client.create("machines", {"Name": "db-2", "Meta": {"color": "red"}})
            until(lambda: "I am db-2 in red" in said.read_text(), "the second machine")
        finally:
            process.terminate()
    assert said.read_text().count("I am db-1 in red") == 1 and said.read_text().count("I am db-2 in red") == 1


def test_a_rulebook_with_a_wrong_token_ends_and_says_why(cluster, tmp_path):
    variables = {"CURSOR_FILE": str(tmp_path / "cursor"), "PLAYBOOK": "none", "BATON_TOKEN": "wrong"}
    with rulebook(cluster, tmp_path, HERE / "rulebook.yml", ["a"], "--env-vars", "CURSOR_FILE,PLAYBOOK", **variables) as process:
        assert process.wait(60) != 0
    assert "EventsError: Source plugin failed" in (tmp_path / "said").read_text()
    assert "401: this token is unknown, expired or revoked" in (tmp_path / "said").read_text()
