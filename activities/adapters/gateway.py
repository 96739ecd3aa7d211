"""A payment gateway over HTTP: the adapter of the simulator in `devstack/neighbours/gateway.py`.

An answer counts only if it is about this request: its key, its amount, its currency. A refusal
counts only if it names the key and a code that is known here. Whatever else comes leaves open
whether money moved: it raises `GATEWAY_UNAVAILABLE`, and the charge or refund is looked up.
"""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from pydantic import Field, ValidationError

from activities.adapters.http import Answer, Neighbour
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeRequest, ChargeState, RefundRequest, RefundState
from domain.money import Money
from domain.text import Text, Upper

_TAKEN = frozenset({ChargeState.CAPTURED, ChargeState.REFUNDED})
CHARGE_ANSWERS: Mapping[int, frozenset[ChargeState]] = MappingProxyType(
    {
        HTTPStatus.OK: _TAKEN,
        HTTPStatus.CREATED: _TAKEN,
        HTTPStatus.PAYMENT_REQUIRED: frozenset({ChargeState.DECLINED}),
        HTTPStatus.CONFLICT: frozenset({ChargeState.VOIDED}),
    }
)
"""In which states a charge may be, by the status of the answer to `POST /charges`."""
REFUND_ANSWERS = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED})

# The refusals that are definite, by status and code.
CHARGE_REFUSED = frozenset({(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST"), (422, "KEY_REUSED")})
REFUND_REFUSED = frozenset({(HTTPStatus.CONFLICT, "NOT_CAPTURED"), (422, "REFUND_TOO_LARGE")})
NO_CHARGE = frozenset({(HTTPStatus.NOT_FOUND, "CHARGE_NOT_FOUND")})
NO_REFUND = frozenset({(HTTPStatus.NOT_FOUND, "REFUND_NOT_FOUND")})


class RefusalAnswer(Answer):
    key: str
    code: str


class AmountAnswer(Answer):
    """An answer about one key and, where it says so, about one amount."""

    key: str
    amount: Decimal | None = Field(default=None, max_digits=30)
    currency: Upper | None = None

    def is_of(self, amount: Money) -> bool:
        return (self.amount, self.currency) == (amount.amount, amount.currency)

    def contradicts(self, amount: Money) -> bool:
        return self.amount not in {None, amount.amount} or self.currency not in {
            None,
            amount.currency,
        }


class ChargeAnswer(AmountAnswer):
    state: ChargeState
    refunded_amount: Decimal = Field(
        default=Decimal(0), max_digits=30, ge=0, validation_alias="refundedAmount"
    )
    transaction_id: Text | None = Field(default=None, validation_alias="transactionId")
    code: str | None = None
    message: Text | None = None
    is_simulated: bool = Field(validation_alias="isSimulated")
    response: Text | None = None

    def is_for(self, amount: Money | None) -> bool:
        """Whether nothing was taken, or exactly this amount, of which all is kept or given back.

        An amount of None is not known: then what the answer says itself is taken for it.
        """
        refunded = {ChargeState.CAPTURED: Decimal(0), ChargeState.REFUNDED: self.amount}
        if self.state in refunded:
            is_told = self.is_of(amount) if amount else self.amount is not None
            return is_told and self.refunded_amount == refunded[self.state]
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


class RefundAnswer(AmountAnswer):
    charge_key: str = Field(validation_alias="chargeKey")
    state: RefundState

    def is_for(self, request: RefundRequest) -> bool:
        keys = (self.key, self.charge_key)
        return keys == (request.key, request.charge_key) and self.is_of(request.amount)


class HttpGateway:
    """`accept_simulated` is false in production, where a charge without money is a failed one."""

    def __init__(self, neighbour: Neighbour, *, accept_simulated: bool) -> None:
        self._neighbour = neighbour
        self._accept_simulated = accept_simulated

    async def charge(self, request: ChargeRequest) -> Charge:
        body = {
            "paymentId": request.payment_id,
            "orderId": request.order_id,
            "amount": request.amount.amount,
            "currency": request.amount.currency,
            "paymentMethod": request.payment_method,
        }
        status, answer = await self._neighbour.ask("POST", "/charges", body=body, key=request.key)
        if refuses(status, answer, request.key, CHARGE_REFUSED):
            raise PaymentError(
                ErrorCode.PROCESSOR_ERROR, f"The payment gateway refused the request ({status})."
            )
        if status not in CHARGE_ANSWERS:
            raise self._neighbour.unavailable(f"HTTP {status}")
        charge = self._charge(answer, request.key, request.amount)
        if charge.state not in CHARGE_ANSWERS[status]:
            raise self._neighbour.unavailable(f"HTTP {status}, and the charge is {charge.state}")
        return self._with_real_money(charge)

    async def find_charge(self, key: str, amount: Money) -> Charge | None:
        status, answer = await self._neighbour.ask("GET", f"/charges/{key}")
        if refuses(status, answer, key, NO_CHARGE):
            return None
        return self._with_real_money(self._charge(self._found(status, answer), key, amount))

    async def void_charge(self, key: str, amount: Money | None) -> Charge:
        status, answer = await self._neighbour.ask("POST", f"/charges/{key}/void")
        return self._with_real_money(self._charge(self._found(status, answer), key, amount))

    async def refund(self, request: RefundRequest) -> RefundState:
        body = {
            "chargeKey": request.charge_key,
            "amount": request.amount.amount,
            "currency": request.amount.currency,
        }
        status, answer = await self._neighbour.ask("POST", "/refunds", body=body, key=request.key)
        if refuses(status, answer, request.key, REFUND_REFUSED):
            raise PaymentError(
                ErrorCode.REFUND_REFUSED, f"The payment gateway refused the refund ({status})."
            )
        if status not in REFUND_ANSWERS:
            raise self._neighbour.unavailable(f"HTTP {status}")
        state = self._refund(answer, request)
        return RefundState.PENDING if status == HTTPStatus.ACCEPTED else state

    async def find_refund(self, request: RefundRequest) -> RefundState | None:
        status, answer = await self._neighbour.ask("GET", f"/refunds/{request.key}")
        if refuses(status, answer, request.key, NO_REFUND):
            return None
        return self._refund(self._found(status, answer), request)

    async def has_left(self, request: RefundRequest) -> bool:
        status, body = await self._neighbour.ask("GET", f"/charges/{request.charge_key}")
        answer = self._read(self._found(status, body), request.charge_key)
        if answer.state not in _TAKEN:
            return False
        if answer.amount is None or answer.currency != request.amount.currency:
            raise self._neighbour.unavailable("its answer tells no amount in this currency")
        return answer.amount - answer.refunded_amount >= request.amount.amount

    def _found(self, status: int, answer: Any) -> Any:
        if status != HTTPStatus.OK:
            raise self._neighbour.unavailable(f"HTTP {status}")
        return answer

    def _charge(self, body: Any, key: str, amount: Money | None) -> Charge:
        answer = self._read(body, key)
        if not answer.is_for(amount):
            raise self._neighbour.unavailable("its answer is about another amount")
        return answer.to_charge()

    def _read(self, body: Any, key: str) -> ChargeAnswer:
        try:
            answer = ChargeAnswer.model_validate(body)
        except ValidationError as error:
            raise self._neighbour.unavailable("its answer is not a charge") from error
        if answer.key != key:
            raise self._neighbour.unavailable("its answer is about another charge")
        return answer

    def _with_real_money(self, charge: Charge) -> Charge:
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
            answer = RefundAnswer.model_validate(body)
        except ValidationError as error:
            raise self._neighbour.unavailable("its answer is not a refund") from error
        if not answer.is_for(request):
            raise self._neighbour.unavailable("its answer is about another refund")
        return answer.state


def refuses(status: int, body: Any, key: str, refusals: frozenset[tuple[int, str]]) -> bool:
    """Whether the gateway itself says one of these about this key."""
    try:
        answer = RefusalAnswer.model_validate(body)
    except ValidationError:
        return False
    return answer.key == key and (status, answer.code) in refusals
