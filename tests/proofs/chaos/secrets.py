"""Searches everything that a run has left behind for card tokens and for secrets."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx
from redis.asyncio import Redis
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from devstack.stack.stack import Stack
from tests.proofs.chaos.stripe_customers import TOKENS
from tests.support.topics import following

TIMELINES = 100
"""The number of payments whose timelines are read: each also reads Kafka. Chosen, not measured."""
ADDRESSES = ("src_client_secret_", "/redirect/authenticate/", "/c/pay/")
"""Parts of the addresses of the double's pages. Only the response to a payment's owner has them."""


class Search(NamedTuple):
    """The result of a search."""

    places: int
    """How many logs, events, rows, keys and responses were searched."""
    tokens_in_start_inputs: int
    """How many runs have a token where it belongs: in the input with which they were started."""
    found: tuple[str, ...]
    """The places that have a token or a secret."""


class Secrets:
    """Finds what must not be stored or logged.

    These are the tokens of cards, the API key, the secret of webhooks, the secrets of
    PaymentIntents, and the addresses where customers act.
    """

    def __init__(self, api_key: str | None) -> None:
        """`api_key` is None if payments are made at the simulator, which needs none."""
        others = [*ADDRESSES, r"pi_\w+_secret_\w+", "whsec_simulated"]
        others += [re.escape(api_key)] if api_key else []
        self._tokens = re.compile("|".join(map(re.escape, sorted(TOKENS))).encode())
        self._others = re.compile("|".join(others).encode())

    def are_in(self, text: bytes) -> bool:
        return bool(self._tokens.search(text) or self._others.search(text))

    def without_token(self, event: HistoryEvent) -> tuple[HistoryEvent, bool]:
        """The event without the tokens of its start input, and whether there were any."""
        rest = HistoryEvent()
        rest.CopyFrom(event)
        tokens = 0
        if rest.HasField("workflow_execution_started_event_attributes"):
            for each in rest.workflow_execution_started_event_attributes.input.payloads:
                each.data, count = self._tokens.subn(b"", each.data)
                tokens += count
        return rest, tokens > 0


async def search(stack: Stack, temporal: Client, payments: list[UUID]) -> Search:
    """Search logs, histories, events, tables, Redis, and the timelines of some payments."""
    secrets = Secrets(stack.environment().get("STRIPE_API_KEY"))
    places, tokens, found = 0, 0, []
    async for place, text, has_token in _texts(stack, temporal, payments, secrets):
        places += 1
        tokens += has_token
        if secrets.are_in(text):
            found.append(place)
    return Search(places, tokens, tuple(found))


async def _texts(
    stack: Stack, temporal: Client, payments: list[UUID], secrets: Secrets
) -> AsyncIterator[tuple[str, bytes, bool]]:
    """The name and the content of every place, and whether it is a start input that has a token.

    Such tokens are not in the content.
    """
    environment = stack.environment()
    for log in sorted((stack.site.directory / "logs").iterdir()):
        yield f"the log {log.name}", log.read_bytes(), False
    async for place, event, has_token in _histories(temporal, secrets):
        yield place, event, has_token
    for source in (
        _records(environment["KAFKA_BOOTSTRAP_SERVERS"]),
        _rows(environment["DATABASE_URL"]),
        _keys(environment["REDIS_URL"]),
        _responses(environment["PAYMENT_API_URL"], payments),
    ):
        async for place, text in source:
            yield place, text, False


async def _histories(temporal: Client, secrets: Secrets) -> AsyncIterator[tuple[str, bytes, bool]]:
    async for run in temporal.list_workflows():
        handle = temporal.get_workflow_handle(run.id, run_id=run.run_id)
        yield f"the description of {run.id}", run.raw_info.SerializeToString(), False
        async for event in handle.fetch_history_events():
            rest, has_token = secrets.without_token(event)
            place = f"event {event.event_id} of {run.id}"
            yield place, rest.SerializeToString(), has_token


async def _records(servers: str) -> AsyncIterator[tuple[str, bytes]]:
    async with following(servers) as topics:
        for event in await topics.every():
            yield f"event {event.id} in {event.topic}", repr(event).encode()


async def _rows(database_url: str) -> AsyncIterator[tuple[str, bytes]]:
    async with asyncpg.create_pool(database_url, min_size=1) as database:
        tables = await database.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'bc_payment'"
        )
        for table in tables:
            name = table["tablename"]
            for row in await database.fetch(f"SELECT t::text FROM bc_payment.{name} t"):  # noqa: S608 (our own table)
                yield f"a row of {name}", row["t"].encode()


async def _keys(redis_url: str) -> AsyncIterator[tuple[str, bytes]]:
    async with Redis.from_url(redis_url) as redis:
        async for key in redis.scan_iter():
            yield f"the key {key!r} of Redis", key + repr(await _value(redis, key)).encode()


async def _value(redis: Any, key: bytes) -> object:
    """The value of a string or of a sorted set. The service uses no other types."""
    if await redis.type(key) == b"zset":
        return await redis.zrange(key, 0, -1)
    return await redis.get(key)


async def _responses(api: str, payments: list[UUID]) -> AsyncIterator[tuple[str, bytes]]:
    async with httpx.AsyncClient(base_url=api, timeout=60, trust_env=False) as client:
        for path in _paths(payments):
            yield f"the response to GET {path}", (await client.get(path)).content


def _paths(payments: list[UUID]) -> Iterator[str]:
    for payment in payments[:TIMELINES]:
        yield f"/payments/{payment}"
        yield f"/payments/{payment}/timeline"
