"""The addresses of the service: pay, read a payment, and say how the service is."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.dependencies import FromParts, Payer, Reader, admit, limit_rate
from api.errors import RETRY_AFTER_SECONDS, problem
from api.exact_route import MOST_BODY_BYTES, ExactRoute, json_answer
from api.idempotency import REPLAYED, idempotency_key
from api.pages import PaymentPage, PaymentQuery
from api.payments import cancel, owned, pay
from api.schemas import Id, PaymentEnvelope, PaymentProblem, PaymentRequest
from api.timeline import TimelineEnvelope
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentStatus

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


payments = APIRouter(
    prefix="/payments",
    tags=["payments"],
    route_class=ExactRoute,
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
    return json_answer(PaymentPage.of(found, query.limit))


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
    payment = owned(caller, found)
    return json_answer(PaymentEnvelope.of(payment.as_answered, payment.error_message))


@payments.get(
    "/{paymentId}/timeline",
    response_model=TimelineEnvelope,
    responses={"4XX": {"model": PaymentProblem, "description": "There is no such payment."}},
)
async def get_timeline(
    payment_id: Annotated[Id, Path(alias="paymentId")], parts: FromParts, caller: Reader
) -> Response:
    """What PostgreSQL, the gateway, Temporal and Kafka tell of a payment, in one order."""
    payment = owned(caller, await parts.payments.find(payment_id))
    refunds = await parts.refunds.of_payment(payment.id)
    story = await parts.timeline.story(payment, refunds)
    return json_answer(TimelineEnvelope.telling(payment.as_answered, story))


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
    payment = owned(caller, await parts.payments.find(payment_id))
    await cancel(payment, parts)
    return _still_running(payment)


@service.get("/health")
async def health() -> Response:
    """Whether this process is alive."""
    return json_answer({"status": "Healthy", "service": "Payment"})


@service.get("/ready", responses={503: {"description": "Payments cannot be accepted."}})
async def ready(parts: FromParts) -> Response:
    """Whether payments can be accepted, and the state of every dependency."""
    is_ready, dependencies = await parts.readiness.report()
    body = {"status": "ready" if is_ready else "not ready", "dependencies": dependencies}
    return json_answer(body, status=200 if is_ready else 503)


def _answer(request: Request, payment: Payment, asked_by: UUID) -> Response:
    if payment.customer_id != asked_by:
        error = PaymentError(ErrorCode.CUSTOMER_MISMATCH, "The order belongs to another customer.")
        return problem(request, error)
    if payment.status is PaymentStatus.SUCCEEDED:
        return json_answer(PaymentEnvelope.of(payment, None))
    if payment.error_code is not None:
        error = PaymentError(payment.error_code, payment.error_message or payment.error_code)
        shown = None if error.code is ErrorCode.CUSTOMER_MISMATCH else payment
        return problem(request, error, payment=shown)
    return _still_running(payment)


def _still_running(payment: Payment) -> Response:
    return json_answer(
        PaymentEnvelope.of(payment, STILL_RUNNING),
        status=202,
        headers={"location": f"/payments/{payment.id}", "retry-after": str(RETRY_AFTER_SECONDS)},
    )
