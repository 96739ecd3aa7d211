"""The Stripe-shaped gateway has Stripe's disputes. The official client asks."""

from typing import Any

import pytest

from tests.unit.devstack.stripe_double import Double, error_of, refused

DISPUTED = (400, "invalid_request_error", "charge_disputed", None)


async def disputed(double: Double, intent: str, status: str = "needs_response") -> Any:
    response = await double.http.post(f"/intents/{intent}/dispute", json={"status": status})
    assert response.status_code == 200
    return response.json()


async def test_a_dispute_is_listed_by_its_payment(double: Double) -> None:
    intent, other = await double.paid(), await double.paid()

    await disputed(double, intent.id)

    disputes = double.client.v1.disputes
    [found] = (await disputes.list_async({"payment_intent": intent.id})).data
    assert (found.status, found.amount, found.currency) == ("needs_response", 15_000, "usd")
    assert (found.payment_intent, found.charge) == (intent.id, intent.latest_charge)
    assert (found.metadata.to_dict(), found.livemode) == ({}, False)
    assert (await disputes.retrieve_async(found.id)).to_dict() == found.to_dict()
    assert (await disputes.list_async({"payment_intent": other.id})).data == []
    assert (await refused(disputes.retrieve_async("du_0"))).http_status == 404


@pytest.mark.parametrize(
    ("statuses", "is_refundable"),
    [
        (["warning_needs_response"], True),
        (["warning_needs_response", "warning_closed"], True),
        (["warning_needs_response", "needs_response"], False),
        (["needs_response", "under_review"], False),
        (["needs_response", "lost"], False),
        (["needs_response", "won"], True),
    ],
)
async def test_only_a_chargeback_that_is_not_won_forbids_refunds(
    double: Double, statuses: list[str], is_refundable: bool
) -> None:
    intent = await double.paid()
    dispute = await disputed(double, intent.id, statuses[0])
    for each in statuses[1:]:
        dispute = await double.put(f"/disputes/{dispute['id']}", status=each)

    assert dispute["is_charge_refundable"] is is_refundable
    if is_refundable:
        assert (await double.refund(intent.id)).status == "succeeded"
    else:
        assert await error_of(double.refund(intent.id)) == DISPUTED
    charge: Any = await double.client.v1.charges.retrieve_async(str(intent.latest_charge))
    assert charge.disputed


async def test_a_closed_dispute_stays_closed(double: Double) -> None:
    dispute = await disputed(double, (await double.paid()).id, "lost")

    response = await double.http.put(f"/disputes/{dispute['id']}", json={"status": "won"})

    assert response.status_code == 400


async def test_what_is_not_captured_is_not_disputed(double: Double) -> None:
    intent = await double.create()
    await double.confirm(intent.id)

    response = await double.http.post(f"/intents/{intent.id}/dispute", json={})

    assert response.status_code == 404
