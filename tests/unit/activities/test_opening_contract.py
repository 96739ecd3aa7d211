"""The fake of a gateway that opens responds as the adapter for Stripe with the double behind it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from activities.gateway_ports import OpeningGateway
from domain.errors import ErrorCode
from domain.gateway import (
    Charge,
    ChargeRequest,
    ChargeState,
    GatewayRefund,
    RefundRequest,
    RefundState,
)
from domain.money import Money
from tests.support.fakes.opening_gateway import FakeOpeningGateway
from tests.support.fakes.world import World
from tests.support.json_neighbour import code_of
from tests.support.stripe_gateway import StripeDouble, a_charge, refund_of

UNAVAILABLE = ErrorCode.GATEWAY_UNAVAILABLE
DECLINE = Charge(
    key="", state=ChargeState.DECLINED, error_code=ErrorCode.CARD_DECLINED, message="Declined."
)


@dataclass
class Subject:
    """A gateway, and acts of the bank and the customer there."""

    gateway: OpeningGateway
    decline: Callable[[], None]
    """From now on the card of `declined` is declined."""
    begin_refunds: Callable[[RefundState], Awaitable[None]]
    end_refund: Callable[[RefundRequest, RefundState], Awaitable[None]]

    async def opened(self, **changes: object) -> ChargeRequest:
        request = a_charge().model_copy(update=changes)
        charge = await self.gateway.open(request)
        return request.model_copy(update={"reference": charge.reference})

    async def authorized(self) -> ChargeRequest:
        request = await self.opened()
        await self.gateway.charge(request)
        return request

    async def captured(self) -> ChargeRequest:
        request = await self.authorized()
        await self.gateway.capture(request)
        return request

    async def declined(self) -> ChargeRequest:
        self.decline()
        request = await self.opened(token="pm_card_chargeDeclined")
        await self.gateway.charge(request)
        return request

    async def state_of(self, request: ChargeRequest) -> ChargeState:
        found = await self.gateway.find_charge(request.identity)
        assert found
        assert (found.key, found.reference) == (request.key, request.reference)
        return found.state


@pytest.fixture(params=["fake", "stripe"])
def subject(request: pytest.FixtureRequest, stripe: StripeDouble) -> Subject:
    return _fake() if request.param == "fake" else _on_double(stripe)


def _fake() -> Subject:
    world = World()

    async def begin(state: RefundState) -> None:
        world.next_refund = state

    async def end(refund: RefundRequest, state: RefundState) -> None:
        world.settle_refund(refund.key, state)

    def decline() -> None:
        world.decline = DECLINE

    return Subject(FakeOpeningGateway(world), decline, begin, end)


def _on_double(stripe: StripeDouble) -> Subject:
    async def begin(state: RefundState) -> None:
        await stripe.put("/settings", refund=state)

    async def end(refund: RefundRequest, state: RefundState) -> None:
        made = await stripe.gateway.find_refund(refund)
        assert made
        await stripe.put(f"/refunds/{made.reference}", status=state)

    return Subject(stripe.gateway, lambda: None, begin, end)


async def test_a_charge_goes_from_open_to_captured_once(subject: Subject) -> None:
    opened = await subject.gateway.open(request := a_charge())
    request = request.model_copy(update={"reference": opened.reference})
    assert opened.state is ChargeState.OPEN
    assert await subject.state_of(request) is ChargeState.OPEN

    authorized = await subject.gateway.charge(request)
    assert authorized.state is ChargeState.AUTHORIZED
    assert await subject.state_of(request) is ChargeState.AUTHORIZED

    captured = await subject.gateway.capture(request)
    assert captured.state is ChargeState.CAPTURED
    assert captured.transaction_id
    assert await subject.gateway.capture(request) == captured
    assert await subject.state_of(request) is ChargeState.CAPTURED
    assert (await subject.gateway.void_charge(request.identity)).state is ChargeState.CAPTURED


async def test_a_repeated_charge_is_as_it_is_now(subject: Subject) -> None:
    captured, voided = await subject.captured(), await subject.authorized()
    await subject.gateway.void_charge(voided.identity)

    assert (await subject.gateway.charge(captured)).state is ChargeState.CAPTURED
    assert (await subject.gateway.charge(voided)).state is ChargeState.VOIDED


async def test_a_declined_charge_is_voided_before_it_ends(subject: Subject) -> None:
    request = await subject.declined()
    again = await subject.gateway.charge(request)

    assert (again.state, again.error_code) == (ChargeState.DECLINED, ErrorCode.CARD_DECLINED)
    assert await subject.state_of(request) is ChargeState.DECLINED
    assert (await subject.gateway.void_charge(request.identity)).state is ChargeState.VOIDED
    assert await subject.state_of(request) is ChargeState.VOIDED


async def test_a_voided_charge_is_never_captured(subject: Subject) -> None:
    for request in (await subject.opened(), await subject.authorized()):
        assert (await subject.gateway.void_charge(request.identity)).state is ChargeState.VOIDED
        assert (await subject.gateway.charge(request)).state is ChargeState.VOIDED
        assert (await subject.gateway.capture(request)).state is ChargeState.VOIDED
        assert await subject.state_of(request) is ChargeState.VOIDED


async def test_a_charge_that_is_not_authorized_is_not_captured(subject: Subject) -> None:
    request = await subject.opened()

    assert await code_of(subject.gateway.capture(request)) is ErrorCode.PROCESSOR_ERROR
    assert await subject.state_of(request) is ChargeState.OPEN


async def test_a_charge_needs_a_card(subject: Subject) -> None:
    request = await subject.opened(token=None)

    assert await code_of(subject.gateway.charge(request)) is ErrorCode.PROCESSOR_ERROR
    assert await subject.state_of(request) is ChargeState.OPEN


async def test_a_charge_that_the_gateway_does_not_know_is_unknown(subject: Subject) -> None:
    request = await subject.captured()
    other = Money.parse("151.00", "USD")
    for change in ({"reference": "pi_0"}, {"reference": None}, {"amount": other}):
        identity = request.identity.model_copy(update=change)
        assert await code_of(subject.gateway.find_charge(identity)) is UNAVAILABLE
        assert await code_of(subject.gateway.void_charge(identity)) is UNAVAILABLE


async def test_a_refund_is_made_once_and_found(subject: Subject) -> None:
    refund = refund_of(await subject.captured(), "150.00")
    assert await subject.gateway.can_still_refund(refund)
    assert await subject.gateway.find_refund(refund) is None

    made = await subject.gateway.refund(refund)

    assert made.state is RefundState.SUCCEEDED
    assert made.reference
    assert await subject.gateway.refund(refund) == made
    assert await subject.gateway.find_refund(refund) == made
    assert not await subject.gateway.can_still_refund(refund)


async def test_a_refunded_charge_is_found_as_refunded(subject: Subject) -> None:
    request = await subject.captured()
    await subject.gateway.refund(refund_of(request, "150.00"))

    assert await subject.state_of(request) is ChargeState.REFUNDED
    assert (await subject.gateway.void_charge(request.identity)).state is ChargeState.REFUNDED


async def test_a_charge_that_is_refunded_in_part_is_an_error(subject: Subject) -> None:
    request = await subject.captured()
    await subject.gateway.refund(refund_of(request, "50.00"))

    assert await code_of(subject.gateway.find_charge(request.identity)) is UNAVAILABLE
    assert await code_of(subject.gateway.void_charge(request.identity)) is UNAVAILABLE
    assert await subject.gateway.can_still_refund(refund_of(request, "100.00", 2))


async def test_no_more_is_refunded_than_was_captured(subject: Subject) -> None:
    request, authorized = await subject.captured(), await subject.authorized()
    await subject.gateway.refund(refund_of(request, "50.00", 1))

    for refund in (refund_of(request, "100.01", 2), refund_of(authorized, "1.00")):
        assert await code_of(subject.gateway.refund(refund)) is ErrorCode.REFUND_REFUSED
        assert not await subject.gateway.can_still_refund(refund)
        assert await subject.gateway.find_refund(refund) is None


@pytest.mark.parametrize("end", [RefundState.SUCCEEDED, RefundState.FAILED])
async def test_a_pending_refund_ends_either_way(subject: Subject, end: RefundState) -> None:
    request = await subject.captured()
    whole, rest = refund_of(request, "150.00"), refund_of(request, "1.00", 2)
    await subject.begin_refunds(RefundState.PENDING)

    assert (await subject.gateway.refund(whole)).state is RefundState.PENDING
    assert await _found(subject, whole) is RefundState.PENDING
    assert not await subject.gateway.can_still_refund(rest)
    await subject.end_refund(whole, end)

    assert await _found(subject, whole) is end
    assert (await subject.gateway.refund(whole)).state is end
    assert await subject.gateway.can_still_refund(rest) is (end is RefundState.FAILED)


async def test_a_refund_may_fail_after_it_has_succeeded(subject: Subject) -> None:
    request = await subject.captured()
    whole = refund_of(request, "150.00")
    await subject.gateway.refund(whole)

    await subject.end_refund(whole, RefundState.FAILED)

    assert await _found(subject, whole) is RefundState.FAILED
    assert await subject.state_of(request) is ChargeState.CAPTURED
    assert await subject.gateway.can_still_refund(whole)


async def test_a_key_belongs_to_one_refund(subject: Subject) -> None:
    request = await subject.captured()
    await subject.gateway.refund(refund_of(request, "50.00"))
    other = refund_of(request, "60.00")

    assert await code_of(subject.gateway.refund(other)) is UNAVAILABLE
    assert await code_of(subject.gateway.find_refund(other)) is UNAVAILABLE


async def _found(subject: Subject, request: RefundRequest) -> RefundState:
    found: GatewayRefund | None = await subject.gateway.find_refund(request)
    assert found
    return found.state
