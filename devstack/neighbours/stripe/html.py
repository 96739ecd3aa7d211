"""The HTML of the double's pages. Each page says that it is a double and that no money moves."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from types import MappingProxyType
from urllib.parse import urlsplit

from fastapi import Response
from fastapi.responses import HTMLResponse

from devstack.neighbours.stripe.checkout_records import Session
from devstack.neighbours.stripe.records import Intent

CARD_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "visa": "A card that pays",
        "authenticationRequired": "A card whose bank asks you to confirm (3-D Secure)",
        "chargeDeclined": "A card that is declined",
        "chargeDeclinedInsufficientFunds": "A card with too little money",
    }
)
"""The titles of the test cards on the checkout page. The keys are their names in `cards`."""


def checkout_page(session: Session, intent: Intent | None) -> Response:
    if session.status == "complete":
        link = _link(session.success_url.replace("{CHECKOUT_SESSION_ID}", session.id))
        return _page("You have paid", "<p>There is nothing more to do here.</p>" + link)
    if session.status == "expired":
        link = _link(session.cancel_url) if session.cancel_url else ""
        return _page("This checkout has expired", "<p>You cannot pay here any more.</p>" + link)
    error = (intent and intent.last_payment_error) or {}
    problem = f'<p class="problem" role="alert">{escape(error["message"])}</p>' if error else ""
    cards = "".join(
        f'<label class="card"><input type="radio" name="card" value="{name}" required'
        f"{' checked' if position == 0 else ''}> {escape(title)}</label>"
        for position, (name, title) in enumerate(CARD_TITLES.items())
    )
    content = f"""<dl><div><dt>{escape(session.product)}</dt><dd>{_money(session)}</dd></div></dl>
<p>This page can be used until {_time(session.expires_at)}, or until the shop closes it.</p>
{problem}
<form method="post"><fieldset><legend>Card</legend>{cards}</fieldset>
<button>Pay {_money(session)}</button></form>
{_link(session.cancel_url) if session.cancel_url else ""}"""
    return _page("Checkout", content, session.success_url, session.url)


def bank_page(intent: Intent, session: Session | None) -> Response:
    """The page of the card's bank. `session` is the payment's Checkout Session, if it has one."""
    content = f"""<p>Your bank asks whether you pay <strong>{_money(intent)}</strong>.</p>
<form method="post"><p class="actions">
<button name="as" value="confirm">Confirm</button>
<button name="as" value="fail" class="quiet">Do not confirm</button>
<button name="as" value="decline" class="quiet">Confirm, and let the bank decline</button>
<button name="as" value="abandon" class="quiet">Leave without an answer</button>
</p></form>"""
    returns = (session.success_url, session.url) if session else (intent.return_url or "",)
    return _page("Confirm the payment", content, *returns)


def left_page(address: str) -> Response:
    """The page after the customer has left the bank's page. The payment still waits."""
    link = f'<p><a href="{escape(address)}">Back to the bank</a></p>'
    return _page("You have left", "<p>The payment waits until the shop gives it up.</p>" + link)


def nothing_page() -> Response:
    return _page("There is nothing to pay here", "<p>This address is not known.</p>", status=404)


def _page(title: str, content: str, *targets: str, status: int = 200) -> Response:
    """`targets` are addresses to which a form of the page redirects, after other redirects too."""
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} | Stripe double</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/pages.css">
</head>
<body>
<header><p>Stripe double</p><p>A simulation: no money moves</p></header>
<main>
<h1>{escape(title)}</h1>
{content}
</main>
</body>
</html>
"""
    policy = (
        "default-src 'none'",
        "style-src 'self'",
        "img-src data:",
        f"form-action {' '.join(_sources(targets))}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    headers = {
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    return HTMLResponse(text, status, headers)


def _sources(targets: tuple[str, ...]) -> Iterator[str]:
    """The sources for `form-action`. Browsers also check redirects after a form against them."""
    yield "'self'"
    for target in dict.fromkeys(targets):
        parts = urlsplit(target)
        if parts.netloc:
            yield f"{parts.scheme}://{parts.netloc}"


def _link(address: str) -> str:
    return f'<p><a href="{escape(address)}">Back to the shop</a></p>'


def _money(payment: Session | Intent) -> str:
    return escape(f"{payment.major_units} {payment.currency.upper()}")


def _time(seconds: int) -> str:
    time = datetime.fromtimestamp(seconds, UTC)
    return f'<time datetime="{time.isoformat()}">{time:%H:%M} UTC</time>'
