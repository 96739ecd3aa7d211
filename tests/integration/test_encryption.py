"""Every server is used over TLS, and only with a certificate that is trusted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from limits import parse
from redis.asyncio import Redis
from redis.exceptions import RedisError

from activities.adapters import json_client
from activities.adapters.kafka import KafkaPublisher, ping
from activities.adapters.kafka_records import KafkaRecords
from activities.adapters.kafka_timeline import KafkaTimeline
from activities.adapters.kafka_topics import create_topics
from api.redis import RedisRateLimit
from bootstrap import kafka, temporal
from bootstrap.settings import Settings
from db.engine import create_engine
from db.payments import PaymentStore
from devstack.stack.ports import HOST
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.names import TOPICS
from tests.support.builders import a_payment
from tests.support.stacks import settings_of
from tests.support.system import System
from tests.support.tls import (
    PASSWORD,
    USER,
    Authority,
    SecureKafka,
    encrypting,
    encrypting_postgresql,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
async def broker(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> AsyncIterator[SecureKafka]:
    broker = SecureKafka(tmp_path_factory.mktemp("broker"), authority)
    async with broker.running():
        yield broker


def connection(broker: SecureKafka, authority: Authority, **changes: Any) -> dict[str, Any]:
    settings = {
        "kafka_bootstrap_servers": broker.secure_address,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "PLAIN",
        "kafka_sasl_username": USER,
        "kafka_sasl_password": PASSWORD,
        "kafka_ssl_cafile": authority.file,
    }
    return kafka.connection(Settings.model_validate({**settings, **changes}))


async def test_events_are_published_and_read_over_tls(
    broker: SecureKafka, authority: Authority
) -> None:
    kafka = connection(broker, authority)
    payment = a_payment().succeeded(a_payment().created_at)
    event = PaymentEvent.of(payment)
    publisher = KafkaPublisher(kafka)

    await create_topics(kafka, TOPICS)
    await ping(kafka)
    await publisher.publish(event)
    await publisher.close()

    records = await KafkaRecords(kafka).find(event.payment.created_at, {event.key})
    assert [each.id for each in records.by_key[event.key]] == [str(event.id)]
    [entry] = await KafkaTimeline(kafka)(payment, [])
    assert str(event.id) in str(entry.detail)


@pytest.mark.parametrize(
    "changes",
    [
        {"kafka_ssl_cafile": None},
        {"kafka_sasl_password": "guessed"},
        {"kafka_security_protocol": "SSL"},
    ],
    ids=["unknown authority", "wrong password", "no password"],
)
async def test_kafka_is_not_used_without_its_authority_and_password(
    broker: SecureKafka, authority: Authority, changes: dict[str, Any]
) -> None:
    publisher = KafkaPublisher(connection(broker, authority, **changes))

    with pytest.raises(PaymentError) as failure:
        await publisher.publish(PaymentEvent.of(a_payment().succeeded(a_payment().created_at)))
    assert failure.value.code is ErrorCode.EVENTS_UNAVAILABLE


@pytest.mark.parametrize(
    ("parameters", "is_used"),
    [
        ("?sslmode=verify-full&sslrootcert={authority}", True),
        ("?sslmode=require", True),
        ("?sslmode=verify-full&sslrootcert={stranger}", False),
        ("?sslmode=disable", False),
    ],
)
async def test_postgresql_is_used_only_over_tls_with_a_known_certificate(
    system: System, authority: Authority, tmp_path: Path, parameters: str, is_used: bool
) -> None:
    stranger = Authority(tmp_path)
    certificates = {"authority": authority.file, "stranger": stranger.file}
    server = system.stack.site.ports.postgres
    async with encrypting_postgresql(server, authority.context()) as port:
        url = f"postgresql://payments:payments@{HOST}:{port}/payments"
        engine = create_engine(url + parameters.format(**certificates), application_name="tests")
        try:
            assert await answers(PaymentStore(engine)) is is_used
        finally:
            await engine.dispose()


async def answers(payments: PaymentStore) -> bool:
    try:
        await payments.ping()
    except PaymentError:
        return False
    return True


async def test_redis_is_used_over_tls_only_with_a_known_certificate(
    system: System, authority: Authority
) -> None:
    async with encrypting(system.stack.site.ports.valkey, authority.context()) as port:
        address = f"rediss://{HOST}:{port}/0"
        async with Redis.from_url(f"{address}?ssl_ca_certs={authority.file}") as redis:
            assert await redis.ping()
        async with Redis.from_url(address) as redis:
            with pytest.raises(RedisError):
                await redis.ping()
        limit = RedisRateLimit(f"{address}?ssl_ca_certs={authority.file}", parse("1/minute"))
        storage: Any = limit._shared.storage
        assert await limit._shared.hit(limit._limit, "somebody")
        await storage.bridge.storage.aclose()


async def test_neighbours_are_called_over_tls_only_with_a_known_certificate(
    system: System, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with encrypting(system.stack.site.ports.ordering, authority.context()) as port:
        address = f"https://{HOST}:{port}"
        async with json_client.create_client(address) as ordering:
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                await ordering.get("/health")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        json_client._trusted.cache_clear()
        async with json_client.create_client(address) as ordering:
            assert (await ordering.get("/health")).status_code == 200
    json_client._trusted.cache_clear()


async def test_temporal_is_used_over_tls_only_with_a_known_certificate(
    system: System, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with encrypting(system.stack.site.ports.temporal, authority.context()) as port:
        settings = settings_of(system.stack, temporal_address=f"{HOST}:{port}")
        monkeypatch.setenv("TEMPORAL_TLS", "true")
        with pytest.raises(SystemExit, match="cannot be used"):
            await temporal.connect(settings, patience=timedelta(0))
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(authority.file))
        client = await temporal.connect(settings)
        assert await asyncio.wait_for(client.service_client.check_health(), 5)
