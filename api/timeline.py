"""One payment's events as recorded by PostgreSQL, the gateway, Temporal and Kafka."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel

from api.schemas import PaymentBody, PaymentEnvelope
from domain.errors import ErrorCode, PaymentError
from domain.gateways import at_gateway
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import Entry, Source

SOURCE_TIMEOUT_SECONDS = 3.0
"""Time limit for reading a source. After it, the response is sent without that source. Chosen, not
measured."""
MAX_REFUNDS = 20
"""How many of the newest refunds are shown: each needs its own request to the gateway. Chosen, not
measured."""
PUBLIC = frozenset({Source.POSTGRESQL, Source.GATEWAY})
"""The sources that customers see. Temporal and Kafka show internals, and cost more to read."""

ReadSource = Callable[[Payment, Sequence[Refund]], Awaitable[Sequence[Entry]]]


class Entries(NamedTuple):
    """What the sources have recorded of a payment."""

    entries: Sequence[Entry]
    """Ordered by time. The clocks of the sources may differ."""
    silent: frozenset[Source]
    """The sources that did not respond."""


class Timeline:
    """Reads the entries of all sources. Temporal and Kafka are read for one request at a time."""

    def __init__(self, sources: Mapping[Source, ReadSource]) -> None:
        self._sources = sources
        self._is_reading = False

    async def read_public(self, payment: Payment, refunds: Sequence[Refund]) -> Entries:
        """The entries that a customer may see: those of the sources in `PUBLIC`."""
        public = {each: read for each, read in self._sources.items() if each in PUBLIC}
        return await _read(public, payment, refunds)

    async def read(self, payment: Payment, refunds: Sequence[Refund]) -> Entries:
        """The entries of all sources.

        Raises PaymentError(SERVICE_UNAVAILABLE) while another timeline is being read.
        """
        if self._is_reading:
            raise PaymentError(
                ErrorCode.SERVICE_UNAVAILABLE,
                "Another timeline is being read. Send the same request again.",
            )
        self._is_reading = True
        try:
            return await _read(self._sources, payment, refunds)
        finally:
            self._is_reading = False


async def _read(
    sources: Mapping[Source, ReadSource], payment: Payment, refunds: Sequence[Refund]
) -> Entries:
    newest = refunds[-MAX_REFUNDS:]
    found = await asyncio.gather(
        *(_with_time_limit(read(payment, newest)) for read in sources.values()),
        return_exceptions=True,
    )
    entries: list[Entry] = []
    silent = set()
    for source, result in zip(sources, found, strict=True):
        if isinstance(result, BaseException):
            silent.add(source)
        else:
            entries += result
    return Entries(sorted(entries, key=lambda entry: entry.at), frozenset(silent))


async def _with_time_limit(reading: Awaitable[Sequence[Entry]]) -> Sequence[Entry]:
    async with asyncio.timeout(SOURCE_TIMEOUT_SECONDS):
        return await reading


class TimelineEntry(BaseModel):
    """Something that a source has recorded. `at` is the time of the source's own clock."""

    at: datetime
    source: Source
    event: str
    detail: str | None


class TimelineEnvelope(PaymentEnvelope):
    """A payment and its entries, ordered by the times of the sources' clocks."""

    timeline: list[TimelineEntry]
    silent: list[Source]

    @classmethod
    def of_payment(cls, payment: Payment, found: Entries) -> dict[str, Any]:
        return cls(
            success=True,
            error_message=None,
            payment=PaymentBody.of(payment),
            timeline=[TimelineEntry(**entry._asdict()) for entry in found.entries],
            silent=sorted(found.silent),
        ).model_dump(by_alias=True)


def by_gateway(sources: Mapping[str, ReadSource]) -> ReadSource:
    """A source that reads the timeline of each payment at the payment's own gateway.

    It raises PaymentError(GATEWAY_UNAVAILABLE) if this process has no source for that gateway.
    """

    async def read(payment: Payment, refunds: Sequence[Refund]) -> Sequence[Entry]:
        return await at_gateway(sources, payment.gateway)(payment, refunds)

    return read
