"""What is recorded of an event while it is published, and when a refusal is final."""

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import events
from activities.events import EventActivities
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.payment import Announcement, Payment
from tests.support.builders import NOON, a_payment
from tests.support.fakes.payments import FakePayments
from tests.support.fakes.publisher import FakePublisher
from tests.support.fakes.world import World, refusal

PENDING = a_payment()
PAYMENT = PENDING.succeeded(at=NOON)
EVENT = PaymentEvent.of(PAYMENT)
LOCAL = PAYMENT.model_copy(update={"may_be_sent": True})
"""A success that is recorded and published inside the workflow task."""
LOCAL_EVENT = PaymentEvent.of(LOCAL)
LATER = LOCAL.model_copy(update={"processed_at": NOON + timedelta(seconds=10)})
"""The same success, as a workflow task that is done again has it."""


class Payments(FakePayments):
    """Keeps each announcement that is recorded."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.noted: list[Announcement] = []
        self.changed = asyncio.Event()

    async def record_announcement(self, payment: Payment) -> None:
        await super().record_announcement(payment)
        self.noted.append(payment.announcement)
        self.changed.set()


@pytest.fixture
def world() -> World:
    world = World()
    world.payments[PAYMENT.id] = PAYMENT
    return world


@pytest.fixture
def payments(world: World) -> Payments:
    return Payments(world)


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BEGUN_AFTER_SECONDS", 0.01)


def publishing(
    world: World, payments: Payments, event: PaymentEvent = EVENT, *, attempt: int = 1
) -> "asyncio.Task[None]":
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    activities = EventActivities(FakePublisher(world), payments)
    return asyncio.create_task(environment.run(activities.publish_event, event))


def recording(
    world: World, payments: Payments, success: Payment = LOCAL
) -> "asyncio.Task[Payment]":
    activities = EventActivities(FakePublisher(world), payments)
    return asyncio.create_task(ActivityEnvironment().run(activities.record_and_publish, success))


@pytest.fixture
def pending(world: World) -> None:
    """The payment is not recorded as a success yet."""
    world.payments[PAYMENT.id] = PENDING


async def test_an_event_that_is_published_at_once_is_recorded_once(
    world: World, payments: Payments
) -> None:
    await publishing(world, payments)

    assert payments.noted == [Announcement.MADE]


@pytest.mark.usefixtures("short_limits")
async def test_an_event_that_takes_long_is_recorded_as_begun_and_then_as_made(
    world: World, payments: Payments
) -> None:
    accepted = asyncio.Event()

    async def wait() -> None:
        await accepted.wait()

    world.before[EVENT.topic] = wait

    publication = publishing(world, payments)
    await payments.changed.wait()
    meanwhile = list(payments.noted)
    accepted.set()
    await publication

    assert meanwhile == [Announcement.BEGUN]
    assert payments.noted == [Announcement.BEGUN, Announcement.MADE]
    assert [each.id for each in world.events] == [EVENT.id]


async def test_a_refusal_of_the_first_try_is_final(world: World, payments: Payments) -> None:
    world.before[EVENT.topic] = refusal(ErrorCode.EVENT_REFUSED)

    assert await failure(publishing(world, payments)) is ErrorCode.EVENT_REFUSED
    assert payments.noted == []


async def test_a_refusal_of_a_later_try_is_not_final(world: World, payments: Payments) -> None:
    world.before[EVENT.topic] = refusal(ErrorCode.EVENT_REFUSED)

    assert await failure(publishing(world, payments, attempt=2)) is ErrorCode.EVENTS_UNAVAILABLE
    assert payments.noted == [Announcement.BEGUN]


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("database", ["up", "down"])
async def test_a_refusal_after_the_event_was_begun_is_not_final(
    world: World, payments: Payments, database: str
) -> None:
    tried = asyncio.Event()

    async def refuse_late() -> None:
        await tried.wait()
        await refusal(ErrorCode.EVENT_REFUSED)()

    async def note() -> None:
        tried.set()
        if database == "down":
            await world.down("record_announcement")()

    world.before[EVENT.topic] = refuse_late
    world.before["record_announcement"] = world.times(1, note)

    assert await failure(publishing(world, payments)) is ErrorCode.EVENTS_UNAVAILABLE
    assert payments.noted[-1] is Announcement.BEGUN


async def test_kafka_that_is_known_to_be_down_undoes_nothing(
    world: World, payments: Payments
) -> None:
    world.before[EVENT.topic] = world.down(EVENT.topic)

    assert await failure(publishing(world, payments)) is ErrorCode.EVENTS_UNAVAILABLE
    assert payments.noted == [Announcement.BEGUN]


async def test_a_stopped_worker_stops_publishing(world: World, payments: Payments) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    world.before[EVENT.topic] = wait
    publication = publishing(world, payments)
    await begun.wait()

    publication.cancel()

    with pytest.raises(asyncio.CancelledError):
        await publication
    await ended.wait()


@pytest.mark.usefixtures("pending")
async def test_a_success_is_recorded_and_published_in_one_try(
    world: World, payments: Payments
) -> None:
    assert await recording(world, payments) == LOCAL.announced()

    assert world.payments[LOCAL.id] == LOCAL.announced()
    assert world.calls == ["record_succeeded", EVENT.topic, "record_announcement"]


@pytest.mark.usefixtures("pending")
async def test_a_refusal_of_the_try_that_has_recorded_the_success_is_final(
    world: World, payments: Payments
) -> None:
    world.before[EVENT.topic] = refusal(ErrorCode.EVENT_REFUSED)

    assert await failure(recording(world, payments)) is ErrorCode.EVENT_REFUSED
    assert world.payments[LOCAL.id] == PAYMENT  # it may be undone


async def test_a_refusal_of_a_try_that_has_found_the_success_recorded_is_not(
    world: World, payments: Payments
) -> None:
    world.payments[LOCAL.id] = LOCAL
    world.before[EVENT.topic] = refusal(ErrorCode.EVENT_REFUSED)

    assert await failure(recording(world, payments)) is ErrorCode.EVENTS_UNAVAILABLE
    assert world.payments[LOCAL.id].announcement is Announcement.BEGUN


@pytest.mark.parametrize("recorded", [LOCAL, PAYMENT], ids=["maybe sent", "refused before"])
async def test_a_success_that_was_recorded_before_is_begun_before_it_is_sent(
    world: World, payments: Payments, recorded: Payment
) -> None:
    world.payments[LOCAL.id] = recorded

    assert await recording(world, payments, LATER) == LOCAL.announced()

    assert world.calls == [
        "record_succeeded",
        "record_announcement",
        "find_payment",
        EVENT.topic,
        "record_announcement",
    ]
    assert payments.noted == [Announcement.BEGUN, Announcement.MADE]
    assert [each.value for each in world.events] == [EVENT.value]


async def test_a_success_that_was_published_before_is_not_sent_again(
    world: World, payments: Payments
) -> None:
    world.payments[LOCAL.id] = LOCAL.announced()

    assert await recording(world, payments, LATER) == LOCAL.announced()

    assert world.events == []


@pytest.mark.usefixtures("pending")
async def test_a_refusal_of_the_first_try_after_another_has_begun_is_not_final(
    world: World, payments: Payments
) -> None:
    async def refuse_late() -> None:
        world.payments[LOCAL.id] = LOCAL.announced(Announcement.BEGUN)  # by another worker
        await refusal(ErrorCode.EVENT_REFUSED)()

    world.before[EVENT.topic] = refuse_late

    assert await failure(recording(world, payments)) is ErrorCode.EVENTS_UNAVAILABLE
    assert world.payments[LOCAL.id].announcement is Announcement.BEGUN


async def test_a_success_that_the_try_has_not_recorded_is_begun_and_no_refusal_is_final(
    world: World, payments: Payments
) -> None:
    """The row is the same as after a try inside the workflow task that got no response."""
    world.payments[LOCAL.id] = LOCAL
    world.before[EVENT.topic] = refusal(ErrorCode.EVENT_REFUSED)

    refused = await failure(publishing(world, payments, LOCAL_EVENT))

    assert refused is ErrorCode.EVENTS_UNAVAILABLE
    assert world.calls[:3] == ["record_announcement", "find_payment", EVENT.topic]
    assert world.payments[LOCAL.id].announcement is Announcement.BEGUN


REFUSED = PaymentError(ErrorCode.EVENT_REFUSED, "Kafka has no topic.")


@pytest.mark.parametrize(
    "undone",
    [PAYMENT.compensating(REFUSED), PAYMENT.failed(REFUSED, NOON, Announcement.DUE)],
    ids=["being undone", "undone"],
)
async def test_a_payment_that_is_undone_is_not_published(
    world: World, payments: Payments, undone: Payment
) -> None:
    world.payments[LOCAL.id] = undone

    refused = await failure(publishing(world, payments, LOCAL_EVENT))

    assert refused is ErrorCode.EVENTS_UNAVAILABLE
    assert world.events == []


async def failure(publication: "asyncio.Task[Any]") -> ErrorCode:
    with pytest.raises(PaymentError) as caught:
        await publication
    return caught.value.code
