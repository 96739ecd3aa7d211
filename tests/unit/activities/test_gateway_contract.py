"""The fake of the gateway responds as the adapter with the simulator behind it."""

import pytest

from activities.adapters.gateway import HttpGateway
from activities.gateway_ports import PaymentGateway
from devstack.neighbours import gateway
from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeIdentity, ChargeRequest, ChargeState, RefundRequest
from domain.money import Money
from tests.support.builders import an_instruction
from tests.support.fakes.gateway import MADE, FakeGateway
from tests.support.fakes.world import World
from tests.support.json_neighbour import Serve, code_of


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest, serve: Serve) -> PaymentGateway:
    if request.param == "fake":
        return DecliningGateway(World())
    _, neighbour = serve(gateway, ErrorCode.GATEWAY_UNAVAILABLE)
    return HttpGateway(neighbour, accept_simulated=True)


class DecliningGateway(FakeGateway):
    """The fake, declining the amounts that the simulator declines."""

    def _decide(self, request: ChargeRequest) -> Charge:
        if request.amount.minor_units % 100 == 13:
            code = ErrorCode.CARD_DECLINED
            return Charge(key=request.key, state=ChargeState.DECLINED, error_code=code)
        return super()._decide(request)


def a_charge(amount: str = "150.00") -> ChargeRequest:
    return an_instruction(amount=Money.parse(amount, "USD")).charge_request


def refund_of(charge: ChargeRequest, amount: str, key: str = "refund") -> RefundRequest:
    money = Money.parse(amount, charge.amount.currency)
    return RefundRequest(key=f"{charge.key}_{key}", charge_key=charge.key, amount=money)


async def test_a_charge_is_captured_once_and_found(subject: PaymentGateway) -> None:
    request = a_charge()
    assert await subject.find_charge(request.identity) is None

    first = await subject.charge(request)
    again = await subject.charge(request)

    assert first.state is ChargeState.CAPTURED
    assert first == again == await subject.find_charge(request.identity)
    assert await subject.void_charge(request.identity) == first
    assert await subject.void_charge(ChargeIdentity(key=request.key, amount=None)) == first


async def test_a_declined_charge_stays_declined(subject: PaymentGateway) -> None:
    request = a_charge("150.13")

    first = await subject.charge(request)

    assert (first.state, first.error_code) == (ChargeState.DECLINED, ErrorCode.CARD_DECLINED)
    assert first == await subject.charge(request)
    assert first == await subject.find_charge(request.identity)
    assert first == await subject.void_charge(request.identity)


async def test_a_voided_key_is_never_charged(subject: PaymentGateway) -> None:
    request = a_charge()

    voided = await subject.void_charge(request.identity)

    assert voided.state is ChargeState.VOIDED
    assert (await subject.charge(request)).state is ChargeState.VOIDED
    found = await subject.find_charge(request.identity)
    assert found is not None
    assert found.state is ChargeState.VOIDED


async def test_a_key_belongs_to_one_charge(subject: PaymentGateway) -> None:
    request = a_charge()
    other = request.model_copy(update={"amount": Money.parse("15.00", "USD")})
    await subject.charge(request)

    assert await code_of(subject.charge(other)) is ErrorCode.PROCESSOR_ERROR
    finding = subject.find_charge(other.identity)
    assert await code_of(finding) is ErrorCode.GATEWAY_UNAVAILABLE
    voiding = subject.void_charge(other.identity)
    assert await code_of(voiding) is ErrorCode.GATEWAY_UNAVAILABLE


async def test_a_refund_is_made_once_and_found(subject: PaymentGateway) -> None:
    charge = a_charge()
    await subject.charge(charge)
    refund = refund_of(charge, "150.00")
    assert await subject.can_still_refund(refund)
    assert await subject.find_refund(refund) is None

    assert await subject.refund(refund) == MADE
    assert await subject.refund(refund) == MADE

    assert await subject.find_refund(refund) == MADE
    assert not await subject.can_still_refund(refund)


async def test_only_a_look_up_shows_that_a_charge_is_refunded(subject: PaymentGateway) -> None:
    charge = a_charge()
    first = await subject.charge(charge)
    await subject.refund(refund_of(charge, "150.00"))

    found = await subject.find_charge(charge.identity)

    assert found is not None
    assert found.state is ChargeState.REFUNDED
    assert found == await subject.void_charge(charge.identity)
    assert await subject.charge(charge) == first


async def test_a_charge_that_is_refunded_in_part_is_an_error(subject: PaymentGateway) -> None:
    charge = a_charge()
    await subject.charge(charge)
    await subject.refund(refund_of(charge, "50.00"))

    finding = subject.find_charge(charge.identity)
    assert await code_of(finding) is ErrorCode.GATEWAY_UNAVAILABLE
    voiding = subject.void_charge(charge.identity)
    assert await code_of(voiding) is ErrorCode.GATEWAY_UNAVAILABLE
    assert await subject.can_still_refund(refund_of(charge, "100.00"))
    assert not await subject.can_still_refund(refund_of(charge, "100.01"))


async def test_no_more_is_refunded_than_was_captured(subject: PaymentGateway) -> None:
    charge, declined, voided = a_charge(), a_charge("150.13"), a_charge()
    await subject.charge(charge)
    await subject.charge(declined)
    await subject.void_charge(voided.identity)
    await subject.refund(refund_of(charge, "50.00", "first"))

    for refund in (
        refund_of(charge, "100.01", "second"),
        refund_of(declined, "1.00"),
        refund_of(voided, "1.00"),
    ):
        assert await code_of(subject.refund(refund)) is ErrorCode.REFUND_REFUSED
        assert not await subject.can_still_refund(refund)
        assert await subject.find_refund(refund) is None


async def test_a_key_belongs_to_one_refund(subject: PaymentGateway) -> None:
    charge = a_charge()
    await subject.charge(charge)
    await subject.refund(refund_of(charge, "50.00"))
    other = refund_of(charge, "60.00")

    assert await code_of(subject.refund(other)) is ErrorCode.GATEWAY_UNAVAILABLE
    assert await code_of(subject.find_refund(other)) is ErrorCode.GATEWAY_UNAVAILABLE


async def test_an_unknown_charge_has_neither_refunds_nor_amounts(subject: PaymentGateway) -> None:
    refund = refund_of(a_charge(), "1.00")

    assert await code_of(subject.refund(refund)) is ErrorCode.REFUND_REFUSED
    assert await code_of(subject.can_still_refund(refund)) is ErrorCode.GATEWAY_UNAVAILABLE
