# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what goes wrong: each ends in one line that says what to do, shows no secret, and leaves everything as it was."""

import os
from datetime import date

import pytest

from support.cluster import Cluster
from support.disk import full_at
from support.tasks import run

SECRET = "s3cret-that-nobody-may-see"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("bad"), 1, "local") as cluster:
        for name, params in (("web", {"n": 1, "my/leader": "somebody", "list": []}), ("two", {"n": 1})):
            cluster.call(cluster.n1, "PUT", f"/profiles/{name}", json={"Name": name, "Params": params})
        cluster.call(cluster.n1, "POST", "/locks/held/acquire", json={"Owner": "other"})
        cluster.call(cluster.n1, "POST", "/leases", json={"Id": "theirs", "Ttl": 3600, "Owner": "other"})
        for uuid in ("u1", "u2"):
            cluster.call(cluster.n1, "PUT", f"/machines/{uuid}", json={"Uuid": uuid, "Name": "twin"})
        yield cluster


def everything(cluster):
    kinds = ("profiles", "machines", "params", "leases", "locks", "tokens")
    found = {kind: cluster.call(cluster.n1, "GET", f"/{kind}").json() for kind in kinds}
    for lease in found["leases"]:
        lease.pop("Left")
    return found


TABLE = [
    # --- no server, no right ---
    ("profile_info", {"url": ["http://127.0.0.1:1"]}, "no connection within 0.5 s: http://127.0.0.1:1: connection refused"),
    ("profile_info", {"url": ["https://127.0.0.1:1", "https://127.0.0.1:2"]}, "https://127.0.0.1:2: connection refused"),
    ("profile_info", {"url": None}, "no address: set the option url, or BATON_URL"),
    ("profile_info", {"url": ["http://192.0.2.1:8092"]}, "would send the token unencrypted; use https://"),
    ("profile_info", {"url": ["https://u:p@192.0.2.1"]}, "has a user name in it; give a token instead"),
    ("profile_info", {"token": SECRET}, "this token is unknown, expired or revoked; check BATON_TOKEN or the token file"),
    ("profile_info", {"token": None}, "send a token"),
    ("profile_info", {"token": "two words"}, "the token has characters that no token has"),
    ("profile_info", {"token": None, "token_file": "/nonexistent"}, "can't read the token file /nonexistent: no such file"),
    ("profile_info", {"ca": "/nonexistent"}, "the CA file /nonexistent does not exist"),
    ("profile_info", {"timeout": 0}, "timeout is a number of seconds above 0"),
    # --- unknown options, wrong types ---
    ("profile", {"name": "web", "parms": {}}, "parms. Supported parameters include"),
    ("profile", {"name": "web", "params": "x"}, "'params' is of type"),
    ("profile", {"name": "a b"}, "'a b' is not a name", "can't name a profile"),
    ("profile", {"name": "../tokens"}, "can't name a profile"),
    ("profile", {"name": "web", "params": {"a b": 1}}, "'a b' can't name a param"),
    ("machine", {"name": "twin", "icon": "x"}, "2 machines are named 'twin'; give uuid"),
    ("machine", {"name": "new", "uuid": "a b"}, "can't name a machine"),
    # --- compare and patch ---
    ("compare_and_patch", {"name": "web", "param": "n", "expect": 2}, "patch, value, batch"),
    ("compare_and_patch", {"name": "web", "param": "n", "value": 2}, "patch, expect, expect_unset, batch"),
    ("compare_and_patch", {"name": "web", "param": "n", "expect": 2, "expect_unset": True, "value": 2}, "mutually exclusive"),
    ("compare_and_patch", {"name": "web", "param": "n", "expect_unset": False, "value": 2}, "expect_unset is true or left out"),
    (
        "compare_and_patch",
        {"name": "web", "param": "n", "expect_unset": True, "value": 2, "on_conflict": "fail"},
        "param 'n' of profile 'web' is not unset but 1; nothing was changed",
    ),
    (
        "compare_and_patch",
        {"name": "web", "param": "never", "expect": 1, "value": 2, "on_conflict": "fail"},
        "is not 1 but not set; nothing was changed",
    ),
    ("compare_and_patch", {"kind": "machines", "name": "Name:twin", "patch": []}, "2 machines are named 'twin'; give a Uuid"),
    ("compare_and_patch", {"kind": "machines", "name": "Name:nobody", "patch": []}, "no machine is named 'nobody'"),
    ("compare_and_patch", {"name": "web", "expect": 1, "value": 2}, "name it with param"),
    ("compare_and_patch", {"name": None, "param": "n", "expect": 1, "value": 2}, "name is empty: say which of the profiles to change"),
    ("compare_and_patch", {"kind": "machines", "name": "", "patch": []}, "name is empty: say which of the machines to change"),
    ("compare_and_patch", {"batch": [{"name": "", "param": "n", "expect": 1, "value": 2}]}, "name is empty: say which of the profiles"),
    (
        "compare_and_patch",
        {"name": "web", "param": "n", "expect": 5, "value": 6, "on_conflict": "fail"},
        "is not 5 but 1; nothing was changed",
    ),
    ("compare_and_patch", {"name": "absent", "patch": []}, "there is no profile 'absent'"),
    ("compare_and_patch", {"name": "web", "patch": [{"op": "ad", "path": "/x"}]}, "operation 0"),
    ("compare_and_patch", {"name": "web", "patch": [{"op": "replace", "path": "/Name", "value": "x"}]}, "can't be changed"),
    (
        "compare_and_patch",
        {"name": "web", "param": "n", "patch": [{"op": "add", "path": "", "value": 1}], "lease": "gone"},
        "there is no lease 'gone'",
    ),
    (
        "compare_and_patch",
        {"name": "web", "patch": [], "only_under": {"lease": "theirs", "token": 1}},
        "does not hold anything with token 1",
    ),
    (
        "compare_and_patch",
        {"name": "web", "patch": [], "only_under": {"lease": "theirs", "token": None}},
        "only_under has no token: give both, as the task that took the lock returned them",
    ),
    (
        "compare_and_patch",
        {"name": "web", "patch": [], "only_under": {"lease": "theirs", "token": "x"}},
        "only_under.token is not a number",
    ),
    (
        "compare_and_patch",
        {"name": "web", "patch": [{"op": "replace", "path": "/Params/typo", "value": 1}]},
        "without a test operation nothing is compared, so this is no lost race",
    ),
    ("compare_and_patch", {"name": "web", "param": "typo", "patch": [{"op": "remove", "path": ""}]}, "op add sets what is not there"),
    ("compare_and_patch", {"batch": [{"name": "web", "param": "n", "patch": [{"op": "remove", "path": "/x"}]}]}, "is no lost race"),
    ("compare_and_patch", {"batch": [{"name": "web"}]}, "patch, value found in batch"),
    ("compare_and_patch", {"batch": [{"name": "web", "expect": 1, "value": 2}]}, "name it with param"),
    ("compare_and_patch", {"batch": [{"name": "web", "param": "n", "value": 2}]}, "patch, expect, expect_unset found in batch"),
    ("compare_and_patch", {"batch": [], "lease": "x"}, "no meaning with batch"),
    (
        "compare_and_patch",
        {
            "batch": [{"name": "web", "param": "n", "expect": 1, "value": 2}, {"name": "two", "param": "n", "expect": 9, "value": 2}],
            "on_conflict": "fail",
        },
        "param 'n' of profile 'two' is not 9 but 1; nothing was changed",
    ),
    # --- elections ---
    ("leader_election", {"profile": "web", "candidate": "none"}, "candidate and vacant are the same value"),
    ("leader_election", {"profile": "web", "param": "n", "seats": 2}, "holds one value, not a list of leaders"),
    ("leader_election", {"profile": "web", "seats": 0}, "seats is a whole number from 1"),
    ("leader_election", {"profile": "x/y/z"}, "'x/y/z' can't name a profile: its name has no slash"),
    ("leader_election", {"profile": "web", "param": ""}, "param is empty: name a param, or leave the option out"),
    ("leader_election", {"profile": "web", "param": "list", "seats": 1, "lease": "gone"}, "there is no lease 'gone'"),
    ("leader_election", {"profile": "web", "param": "n", "seats": 2, "ttl": "1h"}, "holds one value, not a list of leaders"),
    ("leader_election", {"profile": "web", "ttl": "1h", "lease": "theirs"}, "mutually exclusive"),
    ("leader_election", {"profile": "web", "ttl": "soon"}, "'soon' is not a time"),
    ("leader_election", {"profile": "none-yet", "eligible": False, "wait_timeout": 0.1}, "waited 0.1 s in vain"),
    # --- locks and leases ---
    ("lock", {"name": "held", "wait": False}, "lock 'held' is held by other"),
    ("lock", {"name": "held", "slots": 2, "wait": False}, "has 1 slots while somebody holds it, not 2"),
    ("lock", {"name": "held", "lease": "gone", "wait": False}, "there is no lease 'gone'"),
    ("lock", {"name": "held", "ttl": "0.1s"}, "is not a time"),
    ("lease", {"id": "theirs"}, "exists already, with another owner"),
    ("lease", {"id": "a/b"}, "can't name a lease"),
    ("lease", {"id": "new", "ttl": "2d"}, "ttl '2d' is not a time from 1s to 24h, such as 30, 90s, 10m or 2h"),
    ("lease", {"id": "new", "ttl": "5x"}, "ttl '5x' is not a time from 1s to 24h, such as 30, 90s, 10m or 2h"),
    ("lock", {"name": "migrate 2.1", "state": "released"}, "'migrate 2.1' can't name a lock"),
    # --- barriers and waits ---
    ("barrier", {"name": "b"}, "any of the following are missing: count, members"),
    ("barrier", {"name": "b", "count": 2, "members": ["a"]}, "mutually exclusive"),
    ("barrier", {"name": "b", "count": 0}, "count is a whole number from 1"),
    ("barrier", {"name": "b", "count": 2, "wait_timeout": -1}, "wait_timeout is a number of seconds from 0, not -1"),
    ("barrier", {"name": "b/", "count": 2}, "'b/' is not a name: it is printable, and has no empty part, . or .. between slashes"),
    ("barrier", {"name": "", "count": 2}, "a name is empty"),
    ("lock", {"name": "a//b", "ttl": "10m"}, "'a//b' is not a name"),
    ("lock", {"name": "free", "slots": 0}, "slots is a whole number from 1"),
    ("lock", {"name": "held", "wait_timeout": "nan"}, "wait_timeout is a number of seconds from 0, not nan"),
    ("barrier", {"name": "b", "members": ["a", "a"]}, "different owners"),
    ("barrier", {"name": "b", "members": ["a", "b"]}, "is not among those for whom barrier 'b' waits"),
    ("wait_for", {"name": "web", "param": "never", "wait_timeout": 0.1}, "waited 0.1 s in vain for: exists; nothing is set"),
    ("wait_for", {"name": "web", "condition": "equals"}, "value"),
    ("wait_for", {"name": "web", "condition": "in", "value": 1}, "condition in needs value, <a JSON list>"),
    ("wait_for", {"name": "web", "param": ""}, "param is empty: name a param, or leave the option out"),
    ("wait_for", {"name": "web", "stable_for": "nan"}, "stable_for is a number of seconds, from 0 to at most 240 seconds"),
    ("wait_for", {"name": "none-yet", "param": "n", "wait_timeout": 0.1}, "nothing is set: there is no profile 'none-yet'"),
    ("compare_and_patch", {"name": "web", "param": "n", "expect": 1, "value": date(2026, 1, 2)}, "write a date in quotes"),
    ("compare_and_patch", {"batch": []}, "batch is a list"),
    ("wait_for", {"name": "web", "path": "x"}, "path is a JSON pointer"),
    ("wait_for", {"condition": "exists"}, "name which of the profiles"),
    ("wait_for", {"name": "web", "filter": {"a": 1}}, "no meaning with name"),
    ("wait_for", {"name": "web", "stable_for": 1000}, "at most 240 seconds"),
    ("wait_for", {"kind": "machines", "name": "u1", "escape": "x"}, "escape is a param of a profile"),
    ("wait_for", {"kind": "machines", "name": "Name:twin"}, "2 machines are named 'twin'; give a Uuid"),
    ("wait_for", {"kind": "machines", "name": "Name:nobody", "wait_timeout": 0.1}, "no machine is named 'nobody' (waited 0.1 s)"),
    # --- tokens ---
    ("token", {"profile": "web", "ttl": "soon"}, "'soon' is not a time"),
    ("token", {"profile": "a b"}, "can't name a profile"),
    ("token", {"guest": "nobody"}, "there is no host 'nobody'"),
    ("token", {"guest": "h", "profile": "web"}, "a guest's token is for its host alone: leave out profile, project and viewer"),
    ("token", {"profile": "web", "path": "/nonexistent/x"}, "can't write the token to /nonexistent/x: no such file or directory"),
    ("token", {"state": "absent"}, "say which token to revoke"),
]


