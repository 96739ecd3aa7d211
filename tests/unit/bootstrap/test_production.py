"""Production refuses to start with unsafe settings, and says why and what to do for each."""

import re
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from pydantic import AnyUrl
from pydantic.networks import _BaseMultiHostUrl, _BaseUrl

from api.main import build_app
from bootstrap.settings import Settings, read_settings
from devstack.stack.site import Site
from workflows import prepare

GOOD = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://u:hunter2@db:5432/x?sslmode=verify-full&sslrootcert=/ca.pem",
    "REDIS_URL": "rediss://:hunter2@redis:6379/0",
    "KAFKA_BOOTSTRAP_SERVERS": "k1:9093,k2:9093",
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_USERNAME": "payments",
    "KAFKA_SASL_PASSWORD": "hunter2",
    "ORDERING_URL": "https://ordering",
    "INVENTORY_URL": "https://inventory",
    "GATEWAY": "stripe",
    "GATEWAY_URL": "https://gateway",
    "STRIPE_API_KEY": "sk_live_hunter2",
    "TEMPORAL_ADDRESS": "temporal:7233",
    "TEMPORAL_TLS": "true",
    "AUTH_ISSUER": "https://issuer",
    "CORS_ORIGINS": "https://shop.example,http://localhost:3000",
}
TEMPORAL = ("TEMPORAL_TLS", "TEMPORAL_API_KEY", "TEMPORAL_TLS_SERVER_CA_CERT_PATH")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*map(str.upper, Settings.model_fields), *TEMPORAL):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "none.toml"))


def objections(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str | None]) -> str:
    """The errors of production with these variables and otherwise safe ones."""
    for name, value in {**GOOD, **variables}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    try:
        read_settings()
    except SystemExit as error:
        return str(error)
    return ""


WIDE = (
    *("0.0.0.0/0", "::/0", "0.0.0.0/1,128.0.0.0/1", "127.0.0.1, 64.0.0.0/7", "2000::/3"),
    *("::ffff:0:0/96", "::ffff:0.0.0.0/97", "f000::/4"),
)


