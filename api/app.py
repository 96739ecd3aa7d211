"""The application: its routes, its middleware, and how errors become responses."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from temporalio.common import MetricMeter

from api.dependencies import Resources
from api.documentation import HEADERS, operation_id, with_examples
from api.errors import problem
from api.metrics import ResponseMetrics
from api.middleware import (
    QUIET_ROUTES,
    CatchBugs,
    HeadAsGet,
    LowercasePaths,
    RequestIds,
    RequestLog,
)
from api.payment_routes import payments
from api.refund_routes import refunds
from api.request_errors import RequestError, RequestErrorCode
from api.service_routes import service
from api.webhooks.routes import webhooks
from domain.errors import PaymentError
from domain.version import VERSION

DESCRIPTION = (
    "Pays orders. Each order is paid at most once, and all systems agree how its payment ended."
)
ROUTERS = (payments, refunds, webhooks, service)
HTTP_ERRORS = {
    404: RequestErrorCode.NOT_FOUND,
    405: RequestErrorCode.METHOD_NOT_ALLOWED,
    413: RequestErrorCode.BODY_TOO_LARGE,
    415: RequestErrorCode.UNSUPPORTED_MEDIA_TYPE,
}

TELEMETRY: TelemetryConfig = {
    "logs": False,
    "metrics": False,
    "operation_spans": False,
    "exclude": lambda scope: scope["path"] in QUIET_ROUTES,
}
"""FastAPI creates one span for each request, but none for `/health` and `/ready`. The log records
of its telemetry are switched off, because they would contain values that callers have sent."""

OpenResources = Callable[[], AbstractAsyncContextManager[Resources]]


def create_app(
    open_resources: OpenResources,
    cors_origins: tuple[str, ...],
    *,
    is_production: bool,
    meter: MetricMeter = MetricMeter.noop,
) -> FastAPI:
    """The application. Its lifespan opens the resources; in production it has no `/docs`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_resources() as app.state.resources:
            yield

    app = _bare_app(
        is_production=is_production,
        telemetry=TELEMETRY,
        title="Payment service",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    for router in ROUTERS:
        app.include_router(router)
    _handle_errors(app)
    app.openapi_schema = with_examples(app.openapi())
    _add_middleware(app, cors_origins, _metrics(app.openapi_schema, meter))
    return app


def _metrics(contract: Mapping[str, Any], meter: MetricMeter) -> ResponseMetrics:
    """The metrics of the responses, with a series for each in the contract, and for bugs."""
    metrics = ResponseMetrics(meter)
    for route, operations in contract["paths"].items():
        for method, operation in operations.items():
            statuses = {*map(int, operation["responses"]), HTTPStatus.INTERNAL_SERVER_ERROR}
            metrics.create(method.upper(), route, statuses)
    return metrics


def _bare_app(*, is_production: bool, **options: Any) -> FastAPI:
    """FastAPI's application. In production it has no documentation, which would help attackers."""
    if is_production:
        return FastAPI(openapi_url=None, **options)
    return FastAPIOffline(**options)


def _add_middleware(app: FastAPI, cors_origins: tuple[str, ...], metrics: ResponseMetrics) -> None:
    """Add the middleware. What is added last gets a request first."""
    app.add_middleware(RequestLog, metrics=metrics)
    app.add_middleware(LowercasePaths)
    app.add_middleware(CatchBugs)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=cors_origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["*"],
        allow_private_network="*" not in cors_origins,
        expose_headers=list(HEADERS),
    )
    app.add_middleware(RequestIds)
    app.add_middleware(HeadAsGet)


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(PaymentError)
    async def payment_error(request: Request, error: PaymentError) -> Response:
        return problem(request, error)

    @app.exception_handler(RequestError)
    async def request_error(request: Request, error: RequestError) -> Response:
        return problem(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        fields = [_field_error(each) for each in error.errors()]
        summary = "; ".join(f"{each['field']}: {each['message']}" for each in fields)
        failure = RequestError(
            RequestErrorCode.INVALID_REQUEST, f"The request is not valid: {summary}."
        )
        return problem(request, failure, errors=fields)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        code = HTTP_ERRORS.get(error.status_code, RequestErrorCode.INVALID_REQUEST)
        headers = error.headers
        if code is RequestErrorCode.METHOD_NOT_ALLOWED:
            headers = {"allow": _methods_at(request.url.path)}
        return problem(request, RequestError(code, f"{error.detail}."), headers=headers)


def _methods_at(path: str) -> str:
    """The value of `Allow` (RFC 9110 section 10.2.1): the methods of all routes with this path.

    Starlette names only those of the first route.
    """
    here = (
        each
        for router in ROUTERS
        for each in router.routes
        if isinstance(each, APIRoute) and each.path_regex.match(path)
    )
    methods = {method for each in here for method in each.methods or ()}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _field_error(error: dict[str, Any]) -> dict[str, str]:
    """The field, and what is wrong with it. The input is left out: it may be a secret."""
    names = [each for each in error["loc"][1:] if isinstance(each, str)]
    message = str(error["msg"]).removeprefix("Value error, ")
    return {"field": ".".join(names) or "body", "message": message}
