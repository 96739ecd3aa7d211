"""The story of one payment, put together from what everybody tells who took part in it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel

from api.schemas import PaymentBody, PaymentEnvelope
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import Entry, Source

SECONDS = 3.0
"""How long a source may take; what the others tell is answered without it."""
MOST_REFUNDS = 20
"""The newest of a payment's refunds, which are told of: each is looked up by itself. Chosen."""
PLAIN = frozenset({Source.POSTGRESQL, Source.GATEWAY})
"""What customers are told: Temporal and Kafka tell of our insides, and are costly to ask."""

Tell = Callable[[Payment, Sequence[Refund]], Awaitable[Sequence[Entry]]]


class Story(NamedTuple):
    entries: Sequence[Entry]
    """By time, as far as the sources' clocks agree."""
    silent: frozenset[Source]
    """The sources that did not answer."""


class Timeline:
    """What each source tells, one reader of Temporal and Kafka at a time."""

    def __init__(self, sources: Mapping[Source, Tell]) -> None:
        self._sources = sources
        self._is_reading = False

    async def plain_story(self, payment: Payment, refunds: Sequence[Refund]) -> Story:
        """The story for a customer, told by `PLAIN`."""
        plain = {each: tell for each, tell in self._sources.items() if each in PLAIN}
        return await _told(plain, payment, refunds)

    async def story(self, payment: Payment, refunds: Sequence[Refund]) -> Story:
        """The whole story.

        Raises PaymentError(SERVICE_UNAVAILABLE) while another is put together.
        """
        if self._is_reading:
            raise PaymentError(
                ErrorCode.SERVICE_UNAVAILABLE,
                "Another timeline is being put together. Send the same request again.",
            )
        self._is_reading = True
        try:
            return await _told(self._sources, payment, refunds)
        finally:
            self._is_reading = False


async def _told(
    sources: Mapping[Source, Tell], payment: Payment, refunds: Sequence[Refund]
) -> Story:
    newest = refunds[-MOST_REFUNDS:]
    told = await asyncio.gather(
        *(_in_time(tell(payment, newest)) for tell in sources.values()), return_exceptions=True
    )
    answers = dict(zip(sources, told, strict=True))
    entries = [
        entry
        for answer in answers.values()
        if not isinstance(answer, BaseException)
        for entry in answer
    ]
    silent = [source for source in answers if isinstance(answers[source], BaseException)]
    return Story(sorted(entries, key=lambda entry: entry.at), frozenset(silent))


async def _in_time(telling: Awaitable[Sequence[Entry]]) -> Sequence[Entry]:
    async with asyncio.timeout(SECONDS):
        return await telling


class TimelineEntry(BaseModel):
    """Something that a source has written down, by its own clock."""

    at: datetime
    source: Source
    event: str
    detail: str | None


class TimelineEnvelope(PaymentEnvelope):
    """A payment and all that is told of it, in the order of the sources' clocks."""

    timeline: list[TimelineEntry]
    silent: list[Source]

    @classmethod
    def telling(cls, payment: Payment, story: Story) -> dict[str, Any]:
        return cls(
            success=True,
            error_message=None,
            payment=PaymentBody.of(payment),
            timeline=[TimelineEntry(**entry._asdict()) for entry in story.entries],
            silent=sorted(story.silent),
        ).model_dump(by_alias=True)
