# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenStack's own clients against the API: the whole life of a set, with the library and with the command line."""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

import pytest
from keystoneauth1 import loading
from keystoneauth1.session import Session
from openstackclient import shell
from osc_lib.clientmanager import ClientManager
from troveclient.apiclient import exceptions
from troveclient.v1 import client

from support.datastores_api import served
from support.pool import Memory

OPENSTACK = str(Path(sys.executable).parent / "openstack")


@pytest.fixture
def trove(api):
    auth = loading.get_plugin_loader("admin_token").load_from_options(endpoint=api.endpoint, token="demo-token")
    return client.Client(session=Session(auth=auth), auth=auth, endpoint_type="public")


# --- the library ------------------------------------------------------------------------------------------------------------


def test_the_library_sees_what_there_is(trove):
    (datastore,) = trove.datastores.list()
    assert trove.datastores.get("mariadb").id == datastore.id == trove.datastores.get(datastore.id).id
    versions = trove.datastore_versions.list("mariadb")
    assert trove.datastore_versions.get("mariadb", "11.8").id == versions[1].id == datastore.default_version
    assert [flavor.name for flavor in trove.flavors.list()] == ["small", "large"] and trove.flavors.get("1").ram == 512
    parameters = {each.name: each for each in trove.configuration_parameters.parameters("mariadb", "11.8")}
    assert trove.configuration_parameters.get_parameter_by_version(versions[1].id, "wait_timeout").max == parameters["wait_timeout"].max
    assert trove.clusters.list() == []


@pytest.fixture
def clusters():
    """The API over a pool that has Galera, and the library as its client."""
    with served(Memory(8, datastores={"galera": ["10.11", "11.8"]}, regions=("eu", "us"))) as api:
        auth = loading.get_plugin_loader("admin_token").load_from_options(endpoint=api.endpoint, token="demo-token")
        yield client.Client(session=Session(auth=auth), auth=auth, endpoint_type="public"), api


def test_the_library_leads_a_cluster_through_its_life(clusters):
    trove, api = clusters
    kept = trove.configurations.create("c", '{"wait_timeout": 60}', "mine", "galera", "10.11")
    wanted = [{"flavorRef": "1", "volume": {"size": 1}, "region": "eu"}] * 2 + [{"flavorRef": "1", "region": "us", "type": "arbiter"}]
    made = trove.clusters.create("shop", "galera", "10.11", instances=wanted, locality="anti-affinity", configuration=kept.id)
    shown = trove.clusters.get(made.id)
    assert shown.name == "shop" and shown.task["name"] == "NONE" and shown.datastore == {**shown.datastore, "type": "galera"}
    assert [(each["status"], each["type"], each["region"]) for each in shown.instances] == [
        ("ACTIVE", "data", "eu"), ("ACTIVE", "data", "eu"), ("ACTIVE", "arbiter", "us"),
    ]  # fmt: skip
    assert trove.instances.list() == [] and len(trove.instances.list(include_clustered=True)) == 3
    grown = trove.clusters.grow(made, [{"flavorRef": "1", "volume": {"size": 1}, "region": "eu"}])
    assert len(grown.instances) == 4 and trove.instances.get("shop-4").cluster_id == made.id
    with pytest.raises(exceptions.UnprocessableEntity, match="let it leave by DELETE /clusters/"):
        trove.instances.delete("shop-4")
    trove.instances.restart("shop-4")
    assert len(trove.clusters.shrink(made, [{"id": trove.instances.get("shop-1").id}]).instances) == 3
    trove.clusters.upgrade(made, "11.8")
    assert trove.clusters.get("shop").datastore["version"] == "11.8"
    with pytest.raises(exceptions.BadRequest, match="a cluster has 3 members at least, not 2"):
        trove.clusters.shrink(made, [{"id": trove.instances.get("shop-2").id}])
    pages = trove.clusters.list(limit=1)
    assert [each.id for each in pages] == [made.id] and pages.next is None
    trove.clusters.reset_status(made)
    trove.clusters.delete(made)
    assert trove.clusters.list() == []


def test_the_library_deletes_a_cluster_by_force_while_it_is_made(clusters):
    trove, api = clusters
    api.pool.lively = False
    made = trove.clusters.create("shop", "galera", "11.8", instances=[{"flavorRef": "1", "volume": {"size": 1}}] * 3)
    assert trove.clusters.get(made).task["name"] == "BUILDING"
    with pytest.raises(exceptions.UnprocessableEntity, match="busy with create"):
        trove.clusters.delete(made)
    api.pool.settle_once()
    made.force_delete()
    api.pool.settle()
    assert trove.clusters.list() == []


