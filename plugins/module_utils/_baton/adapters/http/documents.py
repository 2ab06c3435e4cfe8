# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/profiles, /machines, /params and what other kinds clients write: documents, their Params, and waiting for one to change."""
from __future__ import annotations

import uuid
from typing import Any, Callable, Dict, List, Optional, Tuple

from ...core.model import access
from ...core.model.document import Document
from ...core.model.documents import Change, Lookup, check_name, default_of
from ...core.model.kinds import DOCUMENTS, singular
from ...ground.patch import MISSING, Path, find
from ...ground.problem import Problem
from .. import turns
from ..aio import HOLDER, SCOPE, web
from . import messages, parameters, query
from .backend import Backend
from .operations import CHANGING, HEAD, JSON, PATCH, READING, WAITING, Answer, Body, Schema, list_of, operation, ref
from .selection import Filters, Look, Selection
from .stays import Stays
from .waiting import Condition, View, Wait

MOST_LIST = 100_000
MOST_SELECTIONS = 64  # that are waited for at once: each remembers what it has chosen
ALL = tuple(DOCUMENTS.values())
WITH_PARAMS = tuple(kind for kind in ALL if kind.has_params)
LISTED = (parameters.STALE, parameters.LIMIT, parameters.OFFSET, *parameters.WAITS_FOR_MANY)
NOT_FILTERS = (*(taken.name for taken in LISTED), *query.RESERVED)
READ = (parameters.STALE, *parameters.WAITS_FOR_ONE, parameters.IF_NONE_MATCH)
CHANGED = (parameters.IF_MATCH, *parameters.CHANGED)
TIED = (parameters.IF_MATCH, *parameters.ORDERED, parameters.BATON_LEASE, parameters.PREFER)
_LEFT = ("ETag!", "Idempotency-Replayed")
_LEAN = Answer(
    "Done; it is large, or Prefer said return=minimal, or it is not there any more", headers=("ETag", "Idempotency-Replayed")
)
_GONE = {204: Answer("Done", headers=("Idempotency-Replayed",))}
_PATCHES = Body(ref("Patch"), medias=(PATCH, JSON))


def _read(schema: Schema) -> Dict[int, Answer]:
    return {
        200: Answer("What there is", schema, ("ETag",)),
        204: Answer("It is absent, as wait=absent asked"),
        304: Answer("It has the ETag of If-None-Match still", headers=("ETag!",)),
    }


def _changed(schema: Schema) -> Dict[int, Answer]:
    return {200: Answer("Done: what it left", schema, _LEFT), 204: _LEAN}


def _made(schema: Schema) -> Dict[int, Answer]:
    return {201: Answer("Made: what there is now", schema, _LEFT), 204: _LEAN}