def test_what_is_safe_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert objections(monkeypatch, {}) == ""


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DATABASE_URL", None, "has no password or one that everybody knows.*sslmode=verify-full"),
        ("DATABASE_URL", "postgresql://u:payments@db/x?sslmode=require", "set your own"),
        ("DATABASE_URL", "postgresql://u:%70ayments@db/x?sslmode=require", "set your own"),
        ("DATABASE_URL", "postgresql://u:password@db/x?sslmode=require", "set your own"),
        ("DATABASE_URL", "postgresql://u@db/x?sslmode=require", "has no password"),
        ("DATABASE_URL", "postgresql://u:hunter2@db/x", "may be unencrypted"),
        ("DATABASE_URL", "postgresql://u:hunter2@db/x?sslmode=prefer", "may be unencrypted"),
        ("DATABASE_URL", "postgresql://u:hunter2@localhost,db/x", "may be unencrypted"),
        (
            "DATABASE_URL",
            "postgresql://u:hunter2@db/x?sslmode=require&sslmode=disable",
            "gives the parameter sslmode once",
        ),
        ("REDIS_URL", None, "has no password.*use rediss://"),
        ("REDIS_URL", "rediss://r:6379/0", "has no password"),
        ("REDIS_URL", "redis://:hunter2@r:6379/0", "use rediss://"),
        ("KAFKA_SECURITY_PROTOCOL", None, "use SSL or SASL_SSL"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT", "use SSL or SASL_SSL"),
        ("KAFKA_SASL_PASSWORD", "password", "set your own"),
        ("KAFKA_SASL_PASSWORD", None, "must be given where KAFKA_SECURITY_PROTOCOL is SASL_SSL"),
        ("ORDERING_URL", "http://u:hunter2@ordering", "use https://"),
        ("ORDERING_URL", "http://127.0.0.1.example", "use https://"),
        ("INVENTORY_URL", "http://inventory", "use https://"),
        ("GATEWAY", "simulator", "set GATEWAY=stripe"),
        ("GATEWAY", None, "set GATEWAY=stripe"),
        ("GATEWAY_URL", "http://gateway:5006", "use https://"),
        ("STRIPE_API_KEY", "sk_test_hunter2", "use one with _live_"),
        ("STRIPE_API_KEY", "rk_test_hunter2", "use one with _live_"),
        ("STRIPE_API_KEY", None, "given where GATEWAY is stripe"),
        ("STRIPE_URL", "http://api.stripe.com", "use https://"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_simulated", "everybody knows"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_hunter2hunter2,whsec_simulated", "everybody knows"),
        ("PAYMENT_RETURN_URL", "http://localhost/{paymentId}", "use https://"),
        ("TEMPORAL_ADDRESS", "temporal.hunter2:7233", "TEMPORAL_TLS=true"),
        ("AUTH_ISSUER", None, "every caller would be trusted"),
        ("AUTH_ISSUER", "http://issuer", "use https://"),
        ("AUTH_KEYS_URL", "http://issuer/keys", "use https://"),
        ("CORS_ORIGINS", "*", "name each"),
        ("CORS_ORIGINS", "https://shop.example,http://shop.example", "name each"),
        ("REDIS_URL", "rediss://:hunter2@r?ssl_cert_reqs=none", "accepts any certificate"),
        ("REDIS_URL", "rediss://:hunter2@r?ssl_cert_reqs=Optional", "accepts any certificate"),
        (
            "REDIS_URL",
            "rediss://:hunter2@r?ssl_cert_reqs=none&ssl_cert_reqs=required",
            "accepts any certificate",
        ),
        ("REDIS_URL", "rediss://:hunter2@r?ssl_check_hostname=False", "of any host"),
        *(("TRUSTED_PROXIES", each, "name only the proxies' networks") for each in WIDE),
        ("RATE_LIMIT", "1000000000/second", "too high to limit anybody"),
        ("RATE_LIMIT", "60001/minute", "too high to limit anybody"),
        ("LOG_LEVEL", "DEBUG", "use INFO"),
    ],
)
def test_what_is_not_safe_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, complaint: str
) -> None:
    said = objections(monkeypatch, {name: value, "TEMPORAL_TLS": str("TEMPORAL" not in name)})

    [line] = said.splitlines()[1:]
    assert re.match(rf"  {name}: .*{complaint}", line)
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "variables",
    [
        {"ORDERING_URL": "http://localhost:1"},
        {"GATEWAY_URL": "http://127.0.0.7"},
        {"GATEWAY_URL": None},
        {"STRIPE_API_KEY": "rk_live_hunter2"},
        {"INVENTORY_URL": "http://[::1]:2"},
        {"REDIS_URL": "redis://:hunter2@127.0.0.1"},
        {"DATABASE_URL": "postgresql://u:hunter2@%2Frun%2Fpostgresql/x"},
        {"DATABASE_URL": "postgresql://u:hunter2@db/x?sslmode=require"},
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SASL_PASSWORD": None},
        {
            "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
            "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092, [::1]:9092",
        },
        {"TEMPORAL_TLS": None, "TEMPORAL_API_KEY": "key"},
        {"TEMPORAL_TLS": None, "TEMPORAL_ADDRESS": "127.0.0.1:7233"},
    ],
)
def test_plaintext_may_stay_on_the_machine(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str | None]
) -> None:
    assert objections(monkeypatch, variables) == ""


@pytest.mark.parametrize(
    "variables",
    [
        {"REDIS_URL": "rediss://:hunter2@localhost?ssl_cert_reqs=none"},
        {"REDIS_URL": "rediss://:hunter2@r?ssl_cert_reqs=required&ssl_check_hostname=true"},
        {"TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8, fc00::/7, 2a06:98c0::/29, ::ffff:10.0.0.0/104"},
        {"RATE_LIMIT": "1000/second"},
        {"STRIPE_WEBHOOK_SECRETS": "whsec_hunter2hunter2"},
        {"PAYMENT_RETURN_URL": "https://shop.example/{paymentId}", "CHECKOUT": "hosted"},
    ],
)
def test_careful_values_are_accepted(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str | None]
) -> None:
    assert objections(monkeypatch, variables) == ""


