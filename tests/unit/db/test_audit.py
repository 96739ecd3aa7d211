"""Invalid rows hide no others from the audit."""

from typing import Any
from uuid import uuid4

import pytest

from db.audit import AuditQueries, UnreadableRow
from db.payment_rows import to_payment, to_row
from tests.support.builders import a_payment


@pytest.mark.parametrize(
    "changes", [{"amount_minor": "much"}, {"amount_minor": None}, {"created_at": "yesterday"}]
)
async def test_an_invalid_row_is_returned_beside_the_others(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    payment, odd = a_payment(), a_payment()
    rows = [to_row(odd) | changes, to_row(payment)]

    async def fetch_all(*_: object) -> list[dict[str, Any]]:
        return rows

    monkeypatch.setattr("db.audit.fetch_all", fetch_all)
    engine: Any = None

    found = await AuditQueries(engine).payments_of([uuid4()])

    assert found == [
        UnreadableRow(odd.order_id, f"payment {odd.id} (ValidationError)"),
        to_payment(to_row(payment)),
    ]
