"""The POST endpoints of Stripe's API that the double has."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from devstack.neighbours.stripe import machine, refunds
from devstack.neighbours.stripe.account import Account
from devstack.neighbours.stripe.cards import CARDS, PREFIX
from devstack.neighbours.stripe.checkout_records import Session
from devstack.neighbours.stripe.customers import catch_up
from devstack.neighbours.stripe.errors import ValidationFailedError, resource_missing
from devstack.neighbours.stripe.execution import Call
from devstack.neighbours.stripe.machine import Changes, new_id
from devstack.neighbours.stripe.params import (
    IntentCancel,
    IntentCapture,
    IntentConfirm,
    IntentCreate,
    MethodCreate,
    ParamsT,
    RefundCreate,
    TokenCreate,
    read_params,
)
from devstack.neighbours.stripe.protocol import (
    key_of,
    object_response,
    protocol_of,
    reply_response,
)
from devstack.neighbours.stripe.records import Charge
from devstack.neighbours.times import unix_seconds

router = APIRouter(prefix="/v1")


@router.post("/payment_intents")
async def create_intent(request: Request) -> Response:
    return await post(request, "create", IntentCreate, lambda p: machine.create(p, unix_seconds()))


@router.post("/payment_intents/{identifier}/confirm")
async def confirm_intent(request: Request, identifier: str) -> Response:
    account = protocol_of(request).account

    def work(params: IntentConfirm) -> Changes:
        intent = account.intent(identifier)
        machine.check_confirmable(intent)
        name = "confirmation_token" if params.confirmation_token else "payment_method"
        token = params.confirmation_token or params.payment_method
        if token is None:
            raise machine.unexpected_state(intent, "confirm", "with a payment method")
        card = account.card(token, name, intent)
        method = intent.model_copy(update={"payment_method": new_id("pm")})
        changes = machine.confirm(method, params, card, unix_seconds(), account.address)
        used = frozenset[str]() if token.startswith(PREFIX) else frozenset({token})
        return replace(changes, used=used)

    return await post(request, "confirm", IntentConfirm, work, identifier)


@router.post("/payment_intents/{identifier}/capture")
async def capture_intent(request: Request, identifier: str) -> Response:
    account = protocol_of(request).account

    def work(params: IntentCapture) -> Changes:
        intent = account.intent(identifier)
        return machine.capture(intent, account.latest_charge(intent), params)

    return await post(request, "capture", IntentCapture, work, identifier)


@router.post("/payment_intents/{identifier}/cancel")
async def cancel_intent(request: Request, identifier: str) -> Response:
    account = protocol_of(request).account

    def work(params: IntentCancel) -> Changes:
        intent = account.intent(identifier)
        return machine.cancel(intent, account.latest_charge(intent), params, unix_seconds())

    return await post(request, "cancel", IntentCancel, work, identifier)


@router.post("/refunds")
async def create_refund(request: Request) -> Response:
    account = protocol_of(request).account

    def work(params: RefundCreate) -> Changes:
        charge = _refunded_charge(account, params)
        status = account.behaviour_of(charge).refund if charge else "succeeded"
        return refunds.refund(charge, params, status, unix_seconds())

    return await post(request, "refund", RefundCreate, work)


@router.post("/payment_methods")
async def create_method(request: Request) -> Response:
    """Create a PaymentMethod for a test card, as Stripe.js does. It can be charged once."""
    params = read_params(await _read(request, "create_method"), MethodCreate)
    card = params.card["token"].removeprefix("tok_")
    identifier = _add_card(request, "pm", card)
    return object_response(machine.shown_method(identifier, unix_seconds()))


@router.post("/test_helpers/confirmation_tokens")
async def create_token(request: Request) -> Response:
    """Create a ConfirmationToken for a test card. It can confirm one PaymentIntent."""
    params = read_params(await _read(request, "create_token"), TokenCreate)
    card = params.payment_method.removeprefix(PREFIX)
    identifier = _add_card(request, "ctoken", card)
    members = {"object": "confirmation_token", "created": unix_seconds(), "livemode": False}
    return object_response({"id": identifier, **members})


def _add_card(request: Request, prefix: str, card: str) -> str:
    """Store this test card. Returns its new id, which can be used for one payment only.

    Raises StripeError (400) if there is no such card.
    """
    if card not in CARDS:
        raise ValidationFailedError(f"No such token: '{card}'", code="resource_missing")
    identifier = new_id(prefix)
    protocol_of(request).account.add_method(identifier, card)
    return identifier


def _refunded_charge(account: Account, params: RefundCreate) -> Charge | None:
    """The charge to refund; None if the PaymentIntent has no charge.

    Raises StripeError (400) unless the request names one PaymentIntent or one charge that exists.
    """
    if (params.payment_intent is None) == (params.charge is None):
        raise ValidationFailedError("Give either a payment_intent or a charge.")
    if params.payment_intent is None:
        charge = account.charges.get(params.charge or "")
        if charge is None:
            raise resource_missing("charge", params.charge or "", param="charge", status=400)
        return charge
    intent = account.intents.get(params.payment_intent)
    if intent is None:
        raise resource_missing(
            "payment_intent", params.payment_intent, param="payment_intent", status=400
        )
    return account.latest_charge(intent)


async def post(
    request: Request, operation: str, params: type[ParamsT], work: Any, intent: str | None = None
) -> Response:
    """Execute a request. No other request may change the PaymentIntent `intent` meanwhile."""
    values = await _read(request, operation)
    protocol, key = protocol_of(request), key_of(request)
    refunded = values.get("payment_intent")
    catch_up(protocol.account)
    call = Call(
        operation=operation,
        path=request.url.path,
        key=key,
        values=values,
        params=params,
        work=work,
        show=partial(_show, protocol.account),
        intent=intent or (refunded if isinstance(refunded, str) else None),
    )
    return reply_response(await protocol.executor.run(call), key)


async def _read(request: Request, endpoint: str) -> dict[str, Any]:
    return await protocol_of(request).read(request, endpoint)


def show_session(account: Account, session: Session, expand: Collection[str]) -> dict[str, Any]:
    intent = account.intent_of(session) if expand else None
    is_deep = "payment_intent.latest_charge" in expand
    return session.shown(intent, account.latest_charge(intent) if intent and is_deep else None)


def _show(account: Account, changes: Changes, params: Any) -> dict[str, Any]:
    """The object that a request has made or changed, as Stripe shows it."""
    if changes.session:
        expanded = changes.intent or account.intent_of(changes.session)
        return changes.session.shown(expanded if params.expand else None)
    if changes.intent is None:
        assert changes.refund is not None
        return changes.refund.shown()
    is_expanded = "latest_charge" in params.expand
    charge = changes.charge or account.latest_charge(changes.intent)
    return changes.intent.shown(charge if is_expanded else None)