def test_the_library_leads_a_set_through_its_life(trove, api):
    source = trove.instances.create(
        "db", flavor_id="1", volume={"size": 1}, databases=[{"name": "shop"}],
        users=[{"name": "joe", "password": "x", "databases": [{"name": "shop"}]}], datastore="mariadb", datastore_version="10.11",
        access={"is_public": False},
    )  # fmt: skip
    last = trove.instances.create("r", replica_of=source.id, replica_count=2, access={"is_public": False})
    assert (last.name, last.status, last.replica_of["id"]) == ("r-2", "ACTIVE", source.id)
    trove.instances.promote_to_replica_source(last)
    assert sorted(each["id"] for each in trove.instances.get(last).replicas) != [source.id]
    trove.instances.update(source, name="old")
    assert trove.instances.get("old").id == source.id and len(trove.instances.list()) == 3
    first_page = trove.instances.list(limit=2)
    assert len(first_page) == 2 and len(trove.instances.list(limit=2, marker=first_page.next)) == 1
    trove.instances.restart(source)
    with pytest.raises(exceptions.Forbidden, match="promote one of them, or delete them, first"):
        trove.instances.delete(last)
    api.pool.dies(api.show(source.id)["hostname"])
    api.pool.settle()
    trove.instances.force_delete(source)
    trove.instances.delete("r-1")
    trove.instances.delete(last)
    assert trove.instances.list() == []


def test_the_library_can_not_eject_a_source_that_serves(trove, api):
    source = trove.instances.create("db", flavor_id="1", volume={"size": 1})
    trove.instances.create("r", replica_of=source.id)
    with pytest.raises(exceptions.BadRequest, match="is heard and serves"):
        trove.instances.eject_replica_source(source)


def test_the_library_keeps_configurations(trove):
    made = trove.configurations.create("c", '{"wait_timeout": 60}', "mine", "mariadb", "11.8")
    instance = trove.instances.create("db", flavor_id="1", volume={"size": 1}, configuration=made.id)
    assert trove.instances.configuration(instance).configuration["wait_timeout"] == 60
    assert [each.name for each in trove.configurations.instances(made)] == ["db"]
    trove.configurations.edit(made, '{"max_connections": 50}')
    trove.configurations.update(made, '{"max_connections": 60}', name="d", description="ours")
    shown = trove.configurations.get(made)
    assert (shown.name, shown.values, shown.instance_count) == ("d", {"max_connections": 60}, 1)
    trove.instances.update(instance, remove_configuration=True)
    trove.configurations.delete(made)
    assert trove.configurations.list() == []


def test_the_library_raises_what_it_is_told(trove):
    for ask, kind in (
        (lambda: trove.instances.get("nobody"), exceptions.NotFound),
        (lambda: trove.instances.create("db", flavor_id="9"), exceptions.NotFound),
        (lambda: trove.instances.create("", flavor_id="1"), exceptions.BadRequest),
        (lambda: trove.instances.create("db", flavor_id="1", region_name="mars"), exceptions.BadRequest),
        (lambda: trove.configurations.create("c", '{"wait_timeout": true}'), exceptions.UnprocessableEntity),
        (lambda: trove.instances.resize_instance("x", "2"), exceptions.BadRequest),
    ):
        with pytest.raises(kind):
            ask()


def test_a_password_that_is_a_token_finds_the_service_by_keystone(api):
    auth = loading.get_plugin_loader("v3password").load_from_options(
        auth_url=f"{api.address}/v3", username="joe", password="demo-token", user_domain_id="default", project_name="demo",
        project_domain_id="default",
    )  # fmt: skip
    trove = client.Client(session=Session(auth=auth), auth=auth, endpoint_type="public")
    assert trove.instances.list() == []
    token = loading.get_plugin_loader("v3token").load_from_options(
        auth_url=f"{api.address}/v3", token="demo-token", project_name="demo", project_domain_id="default"
    )
    assert client.Client(session=Session(auth=token), auth=token, endpoint_type="public").flavors.list()


def test_discovery_finds_keystone_with_and_without_its_version(api):
    for address in (api.address, f"{api.address}/v3"):
        auth = loading.get_plugin_loader("password").load_from_options(
            auth_url=address, username="joe", password="demo-token", user_domain_id="default", project_name="demo",
            project_domain_id="default",
        )  # fmt: skip
        assert Session(auth=auth).get_endpoint(service_type="database") == api.endpoint


# --- the command line: its program, once, and what that runs, in this process: it takes a second to begin ---------------------


def environ_of(api, environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**kept, **(environment or {"OS_AUTH_TYPE": "admin_token", "OS_ENDPOINT": api.endpoint, "OS_TOKEN": "demo-token"})}


