"""The state of the simulated gateway: charges, voids and refunds by idempotency key."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from devstack.neighbours.chance import fraction
from devstack.neighbours.gateway_models import (
    CARD_DECLINED,
    Behaviour,
    Charge,
    ChargeRequest,
    Decline,
    Refund,
    RefundRequest,
    magic_decline,
)
from devstack.neighbours.journal import Journal
from devstack.neighbours.json_http import ApiError


class GatewayLedger:
    """Captures at most once per idempotency key, also after a restart.

    `charge` and `void` do not await anything between reading a key and writing it. So if both
    arrive together, one of them writes first, and the other one finds its result.
    """

    def __init__(self, path: Path, behaviour: Behaviour, seed: int = 0) -> None:
        self.behaviour = behaviour
        self._order_behaviours: dict[str, Behaviour] = {}
        self._has_changed = asyncio.Event()  # a new one after each change of a behaviour
        self._seed = seed
        self._charges: dict[str, Charge] = {}
        self._refunds: dict[str, Refund] = {}
        self._refunded_amounts: dict[str, Decimal] = {}
        self.journal = Journal(path, self._apply)

    def _apply(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "settings.changed":
                self.behaviour = Behaviour.model_validate(data)
            case "order_settings.changed":
                self._order_behaviours[data["orderId"]] = Behaviour.model_validate(data["settings"])
            case "refund.succeeded":
                refund = Refund.model_validate(data)
                self._refunds[refund.key] = refund
                refunded = self._refunded_amount(refund.charge_key) + refund.amount
                self._refunded_amounts[refund.charge_key] = refunded
            case _:
                charge = Charge.model_validate(data)
                self._charges[charge.key] = charge

    def set_behaviour(self, behaviour: Behaviour) -> None:
        """For all orders without a behaviour of their own."""
        self.journal.append("settings.changed", behaviour.model_dump())
        self._wake_held_responses()

    def set_order_behaviour(self, order_id: str, behaviour: Behaviour) -> None:
        """For the charges of this order only."""
        settings = {"orderId": order_id, "settings": behaviour.model_dump()}
        self.journal.append("order_settings.changed", settings)
        self._wake_held_responses()

    async def charge(self, key: str, request: ChargeRequest) -> tuple[Charge, bool]:
        """Charge once per key. Returns the charge, and True if it was made by an earlier request.

        Half the latency passes before the charge is made and half after it. A charge that has
        begun continues when the caller is cancelled. Raises ApiError with 422 if an earlier request
        with this key had other parameters.
        """
        behaviour = self._behaviour_of(request.order_id)
        if not (behaviour.latency_ms or behaviour.holds_responses):
            return self._charge_once(key, request)
        slow = self._charge_slowly(key, request, half_seconds=behaviour.latency_ms / 2000)
        return await asyncio.shield(asyncio.create_task(slow))

    def find(self, key: str) -> Charge | None:
        """The charge of this key as it is now, with its refunds."""
        charge = self._charges.get(key)
        return charge and self._with_refunds(charge)

    def find_refund(self, key: str) -> Refund | None:
        return self._refunds.get(key)

    def charges(self) -> Iterator[Charge]:
        """Every charge that has an order, oldest first. A key that was only voided has no order."""
        return (self._with_refunds(charge) for charge in self._charges.values() if charge.order_id)

    def void(self, key: str) -> Charge:
        """Prevent a charge with this key. Returns the charge if one was already made."""
        known = self.find(key)
        return known or self._record(Charge(id=_id_from("ch", key), key=key, state="voided"))

    def refund(self, key: str, request: RefundRequest) -> tuple[Refund, bool]:
        """Refund once per key. Returns the refund, and True if an earlier request made it.

        Raises ApiError: 409 if nothing was captured; 422 if all refunds together would exceed the
        captured amount, or if an earlier request with this key had other parameters.
        """
        known = self._refunds.get(key)
        if known is None:
            return self._new_refund(key, request), False
        if not request.matches(known):
            raise _key_reused()
        return known, True

    async def _charge_slowly(
        self, key: str, request: ChargeRequest, half_seconds: float
    ) -> tuple[Charge, bool]:
        await asyncio.sleep(half_seconds)
        result = self._charge_once(key, request)
        await asyncio.sleep(half_seconds)
        while self._behaviour_of(request.order_id).holds_responses:
            await self._has_changed.wait()
        return result

    def _wake_held_responses(self) -> None:
        self._has_changed.set()
        self._has_changed = asyncio.Event()

    def _charge_once(self, key: str, request: ChargeRequest) -> tuple[Charge, bool]:
        known = self._charges.get(key)
        if known is None:
            return self._new_charge(key, request), False
        if known.state == "voided":
            return known, False
        if not request.matches(known):
            raise _key_reused()
        return known, True

    def _new_charge(self, key: str, request: ChargeRequest) -> Charge:
        members = {**request.model_dump(by_alias=False), "id": _id_from("ch", key), "key": key}
        decline = self._decline_of(key, request)
        if decline:
            members |= decline._asdict()
            members["response"] = f"Failed - {decline.code}: {decline.message}"
        else:
            members["transaction_id"] = _id_from("txn", key)
            members["response"] = f"Success - TransactionId: {members['transaction_id']}"
        return self._record(Charge(state="declined" if decline else "captured", **members))

    def _decline_of(self, key: str, request: ChargeRequest) -> Decline | None:
        if magic := magic_decline(request.amount):
            return magic
        success_rate = self._behaviour_of(request.order_id).success_rate
        return None if fraction(f"{self._seed}:{key}") < success_rate else CARD_DECLINED

    def _behaviour_of(self, order_id: str) -> Behaviour:
        return self._order_behaviours.get(order_id, self.behaviour)

    def _record(self, charge: Charge) -> Charge:
        self.journal.append(f"charge.{charge.state}", charge.model_dump())
        return charge

    def _refunded_amount(self, charge_key: str) -> Decimal:
        return self._refunded_amounts.get(charge_key, Decimal(0))

    def _with_refunds(self, charge: Charge) -> Charge:
        refunded = self._refunded_amounts.get(charge.key)
        if refunded is None:
            return charge
        state = "refunded" if refunded == charge.amount else charge.state
        return charge.model_copy(update={"refunded_amount": refunded, "state": state})

    def _new_refund(self, key: str, request: RefundRequest) -> Refund:
        charge = self._charges.get(request.charge_key)
        if charge is None or charge.state != "captured" or charge.amount is None:
            error = f"nothing was captured under {request.charge_key}: do not refund it"
            raise ApiError(409, error, code="NOT_CAPTURED")
        remaining = charge.amount - self._refunded_amount(request.charge_key)
        if request.currency != charge.currency or request.amount > remaining:
            error = f"at most {remaining} {charge.currency} can be refunded"
            raise ApiError(422, error, code="REFUND_TOO_LARGE")
        refund = Refund(
            id=_id_from("re", key),
            key=key,
            charge_id=charge.id,
            **request.model_dump(by_alias=False),
        )
        self.journal.append("refund.succeeded", refund.model_dump())
        return refund


def _key_reused() -> ApiError:
    error = "this Idempotency-Key was used with other parameters: use a new one"
    return ApiError(422, error, code="KEY_REUSED")


def _id_from(prefix: str, key: str) -> str:
    """The same id for the same key, so that a run can be repeated."""
    return f"{prefix}_{sha256(f'{prefix}:{key}'.encode()).hexdigest()[:16]}"
