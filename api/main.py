"""The API process: builds what the routes use from the settings, and serves the application."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from limits import parse
from redis.asyncio import Redis
from temporalio.client import Client
from temporalio.runtime import Runtime

from activities.adapters.gateway_timeline import GatewayTimeline
from activities.adapters.json_client import JsonClient, create_client
from activities.adapters.kafka import ping
from activities.adapters.kafka_timeline import KafkaTimeline
from activities.adapters.stripe.connection import StripeAccount, stripe_account
from api.admission import ConcurrencyLimit
from api.app import create_app
from api.checkout import Checkout
from api.dependencies import Resources
from api.identity import AT_JWT, TOKEN_TYPES, TRUST_EVERYONE, Authenticator, IssuerKeys
from api.metrics import Gauges, GaugeSources, kept_current
from api.next_action import NextActions
from api.pay import CancelPayment, FindPayment, PayOrder
from api.readiness import Check, Readiness, WarningCheck
from api.redis import RedisPaymentCache, RedisRateLimit
from api.refund import MakeRefund
from api.server import SECURITY_HEADERS, BoundedProtocol
from api.timeline import SOURCE_TIMEOUT_SECONDS, ReadSource, Timeline, by_gateway
from api.webhooks.ports import Webhooks
from api.webhooks.stripe import StripeWebhook
from api.webhooks.workflow_signals import TemporalSignals
from api.workflow_client import TemporalWorkflows
from bootstrap import kafka, logs, temporal
from bootstrap.log_ids import StartLogIds
from bootstrap.process import run
from bootstrap.settings import Settings, read_settings
from bootstrap.traces import tracing
from db.backlog import BacklogCounts
from db.engine import create_engine
from db.idempotency import IdempotencyKeys
from db.payments import PaymentStore
from db.reconciliation import ReconciliationRounds
from db.refunds import RefundStore
from db.runs import RecordedRuns
from db.search import PaymentSearch
from db.timeline import DatabaseTimeline
from domain.errors import ErrorCode
from domain.gateways import GatewayName
from domain.reconciliation import overdue
from domain.timeline import Source
from domain.version import VERSION
from workflows.timeline import WorkflowTimeline

EVERY_ADDRESS = ""
"""For asyncio, this means every IPv4 and IPv6 address; `::` would mean IPv6 only."""
ISSUER_TIMEOUT_SECONDS = 3.0
"""Time limit of a request for the issuer's keys. After a start, callers wait for it. Chosen, not
measured."""


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Build what the routes use, and close its connections at the end."""
    async with AsyncExitStack() as stack:
        yield await _build_resources(settings, stack)


async def _build_resources(settings: Settings, stack: AsyncExitStack) -> Resources:
    engine = create_engine(str(settings.database_url), application_name="payment-api")
    stack.push_async_callback(engine.dispose)
    redis = Redis.from_url(str(settings.redis_url))
    stack.push_async_callback(redis.aclose)
    runtime = _runtime(settings)
    interceptors = await stack.enter_async_context(tracing(settings, "payment-api", VERSION))
    client = await temporal.connect(
        settings, runtime=runtime, interceptors=[*interceptors, StartLogIds()]
    )
    payments, refunds = PaymentStore(engine, settings.reattempt_after), RefundStore(engine)
    wait = timedelta(seconds=settings.payment_wait_seconds)
    workflows = TemporalWorkflows(client, wait, settings.reservation_wait_seconds)
    cache = RedisPaymentCache(redis)
    stripe = await _stripe(settings, stack)
    runs = WorkflowTimeline(client, RecordedRuns(engine))
    timeline = await _build_timeline(settings, stack, DatabaseTimeline(engine), runs, stripe)
    next_actions = NextActions({GatewayName.STRIPE: stripe.next_actions()} if stripe else {})
    limit = ConcurrencyLimit(settings.payments_at_once, settings.payment_slow_seconds)
    rounds = ReconciliationRounds(engine)
    sources = GaugeSources(
        limit, BacklogCounts(engine).read, rounds.last_completed, workflows.count_needing_attention
    )
    if settings.metrics_address:
        await stack.enter_async_context(kept_current(Gauges(runtime.metric_meter, sources)))
    required = {
        "postgresql": payments.ping,
        "temporal": workflows.ping,
        "searchAttributes": workflows.find_search_attributes,
    }
    return Resources(
        pay_order=PayOrder(
            payments, IdempotencyKeys(engine), workflows, cache, next_actions, _checkout(settings)
        ),
        find_payment=FindPayment(payments, cache, next_actions),
        cancel_payment=CancelPayment(payments, workflows),
        make_refund=MakeRefund(refunds, workflows),
        payment_list=PaymentSearch(engine),
        refunds=refunds,
        timeline=timeline,
        rate_limit=RedisRateLimit(str(settings.redis_url), parse(settings.rate_limit)),
        authenticator=await _build_authenticator(settings, stack),
        concurrency_limit=limit,
        readiness=Readiness(
            required=required,
            others={"redis": cache.ping, **_neighbour_checks(settings)},
            warnings={"reconciliation": _reconciliation_check(rounds)},
        ),
        webhooks=_webhooks(settings, payments, refunds, client),
    )


