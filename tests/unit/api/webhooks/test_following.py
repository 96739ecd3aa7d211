"""What each event of Stripe leads to, and which events are refused or ignored."""

import logging
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from starlette.datastructures import Headers

from api.webhooks import stripe
from api.webhooks.ports import ForgedWebhookError, RefusedWebhookError
from api.webhooks.stripe import Outcome, StripeWebhook
from api.webhooks.stripe_events import MEANS_MONEY, OBJECTS
from domain.dispute import Dispute
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from domain.stray_attempt import StrayAttempt
from tests.support.builders import NOON, a_payment
from tests.support.fake_resources import FakePayments, FakeRefunds, State
from tests.support.fakes.webhooks import FakeWebhookWorkflows
from tests.support.logged import lines
from tests.support.stripe_events import (
    NOW,
    SECRET,
    an_event,
    an_object,
    metadata_of,
    refund_metadata,
    signature,
)

NAME = "payment_intent.amount_capturable_updated"
REFUND = UUID(int=7)
DECLINED = PaymentError(ErrorCode.CARD_DECLINED, "No.")
AWAY = PaymentError(ErrorCode.SERVICE_UNAVAILABLE, "Temporal is away.")
PENDING = a_payment(gateway="stripe", gateway_reference="pi_1")
FAILED = PENDING.failed(DECLINED, NOON)
SUCCEEDED = PENDING.succeeded(NOON).model_copy(update={"transaction_id": "pi_1"})
OF_PAYMENTS = [name for name, kind in OBJECTS.items() if kind != "dispute"]


