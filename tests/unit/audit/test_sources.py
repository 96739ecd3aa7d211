"""Which orders the audit compares and which it leaves out, with faked sources."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from temporalio.client import WorkflowExecutionStatus as Status
from temporalio.service import RPCError, RPCStatusCode

from activities.audit_ports import Record
from audit.books import Books
from audit.invariants import violations
from audit.sources import UnreadableError
from db.audit import UnreadableRow
from domain import exact_json, names
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.payment import Payment
from tests.support.builders import a_payment, a_refund
from tests.support.fakes.audit import FakeSources

NOW = datetime.now(UTC)
NOBODY = UUID("4e8ccdbf-d325-454e-9eb7-1c6da17c62d1")
SINCE = NOW - timedelta(hours=24)
OLD = NOW - timedelta(days=30)
UNTIL = NOW - timedelta(minutes=3)


@pytest.fixture
def sources() -> FakeSources:
    return FakeSources()


def paid(at: datetime) -> Payment:
    return a_payment(created_at=at).succeeded(at).announced()


def a_run(workflow_id: str, status: Status, at: datetime = OLD) -> SimpleNamespace:
    return SimpleNamespace(
        id=workflow_id,
        run_id=f"run of {workflow_id}",
        status=status,
        start_time=at,
        close_time=at,
        workflow_type="PaymentWorkflow",
    )


def refunded(charge_key: str) -> dict[str, Any]:
    data = {"key": "r", "chargeKey": charge_key, "amount": "5.00", "currency": "USD"}
    return {"seq": 1, "type": "refund.succeeded", "at": NOW.isoformat(), "data": data}


async def audited(sources: FakeSources) -> dict[UUID | None, Books]:
    return await sources.audited(SINCE, UNTIL)


async def findings(sources: FakeSources, order_id: UUID | None) -> str:
    return "\n".join(each.finding for each in violations((await audited(sources))[order_id]))


async def test_an_old_pending_payment_is_compared(sources: FakeSources) -> None:
    stuck = a_payment(created_at=OLD)
    sources.database.payments.append(stuck)

    assert f"payment {stuck.id} is pending" in await findings(sources, stuck.order_id)


async def test_an_old_success_whose_event_is_due_is_compared(sources: FakeSources) -> None:
    due = a_payment(created_at=OLD).succeeded(OLD)
    sources.database.payments.append(due)

    assert "is not published (due)" in await findings(sources, due.order_id)


async def test_a_new_refund_of_an_old_payment_is_compared(sources: FakeSources) -> None:
    payment = paid(OLD)
    sources.database.payments.append(payment)
    refund = a_refund(payment, created_at=NOW - timedelta(hours=1))
    sources.database.refunds.append(refund.succeeded(NOW - timedelta(hours=1)).announced())

    assert "0 is kept instead of 10000" in await findings(sources, payment.order_id)


async def test_an_old_payment_that_has_ended_is_left_alone(sources: FakeSources) -> None:
    sources.database.payments.append(paid(OLD))

    assert (await audited(sources)).keys() == {None}


async def test_a_refund_without_capture_is_in_the_books_of_its_payment(
    sources: FakeSources,
) -> None:
    payment = paid(OLD)
    sources.database.payments.append(payment)
    sources.ledger.append(refunded(names.charge_key(payment.id)))

    assert "was never captured, but 5.00 USD of it was refunded" in await findings(
        sources, payment.order_id
    )


@pytest.mark.parametrize("key", ["pay_x_charge", names.charge_key(NOBODY), ""])
async def test_a_refund_without_capture_and_payment_is_found(
    sources: FakeSources, key: str
) -> None:
    sources.ledger.append(refunded(key))

    assert f"{key} was never captured" in await findings(sources, None)


async def test_an_event_whose_order_is_in_no_other_book_is_found(sources: FakeSources) -> None:
    payment = paid(OLD)
    event = PaymentEvent.of(payment)
    record = Record(str(event.id), event.topic, event.key, exact_json.dumps(event.value))
    sources.events.records.append(record)

    assert f"event {event.id} on {event.topic} does not match its row" in await findings(
        sources, payment.order_id
    )


@pytest.mark.parametrize("key", ["", "not an id", str(NOBODY).upper()])
async def test_a_record_that_names_no_order_is_found(sources: FakeSources, key: str) -> None:
    sources.events.records.append(Record("", names.TOPIC_FAILED, key, b""))

    assert "does not match its row" in await findings(sources, None)


async def test_only_what_kafka_must_still_have_is_missed(sources: FakeSources) -> None:
    payment = paid(OLD)
    sources.database.payments.append(payment)
    sources.database.refunds.append(a_refund(payment, created_at=NOW - timedelta(hours=1)))

    assert "is missing" in await findings(sources, payment.order_id)
    sources.events.is_complete = False
    assert "is missing" not in await findings(sources, payment.order_id)


@pytest.mark.parametrize("status", [Status.RUNNING, Status.FAILED, Status.TIMED_OUT])
async def test_an_old_run_without_a_record_is_found(sources: FakeSources, status: Status) -> None:
    order_id = uuid4()
    sources.temporal.runs.append(a_run(names.workflow_id(order_id), status))
    sources.temporal.runs.append(a_run(names.refund_workflow_id(uuid4()), status))

    for owner in (order_id, None):
        assert f"is {status.name.lower()}" in await findings(sources, owner)


async def test_a_result_that_cannot_be_read_is_found(sources: FakeSources) -> None:
    payment = paid(NOW - timedelta(hours=1))
    sources.database.payments.append(payment)
    run = a_run(names.workflow_id(payment.order_id), Status.COMPLETED, NOW - timedelta(hours=1))
    sources.temporal.runs.append(run)
    sources.temporal.results[run.run_id] = ValueError("not a payment")

    assert "is unreadable" in await findings(sources, payment.order_id)


async def test_a_run_that_temporal_has_just_deleted_is_left_out(sources: FakeSources) -> None:
    run = a_run(names.workflow_id(uuid4()), Status.COMPLETED, NOW - timedelta(hours=1))
    sources.temporal.runs.append(run)
    sources.temporal.results[run.run_id] = RPCError("gone", RPCStatusCode.NOT_FOUND, b"")

    assert (await audited(sources)).keys() == {None}


async def test_an_invalid_row_is_reported_and_hides_no_others(sources: FakeSources) -> None:
    stuck = a_payment(created_at=OLD)
    sources.database.payments.append(stuck)
    sources.database.unreadable.append(UnreadableRow(stuck.order_id, "payment 5 (ValidationError)"))

    found = await findings(sources, stuck.order_id)

    assert "cannot be read: payment 5 (ValidationError)" in found
    assert f"payment {stuck.id} is pending" in found


async def test_a_young_payment_does_not_hide_an_older_one(sources: FakeSources) -> None:
    stuck = a_payment(created_at=OLD)
    young = a_payment(order_id=stuck.order_id, created_at=NOW)
    sources.database.payments += [stuck, young]

    [books] = [each for each in (await audited(sources)).values() if each.order_id]

    assert books.payments == [stuck]


async def test_a_response_of_ordering_that_is_no_order_is_reported(sources: FakeSources) -> None:
    stuck = a_payment(created_at=OLD)
    sources.database.payments.append(stuck)
    sources.order = httpx.Response(500, text="<html>")

    assert "cannot be read: Ordering's response" in await findings(sources, stuck.order_id)


async def test_money_kept_for_an_order_that_ordering_does_not_have_is_found(
    sources: FakeSources,
) -> None:
    payment = paid(NOW - timedelta(hours=1))
    sources.database.payments.append(payment)
    sources.order = httpx.Response(404)

    assert "is kept, but the order is missing" in await findings(sources, payment.order_id)


@pytest.mark.parametrize(
    ("age", "finding"),
    [
        (timedelta(0), ""),
        (timedelta(minutes=6), "the last completed round of the reconciliation was at"),
        (None, "no round of the reconciliation was ever completed"),
    ],
)
async def test_rounds_of_the_reconciliation_are_missed(
    sources: FakeSources, age: timedelta | None, finding: str
) -> None:
    sources.database.completed_at = datetime.now(UTC) - age if age is not None else None

    assert (await findings(sources, None)).startswith(finding)
    assert bool(await findings(sources, None)) is bool(finding)


@pytest.mark.parametrize("ledger", [{}, [None], [[]]])
async def test_an_invalid_ledger_never_ends_in_a_traceback(
    sources: FakeSources, ledger: Any
) -> None:
    sources.ledger = ledger
    if isinstance(ledger, list):
        assert "entry 1 of the gateway's ledger" in await findings(sources, None)
    else:
        with pytest.raises(UnreadableError, match="the gateway's ledger cannot be read"):
            await audited(sources)


@pytest.mark.parametrize(
    "error",
    [
        PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "down"),
        KeyError("x"),
        AttributeError("x"),
        RecursionError(),
    ],
)
async def test_a_source_that_fails_is_named(sources: FakeSources, error: Exception) -> None:
    sources.database.failure = error

    with pytest.raises(UnreadableError, match="PostgreSQL cannot be read"):
        await audited(sources)
