"""The API process: the application, what it is made of, and its start."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from limits import parse
from redis.asyncio import Redis
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from activities.adapters.gateway_timeline import GatewayTimeline
from activities.adapters.json_client import JsonClient, create_client
from activities.adapters.kafka import ping
from activities.adapters.kafka_timeline import KafkaTimeline
from api import refund_routes, routes, timeline
from api.dependencies import Parts
from api.documentation import HEADERS, operation_id, with_examples
from api.errors import problem
from api.identity import AT_JWT, TOKEN_TYPES, TRUSTING, Identity, IssuerKeys
from api.middleware import AnswerBugs, AnswerHead, AnyCasePaths, NameRequests
from api.places import Places
from api.readiness import Check, Readiness, WarningCheck
from api.redis import PaymentCache, RateLimit
from api.sagas import PaymentSagas
from api.server import ALWAYS, BoundedProtocol
from api.timeline import Timeline
from bootstrap import kafka, logs, temporal
from bootstrap.process import run
from bootstrap.settings import Settings, read_settings
from db.engine import create_engine
from db.idempotency import IdempotencyKeys
from db.payments import PaymentStore
from db.reconciliation import ReconciliationRounds
from db.refunds import RefundStore
from db.search import PaymentSearch
from db.timeline import DatabaseTimeline
from domain.errors import ErrorCode, PaymentError
from domain.reconciliation import overdue
from domain.timeline import Source
from workflows.history import WorkflowTimeline

VERSION = "0.1.0"
DESCRIPTION = "Pays orders: each at most once, each with an ending that everybody agrees on."

ROUTERS = (routes.payments, refund_routes.refunds, routes.service)
EVERY_ADDRESS = ""
"""asyncio's name for all of IPv4 and IPv6: its `::` would be IPv6 alone."""
ISSUER_SECONDS = 3.0
HTTP_ERRORS = {
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.BODY_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
}


def create_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.parts = await _build_parts(settings, stack)
            yield

    app = _bare_app(
        settings,
        title="Payment service",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(AnyCasePaths)
    app.add_middleware(AnswerBugs)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["*"],
        allow_private_network="*" not in settings.cors_origins,
        expose_headers=list(HEADERS),
    )
    app.add_middleware(NameRequests)
    app.add_middleware(AnswerHead)
    _answer_failures(app)
    app.openapi_schema = with_examples(app.openapi())
    return app


def _bare_app(settings: Settings, **options: Any) -> FastAPI:
    """In production without its documentation, which tells strangers where to try."""
    if settings.environment == "production":
        return FastAPI(openapi_url=None, **options)
    return FastAPIOffline(**options)


async def _build_parts(settings: Settings, stack: AsyncExitStack) -> Parts:
    engine = create_engine(str(settings.database_url), application_name="payment-api")
    stack.push_async_callback(engine.dispose)
    redis = Redis.from_url(str(settings.redis_url))
    stack.push_async_callback(redis.aclose)
    client = await temporal.connect(settings)
    payments = PaymentStore(engine, settings.reattempt_after)
    sagas = PaymentSagas(
        client,
        timedelta(seconds=settings.payment_wait_seconds),
        settings.reservation_wait_seconds,
    )
    cache = PaymentCache(redis)
    return Parts(
        payments=payments,
        refunds=RefundStore(engine),
        search=PaymentSearch(engine),
        keys=IdempotencyKeys(engine),
        sagas=sagas,
        timeline=Timeline(
            {
                Source.POSTGRESQL: DatabaseTimeline(engine),
                Source.GATEWAY: GatewayTimeline(await _gateway(settings, stack)),
                Source.TEMPORAL: WorkflowTimeline(client),
                Source.KAFKA: KafkaTimeline(kafka.connection(settings)),
            }
        ),
        cache=cache,
        rate_limit=RateLimit(str(settings.redis_url), parse(settings.rate_limit)),
        identity=await _build_identity(settings, stack),
        places=Places(settings.payments_at_once, settings.payment_slow_seconds),
        readiness=Readiness(
            required={
                "postgresql": payments.ping,
                "temporal": sagas.ping,
                "searchAttributes": sagas.find_search_attributes,
            },
            others={"redis": cache.ping, **_neighbour_checks(settings)},
            warnings={"reconciliation": _reconciliation_check(ReconciliationRounds(engine))},
        ),
    )


