"""Responses of Ordering and Inventory in the spellings of their deployments."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from domain.errors import ErrorCode, PaymentError
from domain.verification import verify_order
from tests.support.builders import an_instruction
from tests.support.json_neighbour import (
    CUSTOMER,
    ORDER,
    SEAT,
    FixedResponse,
    fetch_order,
    fetch_reservation,
)

OTHER = UUID("0f8fad5b-d9cb-469f-a165-70867728950f")
NIL = str(UUID(int=0))
PENDING = {"state": "pending", "userId": str(CUSTOMER), "total": "150.00"}
ACTIVE = {"id": str(SEAT), "status": "active", "orderId": str(ORDER)}
SPELLINGS = ["{}", "{{{}}}", "urn:uuid:{}", "URN:UUID:{{{}}}", " {} ", "\ufeff{}"]


def spelled(uuid: UUID) -> list[str]:
    return [uuid.hex, str(uuid).upper(), *(each.format(uuid) for each in SPELLINGS)]


async def code_of(asking: Any) -> ErrorCode:
    with pytest.raises(PaymentError) as caught:
        await asking
    return caught.value.code


@pytest.mark.parametrize("body", ["", "<html>not found</html>", '{"error"', "\xff", "[" * 100_000])
async def test_404_needs_no_readable_body(body: str) -> None:
    assert await code_of(fetch_order(FixedResponse(body, 404))) is ErrorCode.ORDER_NOT_FOUND
    assert (
        await code_of(fetch_reservation(FixedResponse(body, 404)))
        is ErrorCode.RESERVATION_NOT_ACTIVE
    )


@pytest.mark.parametrize("given", [{"id": str(OTHER)}, {"orderId": str(OTHER)}, {"id": "42"}])
async def test_another_orders_answer_is_no_answer(given: dict[str, Any]) -> None:
    answer = FixedResponse({**PENDING, **given})

    assert await code_of(fetch_order(answer)) is ErrorCode.ORDERING_UNAVAILABLE


@pytest.mark.parametrize("given", [{"id": str(OTHER)}, {"reservationId": "7"}])
async def test_another_reservations_answer_is_no_answer(given: dict[str, Any]) -> None:
    answer = FixedResponse({"status": "active", **given})

    assert await code_of(fetch_reservation(answer)) is ErrorCode.INVENTORY_UNAVAILABLE


@pytest.mark.parametrize("id", [None, "", NIL, *spelled(ORDER)])
async def test_an_order_has_the_requested_id_or_none(id: str | None) -> None:  # noqa: A002
    assert (await fetch_order(FixedResponse({**PENDING, "id": id}))).id == ORDER
    assert (
        await fetch_order(FixedResponse({**PENDING, "id": 42, "orderId": str(ORDER)}))
    ).id == ORDER


@pytest.mark.parametrize("owner", spelled(CUSTOMER))
async def test_an_owner_is_read_in_any_spelling(owner: str) -> None:
    found = await fetch_order(FixedResponse({**PENDING, "userId": owner}))

    verify_order(found, an_instruction(order_id=ORDER, customer_id=CUSTOMER))


@pytest.mark.parametrize("empty", ["", "  ", None, NIL, "{" + NIL + "}"])
async def test_an_empty_owner_is_absent(empty: str | None) -> None:
    assert (await fetch_order(FixedResponse({**PENDING, "userId": empty}))).customer_id is None
    named = FixedResponse({**PENDING, "userId": empty, "customerId": str(CUSTOMER)})
    assert (await fetch_order(named)).customer_id == str(CUSTOMER)


@pytest.mark.parametrize(
    ("given", "read"),
    [("usd", "USD"), (" Usd ", "USD"), ("", None), (" ", None), (None, None), ("eur", "EUR")],
)
async def test_a_currency_is_read_in_any_spelling(given: str | None, read: str | None) -> None:
    assert (await fetch_order(FixedResponse({**PENDING, "currency": given}))).currency == read


async def test_a_byte_order_mark_is_no_part_of_the_answer() -> None:
    body = '\ufeff{"state": "pending", "total": 1}'.encode()

    assert (await fetch_order(FixedResponse(body))).state == "pending"


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-26 20:52:38+00", "2026-11-26T22:52:38+02", "2026-11-26T15:52:38.000-05"),
        *("2026-11-26T20:52:38Z[UTC]", "2026-11-26T21:52:38+01:00[Europe/Berlin]"),
    ],
)
async def test_a_time_is_read_as_databases_and_java_write_it(text: str) -> None:
    found = await fetch_reservation(FixedResponse({**ACTIVE, "expiresAt": text}))

    assert found.expires_at == datetime(2026, 11, 26, 20, 52, 38, tzinfo=UTC)


@pytest.mark.parametrize(
    "given",
    [
        *({"expiresAt": text} for text in ("", " ", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00")),
        *({member: text} for member in ("customerId", "reservationId") for text in ("", NIL)),
    ],
    ids=str,
)
async def test_what_a_reservation_leaves_empty_is_absent(given: dict[str, Any]) -> None:
    assert await fetch_reservation(FixedResponse({**ACTIVE, **given})) == await fetch_reservation(
        FixedResponse(ACTIVE)
    )


@pytest.mark.parametrize("order_id", ["", NIL, None])
async def test_a_hold_that_names_no_order_is_never_freed(order_id: str | None) -> None:
    found = await fetch_reservation(FixedResponse({**ACTIVE, "orderId": order_id}))

    assert found.order_id is None
    assert not found.may_be_released(ORDER)


async def test_a_customer_who_is_named_otherwise_is_known_by_the_order() -> None:
    by_mail = {**ACTIVE, "customerId": "a@example.com"}

    assert (await fetch_reservation(FixedResponse(by_mail))).customer_id is None
    nobodys = FixedResponse({**by_mail, "orderId": None})
    assert await code_of(fetch_reservation(nobodys)) is ErrorCode.INVENTORY_UNAVAILABLE


@pytest.mark.parametrize("text", ["\x00", "\x1b[31m", "\u202e", "\n", "\ud800", "\u2066"])
async def test_no_text_of_an_answer_can_block_an_ending(text: str) -> None:
    instruction = an_instruction(order_id=ORDER, customer_id=CUSTOMER)
    odd = {**PENDING, "state": f"cancel{text}led" + "d" * 100_000}

    with pytest.raises(PaymentError) as caught:
        verify_order(await fetch_order(FixedResponse(odd)), instruction)
    assert len(caught.value.message) < 500
    assert text not in caught.value.message
    caught.value.message.encode()


async def test_a_text_is_kept_as_it_is_shown() -> None:
    found = await fetch_reservation(
        FixedResponse({**ACTIVE, "status": " Zarezerwowane\tprzez \u0000Zoë 🎫 "})
    )

    assert found.status == "zarezerwowane przez zoë 🎫"
