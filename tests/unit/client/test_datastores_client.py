# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the API of datastores, against that API over a pool in memory."""

import pytest

from baton.client import transport
from baton.client.connection import Connection, datastores_from
from baton.client.datastores import Datastores
from baton.client.error import ClientError
from support.datastores_api import served
from support.pool import Memory


@pytest.fixture
def api():
    with served(Memory()) as api:
        yield api


@pytest.fixture
def client(api):
    with Datastores(Connection((api.address,), "demo-token", timeout=5.0), "demo") as client:
        yield client


def resolved(environ=None, **options):
    connection, project = datastores_from(options, {"BATON_CONFIG": "", **(environ or {})})
    return connection.urls, project


# --- where it is ----------------------------------------------------------------------------------------------------------


def test_it_is_where_the_option_or_the_environment_says():
    environ = {"BATON_DATASTORES_URL": "https://192.0.2.1:1", "BATON_PROJECT": "demo", "BATON_URL": "https://192.0.2.9:8092"}
    assert resolved(environ) == (("https://192.0.2.1:1",), "demo")
    assert resolved(environ, datastores_url=["https://192.0.2.2:2"], project="mine") == (("https://192.0.2.2:2",), "mine")


def test_without_that_it_is_at_its_port_of_the_nodes():
    urls, _project = resolved({"BATON_PROJECT": "demo"}, url=["https://n1:8092", "192.0.2.1", "https://[2001:db8::1]:8092"])
    assert urls == ("https://n1:8779", "https://192.0.2.1:8779", "https://[2001:db8::1]:8779")


def test_the_configuration_file_may_say_it(tmp_path):
    (tmp_path / "config.ini").write_text("[db]\ndatastores_url = https://192.0.2.3\nproject = theirs\n")
    assert resolved({"BATON_CONFIG": str(tmp_path / "config.ini")}, cluster="db") == (("https://192.0.2.3",), "theirs")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"project": "demo"}, "no address: set the option datastores_url, or BATON_DATASTORES_URL"),
        ({"datastores_url": "https://h"}, "no project: set the option project, or BATON_PROJECT"),
        ({"datastores_url": "http://192.0.2.1:1", "project": "demo"}, "would send the token unencrypted"),
    ],
)
def test_what_is_missing_is_said(monkeypatch, tmp_path, options, says):
    monkeypatch.setattr("baton.client.connection.SYSTEM", str(tmp_path / "none"))
    with pytest.raises(ClientError, match=says):
        resolved({}, **options)


# --- what it says ---------------------------------------------------------------------------------------------------------


def test_instances_and_configurations_of_a_project(client):
    assert client.instances() == [] and client.flavors()[0]["str_id"] == "1" and client.datastores()[0]["name"] == "mariadb"
    made = client.create({"name": "db", "flavorRef": "1"}, "k")
    assert client.create({"name": "db", "flavorRef": "1"}, "k")["id"] == made["id"]
    assert client.instance(made["id"])["status"] == "ACTIVE" and client.history(made["id"])[-1]["what"] == "create is done"
    kept = client.create_configuration({"name": "c", "values": {"wait_timeout": 60}}, "c")
    client.edit_configuration(kept["id"], False, values={"max_connections": 20})
    assert client.configuration(kept["id"])["values"] == {"wait_timeout": 60, "max_connections": 20}
    client.change(made["id"], name="other", configuration=kept["id"])
    assert client.instance(made["id"])["name"] == "other" and client.instance(made["id"])["configuration"]["name"] == "c"
    client.change(made["id"], configuration=None)
    client.act(made["id"], "restart")
    client.delete(made["id"])
    client.delete_configuration(kept["id"])
    assert client.instances() == client.configurations() == []
    assert {"name": "wait_timeout", "type": "integer"}.items() <= {each["name"]: each for each in client.parameters("mariadb", "10.11")}[
        "wait_timeout"
    ].items()


def test_clusters_of_a_project():
    with served(Memory(6, datastores={"galera": ["10.11", "11.8"]})) as api:
        with Datastores(Connection((api.address,), "demo-token", timeout=5.0), "demo") as client:
            wanted = {"name": "shop", "instances": [{"flavorRef": "1"}] * 3, "datastore": {"type": "galera", "version": "10.11"}}
            made = client.create_cluster(wanted, "k")
            assert client.create_cluster(wanted, "k")["id"] == made["id"] and client.clusters() == [client.cluster("shop")]
            client.act_on_cluster(made["id"], "grow", [{}])
            client.act_on_cluster(made["id"], "restart")
            assert client.cluster(made["id"])["size"] == 4 and client.history_of_cluster("shop")[-1]["what"] == "restart is done"
            assert client.explain("shop", "clusters") == {"next": None, "needs": ""} and client.instances() == []
            client.delete_cluster(made["id"])
            assert client.clusters() == []


def test_long_lists_come_whole(client, monkeypatch):
    monkeypatch.setattr("baton.datastores.service.api.pages.MOST_ON_A_PAGE", 2)
    for number in range(5):
        client.create({"name": f"db{number}", "flavorRef": "1"}, f"k{number}")
    assert sorted(each["name"] for each in client.instances()) == [f"db{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("ask", "kind", "says"),
    [
        (lambda client: client.instance("x"), "not_found", "there is no instance 'x' in project demo; GET /instances has what there is"),
        (lambda client: client.create({"name": "x"}, "k"), "usage", "flavorRef is missing: say what the instance needs"),
        (lambda client: client.instance(".."), "usage", "can't be asked for by name; give its id"),
        (lambda client: client.instance("a\nb"), "usage", "can't be asked for by name; give its id"),
        (lambda client: client.create({"name": {1, 2}}, "k"), "usage", "the value is not JSON"),
    ],
)
def test_a_refusal_is_one_line(client, ask, kind, says):
    with pytest.raises(ClientError) as caught:
        ask(client)
    assert (caught.value.kind, says in caught.value.message, "\n" in caught.value.message) == (kind, True, False), caught.value.message


def test_a_token_that_is_none_or_of_another(api):
    for token, says in (("strange", "this token is not valid.*check BATON_TOKEN"), ("other-token", "not for project demo")):
        with Datastores(Connection((api.address,), token, timeout=5.0), "demo") as client:
            with pytest.raises(ClientError, match=says) as caught:
                client.instances()
            assert caught.value.kind == "auth"


def test_what_is_no_api_of_datastores_is_told_from_one(api):
    connection = Connection((api.address,), "demo-token", timeout=1.0)
    plain = transport.Transport(connection, "test")
    with pytest.raises(ClientError, match="not a Baton server: it answered 404"):
        plain.send(transport.Call("GET", "/profiles"))
    plain.close()


def test_an_action_that_may_have_been_heard_is_not_repeated(client):
    heard = []

    class Lost:
        headers, verify, cert = {}, True, None

        def request(self, method, url, **_more):
            heard.append((method, url.rpartition("/")[2]))
            raise transport.requests.ReadTimeout("lost")

    client._transport._session = Lost()
    client._transport.close = lambda: None
    with pytest.raises(ClientError) as caught:
        client.act("db", "promote_to_replica_source")
    assert caught.value.outcome == "unknown" and heard == [("POST", "action")]
