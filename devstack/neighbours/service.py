"""What every neighbour's web application has: health check, error responses, server options."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from devstack.neighbours.journal import Journal
from devstack.neighbours.json_http import ApiError, error_response, json_response
from devstack.neighbours.json_models import describe_errors
from devstack.neighbours.settings import NeighbourSettings
from domain import exact_json

_NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False)
"""FastAPI would look for a telemetry library on every request, which takes time."""
_KEEP_ALIVE_SECONDS = 75
"""Longer than any client keeps an idle connection, so that the client closes it first.

If the server closed it first, a request that is sent at that moment would fail.
"""
_SHUTDOWN_SECONDS = 1
"""Time for running requests to end after the stop signal. Chosen, not measured."""


def create_service(
    name: str,
    router: APIRouter,
    journal: Journal | None = None,
    background: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """The application: the router's routes, `GET /health`, and errors as `{"error": …}`.

    While the application runs, `background` runs as a task. When it stops, the task is cancelled
    and the journal is closed.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.ensure_future(background()) if background else None
        yield
        if task:
            task.cancel()
            await asyncio.wait([task])
        if journal:
            journal.close()

    app = FastAPI(title=name, openapi_url=None, lifespan=lifespan, telemetry=_NO_TELEMETRY)
    app.include_router(router)
    app.state.journal = journal
    _add_error_handlers(app)

    @app.get("/health")
    async def health() -> Response:
        return json_response(exact_json.dumps({"status": "Healthy", "service": name}))

    return app


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> Response:
        return error_response(error.status, str(error), **error.members)

    @app.exception_handler(RequestValidationError)
    async def validation_error(_: Request, error: RequestValidationError) -> Response:
        return error_response(400, describe_errors(error.errors()))

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        return error_response(error.status_code, error.detail)


def serve(app: FastAPI, settings: NeighbourSettings, port: int) -> None:
    """Serve the application until the process gets a stop signal."""
    uvicorn.run(
        app,
        host=settings.devstack_host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
