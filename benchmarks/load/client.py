"""The load: callers who pay new orders, in turn (closed loop) or at a given rate (open loop)."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple
from uuid import uuid4

from benchmarks.connection import Connections
from benchmarks.neighbours import CUSTOMER

ANSWER_SECONDS = 60
"""Time limit of one request: twice the time that the API waits before it answers 202."""
REFUSED_PAUSE_SECONDS = 0.1
"""Pause of a caller in turn whose payment did not succeed: refusals, which are quick, must not
become the load. Chosen, not measured."""


class Request(NamedTuple):
    """One request to pay. Times are seconds since the load began.

    `began` is when it was sent; in the open loop, when it should have been sent: a load generator
    that is late does not make the service look faster. `status` is None if no response came.
    """

    began: float
    ended: float
    status: int | None

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def is_paid(self) -> bool:
        return self.status == HTTPStatus.OK


@dataclass
class Load:
    """One load on the API at `port`, with the requests that it has sent."""

    port: int
    requests: list[Request] = field(default_factory=list)
    _start: float = 0.0

    def __post_init__(self) -> None:
        self._connections = Connections(self.port)

    async def closed_loop(self, callers: int, seconds: float) -> None:
        """Each caller pays one order after the other. Returns when all have their response."""
        self._start = time.perf_counter()

        async def pay_in_turn() -> None:
            while (now := self._now()) < seconds:
                if not (await self._pay(now)).is_paid:
                    await asyncio.sleep(REFUSED_PAUSE_SECONDS)

        await asyncio.gather(*(pay_in_turn() for _ in range(callers)))
        self._connections.close()

    async def open_loop(self, rate: float, seconds: float) -> None:
        """Send `rate` requests a second at equal intervals, without waiting for responses.

        Returns when all have their response.
        """
        self._start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for intended in arrivals(rate, seconds):
                await asyncio.sleep(intended - self._now())
                group.create_task(self._pay(intended))
        self._connections.close()

    async def pay_once(self) -> Request:
        """Pay one order."""
        self._start = time.perf_counter()
        request = await self._pay(0)
        self._connections.close()
        return request

    async def _pay(self, began: float) -> Request:
        body = f'{{"orderId":"{uuid4()}","customerId":"{CUSTOMER}","amount":150.00}}'
        status: int | None = None
        with suppress(OSError):  # also a TimeoutError
            async with asyncio.timeout(ANSWER_SECONDS):
                status = (await self._connections.post("/payments", body.encode())).status
        request = Request(began, self._now(), status)
        self.requests.append(request)
        return request

    def _now(self) -> float:
        return time.perf_counter() - self._start


def arrivals(rate: float, seconds: float) -> Iterator[float]:
    """The times of the requests of an open loop, in seconds since its beginning."""
    return (number / rate for number in range(int(rate * seconds)))
