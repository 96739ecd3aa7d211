"""The rate limit of each caller, counted in Redis, or by each API process without Redis."""

import re

import httpx
import pytest

import api.redis
from tests.support.agreement import assert_agreement
from tests.support.replica import another_api
from tests.support.stacks import another_server
from tests.support.system import Answer, System

LIMIT = 5
UNKNOWN = "/payments/3f2b8c1e-6a0d-4a57-9c55-0f0e5d8b7a10"
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def a_patient_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the API wait longer for Redis. On a busy machine it would soon count without Redis."""
    monkeypatch.setattr(api.redis, "CALL_TIMEOUT_SECONDS", 10)


async def test_a_caller_over_the_limit_gets_the_time_of_the_next_try(system: System) -> None:
    async with another_api(system, rate_limit=f"{LIMIT}/hour") as strict:
        answers = [await strict.get(UNKNOWN) for _ in range(LIMIT)]
        order = await strict.an_order()
        limited = await strict.pay(order)

    assert {answer.status for answer in answers} == {404}
    assert [left_of(answer) for answer in answers] == [4, 3, 2, 1, 0]
    assert_limited(limited)
    assert await system.rows(order) == []


async def test_each_caller_is_counted_separately(system: System) -> None:
    async with (
        another_api(system, rate_limit="1/hour") as one,
        another_api(system, rate_limit="1/hour") as other,
    ):
        answers = [await each.get(UNKNOWN) for each in (one, one, other)]

    assert [answer.status for answer in answers] == [404, 429, 404]


@pytest.mark.parametrize(
    ("proxies", "statuses"), [("127.0.0.0/8", [404, 404, 429]), ("10.0.0.0/8", [404, 429, 429])]
)
async def test_each_caller_behind_a_trusted_proxy_is_counted_separately(
    system: System, proxies: str, statuses: list[int]
) -> None:
    settings = {"rate_limit": "1/hour", "redis_url": NOWHERE, "trusted_proxies": proxies}
    async with (
        another_server(system.stack, **settings) as address,
        httpx.AsyncClient(base_url=address, trust_env=False) as client,
    ):
        answers = [
            await client.get(UNKNOWN, headers={"x-forwarded-for": caller})
            for caller in ("203.0.113.7", "203.0.113.8", "203.0.113.7")
        ]

    assert [answer.status_code for answer in answers] == statuses


async def test_health_is_never_limited(system: System) -> None:
    async with another_api(system, rate_limit="1/hour") as strict:
        answers = [await strict.get("/health") for _ in range(3)]

    assert {answer.status for answer in answers} == {200}


async def test_without_redis_an_api_limits_and_pays_all_the_same(system: System) -> None:
    limit = f"{LIMIT}/hour"
    async with another_api(system, rate_limit=limit, redis_url=NOWHERE) as alone:
        order = await alone.an_order()
        paid = await alone.pay(order)
        answers = [await alone.get(UNKNOWN) for _ in range(LIMIT)]

    assert paid.status == 200
    assert [answer.status for answer in answers] == [*[404] * (LIMIT - 1), 429]
    assert_limited(answers[-1])
    await assert_agreement(system, order, paid)


def left_of(answer: Answer) -> int:
    assert answer.headers["ratelimit-policy"] == f'"caller";q={LIMIT};w=3600'
    [left] = re.findall(r'^"caller";r=([0-9]+);t=[1-9][0-9]*$', answer.headers["ratelimit"])
    return int(left)


def assert_limited(answer: Answer) -> None:
    assert (answer.status, answer.body["code"]) == (429, "TOO_MANY_REQUESTS")
    assert 1 <= int(answer.headers["retry-after"]) <= 3600
    assert (answer.body["success"], answer.body["payment"]) == (False, None)
    assert answer.body["errorMessage"]
