"""Redis may fail, hang or return wrong values: no response gets wrong or waits for it twice."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from limits import WindowStats, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

import api.redis
from api.ports import Allowance
from api.redis import PAUSE_SECONDS, BestEffort, RedisPaymentCache, RedisRateLimit
from tests.support.builders import NOON, a_payment

PAID = a_payment(id=UUID(int=1)).succeeded(at=NOON)


class Clock(SimpleNamespace):
    """Replaces the module `time`. It stands still unless a test moves it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(api.redis, "time", clock)
    monkeypatch.setattr(api.redis, "CALL_TIMEOUT_SECONDS", 0.01)
    return clock


class FakeRedis:
    """Values in memory, a count of calls, and a fault for all of them."""

    def __init__(self, fault: Callable[[], Awaitable[Any]] | None = None) -> None:
        self.calls = 0
        self.values: dict[str, Any] = {}
        self.fault = fault

    async def get(self, key: str) -> Any:
        await self._call()
        return self.values.get(key)

    async def set(self, key: str, value: str, ex: int) -> None:
        assert ex == api.redis.CACHED_SECONDS
        await self._call()
        self.values[key] = value.encode()

    async def hit(self, *_: Any) -> bool:
        await self._call()
        return True

    async def get_window_stats(self, *_: Any) -> WindowStats:
        return WindowStats(reset_time=1060.0, remaining=1)

    async def _call(self) -> None:
        self.calls += 1
        if self.fault:
            await self.fault()


async def refuse() -> None:
    raise RedisConnectionError("connection refused")


async def reset() -> None:
    raise ConnectionResetError


async def stall() -> None:
    await asyncio.Event().wait()


def cache_on(redis: FakeRedis) -> RedisPaymentCache:
    return RedisPaymentCache(cast("Redis", redis))


FAULTS = pytest.mark.parametrize("fault", [refuse, reset, stall])


@FAULTS
async def test_a_redis_that_is_down_is_called_once_in_a_pause(
    fault: Callable[[], Awaitable[Any]],
) -> None:
    redis = FakeRedis(fault)
    cache = cache_on(redis)

    assert [await cache.get(PAID.id) for _ in range(5)] == [None] * 5
    await cache.put(PAID)
    assert redis.calls == 1


async def test_redis_is_called_again_after_a_pause(clock: Clock) -> None:
    redis = FakeRedis(refuse)
    cache = cache_on(redis)

    for _ in range(3):
        await cache.get(PAID.id)
        clock.now += PAUSE_SECONDS
    assert redis.calls == 3

    redis.fault = None
    await cache.put(PAID)
    assert await cache.get(PAID.id) == PAID


async def test_a_bug_is_no_outage() -> None:
    async def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await BestEffort().attempt(bug)


async def test_a_payment_is_cached_unchanged() -> None:
    cache = cache_on(FakeRedis())
    await cache.put(PAID)

    assert await cache.get(PAID.id) == PAID
    assert await cache.get(a_payment().id) is None


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"", b"null", b"{}", b"[]", b"\xff\xfe", b"{", b'{"id":1}', b"[" * 10_000),
        PAID.model_dump_json().replace("15000", "15000.5").encode(),
        PAID.model_dump_json().replace("succeeded", "settled").encode(),
        PAID.model_copy(update={"id": UUID(int=2)}).model_dump_json().encode(),
    ],
    ids=lambda garbage: repr(garbage)[-12:-1],
)
async def test_an_entry_that_is_not_this_payment_is_ignored(garbage: bytes) -> None:
    redis = FakeRedis()
    cache = cache_on(redis)
    await cache.put(PAID)
    [key] = redis.values
    redis.values[key] = garbage

    assert await cache.get(PAID.id) is None


def rate_limit(shared: Any) -> RedisRateLimit:
    limit = RedisRateLimit("redis://localhost:6379", parse("2/minute"))
    limit._shared = shared
    return limit


async def test_each_caller_is_limited_separately() -> None:
    limit = rate_limit(SlidingWindowCounterRateLimiter(MemoryStorage()))

    counted = [await limit.count("one") for _ in range(3)]

    assert [each.is_exceeded for each in counted] == [False, False, True]
    assert [each.left for each in counted] == [1, 0, 0]
    assert {(each.requests, each.seconds) for each in counted} == {(2, 60)}
    assert all(each.reset_seconds > 0 for each in counted)
    assert not (await limit.count("other")).is_exceeded


@FAULTS
async def test_without_redis_callers_are_limited_by_this_process(
    fault: Callable[[], Awaitable[Any]],
) -> None:
    redis = FakeRedis(fault)
    limit = rate_limit(redis)

    counted = [await limit.count("one") for _ in range(4)]

    assert [each.is_exceeded for each in counted] == [False, False, True, True]
    assert redis.calls == 1


async def test_redis_counts_for_all_processes() -> None:
    redis = FakeRedis()
    limit = rate_limit(redis)

    counted = [await limit.count("one") for _ in range(5)]

    assert counted == [Allowance(False, requests=2, seconds=60, left=1, reset_seconds=60)] * 5
    assert redis.calls == 5
