"""A payment gateway over HTTP: an adapter for the API of `devstack/neighbours/gateway.py`.

A response counts only if it is about this request: its key, its amount, its currency. A refusal
counts only if it names the key and has an error code that we know. After every other response
nobody knows whether money moved: the adapter raises PaymentError(GATEWAY_UNAVAILABLE), and the
workflow looks up the charge or the refund.
"""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from activities.adapters.json_client import JsonClient
from activities.adapters.response_body import MAX_DIGITS, ResponseBody
from domain.errors import ErrorCode, PaymentError
from domain.gateway import (
    NOT_MADE,
    Charge,
    ChargeIdentity,
    ChargeRequest,
    ChargeState,
    GatewayRefund,
    RefundRequest,
    RefundState,
)
from domain.money import Money
from domain.text import Text, Upper

_CAPTURED = frozenset({ChargeState.CAPTURED, ChargeState.REFUNDED})
CHARGE_STATES: Mapping[int, frozenset[ChargeState]] = MappingProxyType(
    {
        HTTPStatus.OK: _CAPTURED,
        HTTPStatus.CREATED: _CAPTURED,
        HTTPStatus.PAYMENT_REQUIRED: frozenset({ChargeState.DECLINED}),
        HTTPStatus.CONFLICT: frozenset({ChargeState.VOIDED}),
    }
)
"""The states that a charge may have, by HTTP status of the response to `POST /charges`."""
REFUND_STATUSES = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED})

