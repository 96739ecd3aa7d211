"""How a new payment may wait for its customer, by the settings and the request."""

import json
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from api.checkout import Checkout, RefusedMemberError
from api.schemas import PaymentRequest
from domain.customer_action import CustomerAction
from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction
from tests.support.builders import NOON
from tests.support.fake_resources import BODY, PENDING, FakeResources

BACK = "https://shop.example/paid?payment={paymentId}"
AT_STRIPE = Checkout(GatewayName.STRIPE)
WITH_A_WAY_BACK = Checkout(GatewayName.STRIPE, BACK, wait_seconds=90)
HOSTED = Checkout(GatewayName.STRIPE, BACK, wait_seconds=90, hosted=True)
SIMULATED = Checkout(GatewayName.SIMULATOR, BACK, wait_seconds=90, hosted=True)
A_TOKEN = "pm_card_visa"


def instruction(checkout: Checkout, token: str | None = A_TOKEN) -> PaymentInstruction:
    body = json.loads(BODY) | {"amount": "150.00", "paymentMethodToken": token}
    return checkout.instruction(PaymentRequest.model_validate(body), NOON)


@pytest.mark.parametrize(
    ("checkout", "token", "hosted"),
    [
        (AT_STRIPE, A_TOKEN, None),
        (WITH_A_WAY_BACK, A_TOKEN, False),
        (HOSTED, A_TOKEN, False),
        (HOSTED, None, True),
        (SIMULATED, A_TOKEN, None),
        (SIMULATED, None, None),
    ],
)
def test_a_payment_waits_if_its_customer_can_come_back(
    checkout: Checkout, token: str | None, hosted: bool | None
) -> None:
    asked = instruction(checkout, token)

    back = f"https://shop.example/paid?payment={asked.payment_id}"
    action = CustomerAction(return_url=back, wait_seconds=90, hosted=bool(hosted))
    assert asked.customer_action == (None if hosted is None else action)
    assert asked.token == (token if checkout.gateway == GatewayName.STRIPE else None)


@pytest.mark.parametrize("checkout", [AT_STRIPE, WITH_A_WAY_BACK])
def test_only_on_its_own_page_the_gateway_needs_no_token(checkout: Checkout) -> None:
    with pytest.raises(RefusedMemberError) as refused:
        instruction(checkout, token=None)
    assert refused.value.member == "paymentMethodToken"


def test_settings_change_nothing_of_what_was_asked_for() -> None:
    asked = {instruction(each).fingerprint for each in (AT_STRIPE, HOSTED, SIMULATED)}

    assert len(asked) == 1


def test_the_customer_of_a_payment_that_goes_on_comes_back_to_it() -> None:
    new = instruction(HOSTED, token=None)

    old = HOSTED.about(new, UUID(int=9))

    assert old.customer_action is not None
    assert old.customer_action.return_url.endswith(f"={UUID(int=9)}")
    assert old.customer_action.hosted
    assert (old.payment_id, old.order_id) == (UUID(int=9), new.order_id)


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_a_repeated_request_sends_the_customer_back_to_its_first_payment(
    app: FastAPI, resources: FakeResources, http: httpx.AsyncClient, *, is_recorded: bool
) -> None:
    """Its workflow was lost, and starts again under the first payment's id."""
    resources.gateway, resources.checkout = GatewayName.STRIPE, HOSTED
    app.state.resources = resources.build()
    headers = {"idempotency-key": "one"}
    await http.post("/payments", content=BODY, headers=headers)
    [claim] = resources.claims.values()
    lost = PENDING.model_copy(update={"id": claim.payment_id, "gateway": "stripe"})
    resources.recorded = [lost] if is_recorded else []
    resources.started.clear()

    await http.post("/payments", content=BODY, headers=headers)

    [again] = resources.started
    assert (again.payment_id, again.resumed) == (claim.payment_id, True)
    assert again.customer_action is not None
    assert again.customer_action.return_url.endswith(str(claim.payment_id))
    assert again.customer_action.hosted
