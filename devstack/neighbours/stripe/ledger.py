"""The account's ledger of all money that moved, in the form of the simulated gateway's ledger."""

from itertools import islice
from typing import Any

from devstack.neighbours.stripe.records import Charge, Refund
from domain import exact_json


class Ledger:
    """Entries with `seq`, `type`, `at` and `data`, which the audit reads page by page.

    The keys come from the metadata, because Stripe does not show idempotency keys.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def lines_after(self, seq: int, limit: int | None) -> list[bytes]:
        """The entries with a higher sequence number: the first `limit` of them, or all."""
        return [*islice(self._lines, seq, None if limit is None else seq + limit)]

    def note_charge(self, before: Charge | None, charge: Charge, at: str) -> None:
        if charge.captured and not (before and before.captured):
            self._add("charge.captured", charge, at, key=key_of(charge))

    def note_refund(self, before: Refund | None, refund: Refund, charge: Charge, at: str) -> None:
        """Add the money that a refund has moved, and the money that a failed refund returns.

        A released authorization is a refund at Stripe, but moves no money.
        """
        had = before is not None and before.status == "succeeded"
        has = refund.status == "succeeded"
        if charge.captured and had != has:
            kind = "refund.succeeded" if has else "refund.failed"
            key = refund.metadata.get("key", refund.id)
            self._add(kind, refund, at, key=key, chargeKey=key_of(charge))

    def _add(self, kind: str, record: Charge | Refund, at: str, **members: str) -> None:
        data: dict[str, Any] = {
            **members,
            "id": record.id,
            "paymentId": record.metadata.get("payment_id"),
            "orderId": record.metadata.get("order_id"),
            "amount": record.major_units,
            "currency": record.currency.upper(),
        }
        entry = {"seq": len(self._lines) + 1, "type": kind, "at": at, "data": data}
        self._lines.append(exact_json.dumps(entry))


def key_of(charge: Charge) -> str:
    """Our key of the charge; its id if its metadata has no key."""
    return charge.metadata.get("key", charge.id)
