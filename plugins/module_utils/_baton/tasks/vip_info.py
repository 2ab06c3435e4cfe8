# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the VIP on one of this host's interfaces at this moment? Needs no daemon and no token."""
from __future__ import annotations

import ipaddress
import json
from typing import Any, Dict, List, Optional

from ..client.error import ClientError

SPEC: Dict[str, Any] = {"vip": {"type": "list", "elements": "str", "default": []}, "interface": {"type": "str"}}
COMMAND = ["ip", "-j", "address", "show"]


def evaluate(params: Any, output: str) -> Dict[str, Any]:
    """Return the result for the JSON that COMMAND printed; ClientError when VIP or output can't be read."""
    addresses = _addresses(output, params["interface"])
    result: Dict[str, Any] = {"changed": False, "vip": None, "held": True, "interface": None, "mode": "none", "addresses": addresses}
    wanted = [str(_parse(text.strip())) for text in params["vip"] or () if text.strip()]
    if not wanted:
        result["warnings"] = ["no VIP is given, so every host counts as holding it"]
        return result
    found = [item for item in addresses if item["address"] in wanted]
    held = {item["address"] for item in found} == set(wanted)
    result.update(vip=", ".join(wanted), held=held, interface=found[0]["interface"] if held else None)
    result["mode"] = "floating" if all(item["floating"] for item in found) else "fixed"
    return result


def _parse(text: str) -> Any:
    try:
        return ipaddress.ip_interface(text.partition("@")[0].partition("%")[0]).ip
    except ValueError:
        raise ClientError("usage", f"vip {text!r} is not an address such as 192.0.2.10, 192.0.2.10/24 or 2001:db8::10") from None


def _addresses(output: str, interface: Optional[str]) -> List[Dict[str, Any]]:
    """Return every address of the host, secondary ones too: what keeps an address out of use for others is listed."""
    try:
        links = json.loads(output or "[]")
    except ValueError:
        raise ClientError("usage", "`ip -j address show` printed no JSON: iproute2 4.13 or newer is needed on the host") from None
    found = []
    for link in links:
        name = str(link.get("ifname", "")).partition("@")[0]
        for item in link.get("addr_info", ()):
            if "local" not in item or item.get("tentative") and item.get("dadfailed"):
                continue
            address = ipaddress.ip_address(item["local"])
            lifetime = item.get("valid_life_time", 4294967295)
            host_prefix = item.get("prefixlen") == address.max_prefixlen
            found.append(
                {
                    "interface": name,
                    "address": str(address),
                    "prefix": item.get("prefixlen"),
                    "floating": bool(item.get("secondary")) or lifetime < 4294967295 or host_prefix,
                }
            )
    if interface:
        found = [item for item in found if item["interface"] == interface]
    return found
