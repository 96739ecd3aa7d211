"""The endpoints for Checkout Sessions and disputes that the double has."""

from typing import Any

from fastapi import APIRouter, Request, Response

from devstack.neighbours.stripe import sessions
from devstack.neighbours.stripe.api import post, show_session
from devstack.neighbours.stripe.checkout_records import Dispute
from devstack.neighbours.stripe.machine import Changes
from devstack.neighbours.stripe.params import (
    Expandable,
    ExpandableSession,
    ListingByCharge,
    SessionCreate,
)
from devstack.neighbours.stripe.protocol import object_response, protocol_of
from devstack.neighbours.stripe.queries import by_charge, get, page
from devstack.neighbours.times import unix_seconds

router = APIRouter(prefix="/v1")


@router.post("/checkout/sessions")
async def create_session(request: Request) -> Response:
    address = protocol_of(request).account.address
    return await post(
        request,
        "create_session",
        SessionCreate,
        lambda p: sessions.create(p, unix_seconds(), address),
    )


@router.post("/checkout/sessions/{identifier}/expire")
async def expire_session(request: Request, identifier: str) -> Response:
    account = protocol_of(request).account

    def work(_: Any) -> Changes:
        session = account.session(identifier)
        return sessions.expire(session, account.intent_of(session), unix_seconds())

    found = account.sessions.get(identifier)
    intent = found.payment_intent if found else None
    return await post(request, "expire_session", ExpandableSession, work, intent)


@router.get("/checkout/sessions/{identifier}")
async def get_session(request: Request, identifier: str) -> Response:
    account, params = await get(request, "get_session", ExpandableSession)
    return object_response(show_session(account, account.session(identifier), params.expand))


@router.get("/disputes")
async def list_disputes(request: Request) -> Response:
    account, params = await get(request, "list_disputes", ListingByCharge)
    found = by_charge(account.disputes.values(), params)
    return page(found, Dispute.shown, params, "/v1/disputes")


@router.get("/disputes/{identifier}")
async def get_dispute(request: Request, identifier: str) -> Response:
    account, _ = await get(request, "get_dispute", Expandable)
    return object_response(account.dispute(identifier).shown())
