"""The account's ledger in the form of the simulated gateway's: all money that moved, in order."""

from itertools import islice
from typing import Any

from devstack.neighbours.stripe.records import Charge, Refund
from domain import exact_json


class Ledger:
    """Entries with `seq`, `type`, `at` and `data`, which the audit reads page by page.

    Keys are those that we put into the metadata, as Stripe does not show idempotency keys.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def lines_after(self, seq: int, limit: int | None) -> list[bytes]:
        """The entries with a higher number: the first `limit` of them, or all."""
        return [*islice(self._lines, seq, None if limit is None else seq + limit)]

    def note_charge(self, before: Charge | None, charge: Charge, at: str) -> None:
        if charge.captured and not (before and before.captured):
            self._add("charge.captured", charge, at, key=key_of(charge))

    def note_refund(self, before: Refund | None, refund: Refund, charge: Charge, at: str) -> None:
        """A release of an authorization moves no money. A refund that fails later returns it."""
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
    """Our key of the charge; Stripe's id if we gave it none."""
    return charge.metadata.get("key", charge.id)
