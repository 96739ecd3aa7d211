"""Healing what no workflow can heal by itself: payments and refunds whose workflow was lost.

A terminated workflow runs no code, and a wiped Temporal remembers none. The rows that they leave
pending or unannounced are handed back to a workflow; nothing is written here.
"""

import logging
from datetime import datetime

from temporalio import activity

from activities.ports import Payments, Refunds, Sagas

AT_ONCE = 500

log = logging.getLogger(__name__)


class ReconciliationActivities:
    def __init__(self, payments: Payments, refunds: Refunds, sagas: Sagas) -> None:
        self._payments = payments
        self._refunds = refunds
        self._sagas = sagas

    @activity.defn
    async def resume_payments(self, unfinished_since: datetime) -> int:
        """Take up everything unfinished since then without a workflow; answers how much."""
        resumed = 0
        for payment in await self._payments.unfinished_since(unfinished_since, AT_ONCE):
            if await self._sagas.resume(payment):
                log.warning("payment %s had lost its workflow and has a new one", payment.id)
                resumed += 1
        for refund in await self._refunds.unfinished_since(unfinished_since, AT_ONCE):
            if await self._sagas.resume_refund(refund):
                log.warning("refund %s had lost its workflow and has a new one", refund.id)
                resumed += 1
        return resumed
