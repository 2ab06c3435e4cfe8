# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents, their defaults and the two heads, as scripts of changes."""

import pytest

from baton.core.model import access
from baton.core.model.documents import Change, effect_from_json, effect_to_json
from baton.core.state.heads import Heads
from baton.ground.problem import Problem


class Script:
    """Heads with a log of one entry a change, as the active has it."""

    def __init__(self):
        self.heads = Heads()
        self.seq = 0

    def append(self, *changes):
        effects = [effect_from_json(effect_to_json(effect)) for effect in self.heads.evaluate(changes).effects]
        self.seq += 1
        self.heads.append(self.seq, f"1.{self.seq}", effects)
        return effects

    def do(self, *changes):
        effects = self.append(*changes)
        self.heads.commit(self.seq)
        return effects

    def refused(self, *changes):
        with pytest.raises(Problem) as caught:
            self.heads.evaluate(changes)
        return caught.value

    def params(self, name="p"):
        return self.heads.committed("profiles", name).value["Params"]


@pytest.fixture
def script():
    script = Script()
    script.do(Change("profiles", "p", "create", {}))
    return script


def patch(*operations, **more):
    return Change("profiles", "p", "patch", list(operations), **more)


def test_new_documents_are_complete(script):
    assert script.heads.committed("profiles", "p").value == {"Name": "p", "Description": "", "Meta": {}, "Params": {}}
    assert script.refused(Change("profiles", "p", "create", {})).code == "exists"


@pytest.mark.parametrize("name", ["", "a/b", "a b", ".", "..", "-x", "ä", "x" * 200, "a\n"])
def test_bad_names(script, name):
    assert script.refused(Change("profiles", name, "create", {})).code == "bad_name"


def test_identity_and_params_are_guarded(script):
    assert script.refused(patch({"op": "replace", "path": "/Name", "value": "q"})).code == "identity"
    assert script.refused(patch({"op": "remove", "path": "/Params"})).code == "bad_params"
    assert script.refused(patch({"op": "replace", "path": "", "value": 3})).code == "not_an_object"
    assert script.refused(patch({"op": "add", "path": "/Params/a b", "value": 3})).code == "bad_name"
    assert script.refused(patch({"op": "move", "from": "/Params", "path": "/Meta/x"})).code == "bad_params"


def test_all_or_nothing_over_several_documents(script):
    problem = script.refused(
        Change("profiles", "q", "create", {}), patch({"op": "test", "path": "/Params/x", "value": 1})
    )
    assert problem.code == "test_failed"
    assert script.heads.speculative("profiles", "q") is None


def test_later_changes_of_a_batch_see_earlier_ones(script):
    script.do(Change("profiles", "q", "create", {}), Change("profiles", "q", "patch", [{"op": "add", "path": "/Params/a", "value": 1}]))
    assert script.params("q") == {"a": 1}


class TestDefaults:
    @pytest.fixture(autouse=True)
    def schema(self, script):
        script.do(Change("params", "my/leader", "create", {"Schema": {"type": "string", "default": "none"}}))

    LOOP = ({"op": "test", "path": "/Params/my~1leader", "value": "none"}, {"op": "replace", "path": "/Params/my~1leader", "value": "n1"})

    def test_compare_and_patch_of_an_unset_param(self, script):
        effects = script.do(patch(*self.LOOP))
        assert script.params() == {"my/leader": "n1"}
        assert all(op["op"] != "test" for op in effects[0].ops)
        assert script.refused(patch(*self.LOOP)).extra["found"] == "n1"

    def test_at_the_param(self, script):
        at = ("Params", "my/leader")
        script.do(patch({"op": "test", "path": "", "value": "none"}, {"op": "replace", "path": "", "value": "n2"}, at=at))
        assert script.params() == {"my/leader": "n2"}

    def test_a_test_sets_nothing(self, script):
        effects = script.do(patch(self.LOOP[0]))
        assert effects[0].ops == [] and script.params() == {}

    def test_a_copy_from_a_default_leaves_it_unset(self, script):
        script.do(patch({"op": "copy", "from": "/Params/my~1leader", "path": "/Params/old"}))
        assert script.params() == {"old": "none"}

    def test_replay_needs_no_schema(self, script):
        effects = script.heads.evaluate([patch(*self.LOOP)]).effects
        other = Script()
        other.do(Change("profiles", "p", "create", {}))
        other.heads.append(9, "1.9", effects)
        other.heads.commit(9)
        assert other.params() == {"my/leader": "n1"}


