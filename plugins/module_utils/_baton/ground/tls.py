# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a client looks at a server's certificate: by a CA, and by the list of revoked certificates that stands beside it.

For programs that name a CA's file and no list: batonctl, modules, plugins, drivers. The daemon has an option for each
(adapters/certificates.py). Standard library only.
"""

from __future__ import annotations

import os
import ssl
from typing import Optional

CRL = "crl.pem"


def list_beside(ca: Optional[str]) -> Optional[str]:
    """Return the list of revoked certificates, where there is one beside the CA: on a node, and where bootstrap made both."""
    path = os.path.join(os.path.dirname(ca), CRL) if ca else ""
    return path if os.path.exists(path) else None


def client_context(ca: Optional[str]) -> ssl.SSLContext:
    """Return a context that trusts ``ca`` (None: the system's CAs), and nothing that is on the list beside it.

    OSError, in one line, where a file is none of its kind or can't be read: a list that nobody looks at protects nobody.
    """
    crl = list_beside(ca)
    try:
        context = ssl.create_default_context(cafile=ca)
        if crl is not None:
            context.load_verify_locations(crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    except (OSError, ValueError) as error:
        with_list = "" if crl is None else f" with {crl}, the list of revoked certificates beside it"
        raise OSError(f"can't use {ca}{with_list}: {error}") from None
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # by which newer Pythons refuse CAs that requests takes
    return context
