"""What the simulated neighbours share: settings, wire types, JSON in and out, errors, start."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings
from starlette.exceptions import HTTPException

from devstack.neighbours.journal import Journal, iso_utc
from domain import exact_json
from domain.money import Money

_NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False)
"""The payment service is what is observed; looking for telemetry would cost every request time."""


class NeighbourSettings(BaseSettings):
    """Where the neighbours listen and keep their state, from environment variables."""

    devstack_host: str = "127.0.0.1"
    devstack_data: Path = Path(".devstack/data")
    gateway_port: int = 5005
    ordering_port: int = 5003
    inventory_port: int = 5002
    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    gateway_success_rate: float = Field(default=1.0, ge=0, le=1)
    gateway_latency_ms: int = Field(default=0, ge=0)
    gateway_seed: int = 0

    def journal_of(self, name: str) -> Path:
        return self.devstack_data / name / "journal.jsonl"


def _money_amount(amount: object, info: ValidationInfo) -> Decimal:
    return Money.read(str(amount), info.data.get("currency", "")).amount


Amount = Annotated[Decimal, BeforeValidator(_money_amount)]
"""An exact amount with all decimal places of the model's `currency`, a field declared before it."""

UuidText = Annotated[str, AfterValidator(lambda text: str(UUID(text)))]
UtcTime = Annotated[AwareDatetime, PlainSerializer(iso_utc)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Wire(BaseModel):
    """A JSON object on the wire: camelCase members, and no others than the declared ones."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
    )

    def describes(self, record: BaseModel) -> bool:
        """Whether the record has every value that this request has."""
        return all(getattr(record, field) == value for field, value in self)


class Refusal(Exception):  # noqa: N818 - an answer to the caller, not a fault of the neighbour
    """Answered as `{"error": …}` with an HTTP status; the text says what to do.

    `members` are for programs, and are added to the body.
    """

    def __init__(self, status: int, error: str, **members: str) -> None:
        super().__init__(error)
        self.status = status
        self.members = members


_INVALID = {"code": "INVALID_REQUEST"}
WireT = TypeVar("WireT", bound=Wire)


async def read(request: Request, model: type[WireT]) -> WireT:
    """The request's JSON body. Raises Refusal with 400 and every fault found in it."""
    try:
        content = exact_json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Refusal(
            400, "the body is not JSON: send a JSON object in UTF-8", **_INVALID
        ) from None
    try:
        return model.model_validate(content, by_alias=True, by_name=False)
    except ValidationError as error:
        raise Refusal(400, explain(error.errors()), **_INVALID) from None


def explain(faults: Sequence[Any]) -> str:
    """Pydantic's findings in one line for a person: `amount: must be …; orderId: …`."""
    return "; ".join(f"{_place(fault)}: {_said(fault)}" for fault in faults)


def _place(fault: Any) -> str:
    return ".".join(map(str, fault["loc"])) or "body"


def _said(fault: Any) -> str:
    message: str = fault["msg"]
    return message.removeprefix("Value error, ")


def answer(
    content: Wire | Sequence[Wire], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    whole = content.model_dump() if isinstance(content, Wire) else [w.model_dump() for w in content]
    return json_response(exact_json.dumps(whole), status, headers)


def json_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(body, status, headers, media_type="application/json")


def json_list(items: Iterable[bytes]) -> Response:
    """A JSON array of items that are JSON already."""
    return json_response(b"[%b]" % b",".join(items))


def neighbour_app(
    name: str,
    router: APIRouter,
    journal: Journal | None = None,
    background: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """The routes, `GET /health`, and every refusal as `{"error": …}`.

    While it serves, `background` runs beside it; when it stops, the journal is closed.
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
    _answer_refusals(app)

    @app.get("/health")
    async def health() -> Response:
        return json_response(exact_json.dumps({"status": "Healthy", "service": name}))

    return app


def _answer_refusals(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        return _error(refusal.status, str(refusal), **refusal.members)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return _error(400, explain(error.errors()))

    @app.exception_handler(HTTPException)
    async def unrouted(_: Request, error: HTTPException) -> Response:
        return _error(error.status_code, error.detail)


def _error(status: int, error: str, **members: str) -> Response:
    return json_response(exact_json.dumps({"error": error, **members}), status)


def serve(app: FastAPI, settings: NeighbourSettings, port: int) -> None:
    """Answer requests until the process is told to stop."""
    uvicorn.run(
        app,
        host=settings.devstack_host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        # Longer than any client pools a connection, so that the client is the one to close it.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