@pytest.mark.parametrize("row", TABLE, ids=[f"{row[0]}: {row[2][:50]}" for row in TABLE])
def test_one_line_and_nothing_half_written(cluster, row):
    module, options, *texts = row
    before = everything(cluster)
    result = run(cluster, module, **options)
    assert result.get("failed"), result
    assert any(text in result["msg"] for text in texts), result["msg"]
    assert "\n" not in result["msg"] and "Traceback" not in result["msg"] and SECRET not in str(result)
    assert everything(cluster) == before


def test_a_lease_that_has_expired_is_said_to_be_gone(cluster):
    run(cluster, "lease", id="short", ttl="1s")
    held = run(cluster, "lock", name="short", lease="short")
    cluster.call(cluster.n1, "DELETE", "/leases/short")
    late = run(cluster, "compare_and_patch", name="web", patch=[], only_under={"lease": "short", "token": held["token"]})
    assert late["failed"] and "lease 'short' is gone; nothing was changed: stop what you do under it" in late["msg"]


def test_a_token_that_does_not_fit_leaves_the_old_one_and_nothing_else(cluster, tmp_path):
    (tmp_path / "token").write_text("old")
    with full_at(5):
        result = run(cluster, "token", profile="web", path=str(tmp_path / "token"))
    assert result["failed"] and "can't write the token to" in result["msg"]
    assert os.listdir(tmp_path) == ["token"] and (tmp_path / "token").read_text() == "old"


