"""The routes of refunds: refund a payment, list and read refunds."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError

from api.dependencies import (
    FindPaymentDep,
    MakeRefundDep,
    PaymentId,
    Reader,
    Refunder,
    RefundsDep,
    admit,
)
from api.documentation import (
    IDEMPOTENCY_KEY,
    failures,
    read_responses,
    refund_responses,
)
from api.documented_errors import REFUND_CODES
from api.errors import RETRY_LATER, problem
from api.idempotency_key import REPLAYED, idempotency_key
from api.json_route import JsonRoute, json_response
from api.request_errors import RequestError, RequestErrorCode
from api.schemas import Id, RefundEnvelope, RefundList, RefundRequest
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from domain.refund import Refund, RefundStatus

ACCEPTED = "The refund has been accepted, but not started. Send the same request again."
STILL_RUNNING = "The refund is still being made. Read it at the address in Location."

FULL_REFUND = RefundRequest()

refunds = APIRouter(prefix="/payments/{paymentId}/refunds", tags=["refunds"], route_class=JsonRoute)


@refunds.post(
    "",
    status_code=201,
    dependencies=[Depends(admit)],
    response_model=RefundEnvelope,
    openapi_extra={"parameters": [{**IDEMPOTENCY_KEY, "required": True}]},
    responses={
        **refund_responses(),
        **failures(*REFUND_CODES),
    },
)
async def create_refund(
    payment_id: PaymentId,
    request: Request,
    find_payment: FindPaymentDep,
    make_refund: MakeRefundDep,
    caller: Refunder,
    body: RefundRequest = FULL_REFUND,
) -> Response:
    """Refund a payment or a part of it. Without a body, or with `{}`, everything is refunded.

    Every refund needs its own `Idempotency-Key`.
    """
    _refuse_query(request)
    key = _required_key(request)
    payment = await find_payment(payment_id, caller)
    outcome = await make_refund(_requested(body, payment, key))
    if not outcome.is_recorded:
        accepted = RefundEnvelope.about(outcome.refund, payment, ACCEPTED)
        return json_response(accepted, HTTPStatus.ACCEPTED, RETRY_LATER)
    response = _response(request, outcome.refund, payment.as_shown_to_callers)
    if outcome.replayed:
        response.headers.update(REPLAYED)
    return response


@refunds.get(
    "",
    response_model=RefundList,
    responses={**read_responses(), **failures(ErrorCode.PAYMENT_NOT_FOUND)},
)
async def list_refunds(
    payment_id: PaymentId, find_payment: FindPaymentDep, recorded: RefundsDep, caller: Reader
) -> Response:
    """List the refunds of a payment, the oldest first."""
    payment = await find_payment(payment_id, caller)
    found = await recorded.of_payment(payment.id)
    return json_response(RefundList.of_payment(payment.as_shown_to_callers, found))


@refunds.get(
    "/{refundId}",
    response_model=RefundEnvelope,
    responses={
        **read_responses(),
        **failures(ErrorCode.PAYMENT_NOT_FOUND, ErrorCode.REFUND_NOT_FOUND),
    },
)
async def get_refund(
    payment_id: PaymentId,
    refund_id: Annotated[Id, Path(alias="refundId")],
    find_payment: FindPaymentDep,
    recorded: RefundsDep,
    caller: Reader,
) -> Response:
    """Read a refund. `success` says whether the refund has succeeded."""
    payment = await find_payment(payment_id, caller)
    found = await recorded.find(refund_id)
    if found is None or found.payment_id != payment.id:
        raise PaymentError(ErrorCode.REFUND_NOT_FOUND, "There is no such refund.")
    return json_response(
        RefundEnvelope.about(found, payment.as_shown_to_callers, found.error_message)
    )


def _required_key(request: Request) -> str:
    key = idempotency_key(request)
    if key is None:
        raise RequestError(
            RequestErrorCode.INVALID_REQUEST,
            "Send an Idempotency-Key: without it, a repeated request would be a second refund.",
        )
    return key


def _refuse_query(request: Request) -> None:
    """Refuse any query: an amount in it would be ignored, and everything would be refunded."""
    if request.url.query:
        raise RequestError(RequestErrorCode.INVALID_REQUEST, "Send the amount in the body.")


def _requested(body: RefundRequest, payment: Payment, key: str) -> Refund:
    try:
        refund = body.to_refund(payment, key, requested_at=datetime.now(UTC))
        refund.terms.amounts.check(refund.amount)
    except ValueError as error:
        raise RequestValidationError([{"loc": ("body", "amount"), "msg": str(error)}]) from error
    return refund


def _response(request: Request, refund: Refund, payment: Payment) -> Response:
    if refund.error_code is not None:
        error = PaymentError.recorded(refund.error_code, refund.error_message)
        return problem(request, error, payment=payment)
    address = {"location": f"/payments/{payment.id}/refunds/{refund.id}"}
    if refund.status is RefundStatus.SUCCEEDED:
        body = RefundEnvelope.about(refund, payment, None)
        return json_response(body, HTTPStatus.CREATED, address)
    body = RefundEnvelope.about(refund, payment, STILL_RUNNING)
    return json_response(body, HTTPStatus.ACCEPTED, address | RETRY_LATER)
