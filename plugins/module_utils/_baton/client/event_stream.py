# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's side of /events: every committed change once and in order, over lost connections and changes of the active."""
from __future__ import annotations

import json
import time
from typing import Any, Callable, Dict, Iterator, Mapping, Optional

from .api import Client
from .error import ClientError, from_problem
from .failures import explain
from .transport import Call

SILENCE = 40.0  # the server gives a sign of life every 15 seconds
PAUSES = (0.1, 5.0)


def follow(
    client: Client, since: Optional[str] = None, query: Optional[Mapping[str, str]] = None, begun: Optional[Callable[[], None]] = None,
    goes_on: Optional[Callable[[], bool]] = None,
) -> Iterator[Dict[str, Any]]:  # fmt: skip
    """Yield events for ever, from now or after the cursor ``since``; ``query``: kinds, key, documents. ``begun``: called once it goes on,
    so that whoever reads then, and all events after, misses nothing. ``goes_on``: asked at each event and sign of life whether to go on.

    Raises ClientError for what no new attempt mends: a cursor that is gone (status 410), a token that is not valid, a bad query.
    """
    pause = PAUSES[0]
    while True:
        asked = {**(query or {}), **({"since": since} if since else {})}
        answer = client.transport.send(Call("GET", "/events", query=asked, attempt=SILENCE, total=client.connection.timeout, stream=True))
        try:
            for name, data in _blocks(answer.raw):
                if goes_on is not None and not goes_on():
                    return
                if name == "alive":
                    since = data["Cursor"]
                    continue
                if name == "end":
                    if data.get("status") == 410:
                        raise from_problem(410, data)
                    break
                since, pause = data["Cursor"], PAUSES[0]
                if name != "begin":
                    yield data
                elif begun is not None:
                    begun()
        except (OSError, ValueError) as error:  # what requests raises for a broken stream is an OSError
            client.transport.trouble(f"lost the stream of events: {explain(error)}")
        finally:
            answer.raw.close()
        time.sleep(pause)
        pause = min(pause * 2, PAUSES[1])


def _blocks(response: Any) -> Iterator[Any]:
    """Yield (event name, data) of server-sent events."""
    name, data, cursor = "", "", ""
    for raw in response.iter_lines(chunk_size=None):
        line = raw.decode("utf-8")
        field, _colon, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data = value
        elif field == "id":
            cursor = value
        elif line.startswith(":") and cursor:
            yield "alive", {"Cursor": cursor}
        elif not line and data:
            found = json.loads(data)
            if not isinstance(found, dict):
                raise ClientError("server", "the stream of events has something else in it")
            yield name, found
            name, data = "", ""
