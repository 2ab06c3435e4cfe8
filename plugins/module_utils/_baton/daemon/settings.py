# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batond's settings: every one a flag and a BATON_… variable; the names of the classic drop-in are read too.

A flag wins over BATON_…, BATON_… over RS_…. Every error is one line that says which setting, and what it should be.
"""
from __future__ import annotations

import argparse
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from ..adapters.dcs.store import STORES
from ..core.model import limits
from ..core.model.limits import Limits
from ..core.model.timing import PROFILES, Timing, profile
from ..core.vip.address import parse_vips
from ..ground import form
from ..ground.problem import Problem
from ..ground.version import VERSION

TRUE = ("1", "true", "yes", "on")


@dataclass
class Settings:
    """See ``batond --help``; ``dcs`` is (kind, argument)."""

    node_id: str
    data_dir: Path
    host: str
    port: int
    advertise: str
    dcs: Tuple[str, str]
    insecure: bool
    tls_cert: str
    tls_key: str
    tls_ca: str
    tls_crl: str
    ha_id: str
    ha_token: str
    ha_token_file: str
    peers: List[str]
    passive: bool
    vip: str
    interface: str
    watchdog: str
    timing_name: str
    mode: str
    min_in_sync: int
    discard: bool
    no_failover: bool
    priority: int
    etcd_prefix: str
    etcd_ca: str
    etcd_cert: str
    etcd_key: str
    etcd_user: str
    etcd_password_file: str
    checkpoint_entries: int
    keep_entries: int
    keep_contents: float
    run_dir: Path
    drivers_dir: Optional[Path]
    driver_stop: float
    limits: Limits
    static_ip: str = ""  # our own address, which the VIP must not be; "" where it is not said

    @property
    def timing(self) -> Timing:
        return profile(self.timing_name)


# (flag, default, help, further environment names); BATON_<FLAG> is always read.
OPTIONS: List[Tuple[str, str, str, Tuple[str, ...]]] = [
    ("node-id", "", "name of this node, unique in the cluster (required)", ("RS_DRP_ID",)),
    ("data-dir", "", "directory for data, mode 0700 (required)", ()),
    ("listen", "127.0.0.1:8092", "address and port of the API", ()),
    ("advertise", "", "URL under which other nodes and clients reach this one", ()),
    ("dcs", "manual", "where the cluster record lives: etcd:URL[,URL...], local:PATH or manual", ()),
    ("etcd-prefix", "/baton", "etcd: the record's key is PREFIX/HA-ID/record", ()),
    ("etcd-ca", "", "etcd: PEM file of its CA (default: the system's)", ()),
    ("etcd-cert", "", "etcd: PEM file of our client certificate", ()),
    ("etcd-key", "", "etcd: PEM file of the certificate's key", ()),
    ("etcd-user", "", "etcd: user name", ()),
    ("etcd-password-file", "", "etcd: file with the user's password", ()),
    ("tls-cert", "", "PEM file: certificate of this node (its common name is the node id)", ()),
    ("tls-key", "", "PEM file: key of the certificate", ()),
    ("tls-ca", "", "PEM file: the CA of all nodes", ()),
    ("tls-crl", "", "PEM file: the CA's list of revoked certificates", ()),
    ("ha-id", "baton", "name of the cluster, equal on all nodes", ("RS_HA_ID",)),
    ("ha-token-file", "", "file with the secret that all nodes share", ()),
    ("vip", "", "virtual address with prefix length, held by the active; or several: ADDRESS/PREFIX[@INTERFACE],...", ("RS_HA_ADDRESS",)),
    ("interface", "", "network interface for the VIP, for addresses that name none", ("RS_HA_INTERFACE",)),
    ("watchdog", "", "device such as /dev/watchdog that resets the host if it freezes while it holds the VIP", ()),
    ("timing", "balanced", f"timing profile: {', '.join(sorted(PROFILES))}", ()),
    ("mode", "available", "available, or strict: no writes below --min-in-sync copies", ()),
    ("min-in-sync", "1", "copies that mode strict wants", ()),
    ("run-dir", "", "directory for the drivers' socket, secret and markers (default DATA-DIR/run)", ()),
    ("drivers-dir", "", "directory with a JSON file for each driver that is to be expected on this node", ()),
    ("driver-stop", "3", "seconds that drivers have to stop; so much longer a successor waits that hears nothing of this node", ()),
    ("priority", "0", "among equally caught-up passives the highest becomes active first", ()),
]
# What tests make small. Not in --help: no cluster is known that needs other values.
LIMITS: List[Tuple[str, str]] = [
    ("checkpoint-entries", "4096"),
    ("keep-entries", "8192"),
    ("keep-contents", "600"),  # seconds
]
FLAGS: List[Tuple[str, str, Tuple[str, ...]]] = [
    ("insecure", "plain HTTP, on loopback only", ()),
    ("passive", "never make a cluster, only join one", ("RS_HA_PASSIVE",)),
    ("etcd-plain", "etcd: allow http to other hosts, where anybody on the network may read and change the record", ()),
    ("no-failover", "never become active: only hold a copy", ()),
    ("discard-foreign-data", "when joining, drop data that belongs to another history or cluster", ()),
]


def parser() -> argparse.ArgumentParser:
    """Return the command line of batond."""
    result = argparse.ArgumentParser(prog="batond", description="Baton's daemon: replicated documents and a VIP.")
    result.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    for flag, default, text, names in OPTIONS:
        known = ", ".join((_variable(flag),) + names)
        shown = f" (default {default})" if default else ""
        result.add_argument(f"--{flag}", metavar=flag.rpartition("-")[2].upper(), help=f"{text}{shown} [{known}]")
    for flag, _default in LIMITS:
        result.add_argument(f"--{flag}", help=argparse.SUPPRESS)
    for flag, text, names in FLAGS:
        known = ", ".join((_variable(flag),) + names)
        result.add_argument(f"--{flag}", action="store_true", help=f"{text} [{known}]")
    peers = "a node to look for the cluster at; repeatable [BATON_PEER, RS_HA_JOIN]"
    result.add_argument("--peer", action="append", metavar="URL", help=peers)
    sizes = ", ".join(f"{name}={getattr(Limits, name) >> 20}M" for name in limits.NAMES)
    most = f"how much of something is kept in memory, such as log=128M; repeatable (default {sizes}) [BATON_LIMIT]"
    result.add_argument("--limit", action="append", metavar="NAME=SIZE", help=most)
    return result


def _variable(flag: str) -> str:
    return "BATON_" + flag.upper().replace("-", "_")


def _wrong(flag: str, detail: str) -> Problem:
    return Problem(400, "bad_setting", f"--{flag} ({_variable(flag)}): {detail}")


def read(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Read settings from flags and environment; raise Problem for one that is missing or wrong."""
    given = vars(parser().parse_args(list(argv)))
    values: Dict[str, str] = {}
    for flag, default, _text, names in OPTIONS:
        candidates = [given[flag.replace("-", "_")], environ.get(_variable(flag))] + [environ.get(name) for name in names]
        values[flag] = next((value for value in candidates if value), default)
    values.update((flag, given[flag.replace("-", "_")] or default) for flag, default in LIMITS)
    flags = {
        flag: given[flag.replace("-", "_")] or any(environ.get(name, "").lower() in TRUE for name in (_variable(flag), *names))
        for flag, _text, names in FLAGS
    }
    if environ.get("RS_HA_ENABLED", "true").lower() not in TRUE:
        values["vip"] = ""
    peers = given["peer"] or _list(environ.get("BATON_PEER", "") or environ.get("RS_HA_JOIN", ""))
    try:
        kept = limits.read(given["limit"] or _list(environ.get("BATON_LIMIT", "")))
    except ValueError as error:
        raise _wrong("limit", str(error)) from None
    return _checked(values, flags, peers, kept, environ)


