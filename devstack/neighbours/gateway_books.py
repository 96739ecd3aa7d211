"""What the simulated gateway decides and remembers: charges, voids and refunds by key."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from devstack.neighbours.journal import Journal, utc_now
from devstack.neighbours.neighbour import Amount, Refusal, ShortText, UtcTime, Wire
from domain.money import CurrencyCode, RecordedCurrency


class Behaviour(Wire):
    """How often a charge without a magic amount succeeds (0 to 1), and how long charges take."""

    success_rate: float = Field(default=1.0, ge=0, le=1)
    latency_ms: int = Field(default=0, ge=0, le=600_000)


class ChargeRequest(Wire):
    payment_id: ShortText
    order_id: ShortText
    currency: CurrencyCode
    amount: Amount
    payment_method: ShortText


class Charge(Wire):
    """What became of an idempotency key; a voided one may never have had a payment."""

    id: str
    key: str
    payment_id: str | None = None
    order_id: str | None = None
    amount: Decimal | None = None
    refunded_amount: Decimal | None = None
    currency: str | None = None
    payment_method: str | None = None
    state: Literal["captured", "declined", "voided", "refunded"]
    code: str | None = None
    message: str | None = None
    failure_reason: str | None = None
    is_simulated: bool = True
    response: str | None = None
    transaction_id: str | None = None
    created_at: UtcTime = Field(default_factory=utc_now)


class RefundRequest(Wire):
    charge_key: ShortText
    currency: RecordedCurrency
    amount: Amount


class Refund(Wire):
    id: str
    key: str
    charge_key: str
    charge_id: str
    currency: str
    amount: Decimal
    state: Literal["succeeded"] = "succeeded"
    created_at: UtcTime = Field(default_factory=utc_now)


class Decline(NamedTuple):
    code: str
    failure_reason: str
    message: str


_CARD_DECLINED = Decline("CARD_DECLINED", "card_declined", "The card was declined.")
_MAGIC_FRACTIONS = {
    Decimal("0.13"): _CARD_DECLINED,
    Decimal("0.66"): Decline(
        "INSUFFICIENT_FUNDS", "insufficient_funds", "The account has insufficient funds."
    ),
    Decimal("0.99"): Decline(
        "PROCESSOR_TIMEOUT", "timeout", "The processor did not answer in time."
    ),
}
_TOO_LARGE = Decline("AMOUNT_TOO_LARGE", "processor_error", "The amount is above the limit.")
_TOO_LARGE_FROM = Decimal("999999.99")


def _reused() -> Refusal:
    error = "this Idempotency-Key was used with other parameters: use a new one"
    return Refusal(422, error, code="KEY_REUSED")


class GatewayBooks:
    """Every effect of the gateway, at most one capture per idempotency key, over any restart.

    Each effect is one synchronous step, so of a charge and a void under one key either comes
    first and the other finds it.
    """

    def __init__(self, path: Path, initial: Behaviour, seed: int = 0) -> None:
        self.behaviour = initial
        self._towards: dict[str, Behaviour] = {}
        self._seed = seed
        self._charges: dict[str, Charge] = {}
        self._refunds: dict[str, Refund] = {}
        self._refunded: dict[str, Decimal] = {}
        self.journal = Journal(path, self._apply)

    def _apply(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "settings.changed":
                self.behaviour = Behaviour.model_validate(data)
            case "order_settings.changed":
                self._towards[data["orderId"]] = Behaviour.model_validate(data["settings"])
            case "refund.succeeded":
                refund = Refund.model_validate(data)
                self._refunds[refund.key] = refund
                self._refunded[refund.charge_key] = self._refunded_of(refund) + refund.amount
            case _:
                charge = Charge.model_validate(data)
                self._charges[charge.key] = charge

    def _refunded_of(self, refund: Refund | RefundRequest) -> Decimal:
        return self._refunded.get(refund.charge_key, Decimal(0))

    def behave(self, behaviour: Behaviour) -> None:
        self.journal.append("settings.changed", behaviour.model_dump())

    def behave_towards(self, order_id: str, behaviour: Behaviour) -> None:
        """Behave so when this order is charged, and not as towards the others."""
        settings = {"orderId": order_id, "settings": behaviour.model_dump()}
        self.journal.append("order_settings.changed", settings)

    def _behaviour_towards(self, order_id: str) -> Behaviour:
        return self._towards.get(order_id, self.behaviour)

    async def charge(self, key: str, request: ChargeRequest) -> tuple[Charge, bool]:
        """The charge of this key as it was first answered, and whether it is a replay.

        Half the latency passes before the effect, half after it. Once begun it is finished, even
        when the caller is cancelled. Raises Refusal with 422 for a key of another request.
        """
        latency_ms = self._behaviour_towards(request.order_id).latency_ms
        if not latency_ms:
            return self._settle(key, request)
        slowly = self._settle_slowly(key, request, half_seconds=latency_ms / 2000)
        return await asyncio.shield(asyncio.create_task(slowly))

    async def _settle_slowly(
        self, key: str, request: ChargeRequest, half_seconds: float
    ) -> tuple[Charge, bool]:
        await asyncio.sleep(half_seconds)
        outcome = self._settle(key, request)
        await asyncio.sleep(half_seconds)
        return outcome

    def _settle(self, key: str, request: ChargeRequest) -> tuple[Charge, bool]:
        known = self._charges.get(key)
        if known is None:
            return self._process(key, request), False
        if known.state == "voided":
            return known, False
        if not request.describes(known):
            raise _reused()
        return known, True

    def _process(self, key: str, request: ChargeRequest) -> Charge:
        charge = {**request.model_dump(by_alias=False), "id": _derived("ch", key), "key": key}
        decline = self._decline_of(key, request)
        if decline:
            charge |= decline._asdict()
            charge["response"] = f"Failed - {decline.code}: {decline.message}"
        else:
            charge["transaction_id"] = _derived("txn", key)
            charge["response"] = f"Success - TransactionId: {charge['transaction_id']}"
        return self._record(Charge(state="declined" if decline else "captured", **charge))

    def _decline_of(self, key: str, request: ChargeRequest) -> Decline | None:
        if request.amount >= _TOO_LARGE_FROM:
            return _TOO_LARGE
        if magic := _MAGIC_FRACTIONS.get(request.amount % 1):
            return magic
        # Hashing the key instead of drawing a number lets a run be repeated exactly.
        luck = int.from_bytes(sha256(f"{self._seed}:{key}".encode()).digest()[:8]) / 2**64
        success_rate = self._behaviour_towards(request.order_id).success_rate
        return None if luck < success_rate else _CARD_DECLINED

    def _record(self, charge: Charge) -> Charge:
        self.journal.append(f"charge.{charge.state}", charge.model_dump())
        return charge

    def find(self, key: str) -> Charge | None:
        charge = self._charges.get(key)
        return charge and self._as_it_stands(charge)

    def find_refund(self, key: str) -> Refund | None:
        return self._refunds.get(key)

    def charges(self) -> Iterator[Charge]:
        """Every charge that had a payment, oldest first."""
        return (self._as_it_stands(charge) for charge in self._charges.values() if charge.order_id)

    def _as_it_stands(self, charge: Charge) -> Charge:
        refunded = self._refunded.get(charge.key)
        if refunded is None:
            return charge
        state = "refunded" if refunded == charge.amount else charge.state
        return charge.model_copy(update={"refunded_amount": refunded, "state": state})

    def void(self, key: str) -> Charge:
        """From now on nothing is captured under this key, unless it already was."""
        known = self.find(key)
        return known or self._record(Charge(id=_derived("ch", key), key=key, state="voided"))

    def refund(self, key: str, request: RefundRequest) -> tuple[Refund, bool]:
        """The refund of this key, and whether it is a replay.

        Raises Refusal with 409 if nothing was captured, and with 422 if the refunds would pass
        what was captured or the key belongs to another request.
        """
        known = self._refunds.get(key)
        if known is None:
            return self._refund(key, request), False
        if not request.describes(known):
            raise _reused()
        return known, True

    def _refund(self, key: str, request: RefundRequest) -> Refund:
        charge = self._charges.get(request.charge_key)
        if charge is None or charge.state != "captured" or charge.amount is None:
            error = f"nothing was captured under {request.charge_key}: do not refund it"
            raise Refusal(409, error, code="NOT_CAPTURED")
        left = charge.amount - self._refunded_of(request)
        if request.currency != charge.currency or request.amount > left:
            error = f"at most {left} {charge.currency} can be refunded"
            raise Refusal(422, error, code="REFUND_TOO_LARGE")
        refund = Refund(
            id=_derived("re", key),
            key=key,
            charge_id=charge.id,
            **request.model_dump(by_alias=False),
        )
        self.journal.append("refund.succeeded", refund.model_dump())
        return refund


def _derived(prefix: str, key: str) -> str:
    return f"{prefix}_{sha256(f'{prefix}:{key}'.encode()).hexdigest()[:16]}"
