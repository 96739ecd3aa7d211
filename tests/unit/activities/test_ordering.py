"""What Ordering responds is read tolerantly where that is safe, and strictly elsewhere."""

from decimal import Decimal
from typing import Any

import pytest

from domain.errors import ErrorCode, PaymentError
from domain.verification import Order, verify_order
from tests.support.builders import an_instruction
from tests.support.json_neighbour import CUSTOMER, ORDER, FixedResponse, fetch_order


@pytest.mark.parametrize(
    "body",
    [
        {"state": "pending", "userId": str(CUSTOMER), "totalAmount": 150.25, "currency": "USD"},
        {"status": "Pending", "customerId": str(CUSTOMER), "total": "150.25", "currency": "USD"},
        {"state": "PENDING", "customerEmail": str(CUSTOMER).upper(), "price": 150.25},
        {"status": " pending ", "userId": f" {CUSTOMER}", "price": "150.250", "currency": None},
    ],
    ids=["state", "status", "email", "spaces"],
)
async def test_an_order_is_read_in_all_its_spellings(body: dict[str, Any]) -> None:
    assert await fetch_order(FixedResponse(body)) == Order(
        id=ORDER,
        customer_id=str(CUSTOMER),
        state="pending",
        total=Decimal("150.25"),
        currency=body.get("currency"),
    )


@pytest.mark.parametrize("total", ["10000000000000000.01", "0.1", "150.00", "1e2"])
@pytest.mark.parametrize("quote", ["", '"'], ids=["number", "string"])
async def test_a_total_keeps_its_digits(total: str, quote: str) -> None:
    assert (
        await fetch_order(FixedResponse(f'{{"total": {quote}{total}{quote}}}'))
    ).total == Decimal(total)


@pytest.mark.parametrize(
    "body", [{"total": 1}, {"total": 1, "state": None}], ids=["absent", "null"]
)
async def test_an_order_without_state_is_pending_only_by_setting(body: dict[str, Any]) -> None:
    assert (await fetch_order(FixedResponse(body))).state is None
    assert (await fetch_order(FixedResponse(body), accept_without_state=True)).state == "pending"
    paid = FixedResponse({**body, "state": "paid"})
    assert (await fetch_order(paid, accept_without_state=True)).state == "paid"


async def test_a_null_does_not_hide_the_other_spelling() -> None:
    body = {"state": None, "status": "paid", "userId": None, "customerId": "c", "total": 1}

    found = await fetch_order(FixedResponse(body), accept_without_state=True)

    assert (found.state, found.customer_id) == ("paid", "c")


async def test_a_missing_order_is_not_found() -> None:
    with pytest.raises(PaymentError, match="Order not found") as caught:
        await fetch_order(FixedResponse({"error": "no such order"}, 404))
    assert caught.value.code is ErrorCode.ORDER_NOT_FOUND


@pytest.mark.parametrize(
    "answer",
    [
        *(FixedResponse(body) for body in ("[]", "null", "{}", '"order"', '{"state": "pending"}')),
        *(
            FixedResponse(f'{{"total": {total}}}')
            for total in ('""', '"x"', "null", "true", "[]", "NaN")
        ),
        *(FixedResponse(f'{{"total": 1, "state": {state}}}') for state in ("[]", "true")),
        *(FixedResponse({"total": 1}, status) for status in (302, 400, 401, 403, 409)),
    ],
    ids=str,
)
async def test_what_is_no_order_means_unavailable(answer: FixedResponse) -> None:
    with pytest.raises(PaymentError) as caught:
        await fetch_order(answer)
    assert caught.value.code is ErrorCode.ORDERING_UNAVAILABLE


async def test_an_absurd_total_makes_no_absurd_message() -> None:
    instruction = an_instruction(order_id=ORDER, customer_id=CUSTOMER)
    absurd = FixedResponse(f'{{"state": "pending", "userId": "{CUSTOMER}", "total": 1e99999}}')

    with pytest.raises(PaymentError) as caught:
        verify_order(await fetch_order(absurd), instruction)
    assert len(caught.value.message) < 500


async def test_an_order_is_asked_for_by_its_id() -> None:
    answers = FixedResponse({"total": 1})

    await fetch_order(answers)

    assert answers.request.method == "GET"
    assert answers.request.url == f"http://neighbour/base/orders/{ORDER}"
