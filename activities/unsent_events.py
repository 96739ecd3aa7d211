"""The successes that this process has recorded, and whose event no try has sent yet."""

from collections import OrderedDict
from uuid import UUID

MAX_PAYMENTS = 10_000
"""Some megabytes. A success is published at once, so only what another process has published stays
here. Whatever is dropped counts as sent, which is always safe."""


class UnsentEvents:
    """Tells the first try to publish a success that it is the first.

    A try cannot learn that from its number: after a worker has died, its workflow task begins anew,
    and with it the numbers. But only one statement moves a payment to `succeeded`. The process that
    executed it remembers the payment, and its next try takes it out. Every other try records that
    publishing begins before it sends.
    """

    def __init__(self) -> None:
        self._payments: OrderedDict[UUID, None] = OrderedDict()

    def add(self, payment_id: UUID) -> None:
        """Remember a payment that this process has just moved to `succeeded`."""
        self._payments[payment_id] = None
        if len(self._payments) > MAX_PAYMENTS:
            self._payments.popitem(last=False)

    def take(self, payment_id: UUID) -> bool:
        """Whether no try has sent the event. True only once for a payment."""
        return self._payments.pop(payment_id, self) is None
