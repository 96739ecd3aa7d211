"""The payment events as a consumer sees them: strictly validated, followed for ever."""

import asyncio
import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from devstack.neighbours.journal import loads_typed
from devstack.neighbours.neighbour import explain
from domain.names import TOPIC_FAILED, TOPIC_REFUNDED, TOPIC_SUCCEEDED

_log = logging.getLogger(__name__)

_RECONNECT_SECONDS = 0.5
_TOPIC_REFRESH_MS = 1000
_MAX_RECORDS = 200

Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Time = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
]
ABSENT = ""
"""The default of an optional member: it may be left out, but not be null."""


class Event(BaseModel):
    """What all events have in common."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)

    payment_id: Uuid
    order_id: Uuid
    customer_id: Uuid
    amount: Decimal = Field(gt=0, le=10**15)
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]

    @property
    def subject(self) -> str:
        """What happened once, however often it is told."""
        return self.payment_id


class PaymentEvent(Event):
    """How a payment has ended."""

    reservation_id: Uuid = ABSENT
    payment_method: Literal["credit_card", "debit_card", "wallet", "bank_transfer"]


class PaymentSucceeded(PaymentEvent):
    status: Literal["succeeded"]
    processed_at: Time
    transaction_id: str = ABSENT


class PaymentFailed(PaymentEvent):
    status: Literal["failed"]
    attempted_at: Time
    failure_reason: Literal[
        "insufficient_funds", "card_declined", "invalid_card", "processor_error", "timeout"
    ]
    error_code: str = ABSENT
    error_message: str = ABSENT


class PaymentRefunded(Event):
    refund_id: Uuid
    refunded_at: Time

    @property
    def subject(self) -> str:
        return self.refund_id


_EVENTS: dict[str, type[Event]] = {
    TOPIC_SUCCEEDED: PaymentSucceeded,
    TOPIC_FAILED: PaymentFailed,
    TOPIC_REFUNDED: PaymentRefunded,
}


def parse_event(topic: str, value: bytes | None) -> Event:
    """Raises ValueError with everything that the topic's consumers would reject."""
    try:
        return _EVENTS[topic].model_validate(loads_typed(value or b""))
    except ValidationError as error:
        raise ValueError(explain(error.errors())) from None


async def follow(servers: str, apply: Callable[[ConsumerRecord], None]) -> None:
    """Apply every record of the topics at least once, for ever; Kafka may come and go."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    while True:
        try:
            await _follow_until_lost(servers, apply)
        except (KafkaError, OSError):
            await asyncio.sleep(_RECONNECT_SECONDS)
        except Exception:  # noqa: BLE001 - a consumer that died quietly would look like lost events
            _log.exception("an event could not be applied and is tried again")
            await asyncio.sleep(_RECONNECT_SECONDS)


async def _follow_until_lost(servers: str, apply: Callable[[ConsumerRecord], None]) -> None:
    consumer = AIOKafkaConsumer(
        *_EVENTS,
        bootstrap_servers=servers,
        group_id="ordering",
        # A static member: after a kill the next start takes over at once, not in ten seconds.
        group_instance_id="ordering",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        metadata_max_age_ms=_TOPIC_REFRESH_MS,
    )
    try:
        await consumer.start()
        while True:
            await _apply_batch(consumer, apply)
    finally:
        await consumer.stop()


async def _apply_batch(consumer: Any, apply: Callable[[ConsumerRecord], None]) -> None:
    batch = await consumer.getmany(timeout_ms=1000, max_records=_MAX_RECORDS)
    for records in batch.values():
        for record in records:
            apply(record)
    if batch:
        await consumer.commit()
