"""The metrics of the API: counters of its responses, and gauges of payments and refunds.

The gauges show how many payments are in progress, and which payments and refunds are not finished.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from temporalio.common import MetricMeter
from temporalio.service import RPCError

from activities.metrics import counter, duration, gauge
from api.admission import ConcurrencyLimit
from domain import metrics
from domain.backlog import Unfinished
from domain.errors import PaymentError
from domain.timeline import Source

READ_EVERY_SECONDS = 15
"""Time between two reads of PostgreSQL: Prometheus usually asks as often. Chosen, not measured."""
COUNT_EVERY = 4
"""Workflows are counted only at every fourth read of PostgreSQL. Temporal allows ten requests a
second that count or list workflows, for all clients of a namespace together."""

log = logging.getLogger(__name__)


class ResponseMetrics:
    """Counts and measures the responses of the API."""

    def __init__(self, meter: MetricMeter) -> None:
        self._requests = counter(meter, metrics.API_REQUESTS)
        self._duration = duration(meter, metrics.API_REQUEST_DURATION)

    def create(self, method: str, route: str, statuses: Iterable[int]) -> None:
        """Create the series of these responses with 0."""
        for status in statuses:
            self._requests.add(0, {"method": method, "route": route, "status": str(status)})

    def record(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count and measure one response. `route` is None if no route has the path.

        Then the method is not recorded, because a caller could create any number of series with it.
        """
        request = (
            {"method": method, "route": route}
            if route is not None
            else {"method": metrics.OTHER, "route": metrics.NONE}
        )
        self._requests.add(1, {**request, "status": str(status)})
        self._duration.record(timedelta(seconds=seconds), request)


class GaugeSources(NamedTuple):
    """What the gauges are read from.

    `unfinished` and `reconciled_at` raise PaymentError, `count_needing_attention` raises RPCError.
    """

    limit: ConcurrencyLimit
    unfinished: Callable[[], Awaitable[Sequence[Unfinished]]]
    reconciled_at: Callable[[], Awaitable[datetime | None]]
    count_needing_attention: Callable[[], Awaitable[int]]


class Gauges:
    """Sets the gauges from time to time. Each API process sets them to the same values.

    While a source does not respond, its gauges keep their values, and the time of the last read
    (`READ_AT`) says so.
    """

    def __init__(self, meter: MetricMeter, sources: GaugeSources) -> None:
        self._sources = sources
        self._in_progress = gauge(meter, metrics.PAYMENTS_IN_PROGRESS)
        self._limit = gauge(meter, metrics.CONCURRENCY_LIMIT)
        self._unfinished = gauge(meter, metrics.UNFINISHED)
        self._oldest = gauge(meter, metrics.OLDEST_UNFINISHED)
        self._reconciled_at = gauge(meter, metrics.RECONCILED_AT)
        self._need_attention = gauge(meter, metrics.NEED_ATTENTION)
        self._read_at = gauge(meter, metrics.READ_AT)
        for source in (Source.POSTGRESQL, Source.TEMPORAL):
            self._read_at.set(0, {"source": source})

    async def read_for_ever(self) -> None:
        """Read all sources, and again every `READ_EVERY_SECONDS`, until the task is cancelled."""
        count = 0
        while True:
            self._read_limit()
            await self._read(Source.POSTGRESQL, self._read_rows)
            if count % COUNT_EVERY == 0:
                await self._read(Source.TEMPORAL, self._count_workflows)
            count += 1
            await asyncio.sleep(READ_EVERY_SECONDS)

    def _read_limit(self) -> None:
        self._in_progress.set(self._sources.limit.in_progress)
        self._limit.set(self._sources.limit.current)

    async def _read(self, source: Source, read: Callable[[], Awaitable[None]]) -> None:
        try:
            await read()
        except (PaymentError, RPCError) as error:
            log.warning("the gauges of %s cannot be read: %s", source, error)
        else:
            self._read_at.set(datetime.now(UTC).timestamp(), {"source": source})

    async def _read_rows(self) -> None:
        for kind, number, age in await self._sources.unfinished():
            self._unfinished.set(number, {"kind": kind})
            self._oldest.set(age.total_seconds(), {"kind": kind})
        completed_at = await self._sources.reconciled_at()
        self._reconciled_at.set(completed_at.timestamp() if completed_at else 0)

    async def _count_workflows(self) -> None:
        self._need_attention.set(await self._sources.count_needing_attention())


@asynccontextmanager
async def kept_current(gauges: Gauges) -> AsyncIterator[None]:
    """In the block, the gauges are set every `READ_EVERY_SECONDS`."""
    reading = asyncio.create_task(gauges.read_for_ever())
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.wait([reading])