# Refusals that count, by HTTP status and error code.
CHARGE_REFUSED = frozenset({(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST"), (422, "KEY_REUSED")})
REFUND_REFUSED = frozenset({(HTTPStatus.CONFLICT, "NOT_CAPTURED"), (422, "REFUND_TOO_LARGE")})
NO_CHARGE = frozenset({(HTTPStatus.NOT_FOUND, "CHARGE_NOT_FOUND")})
NO_REFUND = frozenset({(HTTPStatus.NOT_FOUND, "REFUND_NOT_FOUND")})


class RefusalResponse(ResponseBody):
    key: str
    code: str


class AmountResponse(ResponseBody):
    """A response about one key. A gateway may leave out the amount."""

    key: str
    amount: Decimal | None = Field(default=None, max_digits=MAX_DIGITS)
    currency: Upper | None = None

    def has_amount(self, amount: Money) -> bool:
        return (self.amount, self.currency) == (amount.amount, amount.currency)

    def contradicts(self, amount: Money) -> bool:
        """Whether the response has another amount or another currency."""
        return self.amount not in {None, amount.amount} or self.currency not in {
            None,
            amount.currency,
        }


def _is_made(state: ChargeState) -> ChargeState:
    if state in NOT_MADE:
        raise ValueError("is no state of this gateway: it captures straight away")
    return state


class ChargeResponse(AmountResponse):
    state: Annotated[ChargeState, AfterValidator(_is_made)]
    refunded_amount: Decimal = Field(
        default=Decimal(0), max_digits=MAX_DIGITS, ge=0, validation_alias="refundedAmount"
    )
    transaction_id: Text | None = Field(default=None, validation_alias="transactionId")
    code: str | None = None
    message: Text | None = None
    is_simulated: bool = Field(validation_alias="isSimulated")
    response: Text | None = None

    def is_for(self, amount: Money | None) -> bool:
        """True if exactly `amount` was captured, and none of it or all of it was refunded.

        If nothing was captured, True unless the response has another amount. If `amount` is None,
        any amount counts.
        """
        refunded = {ChargeState.CAPTURED: Decimal(0), ChargeState.REFUNDED: self.amount}
        if self.state in refunded:
            has_amount = self.has_amount(amount) if amount else self.amount is not None
            return has_amount and self.refunded_amount == refunded[self.state]
        return not self.refunded_amount and not (amount and self.contradicts(amount))

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


class RefundResponse(AmountResponse):
    charge_key: str = Field(validation_alias="chargeKey")
    state: RefundState

    def is_for(self, request: RefundRequest) -> bool:
        keys = (self.key, self.charge_key)
        return keys == (request.key, request.charge_key) and self.has_amount(request.amount)


class HttpGateway:
    """Implements `PaymentGateway`.

    Without `accept_simulated`, as in production, a simulated charge counts as declined, because no
    money moved.
    """

    def __init__(self, client: JsonClient, *, accept_simulated: bool) -> None:
        self._client = client
        self._accept_simulated = accept_simulated

    async def charge(self, request: ChargeRequest) -> Charge:
        sent = {
            "paymentId": request.payment_id,
            "orderId": request.order_id,
            "amount": request.amount.amount,
            "currency": request.amount.currency,
            "paymentMethod": request.payment_method,
        }
        status, body = await self._client.request("POST", "/charges", body=sent, key=request.key)
        if is_refusal(status, body, request.key, CHARGE_REFUSED):
            raise PaymentError(
                ErrorCode.PROCESSOR_ERROR, f"The payment gateway refused the request ({status})."
            )
        if status not in CHARGE_STATES:
            raise self._client.unavailable(f"HTTP {status}")
        charge = self._charge(body, request.key, request.amount)
        if charge.state not in CHARGE_STATES[status]:
            raise self._client.unavailable(f"HTTP {status}, and the charge is {charge.state}")
        return self._declined_if_simulated(charge)

    async def find_charge(self, charge: ChargeIdentity) -> Charge | None:
        status, body = await self._client.request("GET", f"/charges/{charge.key}")
        if is_refusal(status, body, charge.key, NO_CHARGE):
            return None
        return self._found_charge(status, body, charge)

    async def void_charge(self, charge: ChargeIdentity) -> Charge:
        status, body = await self._client.request("POST", f"/charges/{charge.key}/void")
        return self._found_charge(status, body, charge)

    async def refund(self, request: RefundRequest) -> GatewayRefund:
        sent = {
            "chargeKey": request.charge_key,
            "amount": request.amount.amount,
            "currency": request.amount.currency,
        }
        status, body = await self._client.request("POST", "/refunds", body=sent, key=request.key)
        if is_refusal(status, body, request.key, REFUND_REFUSED):
            raise PaymentError(
                ErrorCode.REFUND_REFUSED, f"The payment gateway refused the refund ({status})."
            )
        if status not in REFUND_STATUSES:
            raise self._client.unavailable(f"HTTP {status}")
        state = self._refund(body, request)
        is_pending = status == HTTPStatus.ACCEPTED
        return GatewayRefund(state=RefundState.PENDING if is_pending else state)

    async def find_refund(self, request: RefundRequest) -> GatewayRefund | None:
        status, body = await self._client.request("GET", f"/refunds/{request.key}")
        if is_refusal(status, body, request.key, NO_REFUND):
            return None
        return GatewayRefund(state=self._refund(self._found(status, body), request))

    async def can_still_refund(self, request: RefundRequest) -> bool:
        status, body = await self._client.request("GET", f"/charges/{request.charge_key}")
        charge = self._read(self._found(status, body), request.charge_key)
        if charge.state not in _CAPTURED:
            return False
        if charge.amount is None or charge.currency != request.amount.currency:
            raise self._client.unavailable("the response has no amount in this currency")
        return charge.amount - charge.refunded_amount >= request.amount.amount

    def _found_charge(self, status: int, body: Any, wanted: ChargeIdentity) -> Charge:
        charge = self._charge(self._found(status, body), wanted.key, wanted.amount)
        return self._declined_if_simulated(charge)

    def _found(self, status: int, body: Any) -> Any:
        if status != HTTPStatus.OK:
            raise self._client.unavailable(f"HTTP {status}")
        return body

    def _charge(self, body: Any, key: str, amount: Money | None) -> Charge:
        response = self._read(body, key)
        if not response.is_for(amount):
            raise self._client.unavailable("the response is about another amount")
        return response.to_charge()

    def _read(self, body: Any, key: str) -> ChargeResponse:
        try:
            response = ChargeResponse.model_validate(body)
        except ValidationError as error:
            raise self._client.unavailable("the response is not a charge") from error
        if response.key != key:
            raise self._client.unavailable("the response is about another charge")
        return response

    def _declined_if_simulated(self, charge: Charge) -> Charge:
        if self._accept_simulated or not charge.is_simulated:
            return charge
        return charge.model_copy(
            update={
                "state": ChargeState.DECLINED,
                "error_code": ErrorCode.GATEWAY_SIMULATED,
                "message": "The payment gateway is a simulator: it takes no money.",
            }
        )

    def _refund(self, body: Any, request: RefundRequest) -> RefundState:
        try:
            response = RefundResponse.model_validate(body)
        except ValidationError as error:
            raise self._client.unavailable("the response is not a refund") from error
        if not response.is_for(request):
            raise self._client.unavailable("the response is about another refund")
        return response.state


def is_refusal(status: int, body: Any, key: str, refusals: frozenset[tuple[int, str]]) -> bool:
    """Whether the response is one of these refusals, by HTTP status and code, and about `key`."""
    try:
        refusal = RefusalResponse.model_validate(body)
    except ValidationError:
        return False
    return refusal.key == key and (status, refusal.code) in refusals
