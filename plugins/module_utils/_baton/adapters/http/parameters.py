# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters that operations take, by what they mean: in the path, in the query, and as headers."""
from __future__ import annotations

from ...core.model.conditions import CONDITIONS, WITH_VALUE
from ...core.model.kinds import IN_EVENTS, Kind
from .operations import JSON, Parameter, ref

_NUMBER = {"type": "number", "minimum": 0}
_CURSOR = {
    "type": "string",
    "pattern": r"^([0-9]{1,16}\.[A-Za-z0-9_.:@-]{1,128}\.[0-9]{1,16}\.[0-9]{1,16})?$",
}
_SLASHES = "slashes may stand as they are"


def _one_of(*values: str) -> "dict[str, object]":
    return {"type": "string", "enum": list(values)}


# --- in the path --------------------------------------------------------------------------------


def key_of(kind: Kind) -> Parameter:
    """Return the key of a document in a path, which is named like the member that repeats it."""
    one, name = kind.singular, kind.identity.lower()
    text = f"The {one}; {_SLASHES}" if kind.slashes else f"The {one}"
    return Parameter(f"{one.capitalize()}{kind.identity}", "path", name, text, ref("ParamName" if kind.slashes else "Name"))


PARAM = Parameter("Param", "path", "param", f"The param; {_SLASHES}", ref("ParamName"))
LOCK_NAME = Parameter("LockName", "path", "name", f"The lock; {_SLASHES}", ref("ParamName"))
BARRIER_NAME = Parameter("BarrierName", "path", "name", f"The barrier; {_SLASHES}", ref("ParamName"))
LEASE_ID = Parameter("LeaseId", "path", "id", "The lease", ref("Name"))
TOKEN_ID = Parameter("TokenId", "path", "id", "The token's public id", ref("TokenId"))
NODE = Parameter("Node", "path", "node", "The node", ref("NodeName"))
FILE_PATH = Parameter(
    "FilePath", "path", "path", f"Where it is; at most 1024 bytes, {_SLASHES}",
    {
        "type": "string",
        "maxLength": 1024,
        "pattern": r"^(?!\.{1,2}(/|$))[^\u0000-\u001f\u007f/]+(/(?!\.{1,2}(/|$))[^\u0000-\u001f\u007f/]+)*$",
    },
    {"example": "iso/debian.iso"},
)  # fmt: skip

# --- headers: on what a change depends ------------------------------------------------------------

IF_MATCH = Parameter(
    "IfMatch", "header", "If-Match", "ETag that it must have, or * (it must exist)",
    {"type": "string", "pattern": r'^(\*|"[!#-~]*")$'}, {"example": '"3.42"'},
)  # fmt: skip
ONLY_NEW = Parameter("OnlyNew", "header", "If-None-Match", "*: only if there is nothing yet", _one_of("*"))
IF_NONE_MATCH = Parameter(
    "IfNoneMatch", "header", "If-None-Match", "An ETag: 304 if it has that still", {"type": "string"}, {"example": '"3.42"'}
)
IDEMPOTENCY_KEY = Parameter(
    "IdempotencyKey", "header", "Idempotency-Key", "A repeated request gets the first answer",
    {"type": "string", "maxLength": 128, "pattern": "^[!-~]([ -~]*[!-~])?$"}, {"example": "4f0c2a9e-deploy"},
)  # fmt: skip
DEADLINE = Parameter(
    "BatonDeadline", "header", "Baton-Deadline", "Unix seconds after which the request changes nothing",
    {**_NUMBER, "maximum": 999999999999},
)  # fmt: skip
IF_LEASE = Parameter(
    "IfLease", "header", "If-Lease", "LEASE;TOKEN: only while this lease holds something with this fencing token (412)",
    {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,126} *; *[0-9]{1,19}$"}, {"example": "deploy-1;4294967297"},
)  # fmt: skip
BATON_LEASE = Parameter("BatonLease", "header", "Baton-Lease", "A lease: the param goes when it does", ref("Name"))
PREFER = Parameter(
    "Prefer", "header", "Prefer", "return=minimal or return=representation", {"type": "string"}, {"example": "return=minimal"}
)
ORDERED = (IDEMPOTENCY_KEY, DEADLINE, IF_LEASE)
CHANGED = (*ORDERED, PREFER)

# --- headers of files and events --------------------------------------------------------------------

RANGE = Parameter(
    "Range", "header", "Range", "The part that is wanted; what is not understood is left out", {"type": "string"},
    {"example": "bytes=0-1023"},
)  # fmt: skip
IF_RANGE = Parameter(
    "IfRange", "header", "If-Range", "The ETag that the range is of; the whole of another content", {"type": "string"}
)
SHA256 = Parameter(
    "Sha256", "header", "X-Baton-Sha256", "What the content must be (422)", {"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"}
)
CONTENT_DIGEST = Parameter(
    "ContentDigest", "header", "Content-Digest", "What the content must be (422); others may stand beside it",
    {"type": "string", "pattern": "^sha-256=:[A-Za-z0-9+/]{43}=:$"},
)  # fmt: skip
LAST_EVENT_ID = Parameter("LastEventId", "header", "Last-Event-ID", "As since, where that is not given", _CURSOR)