def _webhooks(
    settings: Settings, payments: PaymentStore, refunds: RefundStore, client: Client
) -> Webhooks:
    """The webhook handlers, of the gateways whose signing secrets are set.

    In production, only events of Stripe's live mode are accepted; elsewhere only of test mode.
    """
    if not settings.stripe_webhook_secrets:
        return {}
    livemode, secrets = settings.environment == "production", settings.stripe_webhook_secrets
    webhook = StripeWebhook(payments, refunds, TemporalSignals(client), secrets, livemode)
    return {GatewayName.STRIPE: webhook}


def _checkout(settings: Settings) -> Checkout:
    return Checkout(
        settings.gateway,
        settings.payment_return_url,
        settings.customer_action_seconds,
        settings.checkout == "hosted",
    )


async def _build_timeline(
    settings: Settings,
    stack: AsyncExitStack,
    records: ReadSource,
    runs: ReadSource,
    stripe: StripeAccount | None,
) -> Timeline:
    sources: dict[Source, ReadSource] = {
        Source.POSTGRESQL: records,
        Source.GATEWAY: by_gateway(
            {
                GatewayName.SIMULATOR: GatewayTimeline(await _gateway(settings, stack)),
                **({GatewayName.STRIPE: stripe.timeline()} if stripe else {}),
            }
        ),
        Source.TEMPORAL: runs,
        Source.KAFKA: KafkaTimeline(kafka.connection(settings)),
    }
    return Timeline(sources)


def _reconciliation_check(rounds: ReconciliationRounds) -> WarningCheck:
    async def look() -> str | None:
        finding = overdue(await rounds.last_completed(), datetime.now(UTC))
        return f"{finding}; see docs/operations.md" if finding else None

    return look


async def _gateway(settings: Settings, stack: AsyncExitStack) -> JsonClient:
    client = await stack.enter_async_context(create_client(str(settings.gateway_url)))
    return JsonClient(
        client,
        "The gateway",
        ErrorCode.GATEWAY_UNAVAILABLE,
        SOURCE_TIMEOUT_SECONDS,
        _runtime(settings).metric_meter,
    )


async def _stripe(settings: Settings, stack: AsyncExitStack) -> StripeAccount | None:
    """Stripe, if the process has a key, which needs to read only."""
    if settings.stripe_api_key is None:
        return None
    connecting = stripe_account(
        settings.stripe_url,
        settings.stripe_api_key,
        seconds=SOURCE_TIMEOUT_SECONDS,
        per_second=settings.stripe_requests_per_second,
        meter=_runtime(settings).metric_meter,
    )
    return await stack.enter_async_context(connecting)


async def _build_authenticator(settings: Settings, stack: AsyncExitStack) -> Authenticator:
    if settings.auth_issuer is None:
        return TRUST_EVERYONE
    issuer = str(settings.auth_issuer).rstrip("/")
    address = str(settings.auth_keys_url or f"{issuer}/.well-known/jwks.json")
    client = await stack.enter_async_context(create_client(issuer))
    meter = _runtime(settings).metric_meter
    neighbour = JsonClient(
        client, "The issuer", ErrorCode.SERVICE_UNAVAILABLE, ISSUER_TIMEOUT_SECONDS, meter
    )

    async def fetch() -> Any:
        return (await neighbour.request("GET", address))[1]

    types = AT_JWT if settings.auth_token_type in AT_JWT else TOKEN_TYPES
    return Authenticator(IssuerKeys(fetch), issuer, settings.auth_audience, types)


def _neighbour_checks(settings: Settings) -> dict[str, Check]:
    def health_check(url: object) -> Check:
        async def check() -> None:
            async with create_client(str(url)) as client:
                (await client.get("/health")).raise_for_status()

        return check

    return {
        "kafka": partial(ping, kafka.connection(settings)),
        "ordering": health_check(settings.ordering_url),
        "inventory": health_check(settings.inventory_url),
        # Stripe has no address for this. While it is away, payments wait, and operators see them.
        **({} if settings.gateway == "stripe" else {"gateway": health_check(settings.gateway_url)}),
    }


def _runtime(settings: Settings) -> Runtime:
    return temporal.runtime("api", settings.metrics_address)


def build_app(settings: Settings) -> FastAPI:
    """The application with these settings. Its lifespan opens the resources."""
    is_production = settings.environment == "production"
    resources = partial(open_resources, settings)
    meter = _runtime(settings).metric_meter
    return create_app(resources, settings.cors_origins, is_production=is_production, meter=meter)


@asynccontextmanager
async def create_server(settings: Settings) -> AsyncIterator[uvicorn.Server]:
    """A server whose application has its resources already.

    They are opened before the server runs: if uvicorn opened them, it would report an error as a
    traceback.
    """
    app = build_app(settings)
    config = uvicorn.Config(
        app,
        host=EVERY_ADDRESS if settings.api_host == "::" else settings.api_host,
        port=settings.api_port,
        http=BoundedProtocol,
        lifespan="off",
        headers=list(SECURITY_HEADERS),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=int(settings.payment_wait_seconds) + 5,
    )
    async with app.router.lifespan_context(app):
        yield uvicorn.Server(config)


async def main() -> None:
    settings = read_settings()
    logs.configure(settings.log_level)
    async with create_server(settings) as server:
        try:
            await server.serve()
        except SystemExit:
            address = f"{settings.api_host}:{settings.api_port}"
            raise SystemExit(
                f"The API cannot listen at {address}: see the line above. Stop what listens there, "
                "or set API_HOST and API_PORT."
            ) from None


if __name__ == "__main__":
    run(main())