def openstack(api, *words, fails=False, **environment):
    """Return what a command prints, as JSON where it can."""
    out, errors, log = io.StringIO(), io.StringIO(), logging.getLogger()
    kept = vars(ClientManager).get("database")
    if kept is not None:
        kept._handle = None  # a client of the API that was asked before
    before = log.level, list(log.handlers)
    try:
        with mock.patch.dict(os.environ, environ_of(api, environment), clear=True), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
                status = shell.main(list(words))
    finally:
        log.level, log.handlers = before
    assert (status != 0) == fails, errors.getvalue()
    return errors.getvalue() if fails else json.loads(out.getvalue()) if "json" in words else out.getvalue()


def test_the_command_line_is_a_program(api):
    words = [OPENSTACK, "datastore", "list", "-f", "json"]
    done = subprocess.run(words, env=environ_of(api, {}), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and json.loads(done.stdout)[0]["Name"] == "mariadb", done.stderr


def test_the_command_line_leads_a_set_through_its_life():
    with served(Memory(hosts=3)) as api:
        made = openstack(
            api, "database", "instance", "create", "db", "--flavor", "small", "--size", "1", "--datastore", "mariadb",
            "--datastore-version", "10.11", "--databases", "shop", "--users", "joe:x", "-f", "json",
        )  # fmt: skip
        assert made["name"] == "db" and made["datastore_version"] == "10.11"
        openstack(api, "database", "instance", "create", "r", "--replica-of", "db", "--replica-count", "2", "-f", "json")
        roles = {each["Name"]: each["Role"] for each in openstack(api, "database", "instance", "list", "-f", "json")}
        assert roles == {"db": "primary", "r-1": "replica", "r-2": "replica"}
        openstack(api, "database", "instance", "promote", "r-1")
        shown = openstack(api, "database", "instance", "show", "r-1", "-f", "json")
        assert len(shown["replicas"].split(", ")) == 2 and shown["status"] == "ACTIVE"
        assert "Unable to delete" in openstack(api, "database", "instance", "delete", "r-1", fails=True)
        openstack(api, "database", "instance", "force", "delete", "db")
        assert {each["name"] for each in api.get("/instances")["instances"]} == {"r-1", "r-2"}


def test_the_command_line_shows_what_there_is(api):
    version = ("--datastore", "mariadb", "--datastore-version", "11.8")
    openstack(api, "database", "configuration", "create", "c", '{"wait_timeout": 60}', *version)
    shown = openstack(api, "database", "configuration", "show", "c", "-f", "json")
    assert json.loads(shown["values"]) == {"wait_timeout": 60}
    password = {
        "OS_AUTH_TYPE": "v3password", "OS_AUTH_URL": f"{api.address}/v3", "OS_USERNAME": "joe", "OS_PASSWORD": "demo-token",
        "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_NAME": "demo", "OS_PROJECT_DOMAIN_ID": "default",
    }  # fmt: skip
    assert [each["Name"] for each in openstack(api, "database", "flavor", "list", "-f", "json", **password)] == ["small", "large"]


def test_the_command_line_leads_a_cluster_through_its_life():
    with served(Memory(8, datastores={"galera": ["10.11", "11.8"]})) as api:
        each = ("--instance", "flavor=small,volume=1")
        made = openstack(api, "database", "cluster", "create", "shop", "galera", "10.11", *each, *each, *each, "-f", "json")
        assert made["name"] == "shop" and made["datastore"] == "galera" and made["instance_count"] == 3 and made["task_name"] == "NONE"
        listed = openstack(api, "database", "cluster", "list", "-f", "json")
        assert [(row["Name"], row["Datastore Version"], row["Task Name"]) for row in listed] == [("shop", "10.11", "NONE")]
        openstack(api, "database", "cluster", "grow", "shop", "--instance", "flavor=small,volume=1,type=arbiter,name=judge")
        openstack(api, "database", "cluster", "grow", "shop", *each)
        rows = openstack(api, "database", "cluster", "list", "instances", "shop", "-f", "json")
        assert [(row["Name"], row["Size"], row["Status"]) for row in rows] == [
            ("shop-1", 1, "ACTIVE"), ("shop-2", 1, "ACTIVE"), ("shop-3", 1, "ACTIVE"), ("judge", "", "ACTIVE"), ("shop-4", 1, "ACTIVE"),
        ]  # fmt: skip
        openstack(api, "database", "cluster", "shrink", "shop", "shop-1", "judge")
        assert "3 members at least" in openstack(api, "database", "cluster", "shrink", "shop", "shop-2", fails=True)
        openstack(api, "database", "cluster", "upgrade", "shop", "11.8")
        shown = openstack(api, "database", "cluster", "show", "shop", "-f", "json")
        assert shown["datastore_version"] == "11.8" and shown["status"] == "ACTIVE" and shown["ip"].count(",") == 2
        openstack(api, "database", "cluster", "force", "delete", "shop")
        assert api.get("/clusters") == {"clusters": []}
