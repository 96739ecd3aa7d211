"""The list of payments, from the real database."""

from datetime import timedelta
from uuid import uuid4

import pytest

from db.engine import create_engine
from db.payments import PaymentStore
from domain.payment import Payment
from tests.support.builders import NOON, a_payment
from tests.support.system import System

CUSTOMER = uuid4()


@pytest.fixture(scope="module")
async def made(system: System) -> list[Payment]:
    """Payments of one customer, the newest first: three of them in the same moment."""
    moments = (NOON + timedelta(hours=1), NOON, NOON, NOON, NOON - timedelta(hours=1))
    payments = [a_payment(customer_id=CUSTOMER, created_at=moment) for moment in moments]
    engine = create_engine(system.stack.environment()["DATABASE_URL"], application_name="tests")
    for payment in payments:
        await PaymentStore(engine).record_pending(payment)
    await PaymentStore(engine).record_succeeded(payments[0].succeeded(NOON))
    await PaymentStore(engine).record_succeeded(payments[1].succeeded(NOON).announced())
    await engine.dispose()
    return sorted(payments, key=lambda each: (each.created_at, each.id), reverse=True)


async def ids(system: System, query: str) -> list[str]:
    answer = await system.get(f"/payments?customerId={CUSTOMER}&{query}")
    return [each["id"] for each in answer.body["payments"]]


async def test_pages_hold_every_payment_once(system: System, made: list[Payment]) -> None:
    path = f"/payments?customerId={CUSTOMER}&limit=2"
    page = (await system.get(path)).body
    seen = [each["id"] for each in page["payments"]]
    while page["nextCursor"]:
        page = (await system.get(f"{path}&cursor={page['nextCursor']}")).body
        seen += [each["id"] for each in page["payments"]]

    assert seen == [str(each.id) for each in made]
    assert len(page["payments"]) == 1


async def test_each_filter_leaves_out_what_it_should(system: System, made: list[Payment]) -> None:
    known = [str(each.id) for each in made]

    assert await ids(system, f"orderId={made[2].order_id}") == [known[2]]
    assert await ids(system, "createdFrom=2026-11-23T12:00:01Z") == known[:1]
    assert await ids(system, "createdBefore=2026-11-23T12:00:00Z") == known[4:]
    assert len(await ids(system, "status=succeeded")) == 1
    assert len(await ids(system, "status=pending")) == 4  # one success may yet be undone
    assert await ids(system, "status=failed") == []
    assert (await system.get(f"/payments?customerId={uuid4()}")).body["payments"] == []
