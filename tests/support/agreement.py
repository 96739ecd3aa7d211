"""Checks that all systems agree about the ended payments of an order, to the minor unit."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from audit.__main__ import open_sources
from audit.books import Books
from audit.invariants import RUNNING
from audit.sources import read_books
from domain.errors import NEVER_PUBLISHED
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED, charge_key, event_id
from domain.payment import UNANNOUNCED
from tests.support.builders import HOUR
from tests.support.stacks import settings_of
from tests.support.system import Answer, Order, System
from tests.support.waiting import eventually

Row = dict[str, Any]

STATUS_PATHS = (
    ["pending", "succeeded"],
    ["pending", "failed"],
    ["pending", "succeeded", "failed"],
    ["failed"],  # it never held the order, because another failure had closed it
)


async def assert_agreement(system: System, order: Order, answer: Answer) -> None:
    """The response, rows, gateway, events and Ordering agree about all payments of the order."""
    rows = await eventually("every event is published", lambda: _rows_when_published(system, order))
    shown = answer.body["payment"]
    if shown is not None:
        assert _parsed(shown) in [_in_response(row) for row in rows]
        assert (await system.get(f"/payments/{shown['id']}")).payment == shown
    assert [row["status"] for row in rows].count("succeeded") <= 1
    for row in rows:
        assert await system.transitions(row["id"]) in STATUS_PATHS
    await _assert_money(system, order, rows)
    await _assert_events(system, order, rows)
    await _assert_order(system, order, rows)


async def _rows_when_published(system: System, order: Order) -> list[Row] | None:
    """The rows of the order; None while an event is unpublished. Callers do not wait for it."""
    rows = await system.rows(order)
    return None if any(row["announcement"] in UNANNOUNCED for row in rows) else rows


async def assert_only_payment_agreed(system: System, order: Order) -> Row:
    """All systems agree about the order's only payment. Returns its row."""
    [row] = await system.rows(order)
    await assert_agreement(system, order, await system.get(f"/payments/{row['id']}"))
    return row


async def books_of(system: System, order: Order) -> Books:
    """The order's books as the audit reads them.

    Waits until runs of the order are shown, and none as running: Temporal's list of workflows is
    updated some tenths of a second later.
    """
    async with open_sources(settings_of(system.stack)) as sources:

        async def read() -> Books | None:
            since = datetime.now(UTC) - HOUR
            books = {each.order_id: each async for each in read_books(sources, since)}
            mine = books[UUID(order.id)]
            is_ended = mine.runs and not any(run.status == RUNNING for run in mine.runs)
            return mine if is_ended else None

        return await eventually(f"the runs of {order.id} are shown as ended", read)


async def _assert_money(system: System, order: Order, rows: list[Row]) -> None:
    """The gateway keeps the amount of the succeeded payment, and nothing else."""
    charges = {charge["key"]: charge for charge in await system.charges(order)}
    for row in rows:
        charge = charges.pop(charge_key(row["id"]), None)
        kept = row["amount_minor"] if row["status"] == "succeeded" else 0
        assert _kept(charge, row["currency_exponent"]) == kept
        assert row["transaction_id"] == (charge.get("transactionId") if charge else None)
        assert row["simulated_response"] == (charge["response"] if charge else None)
    assert not charges, "there are charges without a payment"


def _kept(charge: dict[str, Any] | None, exponent: int) -> Decimal:
    if charge is None or charge["state"] not in {"captured", "refunded"}:
        return Decimal(0)
    kept: Decimal = charge["amount"] - (charge["refundedAmount"] or 0)
    return kept.scaleb(exponent)


async def _assert_events(system: System, order: Order, rows: list[Row]) -> None:
    """Each payment has one event. All published copies of it have the same bytes."""
    records = await system.events(order)
    distinct = set(map(str, records))
    expected = {_event_id(row): row for row in rows if _has_event(row)}
    assert {record.id for record in records} == set(expected)
    assert len(distinct) == len(expected), "copies of an event differ"
    for record in records:
        row = expected[record.id]
        assert (record.topic, record.key) == (_topic(row), order.id)
        assert _parsed(record.body) == _in_event(row) | _released(record.body, row)


async def _assert_order(system: System, order: Order, rows: list[Row]) -> None:
    """Ordering gets to know the ending, and receives no event that contradicts it."""
    paid_by = [str(row["id"]) for row in rows if row["status"] == "succeeded"]
    cancelled = any(map(_has_event, rows)) and not paid_by
    expected = ("paid", *paid_by) if paid_by else ("cancelled" if cancelled else order.status, None)

    async def knows() -> bool:
        found = await system.ordered(order) or {"status": None, "paymentId": None}
        return (found["status"], found["paymentId"]) == expected

    await eventually(f"Ordering has order {order.id} as {expected}", knows)
    outcomes = await system.outcomes(order)
    assert outcomes.count("applied") == sum(map(_has_event, rows))
    assert set(outcomes) <= {"applied", "repeated"}


def _has_event(row: Row) -> bool:
    return row["error_code"] not in NEVER_PUBLISHED


def _topic(row: Row) -> str:
    return TOPIC_SUCCEEDED if row["status"] == "succeeded" else TOPIC_FAILED


def _event_id(row: Row) -> str:
    return str(event_id(row["id"], _topic(row)))


def _parsed(members: dict[str, Any]) -> dict[str, Any]:
    """The members, with each time as a datetime."""
    times = {name for name in members if name.endswith("At") and members[name]}
    return members | {name: datetime.fromisoformat(members[name]) for name in times}


def _in_response(row: Row) -> dict[str, Any]:
    """The row as a response of the API must show it."""
    return _identity(row) | {
        "id": str(row["id"]),
        "reservationId": _text(row["reservation_id"]),
        "errorCode": row["error_code"],
        "errorMessage": row["error_message"],
        "failureReason": row["failure_reason"],
        "createdAt": row["created_at"],
        "processedAt": row["processed_at"],
        "isSimulated": row["is_simulated"],
        "simulatedResponse": row["simulated_response"],
    }


def _in_event(row: Row) -> dict[str, Any]:
    """The row as its event must show it, except the reservation of a failed payment."""
    if row["status"] == "succeeded":
        own = {
            "reservationId": _text(row["reservation_id"]),
            "transactionId": row["transaction_id"],
            "processedAt": row["processed_at"],
        }
    else:
        own = {
            "failureReason": row["failure_reason"],
            "errorCode": row["error_code"],
            "errorMessage": row["error_message"],
            "attemptedAt": row["processed_at"],
        }
    members = _identity(row) | {"paymentId": str(row["id"])} | own
    return {name: value for name, value in members.items() if value is not None}


def _released(body: dict[str, Any], row: Row) -> dict[str, Any]:
    """A failed payment's event may name the reservation that the request named."""
    return {"reservationId": _text(row["reservation_id"])} if "reservationId" in body else {}


def _identity(row: Row) -> dict[str, Any]:
    return {
        "orderId": str(row["order_id"]),
        "customerId": str(row["customer_id"]),
        "amount": Decimal(row["amount_minor"]).scaleb(-row["currency_exponent"]),
        "currency": row["currency"],
        "paymentMethod": row["payment_method"],
        "status": row["status"],
    }


def _text(value: object) -> str | None:
    return str(value) if value is not None else None
