"""Endpoints with which tests and operators control the double. Stripe has none of them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from devstack.neighbours.json_http import json_array, json_response, model_response, read_body
from devstack.neighbours.stripe import machine, refunds
from devstack.neighbours.stripe.account import Account
from devstack.neighbours.stripe.behaviour import (
    Behaviour,
    CustomerAct,
    DisputeChange,
    Fault,
    IntentChange,
    Limits,
    RefundChange,
)
from devstack.neighbours.stripe.cards import GENERIC_DECLINE
from devstack.neighbours.stripe.checkout_records import Session
from devstack.neighbours.stripe.currencies import in_major_units
from devstack.neighbours.stripe.customers import act, catch_up
from devstack.neighbours.stripe.errors import resource_missing
from devstack.neighbours.stripe.ledger import key_of
from devstack.neighbours.stripe.machine import Changes
from devstack.neighbours.stripe.params import IntentCancel, IntentCapture
from devstack.neighbours.stripe.protocol import object_response, protocol_of
from devstack.neighbours.stripe.records import Intent
from devstack.neighbours.times import unix_seconds
from domain import exact_json

router = APIRouter()


@router.get("/settings")
async def settings(request: Request) -> Response:
    return model_response(_account(request).behaviour)


@router.put("/settings")
async def change_settings(request: Request) -> Response:
    """Change the members in the body; the others keep their values."""
    account = _account(request)
    body = await read_body(request, Behaviour)
    account.set_behaviour(account.behaviour.with_changes(body))
    return model_response(account.behaviour)


@router.put("/settings/{order_id}")
async def change_order_settings(request: Request, order_id: str) -> Response:
    """Set the behaviour of this order's payments. Members that are left out get their defaults."""
    behaviour = await read_body(request, Behaviour)
    _account(request).set_behaviour(behaviour, order_id)
    return model_response(behaviour)


@router.put("/limits")
async def change_limits(request: Request) -> Response:
    """Set the account's limits. Members that are left out get their defaults."""
    limits = await read_body(request, Limits)
    _account(request).set_limits(limits)
    return model_response(limits)


@router.post("/faults")
async def add_fault(request: Request) -> Response:
    fault = await read_body(request, Fault)
    _account(request).faults.append(fault)
    return model_response(fault)


@router.post("/keys/forget")
async def forget_keys(request: Request) -> Response:
    _account(request).forget_keys()
    return json_response(b"{}")


@router.put("/intents/{identifier}")
async def change_intent(request: Request, identifier: str) -> Response:
    """Make Stripe or the bank act: authorize or decline the card, expire the authorization."""
    account = _account(request)
    change = await read_body(request, IntentChange)
    changes = _changed(account, account.intent(identifier), change)
    account.keep(changes)
    return object_response(account.intent(identifier).shown())


@router.put("/refunds/{identifier}")
async def change_refund(request: Request, identifier: str) -> Response:
    """End a pending refund, or let a refund fail that has succeeded."""
    account = _account(request)
    status = (await read_body(request, RefundChange)).status
    refund = account.refund(identifier)
    account.keep(refunds.end_refund(account.charges[refund.charge], refund, status))
    return object_response(account.refund(identifier).shown())


@router.post("/customers/{identifier}/act")
async def let_customer_act(request: Request, identifier: str) -> Response:
    """Make the customer of this PaymentIntent or Checkout Session act, as in a browser."""
    does = (await read_body(request, CustomerAct)).act
    account = _account(request)
    act(account, identifier, does)
    payment = account.sessions.get(identifier) or account.intent(identifier)
    return object_response(payment.shown())


@router.post("/intents/{identifier}/dispute")
async def dispute(request: Request, identifier: str) -> Response:
    """Open a dispute: the bank takes the money back, or asks about the payment (`warning_…`)."""
    status = (await read_body(request, DisputeChange)).status
    account = _account(request)
    charge = account.latest_charge(account.intent(identifier))
    if charge is None or not charge.captured:
        raise resource_missing("charge", identifier, param="id", status=404)
    changes = refunds.dispute(charge, status, unix_seconds())
    account.keep(changes)
    assert changes.dispute
    return object_response(changes.dispute.shown())


