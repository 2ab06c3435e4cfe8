# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of servers: which there are of each datastore, and what configurations may set. Pure."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from ....ground.problem import Problem
from . import reading
from .catalogue import Version
from .errors import not_found, unprocessable
from .parameter import Parameter
from .parameters_mariadb import GALERA, MARIADB
from .parameters_postgresql import POSTGRESQL
from .parameters_valkey import VALKEY

MOST_VALUES = 200  # in one configuration
_KNOWN: Dict[str, Sequence[Parameter]] = {"mariadb": MARIADB, "galera": GALERA, "postgresql": POSTGRESQL, "valkey": VALKEY, "redis": VALKEY}
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    datastore: {parameter.name: parameter for parameter in known} for datastore, known in _KNOWN.items()
}


def listed(version: Version) -> List[Dict[str, Any]]:
    """Return the parameters of a version, for clients."""
    return [known.show(version) for _name, known in sorted(PARAMETERS.get(version.datastore, {}).items()) if not known.hidden]


def one(version: Version, name: str) -> Dict[str, Any]:
    """Return a parameter; Problem 404."""
    found = _known(version.datastore, name)
    if found is None or found.hidden:
        raise not_found(f"{version.datastore} has no parameter {name[:60]!r}; GET …/parameters has all")
    return found.show(version)


def checked(datastore: str, values: Any) -> Dict[str, Any]:
    """Return the values of a configuration; Problem 400 for what is no object of values, 422 for values that can't be."""
    found = reading.record(values, "values")
    if len(found) > MOST_VALUES:
        raise Problem(413, "too_many", f"values has {len(found)} members; at most {MOST_VALUES} are taken")
    return {name: _settable(datastore, name).checked(value) for name, value in found.items()}


def _settable(datastore: str, name: str) -> Parameter:
    found = _known(datastore, name)
    if found is None or found.hidden:
        raise unprocessable(f"{datastore} has no parameter {name[:60]!r} that can be set; GET …/parameters has all")
    if found.read_only:
        raise unprocessable(f"{name} is read-only: Baton sets it for each instance; leave it out")
    return found


def _known(datastore: str, name: str) -> Optional[Parameter]:
    return PARAMETERS.get(datastore, {}).get(name)
