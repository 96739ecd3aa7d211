"""The addresses of refunds: give money back, and read what was given back."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError

from api.dependencies import FromParts, Parts, Reader, Refunder, admit
from api.documentation import IDEMPOTENCY_KEY, failures, readings, refund_answers
from api.errors import LATER, problem
from api.exact_route import ExactRoute, json_answer
from api.idempotency import REPLAYED, idempotency_key
from api.identity import Principal
from api.payments import owned
from api.refunds import refund
from api.schemas import (
    Id,
    RefundEnvelope,
    RefundList,
    RefundRequest,
)
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from domain.refund import Refund, RefundStatus

ACCEPTED = "The refund has been accepted, but not begun. Send the same request again."
STILL_RUNNING = "The refund is still being made. Ask for it at the address in Location."

refunds = APIRouter(
    prefix="/payments/{paymentId}/refunds",
    tags=["refunds"],
    route_class=ExactRoute,
)

ALL_OF_IT = RefundRequest()
PaymentId = Annotated[Id, Path(alias="paymentId")]


@refunds.post(
    "",
    status_code=201,
    dependencies=[Depends(admit)],
    response_model=RefundEnvelope,
    openapi_extra={"parameters": [{**IDEMPOTENCY_KEY, "required": True}]},
    responses={
        **refund_answers(),
        **failures(
            ErrorCode.PAYMENT_NOT_FOUND,
            ErrorCode.PAYMENT_NOT_REFUNDABLE,
            ErrorCode.BODY_TOO_LARGE,
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            ErrorCode.REFUND_TOO_LARGE,
            ErrorCode.REFUND_REFUSED,
            ErrorCode.IDEMPOTENCY_KEY_REUSED,
        ),
    },
)
async def create_refund(
    payment_id: PaymentId,
    request: Request,
    parts: FromParts,
    caller: Refunder,
    body: RefundRequest = ALL_OF_IT,
) -> Response:
    """Give back part of a payment; without a body, or with `{}`, all that was paid.

    Every refund has its own `Idempotency-Key`.
    """
    _refuse_query(request)
    key = _required_key(request)
    payment = await _payment(payment_id, caller, parts)
    asked = _asked(body, payment, key)
    outcome = await refund(asked, parts)
    if not outcome.is_recorded:
        return _accepted(outcome.refund, payment)
    answer = _answer(request, outcome.refund, payment.as_answered)
    if outcome.replayed:
        answer.headers.update(REPLAYED)
    return answer


@refunds.get(
    "",
    response_model=RefundList,
    responses={**readings(), **failures(ErrorCode.PAYMENT_NOT_FOUND)},
)
async def list_refunds(payment_id: PaymentId, parts: FromParts, caller: Reader) -> Response:
    """List the refunds of a payment, the oldest first."""
    payment = await _payment(payment_id, caller, parts)
    found = await parts.refunds.of_payment(payment.id)
    return json_answer(RefundList.of_payment(payment.as_answered, found))


@refunds.get(
    "/{refundId}",
    response_model=RefundEnvelope,
    responses={
        **readings(),
        **failures(ErrorCode.PAYMENT_NOT_FOUND, ErrorCode.REFUND_NOT_FOUND),
    },
)
async def get_refund(
    payment_id: PaymentId,
    refund_id: Annotated[Id, Path(alias="refundId")],
    parts: FromParts,
    caller: Reader,
) -> Response:
    """Read a refund as it stands; `success` says whether the money was given back."""
    payment = await _payment(payment_id, caller, parts)
    found = await parts.refunds.find(refund_id)
    if found is None or found.payment_id != payment.id:
        raise PaymentError(ErrorCode.REFUND_NOT_FOUND, "There is no such refund.")
    return json_answer(RefundEnvelope.about(found, payment.as_answered, found.error_message))


def _required_key(request: Request) -> str:
    key = idempotency_key(request)
    if key is None:
        raise PaymentError(
            ErrorCode.INVALID_REQUEST,
            "Send an Idempotency-Key: a repetition could not be told from a second refund.",
        )
    return key


def _refuse_query(request: Request) -> None:
    """An amount that stands in the address would not be read, and everything refunded."""
    if request.url.query:
        raise PaymentError(ErrorCode.INVALID_REQUEST, "Send the amount in the body.")


async def _payment(payment_id: Id, caller: Principal, parts: Parts) -> Payment:
    return owned(caller, await parts.payments.find(payment_id))


def _asked(body: RefundRequest, payment: Payment, key: str) -> Refund:
    try:
        return body.to_refund(payment, key, requested_at=datetime.now(UTC))
    except ValueError as error:
        raise RequestValidationError([{"loc": ("body", "amount"), "msg": str(error)}]) from error


def _answer(request: Request, made: Refund, payment: Payment) -> Response:
    if made.error_code is not None:
        error = PaymentError.recorded(made.error_code, made.error_message)
        return problem(request, error, payment=payment)
    address = {"location": f"/payments/{payment.id}/refunds/{made.id}"}
    if made.status is RefundStatus.SUCCEEDED:
        body = RefundEnvelope.about(made, payment, None)
        return json_answer(body, HTTPStatus.CREATED, address)
    body = RefundEnvelope.about(made, payment, STILL_RUNNING)
    return json_answer(body, HTTPStatus.ACCEPTED, address | LATER)


def _accepted(asked: Refund, payment: Payment) -> Response:
    return json_answer(RefundEnvelope.about(asked, payment, ACCEPTED), HTTPStatus.ACCEPTED, LATER)
