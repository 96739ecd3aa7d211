"""The addresses of the service: pay, read a payment, and say how the service is."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.dependencies import FromParts, Payer, Reader, admit
from api.documentation import IDEMPOTENCY_KEY, failures, payment_answers, payment_failures, readings
from api.errors import LATER, problem
from api.exact_route import ExactRoute, json_answer
from api.idempotency import REPLAYED, idempotency_key
from api.pages import PaymentPage, PaymentQuery
from api.payments import cancel, owned, pay
from api.schemas import Id, PaymentEnvelope, PaymentRequest
from api.timeline import TimelineEnvelope
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentStatus

STILL_RUNNING = "The payment is still being processed. Ask for it at the address in Location."
ACCEPTED = "The payment has been accepted, but not begun. Send the same request again."

payments = APIRouter(
    prefix="/payments",
    tags=["payments"],
    route_class=ExactRoute,
)
service = APIRouter(tags=["service"])


@payments.post(
    "",
    dependencies=[Depends(admit)],
    response_model=PaymentEnvelope,
    openapi_extra={"parameters": [IDEMPOTENCY_KEY]},
    responses={
        **payment_answers(),
        **payment_failures(
            ErrorCode.ORDER_NOT_PENDING,
            ErrorCode.AMOUNT_MISMATCH,
            ErrorCode.CURRENCY_MISMATCH,
            ErrorCode.RESERVATION_NOT_ACTIVE,
            ErrorCode.CUSTOMER_MISMATCH,
            ErrorCode.ORDER_NOT_FOUND,
            ErrorCode.PAYMENT_IN_PROGRESS,
            ErrorCode.PAYMENT_CANCELLED,
            ErrorCode.BODY_TOO_LARGE,
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            ErrorCode.CARD_DECLINED,
            ErrorCode.INSUFFICIENT_FUNDS,
            ErrorCode.INVALID_CARD,
            ErrorCode.AMOUNT_TOO_LARGE,
            ErrorCode.PROCESSOR_TIMEOUT,
            ErrorCode.PROCESSOR_ERROR,
            ErrorCode.GATEWAY_SIMULATED,
            ErrorCode.IDEMPOTENCY_KEY_REUSED,
            ErrorCode.ORDERING_UNAVAILABLE,
            ErrorCode.INVENTORY_UNAVAILABLE,
            ErrorCode.RECORD_REFUSED,
            ErrorCode.EVENT_REFUSED,
        ),
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
    if not outcome.is_recorded:
        return _accepted(outcome.payment)
    answer = _answer(request, outcome.payment, asked_by=body.customer_id)
    if outcome.replayed:
        answer.headers.update(REPLAYED)
    return answer


@payments.get(
    "",
    response_model=PaymentPage,
    responses={**readings(), **failures()},
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
    responses={**readings(), **failures(ErrorCode.PAYMENT_NOT_FOUND)},
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
    responses={**readings(), **failures(ErrorCode.PAYMENT_NOT_FOUND)},
)
async def get_timeline(
    payment_id: Annotated[Id, Path(alias="paymentId")], parts: FromParts, caller: Reader
) -> Response:
    """What PostgreSQL, the gateway, Temporal and Kafka tell of a payment, in one order.

    Customers are told what the first two know. Of refunds, the newest 20 are in it.
    """
    payment = owned(caller, await parts.payments.find(payment_id))
    refunds = await parts.refunds.of_payment(payment.id)
    tell = parts.timeline.story if caller.is_service else parts.timeline.plain_story
    story = await tell(payment, refunds)
    return json_answer(TimelineEnvelope.telling(payment.as_answered, story))


@payments.post(
    "/{paymentId}/cancel",
    status_code=202,
    response_model=PaymentEnvelope,
    responses={
        202: payment_answers()[202],
        **failures(
            ErrorCode.PAYMENT_NOT_FOUND,
            ErrorCode.PAYMENT_ENDED,
            ErrorCode.BODY_TOO_LARGE,
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
        ),
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
    """Whether payments can be accepted, the state of every dependency, and what needs a person."""
    report = await parts.readiness.report()
    body = {
        "status": "ready" if report.is_ready else "not ready",
        "dependencies": report.dependencies,
        "warnings": report.warnings,
    }
    return json_answer(body, status=200 if report.is_ready else 503)


def _answer(request: Request, payment: Payment, asked_by: UUID) -> Response:
    if payment.customer_id != asked_by:
        error = PaymentError(ErrorCode.CUSTOMER_MISMATCH, "The order belongs to another customer.")
        return problem(request, error)
    if payment.status is PaymentStatus.SUCCEEDED:
        return json_answer(PaymentEnvelope.of(payment, None))
    if payment.error_code is not None:
        error = PaymentError.recorded(payment.error_code, payment.error_message)
        shown = None if error.code is ErrorCode.CUSTOMER_MISMATCH else payment
        return problem(request, error, payment=shown, instance=f"/payments/{payment.id}")
    return _still_running(payment)


def _still_running(payment: Payment) -> Response:
    address = {"location": f"/payments/{payment.id}"}
    return json_answer(PaymentEnvelope.of(payment, STILL_RUNNING), 202, address | LATER)


def _accepted(payment: Payment) -> Response:
    return json_answer(PaymentEnvelope.of(payment, ACCEPTED), 202, LATER)
