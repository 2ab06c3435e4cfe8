# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TLS contexts of the daemon: made from files, and given what stands in the files now when told to reload.

Contexts stay the same objects, so whoever uses one has the new certificate from its next connection on. Decides nothing.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2: authenticated and forward secret; all of TLS 1.3 are


@dataclass(frozen=True)
class Files:
    """PEM files. ``ca`` and ``crl`` (revoked certificates of that CA) may be empty."""

    cert: str
    key: str
    ca: str = ""
    crl: str = ""


class Certificates:
    """Makes contexts and keeps them up to date."""

    def __init__(self) -> None:
        self._used: Dict[ssl.SSLContext, Files] = {}
        self._crls: Dict[str, bytes] = {}

    def server(self, files: Files) -> ssl.SSLContext:
        """Return the context of the API: clients have tokens, but nodes must show a certificate (see peers/links.py)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_OPTIONAL
        return self._fill(context, files)

    def client(self, files: Files) -> ssl.SSLContext:
        """Return the context with which a node asks others; without a CA the system's are trusted, without a cert it shows none."""
        return self._fill(ssl.create_default_context(cafile=files.ca or None), files)

    def _fill(self, context: ssl.SSLContext, files: Files) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        _load(context, files)
        self._used[context] = files
        if files.crl:
            self._crls[files.crl] = Path(files.crl).read_bytes()
        return context

    def reload(self) -> bool:
        """Use the files as they are now; return whether other ones are revoked. OSError (ssl.SSLError is one): nothing has changed."""
        for files in self._used.values():
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files)  # half written files must not be used
        crls = {crl: Path(crl).read_bytes() for crl in self._crls}
        for context, files in self._used.items():
            _load(context, files)
        changed, self._crls = crls != self._crls, crls
        return changed

    def expiries(self) -> Dict[str, float]:
        """Return when each certificate ends, in unix seconds, by its file. OSError or ValueError when one can't be read."""
        names: List[str] = [name for files in self._used.values() for name in (files.cert, files.ca) if name]
        return {name: _expiry(name) for name in sorted(set(names))}


def _load(context: ssl.SSLContext, files: Files) -> None:
    if files.cert:
        context.load_cert_chain(files.cert, files.key)
    if files.ca:
        context.load_verify_locations(files.ca)
    if files.crl:
        context.load_verify_locations(files.crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _expiry(name: str) -> float:
    """Return the end of the first certificate in a PEM file. The standard library has no public way to it, for certificates of its own."""
    decoded = ssl._ssl._test_decode_cert(name)  # type: ignore[attr-defined]
    return float(ssl.cert_time_to_seconds(decoded["notAfter"]))