class Documents:
    """Handlers of the kinds that clients write as they are, with what is below them."""

    def __init__(self, backend: Backend, stays: Stays) -> None:
        self._backend, self._stays = backend, stays
        self._selections: Dict[Tuple[str, Filters], Selection] = {}

    # --- collections ----------------------------------------------------------------------------------------------------

    @operation(
        "GET", "/{kind}", "list{Kinds}", "List {kind}, or wait for a number of them. Other parameters select by members: ?Name=web-1",
        kinds=ALL, also=HEAD, takes=(*LISTED, parameters.IF_NONE_MATCH), selects=True, refusals=(*READING, *WAITING), tag="{kind}",
        answers={
            200: Answer("Those that are selected, by key", list_of("{One}"), ("ETag",)),
            304: Answer("Nothing of this kind has changed since", headers=("ETag!",)),
        },
    )  # fmt: skip
    async def list(self, request: Any, kind: str) -> Any:
        stale = messages.is_stale(request)
        self._backend.check_serving(stale)
        limit = messages.number(request, "limit", MOST_LIST, MOST_LIST)
        offset = messages.number(request, "offset", 0, 10**9)
        filters = tuple(sorted((k, v) for k, v in request.query.items() if k not in NOT_FILTERS))
        if "wait" in request.query:
            condition = self._condition(request, "")
            if request[HOLDER] is not None:
                raise Problem(403, "forbidden", f"this token does not allow to wait for all {kind}; name one")
            if condition.name != "count" or condition.path:
                raise Problem(400, "bad_wait", f"all {kind} can be waited for with wait=count&value=<how many at least>; else name one")
            with self._stays.wait(request):
                found = await self._wait_for_some(condition, kind, filters, stale)
            return await messages.answer_list(request, found[offset : offset + limit])
        headers = {"ETag": f'"{self._backend.heads().changed(kind)}"'}  # before we look: what changes meanwhile is told twice, not missed
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        if filters or access.project_of(request[SCOPE]):
            found = await self._select(request[SCOPE], kind, filters, offset + limit)
            return await messages.answer_list(request, found[offset:], headers=headers)
        return await messages.answer_list(request, self._backend.heads().page(kind, offset, limit), headers=headers)

    @operation(
        "POST", "/{kind}", "create{One}", "Create a {one}", kinds=ALL, takes=parameters.CHANGED, body=Body(ref("New{One}")),
        answers=_made(ref("{One}")), refusals=CHANGING, tag="{kind}",
    )  # fmt: skip
    async def create(self, request: Any, kind: str) -> Any:
        body = await messages.read_object(request)
        identity = DOCUMENTS[kind].identity
        if DOCUMENTS[kind].makes_key and body.get(identity) in (None, ""):
            key = request.headers.get("Idempotency-Key")
            body[identity] = str(uuid.uuid5(uuid.NAMESPACE_OID, key) if key else uuid.uuid4())
        name = body.get(identity)
        if not isinstance(name, str) or not name:
            raise Problem(422, "no_name", f"a {singular(kind)} needs {identity}, a string")
        return await self._change(request, Change(kind, name, "create", body), created=True)

    async def _select(self, scope: access.Scope, kind: str, filters: Filters, most: int) -> List[Document]:
        """Return the first ``most`` documents that a query selects, of those that its token may see."""
        documents = iter(await turns.brief(lambda: self._backend.heads().list(kind)))
        look = Look(filters)

        def some() -> List[Document]:
            return [item for item in look.some(documents) if access.sees(scope, kind, item.key)]

        found = await turns.brief(some)
        while not look.ended and len(found) < most:
            found += await turns.take(some)
        return found[:most]

    async def _wait_for_some(self, condition: Condition, kind: str, filters: Filters, stale: bool) -> List[Document]:
        selection = self._selections.get((kind, filters))
        if selection is None and len(self._selections) >= MOST_SELECTIONS:
            why = f"others wait for {MOST_SELECTIONS} different selections of documents already; wait for one document, or try again"
            raise Problem(429, "too_many_selections", why)
        if selection is None:
            selection = self._selections[(kind, filters)] = Selection(self._backend, kind, filters)
        selection.enter()
        try:
            await selection.read()
            wait = Wait(self._backend, condition, View(self._backend, condition.keys()), selection)
            found: List[Document] = (await wait.end(stale, kind))[1]
        finally:
            if selection.leave():
                del self._selections[(kind, filters)]
        return found

    # --- one document ---------------------------------------------------------------------------------------------------

    @operation(
        "GET", "/{kind}/{key}", "get{One}", "Read a {one}, or wait for a condition", kinds=ALL, also=HEAD, takes=READ,
        answers=_read(ref("{One}")), refusals=(*READING, 404, *WAITING), tag="{kind}",
    )  # fmt: skip
    async def document(self, request: Any, kind: str, key: str) -> Any:
        check_name(kind, key)
        return await self._read(request, kind, key, ())

    @operation(
        "PUT", "/{kind}/{key}", "put{One}", "Replace or create a {one}", kinds=ALL, body=Body(ref("{One}Body")),
        takes=(parameters.IF_MATCH, parameters.ONLY_NEW, *parameters.CHANGED), answers={**_changed(ref("{One}")), **_made(ref("{One}"))},
        refusals=CHANGING, tag="{kind}",
    )  # fmt: skip
    async def put(self, request: Any, kind: str, key: str) -> Any:
        check_name(kind, key)
        match, body = messages.if_match(request), await messages.read_json(request)
        action = "create" if messages.only_new(request) else "put"
        return await self._change(request, Change(kind, key, action, body, match), created=action == "create")

    @operation(
        "PATCH", "/{kind}/{key}", "patch{One}", "Apply RFC 6902 operations, all or nothing", kinds=ALL, takes=CHANGED,
        body=_PATCHES, answers=_changed(ref("{One}")), refusals=(*CHANGING, 404), tag="{kind}",
    )  # fmt: skip
    async def patch(self, request: Any, kind: str, key: str) -> Any:
        check_name(kind, key)
        match, body = messages.if_match(request), await messages.read_json(request)
        return await self._change(request, Change(kind, key, "patch", body, match))

    @operation(
        "DELETE", "/{kind}/{key}", "delete{One}", "Delete a {one}", kinds=ALL, takes=(parameters.IF_MATCH, *parameters.ORDERED),
        answers=_GONE, refusals=(*CHANGING, 404), tag="{kind}",
    )  # fmt: skip
    async def delete(self, request: Any, kind: str, key: str) -> Any:
        check_name(kind, key)
        return await self._change(request, Change(kind, key, "delete", if_match=messages.if_match(request)))

    # --- its params -----------------------------------------------------------------------------------------------------

    @operation(
        "GET", "/{kind}/{key}/params", "get{One}Params", "Read all params that are set, or wait for a condition", kinds=WITH_PARAMS,
        also=HEAD, takes=READ, answers=_read(ref("Params")), refusals=(*READING, 404, *WAITING), tag="{kind}",
    )  # fmt: skip
    async def params(self, request: Any, kind: str, key: str) -> Any:
        check_name(kind, key)
        return await self._read(request, kind, key, ("Params",))

    @operation(
        "PUT", "/{kind}/{key}/params", "put{One}Params", "Replace all params", kinds=WITH_PARAMS, takes=CHANGED,
        body=Body(ref("Params")), answers=_changed(ref("Params")), refusals=(*CHANGING, 404), tag="{kind}",
    )  # fmt: skip
    async def put_params(self, request: Any, kind: str, key: str) -> Any:
        check_name(kind, key)
        operations = [{"op": "replace", "path": "", "value": await messages.read_json(request)}]
        change = Change(kind, key, "patch", operations, messages.if_match(request), ("Params",))
        return await self._change(request, change)

    @operation(
        "PATCH", "/{kind}/{key}/params", "patch{One}Params", "Patch the params", kinds=WITH_PARAMS, takes=CHANGED,
        body=_PATCHES, answers=_changed(ref("Params")), refusals=(*CHANGING, 404), tag="{kind}",
    )  # fmt: skip
    async def patch_params(self, request: Any, kind: str, key: str) -> Any:
        check_name(kind, key)
        operations = await messages.read_json(request)
        return await self._change(request, Change(kind, key, "patch", operations, messages.if_match(request), ("Params",)))

    @operation(
        "GET", "/{kind}/{key}/params/{param...}", "get{One}Param", "Read one param, its schema's default, or wait for a condition",
        kinds=WITH_PARAMS, also=HEAD, takes=(parameters.PARAM, parameters.DEFAULT, *READ), answers=_read({}),
        refusals=(*READING, 404, *WAITING), tag="{kind}",
    )  # fmt: skip
    async def param(self, request: Any, kind: str, key: str, param: str) -> Any:
        check_name(kind, key)
        check_name("params", param)
        return await self._read(request, kind, key, ("Params", param))

    @operation(
        "PUT", "/{kind}/{key}/params/{param...}", "put{One}Param", "Set one param", kinds=WITH_PARAMS, body=Body({}),
        takes=(parameters.PARAM, parameters.ONLY_NEW, *TIED), answers=_changed({}), refusals=(*CHANGING, 404), tag="{kind}",
    )  # fmt: skip
    @operation(
        "POST", "/{kind}/{key}/params/{param...}", "set{One}Param", "Set one param, as put does", kinds=WITH_PARAMS, body=Body({}),
        takes=(parameters.PARAM, parameters.ONLY_NEW, *TIED), answers=_changed({}), refusals=(*CHANGING, 404), tag="{kind}",
    )  # fmt: skip
    async def put_param(self, request: Any, kind: str, key: str, param: str) -> Any:
        check_name(kind, key)
        check_name("params", param)
        set_it = [{"op": "add", "path": "", "value": await messages.read_json(request)}]
        at, new = ("Params", param), messages.only_new(request)
        return await self._change(request, Change(kind, key, "patch", set_it, messages.if_match(request), at, new))

    @operation(
        "PATCH", "/{kind}/{key}/params/{param...}", "patch{One}Param", "Patch one param; its value is the root", kinds=WITH_PARAMS,
        takes=(parameters.PARAM, *TIED), body=_PATCHES, answers=_changed({}), refusals=(*CHANGING, 404), tag="{kind}",
    )  # fmt: skip
    async def patch_param(self, request: Any, kind: str, key: str, param: str) -> Any:
        check_name(kind, key)
        check_name("params", param)
        operations = await messages.read_json(request)
        return await self._change(request, Change(kind, key, "patch", operations, messages.if_match(request), ("Params", param)))

    @operation(
        "DELETE", "/{kind}/{key}/params/{param...}", "delete{One}Param", "Unset one param", kinds=WITH_PARAMS, answers=_GONE,
        takes=(parameters.PARAM, parameters.IF_MATCH, *parameters.ORDERED, parameters.BATON_LEASE), refusals=(*CHANGING, 404),
        tag="{kind}",
    )  # fmt: skip
    async def delete_param(self, request: Any, kind: str, key: str, param: str) -> Any:
        check_name(kind, key)
        check_name("params", param)
        try:
            return await self._change(request, Change(kind, key, "patch", messages.REMOVE, messages.if_match(request), ("Params", param)))
        except Problem as problem:
            if problem.code == "path_missing":
                raise Problem(404, "not_set", f"param {param!r} is not set on {singular(kind)} {key!r}") from None
            raise

    # --- reading --------------------------------------------------------------------------------------------------------

    async def _read(self, request: Any, kind: str, key: str, at: Tuple[str, ...]) -> Any:
        stale = messages.is_stale(request)
        self._backend.check_serving(stale)
        defaults = request.query.get("default") != "no"
        if "wait" in request.query:
            condition = self._condition(request, key if kind == "profiles" else "")
            schema = [("params", at[1])] if defaults and len(at) > 1 else []
            view = View(self._backend, [(kind, key), *schema, *condition.keys()])
            wait = Wait(self._backend, condition, view, _Reading(view, (kind, key), at, defaults, condition.path))
            with self._stays.wait(request):
                document, value = await wait.end(stale, f"{singular(kind)} {key!r}")
        else:
            committed = self._backend.heads().committed
            document = committed(kind, key)
            if document is not None and not at:
                value = document
            else:  # which may parse it, and a schema
                value = await turns.brief(lambda: _value(document, at, committed if defaults else None))
                self._backend.check_serving(stale)
        if value is MISSING:
            if "wait" in request.query and condition.name == "absent":
                return web.Response(status=204)
            raise self._absent(document, kind, key, at)
        headers = {"ETag": messages.etag_of(document)} if document is not None else {}
        if document is not None and request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        if document is not None and not at:
            return await messages.answer_document(request, document, headers)
        return await messages.answer(request, value, 200, headers)

    def _condition(self, request: Any, profile: str) -> Condition:
        condition = Condition.read(request.query, profile)
        if condition.escape is not None and not access.sees(request[SCOPE], "profiles", condition.escape[0]):
            raise Problem(403, "forbidden", f"this token does not allow GET on profiles/{condition.escape[0]}")
        return condition

    def _absent(self, document: Optional[Document], kind: str, key: str, at: Tuple[str, ...]) -> Problem:
        if document is None:
            return Problem(404, "not_found", f"there is no {singular(kind)} {key!r}")
        return Problem(404, "not_set", f"param {at[1]!r} is not set on {singular(kind)} {key!r}")

    # --- changing -------------------------------------------------------------------------------------------------------

    async def _change(self, request: Any, change: Change, created: bool = False) -> Any:
        key = await messages.idempotency(request)
        changes = [*messages.fence(request), messages.tied(request, change)]
        large = request.body_exists and await messages.is_large(request)
        outcome = await self._backend.submit(changes, key, messages.deadline(request), large=large)
        created = created or (request.method == "PUT" and not change.at and bool(outcome.said))
        document = messages.document_of(outcome, change)
        value = _value(document, change.at)
        if value is MISSING or request.method == "DELETE":  # of a repeated one, another may stand there by now
            return await messages.changed(request, None, None, 204, outcome.replayed)
        return await messages.changed(request, value, document, 201 if created else 200, outcome.replayed)


class _Reading:
    """A document, its Params or one param, as the subject of a wait; of a param that is unset, the default of its schema."""

    def __init__(self, view: View, key: Tuple[str, str], at: Tuple[str, ...], defaults: bool, path: Path) -> None:
        self._view, self._key, self._at, self._defaults, self._path = view, key, at, defaults, path

    def watch(self, _tell: Callable[[], None]) -> Callable[[], None]:
        return lambda: None  # all that this reads is in the view

    def answer(self) -> Tuple[Optional[Document], Any]:
        document = self._view(*self._key)
        return document, _value(document, self._at, self._view if self._defaults else None)

    def look(self) -> Tuple[Optional[Document], Any, Any]:
        document, value = self.answer()
        compared = value if value is MISSING else find(value, self._path)
        return document, compared, compared


def _value(document: Optional[Document], at: Tuple[str, ...], lookup: Optional[Lookup] = None) -> Any:
    """Return what stands at ``at``, or MISSING; with ``lookup`` of schemas an unset param is its default."""
    if document is None:
        return MISSING
    if not at:
        return document.value
    params = document.value["Params"]
    if len(at) == 1:
        return params
    if at[1] not in params and lookup is not None:
        return default_of(at[1], lookup)
    return params.get(at[1], MISSING)
