"""What Inventory responds is read tolerantly where that is safe, and strictly elsewhere."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.adapters.inventory import UncheckedInventory
from domain.errors import ErrorCode, PaymentError
from domain.verification import Reservation, verify_reservation
from tests.support.builders import NOON, an_instruction
from tests.support.json_neighbour import CUSTOMER, ORDER, SEAT, FixedResponse, fetch_reservation


@pytest.mark.parametrize(
    "body",
    [
        {"id": str(SEAT), "status": "active", "orderId": str(ORDER), "customerId": str(CUSTOMER)},
        {"reservationId": str(SEAT), "status": "Active", "orderId": str(ORDER).upper()},
        {"status": "ACTIVE", "seats": ["A1"], "expiresAt": None, "customerId": None},
    ],
    ids=["id", "reservationId", "little"],
)
async def test_a_reservation_is_read_in_all_its_spellings(body: dict[str, Any]) -> None:
    assert await fetch_reservation(FixedResponse(body)) == Reservation(
        id=SEAT,
        status="active",
        order_id=ORDER if body.get("orderId") else None,
        customer_id=CUSTOMER if body.get("customerId") else None,
    )


@pytest.mark.parametrize(
    "text",
    ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00.0000000Z"],
)
async def test_a_reservations_end_is_read_in_any_zone(text: str) -> None:
    found = await fetch_reservation(FixedResponse({"status": "active", "expiresAt": text}))

    assert found.expires_at == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-23T12:00:00", "2026-11-23"])
async def test_an_end_without_a_zone_can_be_compared(text: str) -> None:
    found = await fetch_reservation(FixedResponse({"status": "active", "expiresAt": text}))

    instruction = an_instruction(reservation_id=SEAT)
    with pytest.raises(PaymentError, match="it expires before"):
        verify_reservation(found, instruction, NOON + timedelta(days=1), timedelta(seconds=20))


async def test_a_missing_reservation_is_not_active() -> None:
    with pytest.raises(PaymentError, match="there is no such reservation") as caught:
        await fetch_reservation(FixedResponse({}, 404))
    assert caught.value.code is ErrorCode.RESERVATION_NOT_ACTIVE


@pytest.mark.parametrize(
    "answer",
    [
        *(
            FixedResponse(body)
            for body in ("[]", "null", "{}", '{"status": null}', '{"status": []}')
        ),
        FixedResponse({"status": "active", "orderId": "order"}),
        FixedResponse({"status": "active", "id": str(ORDER)}),
        FixedResponse({"status": "active", "expiresAt": "soon"}),
        *(FixedResponse({"status": "active"}, status) for status in (302, 400)),
        FixedResponse({"type": "about:blank", "title": "Forbidden", "status": 403}, 403),
    ],
    ids=str,
)
async def test_what_is_no_reservation_means_unavailable(answer: FixedResponse) -> None:
    with pytest.raises(PaymentError) as caught:
        await fetch_reservation(answer)
    assert caught.value.code is ErrorCode.INVENTORY_UNAVAILABLE


async def test_an_unchecked_reservation_is_active_and_never_freed() -> None:
    found = await UncheckedInventory().fetch_reservation(SEAT)

    assert found.status == "active"
    assert not found.may_be_released(ORDER)
