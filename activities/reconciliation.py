"""Healing what no workflow can heal by itself: payments whose workflow was lost.

A terminated workflow runs no code, and a wiped Temporal remembers none. The rows that they leave
pending or unannounced are handed back to a workflow; nothing is written here.
"""

import logging
from datetime import datetime

from temporalio import activity

from activities.ports import Payments, Sagas

AT_ONCE = 500

log = logging.getLogger(__name__)


class ReconciliationActivities:
    def __init__(self, payments: Payments, sagas: Sagas) -> None:
        self._payments = payments
        self._sagas = sagas

    @activity.defn
    async def resume_payments(self, unfinished_since: datetime) -> int:
        """Take up every payment unfinished since then without a workflow; answers how many."""
        resumed = 0
        for payment in await self._payments.unfinished_since(unfinished_since, AT_ONCE):
            if await self._sagas.resume(payment):
                log.warning("payment %s had lost its workflow and has a new one", payment.id)
                resumed += 1
        return resumed
