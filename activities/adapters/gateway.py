"""A payment gateway over HTTP: the adapter of the simulator in `devstack/gateway.py`.

A declined charge is an answer (402), a refusal of the request is not: whatever leaves open
whether money was taken raises `GATEWAY_UNAVAILABLE`, and is looked up.
"""

from http import HTTPStatus
from typing import Any

from pydantic import Field, ValidationError

from activities.adapters.http import Answer, Neighbour
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeRequest, ChargeState, RefundRequest
from domain.money import Money

CHARGE_ANSWERED = {
    HTTPStatus.OK,
    HTTPStatus.CREATED,
    HTTPStatus.PAYMENT_REQUIRED,
    HTTPStatus.CONFLICT,
}


class ChargeAnswer(Answer):
    key: str
    state: ChargeState
    transaction_id: str | None = Field(default=None, validation_alias="transactionId")
    code: str | None = None
    message: str | None = None
    is_simulated: bool = Field(validation_alias="isSimulated")
    response: str | None = None

    def to_charge(self) -> Charge:
        return Charge(
            key=self.key,
            state=self.state,
            transaction_id=self.transaction_id,
            error_code=ErrorCode.read(self.code, ErrorCode.PROCESSOR_ERROR) if self.code else None,
            message=self.message,
            is_simulated=self.is_simulated,
            simulated_response=self.response if self.is_simulated else None,
        )


class HttpGateway:
    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    async def charge(self, request: ChargeRequest) -> Charge:
        body = {
            "paymentId": request.payment_id,
            "orderId": request.order_id,
            "amount": request.amount.amount,
            "currency": request.amount.currency,
            "paymentMethod": request.payment_method,
        }
        status, answer = await self._neighbour.ask("POST", "/charges", body=body, key=request.key)
        if status not in CHARGE_ANSWERED:
            raise PaymentError(
                ErrorCode.PROCESSOR_ERROR, f"The payment gateway refused the request ({status})."
            )
        return self._charge(answer, request.key)

    async def find_charge(self, key: str, amount: Money) -> Charge | None:  # noqa: ARG002
        status, answer = await self._neighbour.ask("GET", f"/charges/{key}")
        return None if status == HTTPStatus.NOT_FOUND else self._charge(answer, key)

    async def void_charge(self, key: str, amount: Money | None) -> Charge:  # noqa: ARG002
        _, answer = await self._neighbour.ask("POST", f"/charges/{key}/void")
        return self._charge(answer, key)

    async def refund(self, request: RefundRequest) -> None:
        body = {
            "chargeKey": request.charge_key,
            "amount": request.amount.amount,
            "currency": request.amount.currency,
        }
        status, _ = await self._neighbour.ask("POST", "/refunds", body=body, key=request.key)
        if status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise PaymentError(
                ErrorCode.REFUND_REFUSED, f"The payment gateway refused the refund ({status})."
            )

    async def is_refunded(self, key: str) -> bool:
        status, answer = await self._neighbour.ask("GET", f"/refunds/{key}")
        if status == HTTPStatus.NOT_FOUND:
            return False
        if not isinstance(answer, dict) or answer.get("key") != key:
            raise self._neighbour.unavailable("its answer is not this refund")
        return True

    def _charge(self, answer: Any, key: str) -> Charge:
        try:
            charge = ChargeAnswer.model_validate(answer).to_charge()
        except ValidationError as error:
            raise self._neighbour.unavailable("its answer is not a charge") from error
        if charge.key != key:
            raise self._neighbour.unavailable("its answer is about another charge")
        return charge
