"""Settings come from the environment, have defaults, and say which of them is wrong."""

from typing import Any

import pytest

from bootstrap.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)


def test_defaults_are_the_addresses_that_deployments_use() -> None:
    settings = read_settings()

    assert settings.api_port == 5004
    assert str(settings.ordering_url) == "http://ordering:5003/"
    assert str(settings.inventory_url) == "http://inventory:5002/"
    assert settings.cors_origins == ("http://localhost:3000",)
    assert (settings.reservation_check, settings.order_without_state) == ("on", "refuse")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "k1:9092,k2:9092", "k1:9092,k2:9092"),
        ("TEMPORAL_ADDRESS", "t:7233", "t:7233"),
        ("TEMPORAL_NAMESPACE", "shop", "shop"),
        ("API_HOST", "127.0.0.1", "127.0.0.1"),
        ("API_PORT", "80", 80),
        ("PAYMENT_WAIT_SECONDS", "1.5", 1.5),
        ("RATE_LIMIT", "10/second", "10/second"),
        ("CORS_ORIGINS", "http://a, https://b", ("http://a", "https://b")),
        ("RESERVATION_CHECK", "off", "off"),
        ("ORDER_WITHOUT_STATE", "accept", "accept"),
        ("LOG_LEVEL", "DEBUG", "DEBUG"),
    ],
)
def test_a_setting_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any
) -> None:
    monkeypatch.setenv(name, text)

    assert getattr(read_settings(), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("DATABASE_URL", "postgresql://u:p@db:1/x?sslmode=require"),
        ("REDIS_URL", "rediss://:p@r:2/1"),
        ("ORDERING_URL", "https://ordering/base"),
        ("INVENTORY_URL", "https://inventory/base"),
        ("GATEWAY_URL", "https://gateway/base"),
    ],
)
def test_an_address_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.setenv(name, address)

    assert str(getattr(read_settings(), name.lower())) == address


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATABASE_URL", "hunter2"),
        ("REDIS_URL", "hunter2"),
        *(("API_PORT", each) for each in ("", "0", "65536", "http")),
        *(("PAYMENT_WAIT_SECONDS", each) for each in ("", "0", "-1", "301", "nan", "inf", "soon")),
        *(("RATE_LIMIT", each) for each in ("", "fast", "120", "x/minute")),
        *(("ORDERING_URL", each) for each in ("", "hunter2", "ftp://ordering", "http://")),
        *(("INVENTORY_URL", "hunter2"), ("GATEWAY_URL", "hunter2")),
        *(("RESERVATION_CHECK", "maybe"), ("ORDER_WITHOUT_STATE", "yes"), ("LOG_LEVEL", "LOUD")),
    ],
)
def test_a_wrong_value_is_named_but_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)

    with pytest.raises(SystemExit) as caught:
        read_settings()
    assert f"  {name}: " in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_everything_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "http")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    with pytest.raises(SystemExit, match=r"(?s)API_PORT.*LOG_LEVEL"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [("DATABASE_URL", "postgresql://u:hunter2@db/x"), ("REDIS_URL", "redis://:hunter2@r/0")],
)
def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)

    assert "hunter2" not in f"{read_settings()!r} {read_settings()}"