# --- the query --------------------------------------------------------------------------------------

STALE = Parameter("Stale", "query", "stale", "ok: a passive answers from what it has", _one_of("ok"))
LIMIT = Parameter("Limit", "query", "limit", "How many at most", {"type": "integer", "minimum": 0, "maximum": 100000})
OFFSET = Parameter(
    "Offset", "query", "offset", "How many to leave out", {"type": "integer", "minimum": 0, "maximum": 1000000000}
)
DEFAULT = Parameter(
    "Default", "query", "default", "no: of what is unset not the default of its schema, but 404", _one_of("no")
)
PREFIX = Parameter("Prefix", "query", "prefix", "Only files whose path begins so", {"type": "string"})
SINCE = Parameter(
    "Since", "query", "since", "The last Cursor that was seen, of an event or a sign of life; without one it begins now", _CURSOR
)
KINDS = Parameter(
    "Kinds", "query", "kinds", "Only these, with commas", {"type": "array", "items": _one_of(*IN_EVENTS)},
    {"style": "form", "explode": False},
)  # fmt: skip
KEY = Parameter("Key", "query", "key", "Only documents with this key", {"type": "string"})
WITH_DOCUMENTS = Parameter("WithDocuments", "query", "documents", "With each event the document as it is now", _one_of("yes"))
TOKEN_TTL = Parameter(
    "TokenTtl", "query", "ttl", "For how long it is valid",
    {
        "type": "string",
        "pattern": "^[0-9]{1,12}[smhdwy]?$",
        "description": "A time that is not 0, at most 100y",
        "default": "7200",
    },
)  # fmt: skip
PROBE_WAIT = Parameter(
    "ProbeWait", "query", "wait", "Seconds for which a yes is waited for", {"type": "integer", "minimum": 0, "maximum": 300}
)

# --- the query: waiting; see waiting.py ----------------------------------------------------------------

WAIT_COUNT = Parameter("WaitCount", "query", "wait", "Answer when there are as many as value says", _one_of("count"))
WAIT_MANY = Parameter("WaitMany", "query", "value", "How many there are to be at least", {"type": "integer", "minimum": 0})
WAIT = Parameter(
    "Wait", "query", "wait", f"Answer when it holds. {', '.join(WITH_VALUE)} go with value, changed with revision", _one_of(*CONDITIONS)
)  # fmt: skip
WAIT_VALUE = Parameter(
    "WaitValue", "query", "value", "For equals and differs; in: a list; count: the least number of members", {},
    {"content": {JSON: {"schema": {}}}},
)  # fmt: skip
WAIT_REVISION = Parameter(
    "WaitRevision", "query", "revision", "For changed: the ETag that is known", {"type": "string", "minLength": 1},
    {"example": "3.42"},
)  # fmt: skip
WAIT_TIMEOUT = Parameter(
    "WaitTimeout", "query", "timeout", "Seconds, then 408; as all that follows it goes with wait",
    {**_NUMBER, "maximum": 300, "default": 30},
)  # fmt: skip
WAIT_PATH = Parameter("WaitPath", "query", "path", "Leads from what is read to what is compared", ref("Pointer"))
WAIT_SETTLED = Parameter(
    "WaitSettled", "query", "settled",
    "Seconds for which it must have stood unchanged while the request waited; each change of the value begins them anew",
    {**_NUMBER, "maximum": 300},
)  # fmt: skip
WAIT_ESCAPE = Parameter(
    "WaitEscape", "query", "escape",
    "A param of a profile that ends the wait of all as soon as it is set, to anything but null (409 escaped)", ref("ParamName"),
)  # fmt: skip
WAIT_ESCAPE_PROFILE = Parameter(
    "WaitEscapeProfile", "query", "escape_profile",
    "The profile that escape is on; of a wait for a profile it is that one unless this says otherwise", ref("Name"),
)  # fmt: skip
WAITS_FOR_MANY = (WAIT_COUNT, WAIT_MANY, WAIT_TIMEOUT, WAIT_SETTLED, WAIT_ESCAPE, WAIT_ESCAPE_PROFILE)
WAITS_FOR_ONE = (
    WAIT, WAIT_VALUE, WAIT_REVISION, WAIT_TIMEOUT, WAIT_PATH, WAIT_SETTLED, WAIT_ESCAPE, WAIT_ESCAPE_PROFILE,
)  # fmt: skip