class Received(FakeWebhookWorkflows):
    """A webhook endpoint and what its events have led to."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        secrets = [SecretStr(SECRET)]
        payments, refunds = FakePayments(self.state), FakeRefunds(self.state)
        self.take = StripeWebhook(payments, refunds, self, secrets, False, lambda: NOW)

    async def send(self, body: bytes, header: str | None = None) -> None:
        await self.take(Headers({"stripe-signature": header or signature(body)}), body)

    async def receive(
        self, name: str, metadata: dict[str, str] | None = None, **members: Any
    ) -> None:
        kind = OBJECTS.get(name, name.rpartition(".")[0])
        mine = refund_metadata(PENDING) if kind == "refund" else metadata_of(PENDING)
        about = an_object(kind, mine if metadata is None else metadata, **members)
        await self.send(an_event(name, about))

    @property
    def effects(self) -> list[Any]:
        return [*self.signalled, *self.resumed, *self.undone, *self.refunds_watched, *self.watched]


@pytest.fixture
def received() -> Received:
    return Received()


@pytest.mark.parametrize("name", OF_PAYMENTS)
async def test_a_running_payment_gets_a_signal(received: Received, name: str) -> None:
    """Only events of refunds need a row. Others may arrive before the row has the reference."""
    received.running = {PENDING.id}
    received.state.recorded = [PENDING] if OBJECTS[name] == "refund" else []

    await received.receive(name)

    assert received.effects == [PENDING.id]
    assert received.asked == [(PENDING.id, PENDING.order_id)]


@pytest.mark.parametrize("name", OF_PAYMENTS)
async def test_a_payment_that_has_lost_its_workflow_is_resumed(
    received: Received, name: str
) -> None:
    received.state.recorded = [PENDING]

    await received.receive(name)

    assert received.effects == [PENDING]


@pytest.mark.parametrize("name", OF_PAYMENTS)
async def test_an_attempt_of_a_failed_payment_is_looked_up_if_it_may_have_money(
    received: Received, name: str
) -> None:
    received.state.recorded = [FAILED]

    await received.receive(name)

    stray = StrayAttempt(
        payment_id=FAILED.id, order_id=FAILED.order_id, gateway="stripe", reference="pi_1"
    )
    assert received.effects == ([stray] if name in MEANS_MONEY else [])


@pytest.mark.parametrize("name", OF_PAYMENTS)
@pytest.mark.parametrize("attempt", ["pi_1", "pi_2"])
async def test_a_success_counts_its_own_attempt_and_no_other(
    received: Received, name: str, attempt: str
) -> None:
    received.state.recorded = [SUCCEEDED]
    member = "id" if OBJECTS[name] == "payment_intent" else "payment_intent"
    members: dict[str, Any] = {member: attempt}

    await received.receive(name, **members)

    is_stray = attempt == "pi_2" and name in MEANS_MONEY
    assert [each.reference for each in received.undone] == ([attempt] if is_stray else [])
    assert len(received.effects) == is_stray


async def test_a_session_without_an_attempt_is_known_by_its_own_id(received: Received) -> None:
    hosted = SUCCEEDED.model_copy(update={"gateway_reference": "cs_test_1"})
    received.state.recorded = [hosted]
    await received.receive("checkout.session.completed", payment_intent=None)
    assert received.effects == []

    received.state.recorded = [FAILED]
    await received.receive("checkout.session.completed", payment_intent=None)
    assert [each.reference for each in received.undone] == ["cs_test_1"]


@pytest.mark.parametrize("payment", [PENDING, FAILED, SUCCEEDED])
async def test_what_comes_again_and_again_does_no_harm(
    received: Received, payment: Payment
) -> None:
    received.state.recorded, received.running = [payment], {payment.id}
    for _ in range(20):
        await received.receive(NAME)

    assert received.effects == [payment.id] * 20


async def test_another_attempt_of_the_order_gets_no_signal(received: Received) -> None:
    other = a_payment(order_id=PENDING.order_id, gateway="stripe")
    received.running, received.state.recorded = {other.id, PENDING.order_id}, [other, PENDING]

    await received.receive(NAME)

    assert received.effects == []


UNKNOWN: dict[str, list[Payment]] = {
    "no row": [],
    "of another order": [PENDING.model_copy(update={"order_id": UUID(int=5)})],
    "at the simulator": [a_payment(id=PENDING.id, order_id=PENDING.order_id)],
}


@pytest.mark.parametrize("recorded", UNKNOWN.values(), ids=UNKNOWN)
async def test_an_unknown_payment_is_left_alone(
    received: Received, recorded: list[Payment], caplog: pytest.LogCaptureFixture
) -> None:
    received.state.recorded = recorded
    with caplog.at_level(logging.INFO):
        await received.receive(NAME)

    assert received.effects == []
    assert lines(caplog, stripe) == [f"webhook evt_1, {NAME}: {Outcome.NO_PAYMENT}"]
    assert [each.levelname for each in caplog.records] == ["WARNING"]  # it may mean money


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"key": "pay_1_charge", "order_id": str(PENDING.order_id)},
        metadata_of(PENDING) | {"order_id": "42"},
        metadata_of(PENDING) | {"key": ""},
        {"payment_id": str(PENDING.id), "order_id": str(PENDING.order_id)},
    ],
)
@pytest.mark.parametrize("name", OF_PAYMENTS)
async def test_what_another_program_has_made_is_left_alone(
    received: Received, name: str, metadata: dict[str, str]
) -> None:
    received.state.recorded, received.running = [PENDING], {PENDING.id}

    await received.receive(name, metadata)

    assert received.effects == []


@pytest.mark.parametrize("name", [name for name, kind in OBJECTS.items() if kind == "dispute"])
async def test_a_dispute_is_shown_to_operators(received: Received, name: str) -> None:
    """A dispute does not have the metadata of its payment, so the payment is not known here."""
    await received.receive(name, {})

    assert received.effects == [Dispute(gateway="stripe", reference="du_1", attempt="pi_1")]


async def test_a_dispute_about_no_attempt_is_not_ours(received: Received) -> None:
    await received.receive("charge.dispute.created", {}, payment_intent=None)

    assert received.effects == []


@pytest.mark.parametrize("name", ["charge.succeeded", "payment_intent.created", "invoice.paid"])
async def test_other_types_lead_to_nothing(received: Received, name: str) -> None:
    received.running, received.state.recorded = {PENDING.id}, [PENDING]

    await received.receive(name)

    assert received.effects == []


@pytest.mark.parametrize("recorded", [PENDING, FAILED])
@pytest.mark.parametrize("name", ["checkout.session.completed", "refund.failed"])
async def test_without_temporal_it_must_be_sent_again(
    received: Received, recorded: Payment, name: str
) -> None:
    received.state.recorded, received.failure = [recorded], AWAY

    with pytest.raises(PaymentError) as refused:
        await received.receive(name)
    assert refused.value.code is ErrorCode.SERVICE_UNAVAILABLE


async def test_without_the_database_it_must_be_sent_again(received: Received) -> None:
    received.state.failure = PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "It is away.")

    with pytest.raises(PaymentError, match="away"):
        await received.receive(NAME)


BODY = an_event(NAME, an_object("payment_intent", metadata_of(PENDING)))


@pytest.mark.parametrize(
    "header",
    [signature(BODY, "whsec_another"), signature(BODY, at=NOW + 301), "t=1", "x"],
    ids=["by others", "from the future", "without a signature", "nonsense"],
)
async def test_a_forged_event_leads_to_nothing(received: Received, header: str) -> None:
    received.running = {PENDING.id}

    with pytest.raises(ForgedWebhookError):
        await received.send(BODY, header)
    with pytest.raises(ForgedWebhookError):
        await received.take(Headers(), BODY)
    assert received.effects == []


@pytest.mark.parametrize("members", [{"livemode": True}, {"account": "acct_1"}, {"id": None}])
@pytest.mark.parametrize("name", [NAME, "charge.succeeded"])
async def test_an_event_of_others_is_refused(
    received: Received, name: str, members: dict[str, Any]
) -> None:
    received.running = {PENDING.id}
    about = an_object(OBJECTS.get(name, "charge"), metadata_of(PENDING))

    with pytest.raises(RefusedWebhookError) as refused:
        await received.send(an_event(name, about, **members))
    assert not isinstance(refused.value, ForgedWebhookError)
    assert received.effects == []


async def test_nothing_of_a_body_is_logged(
    received: Received, caplog: pytest.LogCaptureFixture
) -> None:
    received.running = {PENDING.id}
    with caplog.at_level(logging.DEBUG):
        await received.receive(NAME)
        await received.receive("secret_canary.created")

    assert lines(caplog, stripe) == [
        f"webhook evt_1, {NAME}: {Outcome.SIGNALLED}",
        f"webhook evt_1, other: {Outcome.NOTHING}",
    ]
    assert "canary" not in caplog.text
