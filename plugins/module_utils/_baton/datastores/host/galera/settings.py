# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a member of a cluster: which ports it has, what stands in its settings, and the tool of its own state transfer.

Nothing in a file has a server form a cluster: that is an order, an option of one life. A server does not form one by what it remembers
either (pc.recovery), and takes nobody's data as a whole: the state transfer "baton" transfers none, so that a server which lacks more
than increments ends, and its data is copied anew as the manager says.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..files import write
from ..mariadb.config import OURS, Files
from ..trouble import Trouble

GROUP, INCREMENTS, COPY = 10000, 11000, 12000  # above the port of clients: where members talk, and where data comes
PORTS = (GROUP, INCREMENTS, COPY)
DATASTORE = "galera"
LIBRARIES = (Path("/usr/lib/galera/libgalera_smm.so"), Path("/usr/lib64/galera-4/libgalera_smm.so"))
KEPT = "128M"  # of writes, for members that were away
SUSPECTED, HEARD = 2.5, 0.25  # seconds without a word after which others may go on without a member; in which each says something
TIMES: Dict[str, str] = {  # after a member was lost others go on in 3 s; when one leaves they don't wait
    "evs.suspect_timeout": f"PT{SUSPECTED}S",
    "evs.inactive_timeout": "PT5S",
    "evs.keepalive_period": f"PT{HEARD}S",
    "evs.inactive_check_period": "PT0.1S",
    "gmcast.peer_timeout": "PT1.5S",  # regions hear each other through one member each: another takes its place before they suspect all
    "evs.join_retrans_period": "PT0.1S",  # who did not hear that they are about to go on costs no second
    "evs.install_timeout": "PT5S",
}
FIXED: Dict[str, object] = {
    "binlog-format": "ROW",
    "default-storage-engine": "InnoDB",
    "innodb-autoinc-lock-mode": 2,
    "innodb-flush-log-at-trx-commit": 1,  # what is acknowledged outlives that all members crash
    "skip-name-resolve": "ON",
    "wsrep-on": "ON",
    "wsrep-mode": "STRICT_REPLICATION",  # a table whose rows would be with one member alone is refused
    "wsrep-sst-method": "baton",
}
OFFERED = ("log-conflicts", "max-ws-rows", "max-ws-size", "retry-autocommit", "slave-threads", "sync-wait")  # all else of it is ours

# The server calls it on both sides. Where the other side has kept all that is lacking it asks with --bypass: then the joiner begins from
# where it stands, which the guest has written beside its data.
TOOL = """\
#!/bin/sh
# Written by baton-guest: the state transfer of a server whose data is copied by the guest. It moves nothing.
role= address= gtid= bypass=
while [ $# -gt 0 ]; do
  case "$1" in
    --role) role=$2; shift ;;
    --address) address=$2; shift ;;
    --gtid) gtid=$2; shift ;;
    --bypass) bypass=yes ;;
  esac
  shift
done
if [ "$role" = joiner ]; then
  echo "ready $address/baton"
  exec cat {position}
fi
[ -n "$bypass" ] || exit 61
echo "done $gtid"
"""


class MemberFiles(Files):
    """Of one member; ``position``: how far its data has come, for TOOL."""

    ours = frozenset(OURS | {*FIXED})

    def __init__(self, folder: Path, instance: str, user: str = "") -> None:
        super().__init__(folder, instance, user)
        self.tools, self.position = folder / "bin", folder / "position"

    def make_run(self) -> None:
        super().make_run()
        tool, text = self.folder / "bin" / "wsrep_sst_baton", TOOL.format(position=shlex.quote(str(self.position)))
        tool.parent.mkdir(exist_ok=True)
        tool.parent.chmod(0o755)  # nosec B103 - ours: whoever runs the server reads it
        if not tool.exists() or tool.read_text(encoding="utf-8") != text:
            write(tool, text)
        tool.chmod(0o755)  # nosec B103

    def is_closed(self, name: str) -> bool:
        return name.startswith("wsrep") and name not in {f"wsrep-{each}" for each in OFFERED}

    def fixed(self, spec: Mapping[str, Any]) -> Dict[str, object]:
        address, port = str(spec["address"]), int(spec["port"])
        return {
            **FIXED,
            "wsrep-provider": library(),
            "wsrep-cluster-name": str(spec["cluster"]),
            "wsrep-cluster-address": cluster_address(spec.get("members") or [spec]),  # without any it would form a cluster
            "wsrep-node-name": self.instance,
            "wsrep-node-address": place(address, port + GROUP),
            "wsrep-sst-receive-address": place(address, port + COPY),
            "wsrep-provider-options": provider_options(self, spec),
        }


def place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def cluster_address(members: Sequence[Mapping[str, Any]]) -> str:
    """Return where the data members of a cluster are found by each other."""
    return "gcomm://" + ",".join(place(str(member["address"]), int(member["port"]) + GROUP) for member in members)


def provider_options(files: Files, spec: Mapping[str, Any], has_data: bool = True) -> str:
    """Return what Galera itself is told, the same for members with data and those without."""
    address, port = str(spec["address"]), int(spec["port"])
    options: Dict[str, object] = {
        "gmcast.listen_addr": f"tcp://{place(address, port + GROUP)}",
        "gmcast.segment": int(spec.get("segment") or 0),
        **({"ist.recv_addr": place(address, port + INCREMENTS), "gcache.size": KEPT} if has_data else {"base_host": address}),
        **TIMES,
        "pc.recovery": "FALSE",
        "socket.ssl_key": files.key,
        "socket.ssl_cert": files.certificate,
        "socket.ssl_ca": files.certificate,
    }
    return ";".join(f"{name}={value}" for name, value in options.items())


def library() -> Path:
    """Return Galera's library; Trouble says what to install."""
    found: Optional[Path] = next((path for path in LIBRARIES if path.exists()), None)
    if found is None:
        raise Trouble("there is no Galera on this host: install the package galera-4")
    return found


def members_of(args: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """Return the members that an order names; ValueError where they are none."""
    members = args["members"]
    are_places = isinstance(members, list) and all(isinstance(each, Mapping) and {"address", "port"} <= {*each} for each in members)
    if not members or not are_places:
        raise ValueError("members are a list of addresses and ports")
    return [{"address": str(each["address"]), "port": int(each["port"])} for each in members]
