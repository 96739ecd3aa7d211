"""Redis counts requests and caches payments. Payments do not need it, and its data may be lost.

A call takes at most `CALL_TIMEOUT_SECONDS`. After a failure there is no call for `PAUSE_SECONDS`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import RateLimiter, SlidingWindowCounterRateLimiter
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.ports import Allowance
from domain.payment import Payment

CALL_TIMEOUT_SECONDS = 0.05
"""Time limit of a call, and so the longest delay by a Redis that hangs. Chosen, not measured."""
PAUSE_SECONDS = 1.0
"""Pause between a failure and the next call. Chosen, not measured."""
CACHED_SECONDS = 3600
"""How long a payment is cached. Most repeated reads come soon. Chosen, not measured."""

Result = TypeVar("Result")


class BestEffort:
    """Makes calls that may fail: their result is useful but not needed."""

    def __init__(self) -> None:
        self._paused_until = 0.0

    async def attempt(self, call: Callable[[], Awaitable[Result]]) -> Result | None:
        """The call's result; None if it failed or timed out, or was not made after a failure."""
        if time.monotonic() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                return await call()
        except (RedisError, OSError, TimeoutError):
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            return None


class RedisRateLimit:
    """Implements `RateLimit`: counts in Redis, or in this process while Redis does not respond."""

    def __init__(self, redis_url: str, limit: RateLimitItem) -> None:
        self._limit = limit
        self._redis = BestEffort()
        self._shared = SlidingWindowCounterRateLimiter(
            RedisStorage(f"async+{redis_url}", implementation="redispy")
        )
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, caller: str) -> Allowance:
        """Count one request of the caller."""
        shared = await self._redis.attempt(lambda: self._count(self._shared, caller))
        return shared or await self._count(self._local, caller)

    async def _count(self, limiter: RateLimiter, caller: str) -> Allowance:
        is_allowed = await limiter.hit(self._limit, caller)
        window = await limiter.get_window_stats(self._limit, caller)
        return Allowance(
            is_exceeded=not is_allowed,
            requests=self._limit.amount,
            seconds=self._limit.get_expiry(),
            left=window.remaining,
            reset_seconds=max(1, round(window.reset_time - time.time())),
        )


class RedisPaymentCache:
    """Implements `PaymentCache` with Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._best_effort = BestEffort()

    async def get(self, payment_id: UUID) -> Payment | None:
        text = await self._best_effort.attempt(lambda: self._redis.get(_key(payment_id)))
        try:
            payment = Payment.model_validate_json(text) if text else None
        except ValidationError:
            return None
        return payment if payment and payment.id == payment_id else None

    async def put(self, payment: Payment) -> None:
        text = payment.model_dump_json()
        await self._best_effort.attempt(
            lambda: self._redis.set(_key(payment.id), text, ex=CACHED_SECONDS)
        )

    async def ping(self) -> None:
        await self._redis.ping()


def _key(payment_id: UUID) -> str:
    return f"payment:{payment_id}"
