# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether our certificates end soon, said in status and journal in time."""

from __future__ import annotations

import asyncio
import logging
import time

from ..adapters.certificates import Certificates
from .service import Service

LOG = logging.getLogger("baton")
EXPIRY_DAYS = 21  # before a certificate's end from which on the journal says so every day
DAY = 86400


def look_at(certificates: Certificates, service: Service) -> None:
    """Note when our certificates end, and warn a person in time."""
    try:
        service.certificates = certificates.expiries()
    except (OSError, ValueError) as error:
        LOG.warning("can't tell when the certificates end: %s", error)
    for name, end in service.certificates.items():
        days = (end - time.time()) / DAY
        if days <= 0:
            LOG.error("the certificate %s has ended %.0f days ago: other nodes refuse it; run the playbook baton.ha.renew", name, -days)
        elif days < EXPIRY_DAYS:
            LOG.warning("the certificate %s ends in %.0f days; run the playbook baton.ha.renew", name, days)


async def watch(certificates: Certificates, service: Service) -> None:
    """Look every day."""
    while True:
        look_at(certificates, service)
        await asyncio.sleep(DAY)
