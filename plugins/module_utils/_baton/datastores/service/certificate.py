# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate of the API, as it stands in its files: one that is renewed there is shown to whoever comes next."""
from __future__ import annotations

import logging
import os
import ssl
from typing import Tuple

LOG = logging.getLogger("baton.datastores")


class Certificate:
    """``context``: what the API's port speaks TLS with. OSError where the files can't be read, or do not go together."""

    def __init__(self, certificate: str, key: str) -> None:
        self._files = (certificate, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._known = self._changed()
        self.context.load_cert_chain(*self._files)

    def _changed(self) -> Tuple[int, ...]:
        return tuple(os.stat(path).st_mtime_ns for path in self._files)

    def look(self) -> None:
        """Take what stands in the files now, if they have changed; while they do not go together what was there stays."""
        try:
            now = self._changed()
            if now != self._known:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
                self.context.load_cert_chain(*self._files)
                self._known = now
                LOG.info("the certificate was renewed")
        except OSError as error:
            LOG.warning("the certificate stays as it was: %s", error.strerror or error)