@pytest.mark.parametrize(
    ("environment", "protocol", "hosts", "is_refused"),
    [
        ("production", "PLAINTEXT", ["127.0.0.1", "k2.internal"], True),
        ("production", "SASL_PLAINTEXT", ["10.0.0.1"], True),
        ("production", "SASL_SSL", ["k1.internal"], False),
        ("production", "PLAINTEXT", ["localhost", "127.0.0.1"], False),
        ("development", "PLAINTEXT", ["k1.internal"], False),
    ],
)
async def test_brokers_on_other_machines_are_not_used_without_tls(
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    protocol: str,
    hosts: list[str],
    is_refused: bool,
) -> None:
    async def found(connection: Mapping[str, Any]) -> list[str]:
        assert connection["bootstrap_servers"] == "localhost:9092"
        return hosts

    monkeypatch.setattr(prepare, "broker_hosts", found)
    changes: dict[str, Any] = {"environment": environment, "kafka_security_protocol": protocol}
    settings = Settings.model_construct(kafka_bootstrap_servers="localhost:9092", **changes)

    with pytest.raises(SystemExit) if is_refused else nullcontext() as ended:
        await prepare._refuse_plaintext_to_others(settings)
    assert not is_refused or "use SSL or SASL_SSL" in str(ended)


def test_files_of_temporal_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    said = objections(monkeypatch, {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/hunter2.pem"})

    assert "  TEMPORAL_ADDRESS: comes with TEMPORAL_* variables or files that" in said
    assert "hunter2" not in said


def test_everything_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = {**dict.fromkeys(GOOD), "ENVIRONMENT": "production", "API_PORT": "http"}

    said = objections(monkeypatch, bare)

    assert re.findall(r"^  (\w+):", said, re.MULTILINE) == [
        "DATABASE_URL",
        "REDIS_URL",
        "KAFKA_SECURITY_PROTOCOL",
        "ORDERING_URL",
        "INVENTORY_URL",
        "GATEWAY",
        "GATEWAY_URL",
        "TEMPORAL_ADDRESS",
        "API_PORT",
        "AUTH_ISSUER",
    ]


def url_settings() -> list[tuple[str, str]]:
    """Every setting that is a URL, with an unsafe value."""
    found = []
    for name, field in Settings.model_fields.items():
        types = [field.annotation, *get_args(field.annotation)]
        if any(isinstance(each, type) and issubclass(each, URLS) for each in types):
            scheme = {"database_url": "postgresql", "redis_url": "redis"}.get(name, "http")
            found.append((name.upper(), f"{scheme}://u:hunter2@elsewhere.example/x"))
    return found


TEMPLATES, OTHER_URLS = {"PAYMENT_RETURN_URL"}, {"AUTH_ISSUER", "OTEL_EXPORTER_OTLP_ENDPOINT"}
URLS = (AnyUrl, _BaseUrl, _BaseMultiHostUrl)


def test_settings_that_are_urls_are_found() -> None:
    named = {name.upper() for name in Settings.model_fields if name.endswith("_url")}

    assert {name for name, _ in url_settings()} == named - TEMPLATES | OTHER_URLS


@pytest.mark.parametrize(("name", "address"), url_settings())
def test_no_url_is_forgotten(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    assert f"  {name}: " in objections(monkeypatch, {name: address})


def test_no_default_leads_elsewhere_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A default address must be replaced in production, or must not leave the machine."""
    addresses = {
        name.upper()
        for name, field in Settings.model_fields.items()
        if re.search(r"(?<!https):(//|\d)", str(field.default))
    }
    said = objections(monkeypatch, {**dict.fromkeys(GOOD), "ENVIRONMENT": "production"})

    refused = {name for name in addresses if f"  {name}: " in said}
    assert addresses - refused == {"KAFKA_BOOTSTRAP_SERVERS", "CORS_ORIGINS"}
    assert "  KAFKA_SECURITY_PROTOCOL: " in said


def test_development_needs_nothing_of_this(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = dict.fromkeys(GOOD)

    assert objections(monkeypatch, bare) == ""
    assert objections(monkeypatch, {**bare, "LOG_LEVEL": "DEBUG", "CORS_ORIGINS": "*"}) == ""


def test_the_development_stack_is_for_development(tmp_path: Path) -> None:
    assert Site(tmp_path).environment()["ENVIRONMENT"] == "development"


async def pages(settings: Settings) -> set[int]:
    """The statuses of the documentation pages."""
    transport = httpx.ASGITransport(build_app(settings))
    paths = ("/docs", "/redoc", "/openapi.json", "/static-offline-docs/swagger-ui.css")
    async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
        return {(await client.get(path)).status_code for path in paths}


async def test_production_shows_nobody_its_documentation() -> None:
    changes: dict[str, Any] = {"environment": "production"}

    assert await pages(Settings.model_construct(**changes)) == {404}
    assert await pages(Settings.model_construct()) == {200}
