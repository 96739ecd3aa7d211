"""What is recorded of an event while it is published, and when a refusal is final."""

import asyncio
import dataclasses

import pytest
from temporalio.testing import ActivityEnvironment

from activities import events
from activities.events import EventActivities
from activities.unsent_events import UnsentEvents
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.payment import Announcement, Payment
from tests.support.builders import NOON, a_payment
from tests.support.fakes.payments import FakePayments
from tests.support.fakes.publisher import FakePublisher
from tests.support.fakes.world import World, refusal

PAYMENT = a_payment().succeeded(at=NOON)
EVENT = PaymentEvent.of(PAYMENT)
LOCAL = PAYMENT.model_copy(update={"may_be_sent": True})
"""As a payment records its success that is published inside the workflow task."""


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
    world: World,
    payments: Payments,
    event: PaymentEvent = EVENT,
    *,
    attempt: int = 1,
    unsent: UnsentEvents | None = None,
) -> "asyncio.Task[None]":
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    activities = EventActivities(FakePublisher(world), payments, unsent or UnsentEvents())
    return asyncio.create_task(environment.run(activities.publish_event, event))


@pytest.fixture
def unsent(world: World) -> UnsentEvents:
    """Of the process that has just recorded the success."""
    world.payments[LOCAL.id] = LOCAL
    unsent = UnsentEvents()
    unsent.add(LOCAL.id)
    return unsent


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


LOCAL_EVENT = PaymentEvent.of(LOCAL)


async def test_a_refusal_of_the_try_that_is_surely_the_first_is_final(
    world: World, payments: Payments, unsent: UnsentEvents
) -> None:
    world.before[EVENT.topic] = refusal(ErrorCode.EVENT_REFUSED)

    refused = await failure(publishing(world, payments, LOCAL_EVENT, unsent=unsent))

    assert refused is ErrorCode.EVENT_REFUSED
    assert world.payments[LOCAL.id] == PAYMENT  # it may be undone


async def test_a_refusal_in_a_process_that_has_not_recorded_the_success_is_not(
    world: World, payments: Payments, unsent: UnsentEvents
) -> None:
    unsent.take(LOCAL.id)  # as after its worker has died
    world.before[EVENT.topic] = refusal(ErrorCode.EVENT_REFUSED)

    refused = await failure(publishing(world, payments, LOCAL_EVENT, unsent=unsent))

    assert refused is ErrorCode.EVENTS_UNAVAILABLE
    assert world.payments[LOCAL.id].announcement is Announcement.BEGUN


async def test_a_try_that_may_not_be_the_first_is_begun_before_it_sends(
    world: World, payments: Payments, unsent: UnsentEvents
) -> None:
    await publishing(world, payments, LOCAL_EVENT, unsent=unsent)
    world.payments[LOCAL.id] = LOCAL  # as if the first had died before it recorded the end
    payments.noted.clear()
    world.calls.clear()

    await publishing(world, payments, LOCAL_EVENT, unsent=unsent)

    assert world.calls == [
        "record_announcement",
        "find_payment",
        EVENT.topic,
        "record_announcement",
    ]
    assert payments.noted == [Announcement.BEGUN, Announcement.MADE]


async def test_a_refusal_of_the_first_try_after_another_has_begun_is_not_final(
    world: World, payments: Payments, unsent: UnsentEvents
) -> None:
    async def refuse_late() -> None:
        world.payments[LOCAL.id] = LOCAL.announced(Announcement.BEGUN)  # by another worker
        await refusal(ErrorCode.EVENT_REFUSED)()

    world.before[EVENT.topic] = refuse_late

    refused = await failure(publishing(world, payments, LOCAL_EVENT, unsent=unsent))

    assert refused is ErrorCode.EVENTS_UNAVAILABLE
    assert world.payments[LOCAL.id].announcement is Announcement.BEGUN


async def test_a_payment_that_is_being_undone_is_not_published(
    world: World, payments: Payments
) -> None:
    error = PaymentError(ErrorCode.EVENT_REFUSED, "Kafka has no topic.")
    world.payments[LOCAL.id] = PAYMENT.compensating(error)

    refused = await failure(publishing(world, payments, LOCAL_EVENT))

    assert refused is ErrorCode.EVENTS_UNAVAILABLE
    assert world.events == []


async def failure(publication: "asyncio.Task[None]") -> ErrorCode:
    with pytest.raises(PaymentError) as caught:
        await publication
    return caught.value.code
