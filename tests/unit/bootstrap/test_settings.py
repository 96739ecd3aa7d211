"""Settings come from the environment, have defaults, and an error names the wrong one."""

from pathlib import Path
from typing import Any

import pytest

from bootstrap import settings
from bootstrap.settings import Settings, read_settings
from devstack.stack.site import Site
from tests.support.logged import lines
from tests.support.settings import refusal


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
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1", "10.0.0.0/8, ::1"),
        ("CORS_ORIGINS", "http://a, https://b:8443", ("http://a", "https://b:8443")),
        ("CORS_ORIGINS", "http://[::1]:3000", ("http://[::1]:3000",)),
        ("CORS_ORIGINS", "capacitor://localhost", ("capacitor://localhost",)),
        ("CORS_ORIGINS", "*", ("*",)),
        ("CORS_ORIGINS", "", ()),
        ("KEEP_ALIVE_SECONDS", "120", 120),
        ("RESERVATION_CHECK", "off", "off"),
        ("RESERVATION_WAIT_SECONDS", "60", 60),
        ("REATTEMPT_AFTER_SECONDS", "3600", 3600),
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
        ("STRIPE_URL", "https://stripe/base"),
    ],
)
def test_an_address_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.setenv(name, address)

    assert str(getattr(read_settings(), name.lower())) == address


NO_ORIGINS = (
    *("https://shop.example/", "https://shop.example/pay", "https://Shop.example", "shop.example"),
    *("HTTPS://shop.example", "https://shop.example:443", "http://shop.example:80", "null"),
    *("https://*.example", "https://a,*", "https://a,", "https://u:p@a", "https://a:x", "https://"),
    "https://a https://b",
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATABASE_URL", "hunter2"),
        ("REDIS_URL", "hunter2"),
        *(("API_PORT", each) for each in ("", "0", "65536", "http")),
        *(("PAYMENT_WAIT_SECONDS", each) for each in ("", "0", "-1", "301", "nan", "inf", "soon")),
        *(("TRUSTED_PROXIES", each) for each in ("", "*", "proxy", "10.0.0.0/33", "10.1.2.3/8")),
        *(("RATE_LIMIT", each) for each in ("", "fast", "120", "x/minute", "0/minute")),
        *(("RATE_LIMIT", f"10/second{each}100/minute") for each in ";,|"),
        *(("CORS_ORIGINS", each) for each in NO_ORIGINS),
        *(("KEEP_ALIVE_SECONDS", each) for each in ("", "0", "1.5", "3601")),
        *(("ORDERING_URL", each) for each in ("", "hunter2", "ftp://ordering", "http://")),
        *(("INVENTORY_URL", "hunter2"), ("GATEWAY_URL", "hunter2")),
        ("GATEWAY", "hunter2"),
        *(("STRIPE_API_KEY", each) for each in ("", "hunter2", "pk_test_hunter2", "sk_test_")),
        ("STRIPE_API_KEY", "sk_live_hunter2"),
        *(("STRIPE_REQUESTS_PER_SECOND", each) for each in ("", "0", "101", "1.5")),
        ("AUTH_ISSUER", "hunter2"),
        ("KAFKA_SECURITY_PROTOCOL", "hunter2"),
        ("KAFKA_SSL_CAFILE", "/hunter2"),
        ("ENVIRONMENT", "prod"),
        ("DATABASE_URL", "postgresql+asyncpg://u:hunter2@db/x"),
        *(("RESERVATION_WAIT_SECONDS", "0"), ("REATTEMPT_AFTER_SECONDS", "-1")),
        ("DATABASE_URL", "postgresql://u:hunter2@db/x?channel_binding=require"),
        ("DATABASE_URL", "postgresql://u:p@db/x?sslmode=hunter2"),
        *(("RESERVATION_CHECK", "maybe"), ("ORDER_WITHOUT_STATE", "yes"), ("LOG_LEVEL", "LOUD")),
    ],
)
def test_a_wrong_value_is_named_but_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    message = refusal(monkeypatch, name, text)

    assert f"  {name}: " in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("API_PORT", "http", "is text, must be a whole number from 1 to 65535, such as 5004"),
        ("API_PORT", "tcp://10.0.0.1:80", "is a URL, must be a whole number"),
        ("API_PORT", "", "is missing or empty, must be a whole number"),
        ("PAYMENT_WAIT_SECONDS", "0", "is a number, must be a number above 0 and up to 300, such"),
        ("LOG_LEVEL", "loud", "is text, must be DEBUG or INFO or WARNING or ERROR, such as INFO"),
        ("REDIS_URL", "http://r", "is a URL, must be a URL such as redis://redis:6379/0. Redis or"),
        ("AUTH_ISSUER", "me", "is text, must be a URL such as https://login.example.com/. The"),
        ("RATE_LIMIT", "fast", "is text, must be one rate such as 120/minute or 10/second"),
        ("RATE_LIMIT", "1/second;9/minute", "is text, must be one rate such as 120/minute"),
        ("RATE_LIMIT", "0/minute", "is text, must be a rate of at least 1 request, such as"),
        ("CORS_ORIGINS", "https://a/", "is a URL, must be origins as browsers send them, such as"),
        ("TRUSTED_PROXIES", "*", "is text, must be addresses or networks such as 10.0.0.0/8"),
        ("KAFKA_SSL_CAFILE", "none", "is text, must be a file that can be read"),
        ("KAFKA_SECURITY_PROTOCOL", "SSL3", "is text, must be PLAINTEXT or SSL or"),
    ],
)
def test_a_line_tells_the_kind_and_the_fix(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, line: str
) -> None:
    message = refusal(monkeypatch, name, text)

    assert f"  {name}: {line}" in message
    assert str(Settings.model_fields[name.lower()].description) in message


@pytest.mark.parametrize("missing", ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"])
def test_who_logs_in_has_name_and_password(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    for name in {"KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"} - {missing}:
        monkeypatch.setenv(name, "hunter2")

    with pytest.raises(SystemExit, match=f"  {missing}: is missing or empty, must be") as caught:
        read_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("PAYMENT_WAIT_SECOND", "PAYMENT_WAIT_SECONDS"),
        ("kafka_ssl_ca_file", "KAFKA_SSL_CAFILE"),
    ],
)
def test_a_misspelt_variable_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "hunter2")

    read_settings()

    assert f"{name.upper()} is not a setting and is ignored. Did you mean {meant}?" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    "name",
    ["API_POST", "LOG_FORMAT", "TEMPORAL_TLS", "TEMPORAL_API_KEY", "REDIS_PORT", "CORS_ORIGIN_X"],
)
def test_other_variables_raise_no_alarm(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    name: str,
) -> None:
    variables = {**Site(tmp_path).environment(), name: "1", "DATABSE_URL": "1"}
    for each, value in variables.items():
        monkeypatch.setenv(each, value)

    read_settings()

    assert lines(caplog, settings) == []


def test_everything_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "http")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    with pytest.raises(SystemExit, match=r"(?s)LOG_LEVEL.*API_PORT"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATABASE_URL", "postgresql://u:hunter2@db/x"),
        ("REDIS_URL", "redis://:hunter2@r/0"),
        ("KAFKA_SASL_PASSWORD", "hunter2"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_hunter2hunter2,whsec_another_hunter2"),
    ],
)
def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)

    assert "hunter2" not in f"{read_settings()!r} {read_settings()}"


def test_unset_environment_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read_settings()
    assert "ENVIRONMENT is not set, so unsafe settings are not refused" in caplog.text

    caplog.clear()
    monkeypatch.setenv("environment", "development")
    read_settings()
    assert lines(caplog, settings) == []
