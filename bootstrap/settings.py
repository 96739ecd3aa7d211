"""Configuration: every setting, its default and its meaning. The only reader of the environment."""

from typing import Annotated, Literal

from limits import parse
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    PostgresDsn,
    RedisDsn,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _rate(text: str) -> str:
    try:
        parse(text)
    except ValueError:
        raise ValueError("must be a rate such as 120/minute or 10/second") from None
    return text


def _split(value: object) -> object:
    return [item.strip() for item in value.split(",")] if isinstance(value, str) else value


class Settings(BaseSettings):
    """Read from environment variables of the same names in upper case; see `read_settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: PostgresDsn = Field(
        default=PostgresDsn("postgresql://payments:payments@postgres:5432/payments"),
        description="PostgreSQL, as a `postgresql://` URL.",
        repr=False,
    )
    redis_url: RedisDsn = Field(
        default=RedisDsn("redis://redis:6379/0"),
        description="Redis or Valkey: rate limits and cached answers, nothing else.",
        repr=False,
    )
    kafka_bootstrap_servers: str = Field(
        default="kafka:9092", description="Kafka brokers, `host:port`, separated by commas."
    )
    ordering_url: HttpUrl = Field(
        default=HttpUrl("http://ordering:5003"), description="The Ordering service."
    )
    inventory_url: HttpUrl = Field(
        default=HttpUrl("http://inventory:5002"), description="The Inventory service."
    )
    gateway_url: HttpUrl = Field(
        default=HttpUrl("http://gateway:5005"), description="The payment gateway."
    )
    temporal_address: str = Field(
        default="temporal:7233",
        description="Temporal's frontend. `TEMPORAL_API_KEY` and `TEMPORAL_TLS_*` are read too.",
    )
    temporal_namespace: str = Field(default="default", description="Temporal's namespace.")
    api_host: str = Field(default="0.0.0.0", description="Where the API listens.")  # noqa: S104
    api_port: int = Field(default=5004, ge=1, le=65535, description="The API's port.")
    payment_wait_seconds: float = Field(
        default=30,
        gt=0,
        le=300,
        description="How long `POST /payments` waits for the ending before it answers 202.",
    )
    auth_issuer: HttpUrl | None = Field(
        default=None,
        description="Who issues the bearer tokens that callers must send. Without it, every caller "
        "is trusted.",
    )
    auth_audience: str = Field(
        default="payments", description="The audience that tokens must be issued for."
    )
    auth_keys_url: HttpUrl | None = Field(
        default=None, description="The issuer's JWK Set, if not at `/.well-known/jwks.json`."
    )
    payments_at_once: int = Field(
        default=400,
        ge=1,
        le=1000,
        description="How many callers may wait for their payment at a time; others get a 503.",
    )
    rate_limit: Annotated[str, AfterValidator(_rate)] = Field(
        default="120/minute", description="Requests allowed per caller, such as `10/second`."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=("http://localhost:3000",),
        description="Browser origins that may call the API, separated by commas.",
    )
    reservation_check: Literal["on", "off"] = Field(
        default="on", description="`off` where Inventory has no `GET /reservations/{id}`."
    )
    order_without_state: Literal["refuse", "accept"] = Field(
        default="refuse",
        description="`accept` where Ordering tells no state: then only the database prevents a "
        "second payment of an order.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least severe log lines that are written."
    )


def read_settings() -> Settings:
    """The process's settings. Ends the process if one is wrong, naming it and never its value."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"  {str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors()]
        raise SystemExit("\n".join(["The configuration is not usable:", *lines])) from None