def test_if_match(script):
    script.do(patch({"op": "add", "path": "/Meta/a", "value": 1}, if_match="1.1"))
    assert script.refused(patch({"op": "add", "path": "/Meta/a", "value": 2}, if_match="1.1")).status == 412
    assert script.refused(Change("profiles", "new", "put", {}, if_match="*")).status == 412


def test_if_unset(script):
    add = {"op": "add", "path": "", "value": 1}
    script.do(patch(add, at=("Params", "x"), if_unset=True))
    assert script.refused(patch(add, at=("Params", "x"), if_unset=True)).status == 412


def test_two_heads(script):
    """Evaluated on what was appended, visible only when committed."""
    add = {"op": "add", "path": "/Params/n", "value": 1}
    bump = ({"op": "test", "path": "/Params/n", "value": 1}, {"op": "replace", "path": "/Params/n", "value": 2})
    script.append(patch(add))
    script.append(patch(*bump))
    assert script.params() == {}
    assert script.heads.speculative("profiles", "p").value["Params"] == {"n": 2}
    changed = script.heads.commit(2)
    assert [document.value["Params"] for _kind, _key, document in changed] == [{"n": 1}]
    assert script.params() == {"n": 1}
    assert script.heads.speculative("profiles", "p").value["Params"] == {"n": 2}
    script.heads.drop()
    assert script.heads.speculative("profiles", "p").value["Params"] == {"n": 1}


def test_deleted_and_made_again(script):
    script.append(Change("profiles", "p", "delete"))
    script.append(Change("profiles", "p", "create", {"Description": "new"}))
    assert script.heads.committed("profiles", "p").value["Description"] == ""
    script.heads.commit(2)
    assert script.heads.committed("profiles", "p") is None
    script.heads.commit(3)
    assert script.heads.committed("profiles", "p").revision == "1.3"
    assert [key for _kind, key, _document in script.heads.take_dirty()] == ["p"]
    assert script.heads.take_dirty() == []


def test_ttl():
    assert [access.parse_ttl(text) for text in ("7200", "90s", "15m", "2h", "7d", "3y")] == [7200, 90, 900, 7200, 604800, 94608000]
    for text in ("", "0", "-1", "1.5h", "5 m", "1x", "999999999y", "٣"):
        with pytest.raises(Problem):
            access.parse_ttl(text)


def test_what_a_profile_token_may():
    scope = {"kind": "profile", "name": "p"}
    may = [("GET", "profiles", "p", ""), ("PATCH", "profiles", "p", ""), ("PUT", "profiles", "p", "params"), ("GET", "info", "", "")]
    may_not = [
        ("GET", "profiles", "q", ""), ("GET", "profiles", "", ""), ("DELETE", "profiles", "p", ""), ("POST", "profiles", "", ""),
        ("POST", "profiles", "p", "token"), ("GET", "machines", "p", ""), ("GET", "tokens", "", ""), ("GET", "system", "ha", ""),
        ("GET", "files", "p", ""),
    ]  # fmt: skip
    assert all(access.allows(scope, *request) for request in may)
    assert not any(access.allows(scope, *request) for request in may_not)


def test_tokens_expire_and_are_stored_hashed():
    document = access.token_document("secret", {"kind": "admin"}, 100, 50)
    assert "secret" not in str(document)
    assert access.valid(document, "secret", 149) and not access.valid(document, "secret", 150)
    assert not access.valid(document, "other", 120)


def test_when_something_of_a_kind_changed_last(script):
    assert script.heads.changed("profiles") == "1.1.1" and script.heads.changed("machines") == "0.0.1000000"
    made = [Change("params", "x", "create", {}), Change("profiles", "q", "create", {}), Change("profiles", "r", "create", {})]
    script.append(*made)
    assert script.heads.changed("profiles") == "1.1.1"  # it is not committed
    script.heads.commit(2)
    assert script.heads.changed("profiles") == "1.2.3" and script.heads.changed("params") == "1.2.1"
    script.do(Change("profiles", "q", "delete"))
    assert script.heads.changed("profiles") == "1.3.1"


def test_after_a_snapshot_anything_may_have_changed_until_its_end(script):
    heads = Heads()
    heads.load(script.heads.all(), 7, "2.7")
    assert heads.changed("profiles") == heads.changed("sets") == "2.7.1000000"
