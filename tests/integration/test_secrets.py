"""Card numbers that callers send in wrong places are kept nowhere and never published."""

import asyncio
from uuid import UUID

import pytest
from redis.asyncio import Redis

from domain import exact_json, names
from tests.support.system import Order, System
from tests.support.waiting import eventually

CARD = "4929123456781234"


@pytest.fixture(scope="module")
async def order(system: System) -> Order:
    """An order that was paid with a card number in every place where a caller could write one."""
    order = await system.an_order()
    answers = [
        await system.pay(order, paymentMethod=CARD),
        await system.pay(order, amount=CARD * 2),
        await system.pay(order, reservationId=CARD),
        await system.pay(order, cardNumber=CARD, card={"number": CARD}),
        await system.post(b"{" + CARD.encode()),
        await system.get(f"/payments/{CARD}"),
        await system.post(exact_json.dumps(order.request()), authorization=f"Bearer {CARD}"),
    ]
    assert [answer.status for answer in answers] == [400, 400, 400, 200, 400, 400, 200]
    assert CARD not in "".join(answer.text.replace(f"/payments/{CARD}", "") for answer in answers)
    return order


async def test_logs_contain_no_card_number(system: System, order: Order) -> None:
    logs = sorted((system.stack.site.directory / "logs").iterdir())

    texts = await asyncio.gather(*(asyncio.to_thread(log.read_bytes) for log in logs))

    assert logs
    assert [log for log, text in zip(logs, texts, strict=True) if CARD.encode() in text] == []


async def test_events_contain_no_card_number(system: System, order: Order) -> None:
    events = await system.events(order)

    assert events
    assert CARD not in str(events)


async def test_a_workflow_history_contains_no_card_number(system: System, order: Order) -> None:
    workflow = system.temporal.get_workflow_handle(names.workflow_id(UUID(order.id)))

    history = await workflow.fetch_history()
    description = (await workflow.describe()).raw_description

    assert history.events
    for message in [*history.events, description]:
        assert CARD.encode() not in message.SerializeToString()


async def test_the_database_contains_no_card_number(system: System, order: Order) -> None:
    tables = await system.database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'bc_payment'"
    )
    query = "SELECT count(*) FROM bc_payment.{} AS t WHERE t::text LIKE $1"
    found = [
        await system.database.fetchval(query.format(table["tablename"]), f"%{CARD}%")
        for table in tables
    ]

    assert len(found) >= 2
    assert sum(found) == 0


async def test_redis_contains_no_card_number(system: System) -> None:
    async with Redis.from_url(system.stack.environment()["REDIS_URL"]) as redis:

        async def remembered() -> list[object]:
            await system.pay(await system.an_order(), cardNumber=CARD)
            return [await redis.get(key) async for key in redis.scan_iter("payment:*")]

        payments = await eventually("Redis remembers payments", remembered)

    assert CARD not in str(payments)
