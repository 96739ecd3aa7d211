"""Everything that must exist before the first payment.

Tables, topics, search attributes, and the schedule of the reconciliation.
Run it before a new version starts; it changes nothing that is there already.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any, cast

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.common import SearchAttributeKey

from activities.adapters.kafka_topics import broker_hosts, create_topics
from bootstrap import kafka, logs, production, temporal
from bootstrap.process import run
from bootstrap.settings import Settings, read_settings
from db.migrate import MigrationBlocked, migrate
from domain.errors import RULES, ErrorCode, PaymentError
from domain.names import TOPICS
from workflows.operator_view import SEARCH_ATTRIBUTES
from workflows.reconciliation import schedule

VARIABLES = {
    ErrorCode.DATABASE_UNAVAILABLE: "DATABASE_URL",
    ErrorCode.EVENTS_UNAVAILABLE: "KAFKA_BOOTSTRAP_SERVERS and the other KAFKA_*",
}
"""Which variables to check, by the dependency that is down."""


async def main() -> None:
    settings = read_settings()
    logs.configure(settings.log_level)
    await _refuse_plaintext_to_others(settings)
    client = await temporal.connect(settings)
    done = await asyncio.gather(
        migrate(str(settings.database_url)),
        create_topics(
            kafka.connection(settings),
            TOPICS,
            warn_of_few_brokers=settings.environment == "production",
        ),
        _register_search_attributes(client),
        schedule(client),
        return_exceptions=True,
    )
    _end_if_failed([each for each in done if isinstance(each, BaseException)])


async def _refuse_plaintext_to_others(settings: Settings) -> None:
    """In production, ends the process before anything is changed."""
    if settings.environment != "production":
        return
    try:
        hosts = await broker_hosts(kafka.connection(settings))
    except PaymentError as failure:
        raise SystemExit(_explain(failure)) from None
    objection = production.objection_to_brokers(settings.kafka_security_protocol, hosts)
    if objection:
        raise SystemExit(objection)


def _end_if_failed(failures: Collection[BaseException]) -> None:
    """End the process with one line for each expected failure; raise an unexpected one again."""
    lines = []
    for failure in failures:
        if not isinstance(failure, PaymentError | MigrationBlocked):
            raise failure
        lines.append(_explain(failure) if isinstance(failure, PaymentError) else str(failure))
    if lines:
        raise SystemExit("\n".join(lines))


def _explain(failure: PaymentError) -> str:
    if not RULES[failure.code].retryable:
        return str(failure)
    cause = getattr(failure.__cause__, "orig", failure.__cause__)
    variables = VARIABLES.get(failure.code, "the settings")
    return f"{failure} {str(cause) or type(cause).__name__}. Start it, or correct {variables}."


async def _register_search_attributes(client: Client) -> None:
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = [key for key in SEARCH_ATTRIBUTES if key.name not in known.custom_attributes]
    if missing:
        await add_search_attributes(client, missing)


async def add_search_attributes(client: Client, keys: Iterable[SearchAttributeKey[Any]]) -> None:
    """Register search attributes that the namespace does not know yet."""
    types = {
        key.name: cast("IndexedValueType.ValueType", key.indexed_value_type.value) for key in keys
    }
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
    )


if __name__ == "__main__":
    run(main())
