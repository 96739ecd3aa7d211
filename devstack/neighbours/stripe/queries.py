"""The GET endpoints of Stripe's API that the double has. Only the search is out of date."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response

from devstack.neighbours.stripe.account import Account
from devstack.neighbours.stripe.checkout_records import Dispute
from devstack.neighbours.stripe.customers import catch_up
from devstack.neighbours.stripe.errors import ValidationFailedError, resource_missing
from devstack.neighbours.stripe.params import (
    ChargeListing,
    Expandable,
    Listing,
    ListingByCharge,
    ParamsT,
    Search,
    read_params,
)
from devstack.neighbours.stripe.protocol import object_response, protocol_of
from devstack.neighbours.stripe.records import Charge, Intent, Refund
from devstack.neighbours.times import utc_now

router = APIRouter(prefix="/v1")
RecordT = TypeVar("RecordT", Intent, Charge, Refund, Dispute)
OfChargeT = TypeVar("OfChargeT", Refund, Dispute)
_CLAUSE = re.compile(r"""(?:metadata\["(\w+)"\]|metadata\['(\w+)'\]|status):["'](.*?)["']""")
"""One clause of Stripe's search language. A query joins clauses with AND."""
NEWEST_REFUNDS = 10
"""The number of refunds in a charge. `GET /v1/refunds` lists all of them."""


@router.get("/payment_intents")
async def list_intents(request: Request) -> Response:
    account, params = await get(request, "list_intents", Listing)
    show = partial(_show_intent, account, params)
    return page([*account.intents.values()], show, params, "/v1/payment_intents")


@router.get("/payment_intents/search")
async def search_intents(request: Request) -> Response:
    """Search for PaymentIntents. A change is found only after `search_delay_ms`."""
    account, params = await get(request, "search", Search)
    before = utc_now() - timedelta(milliseconds=account.limits.search_delay_ms)
    wanted = [_clause(each) for each in params.query.split(" AND ")]
    found = [
        intent
        for intent in reversed(account.intents.values())
        if account.changed_at[intent.id] <= before
        and all(_value(intent, name) == value for name, value in wanted)
    ]
    shown = [_show_intent(account, params, intent) for intent in found[: params.limit]]
    return object_response(
        {
            "object": "search_result",
            "url": "/v1/payment_intents/search",
            "has_more": len(found) > params.limit,
            "next_page": None,
            "data": shown,
        }
    )


@router.get("/payment_intents/{identifier}")
async def get_intent(request: Request, identifier: str) -> Response:
    account, params = await get(request, "get_intent", Expandable)
    return object_response(_show_intent(account, params, account.intent(identifier)))


@router.get("/refunds")
async def list_refunds(request: Request) -> Response:
    account, params = await get(request, "list_refunds", ListingByCharge)
    found = by_charge(account.refunds.values(), params)
    return page(found, Refund.shown, params, "/v1/refunds")


@router.get("/refunds/{identifier}")
async def get_refund(request: Request, identifier: str) -> Response:
    account, _ = await get(request, "get_refund", Expandable)
    return object_response(account.refund(identifier).shown())


@router.get("/charges")
async def list_charges(request: Request) -> Response:
    account, params = await get(request, "list_charges", ChargeListing)
    found = [
        each
        for each in account.charges.values()
        if params.payment_intent in {None, each.payment_intent}
    ]
    return page(found, Charge.shown, params, "/v1/charges")


@router.get("/charges/{identifier}")
async def get_charge(request: Request, identifier: str) -> Response:
    """The charge with its newest ten refunds."""
    account, _ = await get(request, "get_charge", Expandable)
    charge = account.charges.get(identifier)
    if charge is None:
        raise resource_missing("charge", identifier, param="id", status=404)
    refunds = [each.shown() for each in account.refunds_of(charge)][::-1]
    url = f"/v1/charges/{identifier}/refunds"
    newest = {
        "object": "list",
        "url": url,
        "has_more": len(refunds) > NEWEST_REFUNDS,
        "data": refunds[:NEWEST_REFUNDS],
    }
    return object_response({**charge.shown(), "refunds": newest})


async def get(request: Request, endpoint: str, params: type[ParamsT]) -> tuple[Account, ParamsT]:
    account = protocol_of(request).account
    read = read_params(await protocol_of(request).read(request, endpoint), params)
    catch_up(account)
    return account, read


def by_charge(records: Iterable[OfChargeT], params: ListingByCharge) -> list[OfChargeT]:
    """The records of the PaymentIntent and of the charge in the parameters, if they are given."""
    return [
        each
        for each in records
        if params.payment_intent in {None, each.payment_intent}
        and params.charge in {None, each.charge}
    ]


def _show_intent(account: Account, params: Expandable, intent: Intent) -> dict[str, Any]:
    is_expanded = {"latest_charge", "data.latest_charge"} & {*params.expand}
    return intent.shown(account.latest_charge(intent) if is_expanded else None)


def page(
    records: Sequence[RecordT],
    shown: Callable[[RecordT], dict[str, Any]],
    params: Listing,
    url: str,
) -> Response:
    """A page of a list, newest first. Raises StripeError (400) if `starting_after` is unknown."""
    newest_first = [each for each in records if params.created.contain(each.created)][::-1]
    rest = newest_first[_start(newest_first, params.starting_after) :]
    data = [shown(each) for each in rest[: params.limit]]
    has_more = len(rest) > params.limit
    return object_response({"object": "list", "url": url, "has_more": has_more, "data": data})


def _start(records: Sequence[RecordT], after: str | None) -> int:
    if after is None:
        return 0
    for position, record in enumerate(records):
        if record.id == after:
            return position + 1
    raise resource_missing("object", after, param="starting_after", status=400)


def _clause(text: str) -> tuple[str | None, str]:
    """The name in the metadata, or None for the status, and the value that is searched for.

    Raises ValidationFailedError.
    """
    found = _CLAUSE.fullmatch(text.strip())
    if found is None:
        raise ValidationFailedError(f"The search cannot be read: {text}", param="query")
    return found[1] or found[2], found[3]


def _value(intent: Intent, name: str | None) -> str | None:
    return intent.status if name is None else intent.metadata.get(name)
