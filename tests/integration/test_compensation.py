"""A step after the charge is refused for good: the charge is refunded and the failure published."""

from contextlib import AbstractAsyncContextManager
from uuid import uuid4

from aiokafka.partitioner import murmur2

from activities.adapters.kafka_topics import PARTITIONS
from api.errors import NEW_ORDER
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED
from tests.support.agreement import assert_agreement
from tests.support.message_limit import largest_message
from tests.support.system import Answer, Order, System
from tests.support.triggers import before_update

REFUSE = "RAISE EXCEPTION 'refused by a test' USING ERRCODE = 'check_violation';"


async def test_record_that_the_database_refuses_is_refunded(system: System) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order)

    async with success_refused(system, order):
        answer = await system.pay(order, reservationId=seat)

    await assert_compensated(system, order, answer, "RECORD_REFUSED")
    assert await system.transitions(answer.payment["id"]) == ["pending", "failed"]


async def test_event_that_the_broker_refuses_is_refunded(system: System) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order)

    async with largest_message(system, TOPIC_SUCCEEDED, size=1):
        answer = await system.pay(order, reservationId=seat)

    await assert_compensated(system, order, answer, "EVENT_REFUSED")
    assert await system.transitions(answer.payment["id"]) == ["pending", "succeeded", "failed"]
    await assert_nothing_is_left_behind(system, order)


async def assert_compensated(system: System, order: Order, answer: Answer, code: str) -> None:
    assert (answer.status, answer.payment["errorCode"]) == (422, code)
    assert answer.body["errorMessage"].endswith(NEW_ORDER)
    assert "retry-after" not in answer.headers
    assert [charge["state"] for charge in await system.charges(order)] == ["refunded"]
    (event,) = await system.events(order)
    assert event.topic == TOPIC_FAILED
    assert event.body["reservationId"] == answer.payment["reservationId"]
    await assert_agreement(system, order, answer)


async def assert_nothing_is_left_behind(system: System, refused: Order) -> None:
    """Check that the broker accepts the next record of the same partition."""
    ids = iter(lambda: str(uuid4()), "")
    neighbour = next(each for each in ids if partition_of(each) == partition_of(refused.id))
    order = await system.an_order(id=neighbour)

    answer = await system.pay(order)

    assert answer.status == 200
    await assert_agreement(system, order, answer)


def partition_of(order_id: str) -> int:
    """The partition of a record with this key, as every Kafka client computes it."""
    digest: int = murmur2(order_id.encode()) & 0x7FFFFFFF
    return digest % PARTITIONS


def success_refused(system: System, order: Order) -> AbstractAsyncContextManager[None]:
    """In the block, the database refuses to record a success of this order."""
    return before_update(system, order, "NEW.status = 'succeeded'", REFUSE)
