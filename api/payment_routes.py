"""The routes of payments: pay an order, list, read and cancel payments."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from api.checkout import RefusedMemberError
from api.dependencies import (
    CancelPaymentDep,
    FindPaymentDep,
    Payer,
    PaymentId,
    PaymentListDep,
    PayOrderDep,
    Reader,
    RefundsDep,
    TimelineDep,
    admit,
)
from api.documentation import (
    IDEMPOTENCY_KEY,
    failures,
    payment_failures,
    payment_responses,
    read_responses,
)
from api.documented_errors import CANCEL_CODES, PAYMENT_CODES
from api.errors import RETRY_LATER, problem
from api.idempotency_key import REPLAYED, idempotency_key
from api.json_route import JsonRoute, json_response
from api.next_action import WaitingEnvelope
from api.pages import PaymentPage, PaymentQuery
from api.pay import Outcome
from api.schemas import PaymentEnvelope, PaymentRequest
from api.timeline import TimelineEnvelope
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentStatus

STILL_RUNNING = "The payment is still being processed. Read it at the address in Location."
ACCEPTED = "The payment has been accepted, but not started. Send the same request again."

payments = APIRouter(prefix="/payments", tags=["payments"], route_class=JsonRoute)


@payments.post(
    "",
    dependencies=[Depends(admit)],
    response_model=PaymentEnvelope,
    openapi_extra={"parameters": [IDEMPOTENCY_KEY]},
    responses={
        **payment_responses(WaitingEnvelope),
        **payment_failures(*PAYMENT_CODES),
    },
)
async def create_payment(
    body: PaymentRequest, request: Request, pay_order: PayOrderDep, caller: Payer
) -> Response:
    """Pay an order. Repeating the request never pays it twice."""
    structlog.contextvars.bind_contextvars(order_id=str(body.order_id))
    if not caller.acts_for(body.customer_id):
        raise PaymentError(ErrorCode.CUSTOMER_MISMATCH, "The token belongs to another customer.")
    try:
        instruction = pay_order.checkout.instruction(body, datetime.now(UTC))
    except RefusedMemberError as error:
        held = await pay_order.holder_of(body.order_id, body.customer_id)
        if held is None:
            loc = ("body", error.member)
            raise RequestValidationError([{"loc": loc, "msg": str(error)}]) from error
        # Repeated after the gateway was changed: its payment is at the gateway before.
        return _response(request, held, asked_by=body.customer_id)
    outcome = await pay_order(instruction, idempotency_key(request))
    structlog.contextvars.bind_contextvars(payment_id=str(outcome.payment.id))
    if not outcome.is_recorded:
        return json_response(PaymentEnvelope.of(outcome.payment, ACCEPTED), 202, RETRY_LATER)
    response = _response(request, outcome, asked_by=body.customer_id)
    if outcome.replayed:
        response.headers.update(REPLAYED)
    return response


@payments.get(
    "",
    response_model=PaymentPage,
    responses={**read_responses(), **failures()},
)
async def list_payments(
    query: Annotated[PaymentQuery, Query()], payment_list: PaymentListDep, caller: Reader
) -> Response:
    """List payments, the newest first. A customer sees only its own payments."""
    found = await payment_list.page(query.to_search(caller.customer_id), query.limit + 1)
    return json_response(PaymentPage.of(found, query.limit))


@payments.get(
    "/{paymentId}",  # noqa: FAST003 (PaymentId is this parameter)
    response_model=WaitingEnvelope,
    responses={**read_responses(), **failures(ErrorCode.PAYMENT_NOT_FOUND)},
)
async def get_payment(
    payment_id: PaymentId, find_payment: FindPaymentDep, caller: Reader
) -> Response:
    """Read a payment. `success` says whether the payment has succeeded."""
    payment = await find_payment.cached(payment_id, caller)
    action = await find_payment.next_action(payment)
    shown = payment.as_shown_to_callers
    return json_response(WaitingEnvelope.of(shown, payment.error_message, action))


@payments.get(
    "/{paymentId}/timeline",  # noqa: FAST003 (PaymentId is this parameter)
    response_model=TimelineEnvelope,
    responses={**read_responses(), **failures(ErrorCode.PAYMENT_NOT_FOUND)},
)
async def get_timeline(
    payment_id: PaymentId,
    find_payment: FindPaymentDep,
    refunds: RefundsDep,
    timeline: TimelineDep,
    caller: Reader,
) -> Response:
    """What PostgreSQL, the gateway, Temporal and Kafka have recorded of a payment, oldest first.

    Customers see only what PostgreSQL and the gateway have recorded. Of the payment's refunds, only
    the newest 20 are shown.
    """
    payment = await find_payment(payment_id, caller)
    made = await refunds.of_payment(payment.id)
    read = timeline.read if caller.is_service else timeline.read_public
    return json_response(
        TimelineEnvelope.of_payment(payment.as_shown_to_callers, await read(payment, made))
    )


@payments.post(
    "/{paymentId}/cancel",  # noqa: FAST003 (PaymentId is this parameter)
    status_code=202,
    response_model=PaymentEnvelope,
    responses={
        202: payment_responses(PaymentEnvelope)[202],
        **failures(*CANCEL_CODES),
    },
)
async def cancel_payment(
    payment_id: PaymentId,
    find_payment: FindPaymentDep,
    cancel: CancelPaymentDep,
    caller: Payer,
) -> Response:
    """Cancel a running payment. Unless it is too late, it fails with the code PAYMENT_CANCELLED."""
    payment = await find_payment(payment_id, caller)
    await cancel(payment)
    return _still_running(PaymentEnvelope.of(payment, STILL_RUNNING), payment)


def _response(request: Request, outcome: Outcome, asked_by: UUID) -> Response:
    payment = outcome.payment
    if payment.customer_id != asked_by:
        error = PaymentError(ErrorCode.CUSTOMER_MISMATCH, "The order belongs to another customer.")
        return problem(request, error)
    if payment.status is PaymentStatus.SUCCEEDED:
        return json_response(PaymentEnvelope.of(payment, None))
    if payment.error_code is not None:
        error = PaymentError.recorded(payment.error_code, payment.error_message)
        shown = None if error.code is ErrorCode.CUSTOMER_MISMATCH else payment
        return problem(request, error, payment=shown, instance=f"/payments/{payment.id}")
    body = WaitingEnvelope.of(payment, STILL_RUNNING, outcome.next_action)
    return _still_running(body, payment)


def _still_running(body: dict[str, Any], payment: Payment) -> Response:
    address = {"location": f"/payments/{payment.id}"}
    return json_response(body, 202, address | RETRY_LATER)
