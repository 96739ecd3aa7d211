"""The pages for customers: the checkout, and the page of the bank. They need no JavaScript."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from devstack.neighbours.stripe import html
from devstack.neighbours.stripe.account import Account
from devstack.neighbours.stripe.behaviour import Act
from devstack.neighbours.stripe.checkout_records import Session
from devstack.neighbours.stripe.customers import act_at_bank, catch_up, pay_at_checkout
from devstack.neighbours.stripe.errors import StripeError
from devstack.neighbours.stripe.forms import parse_form
from devstack.neighbours.stripe.protocol import protocol_of
from devstack.neighbours.stripe.records import Intent

router = APIRouter()


@router.get("/pages.css")
async def style() -> Response:
    return FileResponse(Path(__file__).parent / "pages.css")


@router.get("/c/pay/{identifier}")
async def checkout_page(request: Request, identifier: str) -> Response:
    account = _account(request)
    session = account.sessions.get(identifier)
    if session is None:
        return html.nothing_page()
    return html.checkout_page(session, account.intent_of(session))


@router.post("/c/pay/{identifier}")
async def pay(request: Request, identifier: str) -> Response:
    """Pay with the card in the form, and redirect the customer to the next page."""
    account = _account(request)
    card = await _chosen(request, "card", html.CARD_TITLES)
    session = account.sessions.get(identifier)
    if session is None or card is None:
        return html.nothing_page()
    if session.status == "open":
        pay_at_checkout(account, session, card)
    return _redirect_from(account, account.sessions[identifier])


@router.get("/redirect/authenticate/{identifier}")
async def bank_page(request: Request, identifier: str) -> Response:
    account = _account(request)
    intent = _asked(account, request, identifier)
    if intent is None:
        return html.nothing_page()
    if intent.status != "requires_action":  # the customer used another tab, or the shop canceled
        return _back(account, intent)
    session = account.sessions.get(intent.session or "")
    return html.bank_page(intent, session)


@router.post("/redirect/authenticate/{identifier}")
async def answer_bank(request: Request, identifier: str) -> Response:
    """Record what the customer has chosen, and redirect to where the payment began."""
    account = _account(request)
    does: Any = await _chosen(request, "as", get_args(Act))
    intent = _asked(account, request, identifier)
    if intent is None or does is None:
        return html.nothing_page()
    if does == "abandon":
        return html.left_page(str(request.url))
    if intent.status == "requires_action":
        act_at_bank(account, intent, does)
    return _back(account, account.intents[identifier])


def _asked(account: Account, request: Request, identifier: str) -> Intent | None:
    """The PaymentIntent, if the address of the request has its secret."""
    intent = account.intents.get(identifier)
    secret = request.query_params.get("client_secret")
    return intent if intent and secret and secret == intent.action_secret else None


def _back(account: Account, intent: Intent) -> Response:
    """Redirect to Stripe's own page, or to the shop with Stripe's additional parameters."""
    if intent.session:
        return _redirect_from(account, account.sessions[intent.session])
    assert intent.return_url, "without it, there is no page of the bank"
    has_paid = intent.status in {"requires_capture", "succeeded"}
    added = {
        "payment_intent": intent.id,
        "payment_intent_client_secret": intent.client_secret,
        "redirect_status": "succeeded" if has_paid else "failed",
    }
    url = urlsplit(intent.return_url)
    query = urlencode([*parse_qsl(url.query, keep_blank_values=True), *added.items()])
    return _redirect(url._replace(query=query).geturl())


def _redirect_from(account: Account, session: Session) -> Response:
    """Redirect to the shop if the session is paid, to the bank if it asks, else to the session."""
    intent = account.intent_of(session)
    if session.status == "complete":
        return _redirect(session.success_url.replace("{CHECKOUT_SESSION_ID}", session.id))
    if session.status == "open" and intent and intent.next_action:
        return _redirect(intent.next_action["redirect_to_url"]["url"])
    return _redirect(session.url)


def _redirect(url: str) -> Response:
    return RedirectResponse(url, status_code=303)


async def _chosen(request: Request, name: str, options: Collection[str]) -> str | None:
    """The value of a field of the form, if it is one of the options; otherwise None."""
    try:
        value = parse_form(await request.body()).get(name)
    except StripeError:
        return None
    return value if isinstance(value, str) and value in options else None


def _account(request: Request) -> Account:
    account = protocol_of(request).account
    catch_up(account)
    return account
