# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases and users by datastore: which names are a server's own, and that nothing is kept of a password but what a server keeps."""

import base64
import hashlib
import hmac
import json

import pytest

from baton.datastores.model.passwords import hashed, scram_keys
from baton.datastores.service.api.accounts import kept
from baton.datastores.service.api.wanted import new_instance
from baton.ground.problem import Problem
from support.datastores_api import message, served
from support.pool import Memory

ID = "a_12345678-1234-1234-1234-123456789012"
JOE = {"name": "joe", "password": "sesame", "databases": [{"name": "shop"}]}


@pytest.mark.parametrize("datastore", ["mariadb", "galera"])
def test_of_a_password_mariadbs_hash_is_kept(datastore):
    assert kept(datastore, [{"name": "shop"}], [{**JOE, "host": "192.0.2.7"}]) == (
        [{"name": "shop"}], [{"name": "joe", "hash": hashed("sesame"), "databases": [{"name": "shop"}], "host": "192.0.2.7"}]
    )  # fmt: skip


def test_of_a_password_postgresqls_scram_is_kept_each_with_its_salt():
    _databases, users = kept("postgresql", [{"name": "shop"}], [{**JOE, "host": "%"}, {**JOE, "name": "eve"}])
    assert [sorted(user) for user in users] == [["databases", "hash", "name"]] * 2 and users[0]["hash"] != users[1]["hash"]
    method, salt, keys = users[0]["hash"].split("$")
    rounds, salt = salt.split(":")
    client, stored, server = scram_keys("sesame", base64.b64decode(salt), int(rounds))
    assert method == "SCRAM-SHA-256" and [base64.b64decode(key) for key in keys.split(":")] == [stored, server]
    assert hashlib.sha256(client).digest() == stored and not hmac.compare_digest(stored, server)


@pytest.mark.parametrize("datastore", ["valkey", "redis"])
def test_of_a_password_a_sha256_is_kept_and_what_a_user_may_use_are_patterns_of_keys(datastore):
    user = {"name": "joe", "password": "sesame", "databases": [{"name": "shop:*"}]}
    hashed_ = hashlib.sha256(b"sesame").hexdigest()
    assert kept(datastore, [], [user]) == ([], [{"name": "joe", "hash": hashed_, "databases": [{"name": "shop:*"}]}])
    body = {"instance": {"name": "x", "flavorRef": "1", "datastore": {"type": datastore}, "users": [user]}}
    assert new_instance(json.dumps(body).encode()).users == [user]


@pytest.mark.parametrize(
    ("datastore", "databases", "users", "why"),
    [
        ("mariadb", ["mysql"], [], "'mysql' can't be the name of a database: it is the server's own; choose another"),
        ("galera", ["Baton"], [], "'Baton' can't be"),
        ("mariadb", [], [{"name": "root"}], "'root' can't be the name of a user"),
        ("mariadb", [], [{"name": ID}], f"{ID!r} can't be"),
        ("postgresql", ["postgres"], [], "'postgres' can't be the name of a database"),
        ("postgresql", ["Template1"], [], "'Template1' can't be"),
        ("postgresql", [], [{"name": "postgres"}], "'postgres' can't be the name of a user"),
        ("postgresql", [], [{"name": "pg_monitor"}], "'pg_monitor' can't be"),
        ("postgresql", [], [{"name": "baton_replication"}], "'baton_replication' can't be"),
        ("postgresql", ["ü" * 32], [], "more than the 63 bytes that postgresql takes"),
        ("redis", ["shop"], [], "databases of redis have numbers"),
        ("valkey", [], [{"name": "default"}], "'default' can't be the name of a user"),
        ("valkey", [], [{"name": "joe", "host": "192.0.2.7"}], "host of user 'joe' can't be given"),
        ("postgresql", [], [{"name": "joe", "host": "192.0.2.7"}], "host of user 'joe' can't be given: users of postgresql come from any"),
    ],
)
def test_names_that_a_server_has_itself_are_refused(datastore, databases, users, why):
    with pytest.raises(Problem) as refused:
        kept(datastore, [{"name": name} for name in databases], [{"password": "x", **user} for user in users])
    assert refused.value.status == 400 and why in refused.value.detail


@pytest.mark.parametrize(("member", "value"), [("collate", "de_DE"), ("character_set", "LATIN1")])
def test_what_hosts_may_sort_in_other_ways_is_refused_of_postgresql(member, value):
    with pytest.raises(Problem, match=f"{member} of database 'shop' is "):
        kept("postgresql", [{"name": "shop", member: value}], [])
    assert kept("mariadb", [{"name": "shop", member: value}], [])[0] == [{"name": "shop", member: value}]


def test_names_of_one_datastore_may_be_taken_with_another():
    assert kept("postgresql", [{"name": "mysql"}], [{"name": "root", "password": "x"}])[1][0]["name"] == "root"
    assert kept("mariadb", [{"name": "postgres"}], [{"name": "postgres", "password": "x"}])[0] == [{"name": "postgres"}]


def test_an_instance_of_postgresql_is_made_and_the_password_stands_nowhere():
    with served(Memory(datastores={"postgresql": ["15", "17"], "mariadb": ["11.8"]})) as api:
        made = api.make(datastore={"type": "postgresql"}, databases=[{"name": "shop"}], users=[JOE])
        assert made["status"] == "ACTIVE" and made["datastore"] == {"type": "postgresql", "version": "17", "version_number": "17"}
        (whole,) = api.pool.sets()
        (user,) = whole.members[made["id"]].own["users"]
        assert user["hash"].startswith("SCRAM-SHA-256$4096:") and "sesame" not in json.dumps(api.pool.documents)
        assert api.get(f"/instances/{made['id']}/configuration")["instance"]["configuration"] == {
            "port": 3306, "listen_addresses": "192.0.2.1", "cluster_name": made["id"],
        }  # fmt: skip
        replica = api.replicate("db")
        assert api.act(replica["id"], "promote_to_replica_source").status_code == 202
        assert api.show(replica["id"])["slave"] == {"list": [made["id"]]}
        body = {"instance": {"name": "x", "flavorRef": "1", "datastore": {"type": "postgresql"}, "databases": [{"name": "postgres"}]}}
        assert "server's own" in message(api.ask("POST", "/instances", body), 400, "badRequest")
        cluster = {"cluster": {"name": "c", "size": 3, "flavorRef": "1", "datastore": {"type": "postgresql"}}}
        assert "clusters of postgresql are not offered" in message(api.ask("POST", "/clusters", cluster), 400, "badRequest")
