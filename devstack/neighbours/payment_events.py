"""The payment events as a strict consumer reads them: schemas, and the loop that consumes them."""

import asyncio
import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from devstack.neighbours.decimal_json import loads_decimal
from devstack.neighbours.json_models import describe_errors
from domain.names import TOPIC_FAILED, TOPIC_REFUNDED, TOPIC_SUCCEEDED

_log = logging.getLogger(__name__)

_RETRY_PAUSE_SECONDS = 0.5
"""Pause before another try when Kafka is down. Chosen, not measured."""
_TOPIC_REFRESH_MS = 1000
"""How soon new topics are found: Ordering may start before they exist. Chosen, not measured."""
_POLL_TIMEOUT_MS = 1000
"""Longest wait for events. Chosen, not measured."""
_MAX_BATCH_SIZE = 200
"""Most events per commit. Chosen, not measured."""
_MAX_AMOUNT = 10**15
"""The most that the API accepts, in a currency without decimal places."""

Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Time = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
]
ABSENT = ""
"""The default of an optional member. Such a member may be left out but must not be null."""


class Event(BaseModel):
    """The members that all events have."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)

    payment_id: Uuid
    order_id: Uuid
    customer_id: Uuid
    amount: Decimal = Field(gt=0, le=_MAX_AMOUNT)
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]

    @property
    def subject_id(self) -> str:
        """The id of the payment or refund. A second event of a topic with the same id is a copy."""
        return self.payment_id


class PaymentEvent(Event):
    """The members of both events that end a payment."""

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
    def subject_id(self) -> str:
        return self.refund_id


_EVENTS: dict[str, type[Event]] = {
    TOPIC_SUCCEEDED: PaymentSucceeded,
    TOPIC_FAILED: PaymentFailed,
    TOPIC_REFUNDED: PaymentRefunded,
}


def parse_event(topic: str, value: bytes | None) -> Event:
    """Parse and validate a record's value. Raises ValueError with every validation error."""
    try:
        return _EVENTS[topic].model_validate(loads_decimal(value or b""))
    except ValidationError as error:
        raise ValueError(describe_errors(error.errors())) from None


async def consume_events(servers: str, apply: Callable[[ConsumerRecord], None]) -> None:
    """Apply every record of the topics at least once, until cancelled.

    When Kafka is down, or `apply` fails, it tries again after a pause.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    while True:
        try:
            await _consume_until_error(servers, apply)
        except (KafkaError, OSError):
            await asyncio.sleep(_RETRY_PAUSE_SECONDS)
        except Exception:  # noqa: BLE001 - if the consumer ended, no more events would be applied
            _log.exception("an event could not be applied; trying again")
            await asyncio.sleep(_RETRY_PAUSE_SECONDS)


async def _consume_until_error(servers: str, apply: Callable[[ConsumerRecord], None]) -> None:
    consumer = AIOKafkaConsumer(
        *_EVENTS,
        bootstrap_servers=servers,
        group_id="ordering",
        # A static group member: after a kill, the next start does not wait for the session of the
        # killed consumer to end, which takes 10 s.
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
    batch = await consumer.getmany(timeout_ms=_POLL_TIMEOUT_MS, max_records=_MAX_BATCH_SIZE)
    for records in batch.values():
        for record in records:
            apply(record)
    if batch:
        await consumer.commit()