def _reconciliation_check(rounds: ReconciliationRounds) -> WarningCheck:
    async def look() -> str | None:
        finding = overdue(await rounds.last_completed(), datetime.now(UTC))
        return f"{finding}; see docs/operations.md" if finding else None

    return look


async def _gateway(settings: Settings, stack: AsyncExitStack) -> JsonClient:
    client = await stack.enter_async_context(create_client(str(settings.gateway_url)))
    return JsonClient(client, "The gateway", ErrorCode.GATEWAY_UNAVAILABLE, timeline.SECONDS)


async def _build_identity(settings: Settings, stack: AsyncExitStack) -> Identity:
    if settings.auth_issuer is None:
        return TRUSTING
    issuer = str(settings.auth_issuer).rstrip("/")
    address = str(settings.auth_keys_url or f"{issuer}/.well-known/jwks.json")
    client = await stack.enter_async_context(create_client(issuer))
    neighbour = JsonClient(client, "The issuer", ErrorCode.SERVICE_UNAVAILABLE, ISSUER_SECONDS)

    async def fetch() -> Any:
        return (await neighbour.request("GET", address))[1]

    types = AT_JWT if settings.auth_token_type in AT_JWT else TOKEN_TYPES
    return Identity(IssuerKeys(fetch), issuer, settings.auth_audience, types)


def _neighbour_checks(settings: Settings) -> dict[str, Check]:
    def answers(url: object) -> Check:
        async def check() -> None:
            async with create_client(str(url)) as client:
                (await client.get("/health")).raise_for_status()

        return check

    return {
        "kafka": partial(ping, kafka.connection(settings)),
        "ordering": answers(settings.ordering_url),
        "inventory": answers(settings.inventory_url),
        "gateway": answers(settings.gateway_url),
    }


def _answer_failures(app: FastAPI) -> None:
    @app.exception_handler(PaymentError)
    async def payment_error(request: Request, error: PaymentError) -> Response:
        return problem(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        fields = [_field_error(each) for each in error.errors()]
        summary = "; ".join(f"{each['field']}: {each['message']}" for each in fields)
        failure = PaymentError(ErrorCode.INVALID_REQUEST, f"The request is not valid: {summary}.")
        return problem(request, failure, errors=fields)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        code = HTTP_ERRORS.get(error.status_code, ErrorCode.INVALID_REQUEST)
        headers = error.headers
        if code is ErrorCode.METHOD_NOT_ALLOWED:
            headers = {"allow": _methods_at(request.url.path)}
        return problem(request, PaymentError(code, f"{error.detail}."), headers=headers)


def _methods_at(path: str) -> str:
    """The value of `Allow` (RFC 9110 section 10.2.1): Starlette's has the first route's only."""
    here = (
        each
        for router in ROUTERS
        for each in router.routes
        if isinstance(each, APIRoute) and each.path_regex.match(path)
    )
    methods = {method for each in here for method in each.methods or ()}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _field_error(error: dict[str, Any]) -> dict[str, str]:
    """Where and what, and never the input itself: it may hold secrets and what JSON cannot."""
    names = [each for each in error["loc"][1:] if isinstance(each, str)]
    message = str(error["msg"]).removeprefix("Value error, ")
    return {"field": ".".join(names) or "body", "message": message}


@asynccontextmanager
async def create_server(settings: Settings) -> AsyncIterator[uvicorn.Server]:
    """A server whose application has all its parts.

    They are made before it runs, because it would tell a failure as a traceback.
    """
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=EVERY_ADDRESS if settings.api_host == "::" else settings.api_host,
        port=settings.api_port,
        http=BoundedProtocol,
        lifespan="off",
        headers=list(ALWAYS),
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
            place = f"{settings.api_host}:{settings.api_port}"
            raise SystemExit(
                f"The API cannot listen at {place}: see the line above. Stop what listens there, "
                "or set API_HOST and API_PORT."
            ) from None


if __name__ == "__main__":
    run(main())