def _list(text: str) -> List[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _checked(
    values: Dict[str, str], flags: Dict[str, bool], peers: List[str], kept: Limits, environ: Mapping[str, str]
) -> Settings:
    for flag in ("node-id", "data-dir"):
        if not values[flag]:
            raise _wrong(flag, "is required")
    if not form.is_node_id(values["node-id"]):
        raise _wrong("node-id", f"{values['node-id']!r} is not a name of letters, digits, '_', '.' and '-' (at most 63)")
    host, port = _address(values["listen"])
    static = _static(environ.get("RS_STATIC_IP", ""))
    scheme = "http" if flags["insecure"] else "https"
    reach = static or host
    advertise = values["advertise"] or f"{scheme}://{'[' + reach + ']' if ':' in reach else reach}:{port}"
    _check_names(advertise, values["ha-id"])
    kind, _colon, argument = values["dcs"].partition(":")
    store = STORES.get(kind)
    if store is None or store.has_argument != bool(argument):
        raise _wrong("dcs", f"{values['dcs']!r} is none of {', '.join(each.usage for each in STORES.values())}")
    if kind == "etcd":
        argument = ",".join(_endpoints(argument, flags["etcd-plain"]))
        _check_etcd(values)
    if values["mode"] not in ("available", "strict"):
        raise _wrong("mode", f"{values['mode']!r} is neither available nor strict")
    if not values["min-in-sync"].isdigit() or int(values["min-in-sync"]) < 1:
        raise _wrong("min-in-sync", "is a number of at least 1")
    _check_vip(values["vip"], values["interface"])
    if values["watchdog"] and not values["vip"]:
        raise _wrong("watchdog", "needs --vip: it is armed while the VIP is held")
    if not re.match(r"-?[0-9]{1,6}\Z", values["priority"]):
        raise _wrong("priority", f"{values['priority']!r} is not a whole number")
    if not re.match(r"[0-9]{1,3}(\.[0-9]{1,3})?\Z", values["driver-stop"]) or not 1 <= float(values["driver-stop"]) <= 600:
        raise _wrong("driver-stop", f"{values['driver-stop']!r} is not a number of seconds from 1 to 600")
    if values["drivers-dir"] and not Path(values["drivers-dir"]).is_dir():
        raise _wrong("drivers-dir", f"there is no directory {values['drivers-dir']}")
    profile(values["timing"])
    _check_security(values, flags, host)
    return Settings(
        node_id=values["node-id"], data_dir=Path(values["data-dir"]), host=host, port=port, advertise=advertise,
        dcs=(kind, argument), insecure=flags["insecure"], tls_cert=values["tls-cert"], tls_key=values["tls-key"],
        tls_ca=values["tls-ca"], tls_crl=values["tls-crl"], ha_id=values["ha-id"], ha_token=environ.get("RS_HA_TOKEN", ""),
        ha_token_file=values["ha-token-file"], peers=peers, passive=flags["passive"], vip=values["vip"],
        interface=values["interface"], static_ip=static, watchdog=values["watchdog"], timing_name=values["timing"], mode=values["mode"],
        min_in_sync=int(values["min-in-sync"]), discard=flags["discard-foreign-data"],
        no_failover=flags["no-failover"], priority=int(values["priority"]), etcd_prefix=values["etcd-prefix"],
        etcd_ca=values["etcd-ca"], etcd_cert=values["etcd-cert"], etcd_key=values["etcd-key"], etcd_user=values["etcd-user"],
        etcd_password_file=values["etcd-password-file"], checkpoint_entries=int(values["checkpoint-entries"]),
        keep_entries=int(values["keep-entries"]), keep_contents=float(values["keep-contents"]),
        run_dir=Path(values["run-dir"] or Path(values["data-dir"]) / "run"),
        drivers_dir=Path(values["drivers-dir"]) if values["drivers-dir"] else None, driver_stop=float(values["driver-stop"]),
        limits=kept,
    )  # fmt: skip


def _check_names(advertise: str, ha_id: str) -> None:
    """What other nodes would refuse is refused here."""
    try:
        form.url(advertise)
    except ValueError as error:
        raise _wrong("advertise", str(error)) from None
    if len(ha_id) > form.MOST_NAME:
        raise _wrong("ha-id", f"has more than {form.MOST_NAME} characters")


def _check_vip(vip: str, interface: str) -> None:
    if not vip:
        if interface:
            raise _wrong("interface", "is for the VIP: --vip is missing")
        return
    if any(not address.interface for address in parse_vips(vip, interface)):
        raise _wrong("interface", "is missing: on which interface does the VIP belong?")


def _static(text: str) -> str:
    """Return the node's own address, "" where it is not said."""
    try:
        return str(ipaddress.ip_interface(text.strip()).ip) if text.strip() else ""
    except ValueError:
        why = f"{text!r} is not an address such as 192.0.2.11: correct it, or leave it out"
        raise Problem(400, "bad_setting", f"RS_STATIC_IP: {why}") from None


def _endpoints(text: str, plain: bool) -> List[str]:
    """Return etcd's URLs without a trailing slash; plain http only to this host, unless ``plain``."""
    urls = [url.rstrip("/") for url in _list(text)]
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
            raise _wrong("dcs", f"{url!r} is not an URL such as https://etcd1:2379")
        if parts.scheme == "http" and not plain and not is_loopback(parts.hostname):
            raise _wrong("dcs", f"{url} is not encrypted: use https, or --etcd-plain if that network is your own")
    if len({urlsplit(url).scheme for url in urls}) != 1:
        raise _wrong("dcs", "either all etcd URLs are https or none is")
    return urls


def _check_etcd(values: Dict[str, str]) -> None:
    if bool(values["etcd-cert"]) != bool(values["etcd-key"]):
        raise _wrong("etcd-cert", "and --etcd-key go together")
    if bool(values["etcd-user"]) != bool(values["etcd-password-file"]):
        raise _wrong("etcd-user", "and --etcd-password-file go together")
    for flag in ("etcd-ca", "etcd-cert", "etcd-key", "etcd-password-file"):
        if values[flag] and not Path(values[flag]).is_file():
            raise _wrong(flag, f"there is no file {values[flag]}")


def _address(text: str) -> Tuple[str, int]:
    host, _colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise _wrong("listen", f"{text!r} is not HOST:PORT")
    return host, int(port)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_security(values: Dict[str, str], flags: Dict[str, bool], host: str) -> None:
    files = [flag for flag in ("tls-cert", "tls-key", "tls-ca", "tls-crl") if values[flag]]
    if flags["insecure"]:
        if files:
            raise _wrong("insecure", f"and --{files[0]} exclude each other")
        if not is_loopback(host):
            raise _wrong("insecure", f"plain HTTP is for loopback only, not for {host}; give --tls-cert, --tls-key and --tls-ca")
        return
    for flag in ("tls-cert", "tls-key", "tls-ca"):
        if not values[flag]:
            raise _wrong(flag, "is required (or --insecure on loopback)")
    for flag in files:
        if not Path(values[flag]).is_file():
            raise _wrong(flag, f"there is no file {values[flag]}")


def ha_tokens(settings: Settings, make: Any) -> Tuple[str, ...]:
    """Return the secrets that nodes share, a line each: the first one is used, the others are accepted while it is renewed.

    For ``local`` one is made beside the record if none is given.
    """
    if settings.ha_token:
        return (settings.ha_token,)
    path: Optional[Path] = Path(settings.ha_token_file) if settings.ha_token_file else None
    if path is None and settings.dcs[0] == "local":
        path = Path(settings.dcs[1]).parent / "ha.token"
        if not path.exists():
            make(path)
    if path is None and settings.insecure:
        path = settings.data_dir / "ha.token"
        if not path.exists():
            make(path)
    if path is None:
        raise _wrong("ha-token-file", "is required: a file with the secret that all nodes share")
    try:
        tokens = tuple(path.read_text().split())
    except OSError as error:
        raise _wrong("ha-token-file", f"can't read {path}: {error.strerror}") from error
    if not tokens or min(map(len, tokens)) < 16:
        raise _wrong("ha-token-file", f"the secret in {path} is shorter than 16 characters")
    return tokens