def test_check_mode_writes_nothing(cluster):
    before = everything(cluster)
    for module, options in (
        ("profile", {"name": "new"}), ("machine", {"name": "new"}), ("lease", {"id": "new"}), ("token", {"profile": "web"}),
        ("leader_election", {"profile": "new"}), ("lock", {"name": "new"}), ("barrier", {"name": "new", "count": 2}),
        ("compare_and_patch", {"name": "web", "param": "n", "expect": 1, "value": 2}), ("wait_for", {"name": "never"}),
        ("leader_election", {"profile": "web", "candidate": "somebody", "state": "resigned"}),
        ("profile", {"name": "web", "state": "absent"}),
    ):  # fmt: skip
        result = run(cluster, module, check=True, **options)
        assert not result.get("failed") and result["changed"] == (module not in ("barrier", "wait_for")), (module, result)
    assert everything(cluster) == before


def test_a_token_file_with_nothing_in_it_is_named(cluster, tmp_path):
    (tmp_path / "token").write_text("\n")
    result = run(cluster, "profile_info", token=None, token_file=str(tmp_path / "token"))
    assert result["msg"] == f"the token file {tmp_path}/token is empty"


def test_check_mode_says_under_which_lease_something_would_be(cluster):
    lease = run(cluster, "lease", check=True, id="new", ttl="10m")["lease"]
    assert (lease["Id"], lease["Ttl"], lease["Ties"]) == ("new", 600, [])
    assert run(cluster, "lock", check=True, name="new", lease="theirs")["lease"] == "theirs"
    lock = {"name": "new", "ttl": "10m", "owner": "me"}
    assert run(cluster, "lock", check=True, **lock)["lease"] == run(cluster, "lock", **lock)["lease"]
    run(cluster, "lock", state="released", **lock)


def test_a_patch_that_compares_nothing_fails_in_check_mode_as_it_would_really(cluster):
    patch = {"name": "web", "patch": [{"op": "remove", "path": "/Params/typo"}]}
    for options in (patch, {"batch": [patch]}):
        assert "is no lost race" in run(cluster, "compare_and_patch", check=True, **options)["msg"]
