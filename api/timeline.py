"""The story of one payment, put together from what everybody tells who took part in it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel

from api.schemas import PaymentBody, PaymentEnvelope
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import Entry, Source

SECONDS = 3.0
"""How long a source may take; what the others tell is answered without it."""

Tell = Callable[[Payment, Sequence[Refund]], Awaitable[Sequence[Entry]]]


class Story(NamedTuple):
    entries: Sequence[Entry]
    """By time, as far as the sources' clocks agree."""
    silent: frozenset[Source]
    """The sources that did not answer."""


class Timeline:
    def __init__(self, sources: Mapping[Source, Tell]) -> None:
        self._sources = sources

    async def story(self, payment: Payment, refunds: Sequence[Refund]) -> Story:
        told = await asyncio.gather(
            *(_in_time(tell(payment, refunds)) for tell in self._sources.values()),
            return_exceptions=True,
        )
        answers = dict(zip(self._sources, told, strict=True))
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
