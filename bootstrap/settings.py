"""Configuration: every setting, its default and its meaning. The only reader of the environment."""

import logging
import os
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
    HttpUrl,
    PostgresDsn,
    RedisDsn,
    SecretStr,
    UrlConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode, SettingsConfigDict

from bootstrap import forms, production
from bootstrap.explanation import REFUSED, explain, misspelt
from bootstrap.process_settings import ProcessSettings
from db.urls import read_database_url

log = logging.getLogger(__name__)


def _database_url(url: PostgresDsn) -> PostgresDsn:
    read_database_url(str(url))
    return url


class Settings(ProcessSettings):
    """Read from environment variables of the same names in upper case; see `read_settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: Annotated[
        PostgresDsn,
        UrlConstraints(allowed_schemes=["postgresql", "postgres"]),
        AfterValidator(_database_url),
    ] = Field(
        default=PostgresDsn("postgresql://payments:payments@postgres:5432/payments"),
        description="PostgreSQL, as a `postgresql://` URL.",
        repr=False,
    )
    redis_url: RedisDsn = Field(
        default=RedisDsn("redis://redis:6379/0"),
        description="Redis or Valkey: rate limits and cached payments, nothing else.",
        repr=False,
    )
    kafka_bootstrap_servers: str = Field(
        default="kafka:9092", description="Kafka brokers, `host:port`, separated by commas."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="The protocol of connections to Kafka."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="The login mechanism, if the protocol uses SASL."
    )
    kafka_sasl_username: str | None = Field(
        default=None, description="The user name, if the protocol uses SASL."
    )
    kafka_sasl_password: SecretStr | None = Field(
        default=None, description="The password, if the protocol uses SASL."
    )
    kafka_ssl_cafile: FilePath | None = Field(
        default=None,
        description="The certificate authorities of the brokers, as a PEM file. If not set, those "
        "of the system are used.",
    )
    ordering_url: HttpUrl = Field(
        default=HttpUrl("http://ordering:5003"), description="The Ordering service."
    )
    inventory_url: HttpUrl = Field(
        default=HttpUrl("http://inventory:5002"), description="The Inventory service."
    )
    gateway: Literal["simulator", "stripe"] = Field(
        default="simulator",
        description="Where new payments are charged. Payments and their refunds keep the gateway "
        "that they began with.",
    )
    gateway_url: HttpUrl = Field(
        default=HttpUrl(production.SIMULATOR_URL),
        description="The simulated gateway, or another one with its protocol.",
    )
    stripe_api_key: Annotated[SecretStr | None, AfterValidator(forms.stripe_key)] = Field(
        default=None,
        description="Stripe's secret key, or a restricted one with the permissions in the table of "
        "docs/gateways.md. Needed as long as a payment that began there can be refunded.",
    )
    stripe_url: HttpUrl = Field(
        default=HttpUrl("https://api.stripe.com"), description="Stripe's API."
    )
    stripe_requests_per_second: int = Field(
        default=20,
        ge=1,
        le=100,
        description="The most requests a second that one process sends to one of Stripe's "
        "endpoints. Stripe takes 25 a second from the whole account, for each endpoint in live "
        "mode, for all together in a sandbox: divide that by the number of your workers, API "
        "processes and audits.",
    )
    stripe_webhook_secrets: Annotated[
        tuple[SecretStr, ...], NoDecode, BeforeValidator(forms.webhook_secrets)
    ] = Field(
        default=(),
        description="The signing secrets of Stripe's webhook endpoint at the API, separated by "
        "commas: one, or the old and the new one while it is replaced. If not set, the API takes "
        "no webhooks, and payments ask Stripe from time to time what customers have done.",
    )
    checkout: Literal["token", "hosted"] = Field(
        default="token",
        description="`hosted`: a payment without a token waits for its customer on Stripe's own "
        "page. Only the API reads it, and only where GATEWAY is stripe.",
    )
    payment_return_url: Annotated[str | None, AfterValidator(forms.return_url)] = Field(
        default=None,
        examples=["https://shop.example/paid?payment={paymentId}"],
        description="The shop's page to which Stripe sends customers back. If not set, no payment "
        "waits for its customer: a card whose bank asks is declined. Only the API reads it, and "
        "only where GATEWAY is stripe.",
    )
    customer_action_seconds: int = Field(
        default=600,
        ge=60,
        le=3600,
        description="How long a new payment may wait for its customer; less if its reservation "
        "ends sooner. Then it fails, and nothing is charged. Only the API reads it.",
    )
    temporal_address: str = Field(
        default="temporal:7233",
        description="Temporal's frontend. `TEMPORAL_API_KEY` and `TEMPORAL_TLS_*` are read too.",
    )
    temporal_namespace: str = Field(default="default", description="Temporal's namespace.")
    api_host: str = Field(
        default="0.0.0.0",  # noqa: S104 (in a container, callers come from outside)
        description="Where the API listens: `0.0.0.0` is every IPv4 address, `::` every IPv4 and "
        "IPv6 address.",
    )
    api_port: int = Field(default=5004, ge=1, le=65535, description="The API's port.")
    keep_alive_seconds: int = Field(
        default=75,
        ge=1,
        le=3600,
        description="How long an idle connection stays open. It must be longer than in the load "
        "balancer in front of the API (60 s for most); otherwise callers sometimes get 502.",
    )
    payment_wait_seconds: float = Field(
        default=30,
        gt=0,
        le=300,
        description="How long `POST /payments` waits for the end of the payment before it responds "
        "202.",
    )
    auth_issuer: HttpUrl | None = Field(
        default=None,
        examples=["https://login.example.com/"],
        description="The issuer of the bearer tokens that callers must send. If not set, every "
        "caller is trusted.",
    )
    auth_audience: str = Field(
        default="payments", description="The audience that tokens must be issued for."
    )
    auth_token_type: Literal["any", "at+jwt"] = Field(
        default="any",
        description="`at+jwt` if the issuer gives its access tokens this type (RFC 9068). Then "
        "other tokens, such as ID tokens, are refused.",
    )
    auth_keys_url: HttpUrl | None = Field(
        default=None,
        examples=["https://login.example.com/keys"],
        description="The issuer's JWK Set, if not at `/.well-known/jwks.json`.",
    )
    payments_at_once: int = Field(
        default=400,
        ge=1,
        le=1000,
        description="The most callers that may wait for their payment at the same time; others get "
        "a 503. Temporal allows 1200 for all processes together.",
    )
    payment_slow_seconds: float = Field(
        default=3,
        gt=0,
        le=300,
        description="While payments take longer than this, fewer callers are admitted, down to a "
        "tenth of `PAYMENTS_AT_ONCE`.",
    )
    rate_limit: Annotated[str, AfterValidator(forms.rate)] = Field(
        default="120/minute", description="Requests allowed per caller, such as `10/second`."
    )
    trusted_proxies: Annotated[str, AfterValidator(forms.networks)] = Field(
        default="127.0.0.1",
        description="The proxies whose `X-Forwarded-For` is trusted: addresses or networks, "
        "separated by commas.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(forms.origins)] = Field(
        default=("http://localhost:3000",),
        description="Browser origins that may call the API, separated by commas; empty for none.",
    )
    reservation_check: Literal["on", "off"] = Field(
        default="on", description="`off` if Inventory has no `GET /reservations/{id}`."
    )
    reservation_wait_seconds: int = Field(
        default=300,
        ge=1,
        le=3600,
        description="How long Inventory is tried again while it does not respond. Then the payment "
        "fails, which cancels its order. Until then callers get a 202.",
    )
    reattempt_after_seconds: int | None = Field(
        default=None,
        ge=0,
        examples=["3600"],
        description="How long after the publication of `payment-failed` an order can be paid "
        "again; if not set, never. Set it only if Ordering and Inventory keep orders and seats "
        "after a failure, and have read the event by then.",
    )
    order_without_state: Literal["refuse", "accept"] = Field(
        default="refuse",
        description="`accept` if Ordering returns no state. Then only the database prevents a "
        "second payment of an order.",
    )

    @property
    def reattempt_after(self) -> timedelta | None:
        seconds = self.reattempt_after_seconds
        return timedelta(seconds=seconds) if seconds is not None else None

    @field_validator("kafka_sasl_username", "kafka_sasl_password")
    @classmethod
    def _needed_for_sasl(cls, value: Any, info: ValidationInfo) -> Any:
        protocol = info.data.get("kafka_security_protocol", "")
        if protocol.startswith("SASL") and not (value and len(value)):
            raise ValueError(f"given where KAFKA_SECURITY_PROTOCOL is {protocol}")
        return value

    @field_validator("stripe_api_key")
    @classmethod
    def _needed_for_stripe(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if key is None and info.data.get("gateway") == "stripe":
            raise ValueError("given where GATEWAY is stripe")
        if forms.is_live(key) and info.data.get("environment") == "development":
            raise ValueError("a test key, such as sk_test_…, where ENVIRONMENT is development")
        return key

    @field_validator("payment_return_url")
    @classmethod
    def _needed_for_hosted(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None and info.data.get("checkout") == "hosted":
            raise ValueError("given where CHECKOUT is hosted")
        return url

    @field_validator("*")
    @classmethod
    def _fit_for_production(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("environment") == "production":
            found = production.objections(str(info.field_name), value, info.data)
            if found:
                raise PydanticCustomError(REFUSED, "{found}", {"found": found})
        return value


def read_settings() -> Settings:
    """The process's settings. If some are wrong, ends the process with a message that names them.

    The message never contains their values.
    """
    names = [name.upper() for name in Settings.model_fields]
    for found, meant in misspelt(os.environ, names):
        log.warning("%s is not a setting and is ignored. Did you mean %s?", found, meant)
    if "ENVIRONMENT" not in map(str.upper, os.environ):
        log.warning(
            "ENVIRONMENT is not set, so unsafe settings are not refused. "
            "Set it to production, or to development."
        )
    try:
        return Settings()
    except ValidationError as error:
        meanings = Settings.model_json_schema()["properties"]
        lines = [explain(each, meanings[str(each["loc"][0])]) for each in error.errors()]
        raise SystemExit("\n".join(["The configuration is not usable:", *lines])) from None