@router.put("/disputes/{identifier}")
async def change_dispute(request: Request, identifier: str) -> Response:
    """Change a dispute: the bank decides, or an inquiry becomes a chargeback."""
    status = (await read_body(request, DisputeChange)).status
    account = _account(request)
    found = account.dispute(identifier)
    account.keep(refunds.change_dispute(account.charges[found.charge], found, status))
    return object_response(account.dispute(identifier).shown())


@router.get("/ledger")
async def ledger(
    request: Request,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """The first `limit` entries with a sequence number above `after`, oldest first."""
    account = _account(request)
    catch_up(account)
    return json_array(account.ledger.lines_after(after, limit))


@router.get("/charges")
async def charges(
    request: Request,
    order_id: Annotated[str | None, Query(alias="orderId")] = None,
    payment_id: Annotated[str | None, Query(alias="paymentId")] = None,
) -> Response:
    """The charges of this order and payment in the form of the simulated gateway, oldest first."""
    account = _account(request)
    catch_up(account)
    shown = [
        exact_json.dumps(each)
        for each in _all_as_simulated(account)
        if order_id in (None, each["orderId"]) and payment_id in (None, each["paymentId"])
    ]
    return json_array(shown)


def _account(request: Request) -> Account:
    return protocol_of(request).account


def _all_as_simulated(account: Account) -> Iterator[dict[str, Any]]:
    for intent in account.intents.values():
        yield _as_simulated(account, intent)
    for session in account.sessions.values():
        if not session.payment_intent:
            yield _untouched_as_simulated(session)


def _changed(account: Account, intent: Intent, change: IntentChange) -> Changes:
    now = unix_seconds()
    charge = account.latest_charge(intent)
    match change.status:
        case "requires_capture":
            return machine.authorize(intent, None, now)
        case "requires_payment_method":
            declined = machine.authorize(intent, GENERIC_DECLINE, now)
            return replace(declined, error=None)
        case "canceled":
            return machine.cancel(intent, charge, IntentCancel(), now, reason="automatic")
        case "succeeded":
            return machine.capture(intent, charge, IntentCapture())
        case status:
            return Changes(intent.model_copy(update={"status": status}))


def _as_simulated(account: Account, intent: Intent) -> dict[str, Any]:
    charge = account.latest_charge(intent)
    is_captured = charge is not None and charge.captured
    refunded = charge.amount_refunded if charge and is_captured else 0
    return {
        "id": intent.id,
        "key": key_of(charge) if charge else intent.metadata.get("key", intent.id),
        "paymentId": intent.metadata.get("payment_id"),
        "orderId": intent.metadata.get("order_id"),
        "amount": intent.major_units,
        "refundedAmount": in_major_units(refunded, intent.currency),
        "currency": intent.currency.upper(),
        "state": _simulated_state(intent, is_captured, refunded),
        "isSimulated": True,
    }


def _untouched_as_simulated(session: Session) -> dict[str, Any]:
    """A session whose customer has not tried to pay, in the form of the simulated gateway."""
    return {
        "id": session.id,
        "key": session.metadata.get("key", session.id),
        "paymentId": session.metadata.get("payment_id"),
        "orderId": session.order_id,
        "amount": session.major_units,
        "refundedAmount": in_major_units(0, session.currency),
        "currency": session.currency.upper(),
        "state": "open" if session.status == "open" else "voided",
        "isSimulated": True,
    }


def _simulated_state(intent: Intent, is_captured: bool, refunded: int) -> str:
    if is_captured:
        return "refunded" if refunded == intent.amount else "captured"
    if intent.last_payment_error:
        return "declined"
    return "voided" if intent.status == "canceled" else "open"
