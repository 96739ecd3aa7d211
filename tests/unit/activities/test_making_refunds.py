"""How a refund ends by the gateway's responses: made, refused, or unknown."""

import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from activities.charges import ChargeActivities
from activities.gateways import Gateways
from activities.refunds import RefundActivities
from domain.errors import ErrorCode, PaymentError
from domain.gateways import GatewayName
from domain.refund import Refund
from tests.support.builders import NOON, a_payment, a_refund
from tests.support.fakes.publisher import FakePublisher
from tests.support.fakes.refunds import FakeRefunds
from tests.support.fakes.start_inputs import FakeStartInputs
from tests.support.fakes.world import World
from tests.support.gateway_responses import gateway

PAYMENT = a_payment().succeeded(NOON).announced()
REFUND = a_refund(PAYMENT, "150.00")
KEY, CHARGE_KEY = REFUND.request.key, REFUND.request.charge_key

Scripted = tuple[int, Any]

NOT_FOUND = (404, {"key": KEY, "code": "REFUND_NOT_FOUND"})
REFUSED = (422, {"key": KEY, "code": "REFUND_TOO_LARGE"})
IN_PROGRESS = (409, {"key": KEY, "code": "IN_PROGRESS"})


def stands(state: str) -> dict[str, Any]:
    amount = {"amount": "150.00", "currency": "USD"}
    return {"key": KEY, "chargeKey": CHARGE_KEY, "state": state, **amount}


def charge(refunded: str, state: str = "captured") -> Scripted:
    amounts = {"amount": "150.00", "currency": "USD", "refundedAmount": refunded}
    return 200, {"key": CHARGE_KEY, "state": state, "isSimulated": True, **amounts}


class Gateway:
    """A gateway with a list of responses for each address. The last one is repeated."""

    def __init__(self, **answers: list[Scripted]) -> None:
        self._answers: Mapping[str, list[Scripted]] = answers
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        names = {"charges": "charge", "refunds": "find"}
        name = "send" if request.method == "POST" else names[request.url.path.split("/")[2]]
        name = "void" if request.url.path.endswith("/void") else name
        self.asked.append(name)
        answers = self._answers[name]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return httpx.Response(status, content=json.dumps(body))


def gateways(asked: Gateway) -> Gateways:
    return Gateways({GatewayName.SIMULATOR: gateway(asked)})


async def make(asked: Gateway, refund: Refund = REFUND, attempt: int = 1) -> ErrorCode | None:
    """Run the step `make_refund`. Returns its error code, or None if it has made the refund."""
    world = World()
    activities = RefundActivities(gateways(asked), FakeRefunds(world), FakePublisher(world))
    return await code_of(activities.make_refund, refund, attempt)


async def code_of(
    step: Callable[[Any], Awaitable[object]], argument: Any, attempt: int = 1
) -> ErrorCode | None:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    try:
        await environment.run(step, argument)
    except PaymentError as error:
        return error.code
    return None


async def test_a_refund_that_the_gateway_does_not_have_is_sent() -> None:
    asked = Gateway(find=[NOT_FOUND], send=[(201, stands("succeeded"))])

    assert await make(asked) is None
    assert asked.asked == ["find", "send"]


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("succeeded", None),
        ("pending", ErrorCode.GATEWAY_UNAVAILABLE),
        ("failed", ErrorCode.REFUND_REFUSED),
    ],
)
async def test_a_refund_that_the_gateway_has_is_not_sent(
    state: str, code: ErrorCode | None, attempt: int
) -> None:
    asked = Gateway(find=[(200, stands(state))])

    assert await make(asked, attempt=attempt) is code
    assert asked.asked == ["find"]


@pytest.mark.parametrize("answer", [(202, stands("succeeded")), (201, stands("pending"))])
async def test_a_refund_under_way_is_looked_up_until_it_has_ended(answer: Scripted) -> None:
    found = [NOT_FOUND, (200, stands("pending")), (200, stands("succeeded"))]
    asked = Gateway(find=found, send=[answer])

    codes = [await make(asked, attempt=each) for each in (1, 2, 3)]

    assert codes == [ErrorCode.GATEWAY_UNAVAILABLE, ErrorCode.GATEWAY_UNAVAILABLE, None]
    assert asked.asked == ["find", "send", "find", "find"]


async def test_a_refusal_of_the_first_request_is_final() -> None:
    asked = Gateway(find=[NOT_FOUND], send=[REFUSED])

    assert await make(asked) is ErrorCode.REFUND_REFUSED
    assert asked.asked == ["find", "send"]


async def test_a_key_in_progress_is_no_refusal() -> None:
    asked = Gateway(find=[NOT_FOUND], send=[IN_PROGRESS])

    assert await make(asked) is ErrorCode.GATEWAY_UNAVAILABLE


AS_RECORDED = REFUND.model_copy(update={"is_unsent": False})


@pytest.mark.parametrize(("refund", "attempt"), [(REFUND, 2), (AS_RECORDED, 1)])
@pytest.mark.parametrize(
    ("found", "stands_at", "code"),
    [
        (NOT_FOUND, charge("0"), ErrorCode.GATEWAY_UNAVAILABLE),
        (NOT_FOUND, charge("0.01"), ErrorCode.REFUND_REFUSED),
        (NOT_FOUND, charge("150.00", "refunded"), ErrorCode.REFUND_REFUSED),
        (NOT_FOUND, charge("0", "voided"), ErrorCode.REFUND_REFUSED),
        (NOT_FOUND, (404, {"error": "?"}), ErrorCode.GATEWAY_UNAVAILABLE),
        ((200, stands("succeeded")), charge("150.00", "refunded"), None),
        ((200, stands("pending")), charge("150.00"), ErrorCode.GATEWAY_UNAVAILABLE),
        ((503, {}), charge("150.00", "refunded"), ErrorCode.GATEWAY_UNAVAILABLE),
    ],
)
async def test_a_later_refusal_is_final_only_if_no_request_can_have_an_effect(
    refund: Refund, attempt: int, found: Scripted, stands_at: Scripted, code: ErrorCode | None
) -> None:
    asked = Gateway(find=[NOT_FOUND, found], send=[REFUSED], charge=[stands_at])

    assert await make(asked, refund, attempt) is code
    assert asked.asked[:3] == ["find", "send", "charge"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((201, stands("succeeded")), None),
        ((200, stands("pending")), ErrorCode.GATEWAY_UNAVAILABLE),
        ((202, stands("succeeded")), ErrorCode.GATEWAY_UNAVAILABLE),
        ((201, stands("failed")), ErrorCode.REFUND_REFUSED),
        ((200, {"status": "ok"}), ErrorCode.GATEWAY_UNAVAILABLE),
    ],
)
async def test_a_compensation_is_made_by_the_same_answers(
    answer: Scripted, code: ErrorCode | None
) -> None:
    activities = ChargeActivities(
        gateways(Gateway(void=[charge("0")], send=[answer])), FakeStartInputs(World())
    )

    assert await code_of(activities.refund_charge, REFUND.request) is code
