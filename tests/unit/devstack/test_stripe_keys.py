"""The Stripe-shaped gateway keeps idempotency keys as Stripe does. The official client asks."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import stripe

from devstack.neighbours.stripe import app
from tests.support.stripe_client import MANUAL
from tests.unit.devstack.neighbours import Start
from tests.unit.devstack.stripe_double import Double, error_of, refused

OTHER_USE = (400, "idempotency_error", None, None)


def is_replayed(answer: Any) -> bool:
    response = answer if isinstance(answer, stripe.StripeError) else answer.last_response
    headers: Any = response.headers
    return bool(headers.get("Idempotent-Replayed") == "true")


async def test_a_repeated_request_gets_the_first_response(double: Double) -> None:
    first = await double.create("k")
    await double.cancel(first.id)

    again = await double.create("k")

    assert (again.id, again.status) == (first.id, "requires_payment_method")
    assert not is_replayed(first)
    assert is_replayed(again)
    assert (await double.create("other")).id != first.id


async def test_a_decline_is_replayed_too(double: Double) -> None:
    intent = await double.create()

    first = await refused(double.confirm(intent.id, "chargeDeclined", "k"))
    again = await refused(double.confirm(intent.id, "chargeDeclined", "k"))

    assert (again.http_status, again.http_body) == (402, first.http_body)
    assert is_replayed(again)
    assert (await double.confirm(intent.id, "visa", "k2")).status == "requires_capture"
    replayed = await refused(double.confirm(intent.id, "chargeDeclined", "k"))
    assert replayed.http_status == 402


async def test_a_key_is_refused_with_other_parameters(double: Double) -> None:
    await double.create("k")

    assert await error_of(double.create("k", amount=1_500)) == OTHER_USE
    assert await error_of(double.create("k", metadata={})) == OTHER_USE
    assert await error_of(double.create("k", description="a text from settings")) == OTHER_USE


async def test_a_key_is_refused_at_another_endpoint(double: Double) -> None:
    first, second = await double.create("k"), await double.create()

    assert await error_of(double.cancel(first.id, "k")) == OTHER_USE
    await double.cancel(first.id, "c")
    assert await error_of(double.cancel(second.id, "c")) == OTHER_USE


async def test_a_key_is_refused_while_its_request_runs(double: Double) -> None:
    intent, other = await double.create(), await double.create()
    await double.put("/settings", latencyMs=200)
    slow = asyncio.create_task(double.confirm(intent.id, key="k"))
    await double.is_running(intent.id)

    in_use = (409, "invalid_request_error", "idempotency_key_in_use", None)
    assert await error_of(double.confirm(intent.id, key="k")) == in_use
    assert await error_of(double.confirm(other.id, key="k")) == OTHER_USE
    first = await slow
    assert is_replayed(again := await double.confirm(intent.id, key="k"))
    assert again.latest_charge == first.latest_charge


async def test_a_500_stays_one_for_the_life_of_its_key(double: Double) -> None:
    await double.post("/faults", operation="create")

    for is_repeated in (False, True, True):
        error = await refused(double.create("k"))
        assert (error.http_status, is_replayed(error)) == (500, is_repeated)
    assert (await double.intents.list_async()).data == []
    assert (await double.create("other")).status == "requires_payment_method"


async def test_a_500_may_hide_an_effect(double: Double) -> None:
    intent = await double.create()
    await double.confirm(intent.id)
    await double.post("/faults", operation="capture", hasEffect=True, times=2)

    assert (await refused(double.capture(intent.id, "k"))).http_status == 500
    assert (await double.intents.retrieve_async(intent.id)).status == "succeeded"
    assert (await refused(double.capture(intent.id, "k"))).http_status == 500
    assert len(await double.ledger()) == 1


async def test_a_forgotten_key_executes_again(double: Double) -> None:
    first = await double.create("k")
    await double.post("/keys/forget")

    assert (await double.create("k", amount=1_500)).id != first.id
    await double.post("/keys/forget")
    intent = await double.paid()
    await double.refund(intent.id, 5_000, "r")
    await double.post("/keys/forget")
    await double.refund(intent.id, 5_000, "r")
    assert [each[0] for each in await double.ledger()].count("refund.succeeded") == 2


async def test_a_request_that_is_not_executed_saves_nothing(double: Double) -> None:
    intent = await double.create()
    wrong: list[Any] = [{"amount": "1.5"}, {"currency": "zzz"}, {"amount": 10}, {"nobody": "x"}]
    for each in wrong:
        assert (await refused(double.create("k", **each))).http_status == 400
    assert (await double.create("k")).status == "requires_payment_method"

    await double.put("/limits", isKeyRevoked=True, requestsPerSecond=0)
    assert (await refused(double.cancel(intent.id, "c"))).http_status == 401
    await double.put("/limits", requestsPerSecond=0)
    assert (await double.cancel(intent.id, "c")).status == "canceled"


async def test_a_refusal_of_an_executed_request_is_saved(double: Double) -> None:
    intent = await double.create()

    first = await refused(double.capture(intent.id, "k"))
    await double.confirm(intent.id)
    again = await refused(double.capture(intent.id, "k"))

    assert again.http_body == first.http_body
    assert is_replayed(again)


@pytest.mark.parametrize(("length", "status"), [(255, 200), (256, 400)])
async def test_a_key_has_255_characters_at_most(double: Double, length: int, status: int) -> None:
    headers = {
        "Authorization": "Bearer sk_test_simulated",
        "Stripe-Version": "2026-08-26.dahlia",
        "Idempotency-Key": "k" * length,
    }
    form = {
        "amount": "15000",
        "currency": "usd",
        "payment_method_types[]": "card",
        "capture_method": "manual",
    }

    response = await double.http.post("/v1/payment_intents", headers=headers, data=form)

    assert response.status_code == status


async def test_keys_and_payments_are_the_same_after_a_restart(start: Start, tmp_path: Path) -> None:
    before = Double(start(app))
    intent = await before.create("k")
    declined = await before.create()
    await before.confirm(intent.id, key="c")
    await refused(before.confirm(declined.id, "chargeDeclined"))
    await before.capture(intent.id)
    await before.refund(intent.id, 5_000, "r")
    await before.put("/settings/unlucky", successRate=0)
    journal = tmp_path / "stripe" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"seq":99,"type":"request.exec')

    after = Double(start(app))

    assert await after.ledger() == await before.ledger()
    for each in (intent, declined):
        found = (await after.intents.retrieve_async(each.id)).to_dict()
        assert found == (await before.intents.retrieve_async(each.id)).to_dict()
    assert is_replayed(await after.create("k"))
    assert is_replayed(await after.confirm(intent.id, key="c"))
    assert is_replayed(await after.refund(intent.id, 5_000, "r"))
    unlucky = await after.create(metadata={**MANUAL["metadata"], "order_id": "unlucky"})
    assert (await refused(after.confirm(unlucky.id))).http_status == 402
