"""The addresses of the service: pay, read a payment, and say how the service is."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.dependencies import FromParts, Payer, Reader, admit, limit_rate
from api.errors import RETRY_AFTER_SECONDS, problem
from api.idempotency import REPLAYED, idempotency_key
from api.identity import Principal
from api.pages import PaymentPage, PaymentQuery
from api.payments import cancel, pay
from api.schemas import Id, PaymentEnvelope, PaymentProblem, PaymentRequest
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentStatus

MOST_BODY_BYTES = 65_536
STILL_RUNNING = "The payment is still being processed. Ask for it at the address in Location."

FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"description": "A field, the order's state or price, or the reservation is not right."},
    401: {"description": "The order belongs to another customer, or the token is not valid."},
    403: {"description": "The token lacks the scope."},
    404: {"description": "There is no such order."},
    409: {"description": "Another payment of this order is being processed."},
    413: {"description": f"The body is larger than {MOST_BODY_BYTES} bytes."},
    415: {"description": "The body is not JSON by its `Content-Type`."},
    422: {"description": "The payment gateway declined or failed. Nothing was charged."},
    429: {"description": "Too many requests; `Retry-After` says when to come back."},
    503: {"description": "A dependency does not answer. Send the same request again."},
}


class _ExactRequest(Request):
    async def json(self) -> Any:
        return exact_json.loads(await self.body())

    async def stream(self) -> AsyncGenerator[bytes, None]:
        received = 0
        async for chunk in super().stream():
            received += len(chunk)
            if received > MOST_BODY_BYTES:
                raise HTTPException(413, f"The body is larger than {MOST_BODY_BYTES} bytes")
            yield chunk


class _ExactRoute(APIRoute):
    """A route that reads small JSON bodies only, and makes no floats of their numbers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            if _has_body(request) and _content_type(request) != "application/json":
                raise HTTPException(415, "Send the header Content-Type: application/json")
            return await handle(_ExactRequest(request.scope, request.receive))

        return handle_exactly


def _has_body(request: Request) -> bool:
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


payments = APIRouter(
    prefix="/payments",
    tags=["payments"],
    route_class=_ExactRoute,
    dependencies=[Depends(limit_rate)],
)
service = APIRouter(tags=["service"])


@payments.post(
    "",
    dependencies=[Depends(admit)],
    response_model=PaymentEnvelope,
    responses={
        202: {"model": PaymentEnvelope, "description": "Still being processed; see Location."},
        **{status: {"model": PaymentProblem, **each} for status, each in FAILURES.items()},
    },
)
async def create_payment(
    body: PaymentRequest, request: Request, parts: FromParts, caller: Payer
) -> Response:
    """Pay an order. Repeating the request never pays it twice."""
    if not caller.acts_for(body.customer_id):
        raise PaymentError(ErrorCode.CUSTOMER_MISMATCH, "The token is another customer's.")
    instruction = body.to_instruction(requested_at=datetime.now(UTC))
    outcome = await pay(instruction, idempotency_key(request), parts)
    answer = _answer(request, outcome.payment, asked_by=body.customer_id)
    if outcome.replayed:
        answer.headers.update(REPLAYED)
    return answer


@payments.get(
    "",
    response_model=PaymentPage,
    responses={"4XX": {"model": PaymentProblem, "description": "A parameter is not right."}},
)
async def list_payments(
    query: Annotated[PaymentQuery, Query()], parts: FromParts, caller: Reader
) -> Response:
    """List payments, the newest first; a customer sees its own."""
    found = await parts.search.page(query.to_search(caller.customer_id), query.limit + 1)
    return _json(PaymentPage.of(found, query.limit))


@payments.get(
    "/{paymentId}",
    response_model=PaymentEnvelope,
    responses={"4XX": {"model": PaymentProblem, "description": "There is no such payment."}},
)
async def get_payment(
    payment_id: Annotated[Id, Path(alias="paymentId")], parts: FromParts, caller: Reader
) -> Response:
    """Read a payment as it stands; `success` says whether the payment succeeded."""
    found = await parts.cache.get(payment_id) or await parts.payments.find(payment_id)
    payment = _own(caller, found)
    return _json(PaymentEnvelope.of(payment.as_answered, payment.error_message))


@payments.post(
    "/{paymentId}/cancel",
    status_code=202,
    response_model=PaymentEnvelope,
    responses={
        "4XX": {"model": PaymentProblem, "description": "There is no such payment that runs."}
    },
)
async def cancel_payment(
    payment_id: Annotated[Id, Path(alias="paymentId")], parts: FromParts, caller: Payer
) -> Response:
    """Turn a running payment back; unless it comes too late, it ends as PAYMENT_CANCELLED."""
    payment = _own(caller, await parts.payments.find(payment_id))
    await cancel(payment, parts)
    return _still_running(payment)


@service.get("/health")
async def health() -> Response:
    """Whether this process is alive."""
    return _json({"status": "Healthy", "service": "Payment"})


@service.get("/ready", responses={503: {"description": "Payments cannot be accepted."}})
async def ready(parts: FromParts) -> Response:
    """Whether payments can be accepted, and the state of every dependency."""
    is_ready, dependencies = await parts.readiness.report()
    body = {"status": "ready" if is_ready else "not ready", "dependencies": dependencies}
    return _json(body, status=200 if is_ready else 503)


def methods_at(path: str) -> str:
    """The value of `Allow` (RFC 9110 section 10.2.1): Starlette's has the first route's only."""
    here = (
        each
        for each in [*payments.routes, *service.routes]
        if isinstance(each, APIRoute) and each.path_regex.match(path)
    )
    return ", ".join(sorted({method for each in here for method in each.methods or ()}))


def _answer(request: Request, payment: Payment, asked_by: UUID) -> Response:
    if payment.customer_id != asked_by:
        error = PaymentError(ErrorCode.CUSTOMER_MISMATCH, "The order belongs to another customer.")
        return problem(request, error)
    if payment.status is PaymentStatus.SUCCEEDED:
        return _json(PaymentEnvelope.of(payment, None))
    if payment.error_code is not None:
        error = PaymentError(payment.error_code, payment.error_message or payment.error_code)
        shown = None if error.code is ErrorCode.CUSTOMER_MISMATCH else payment
        return problem(request, error, payment=shown)
    return _still_running(payment)


def _still_running(payment: Payment) -> Response:
    return _json(
        PaymentEnvelope.of(payment, STILL_RUNNING),
        status=202,
        headers={"location": f"/payments/{payment.id}", "retry-after": str(RETRY_AFTER_SECONDS)},
    )


def _own(caller: Principal, payment: Payment | None) -> Payment:
    """Somebody else's payment is none, so that nobody learns of it."""
    if payment is None or not caller.acts_for(payment.customer_id):
        raise PaymentError(ErrorCode.PAYMENT_NOT_FOUND, "There is no such payment.")
    return payment


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        exact_json.dumps(body),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store", **(headers or {})},
    )
