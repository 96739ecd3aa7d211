"""The address to which the customer of a waiting payment must go: of the bank, or of Stripe's page.

https://docs.stripe.com/api/payment_intents/object (`next_action`),
https://docs.stripe.com/api/checkout/sessions/object. The address is a secret: whoever has it can
act for the customer. No error and no log line contains it.
"""

import re
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from activities.adapters.stripe.client import StripeClient
from activities.adapters.stripe.objects import StripeObject
from activities.adapters.stripe.reading import (
    EXPANDED,
    EXPANDED_SESSION,
    INTENTS,
    SESSIONS,
    StripeReader,
    identity_of,
    is_session,
)
from domain.gateway import ChargeIdentity, ChargeState
from domain.payment import Payment

MAX_URL = 8192
"""The maximum length of an address in characters. The address of a Checkout Session has a few
hundred. Chosen, not measured."""
_URL = re.compile(r"https?://[!-~]+", re.ASCII)


class _Redirect(StripeObject):
    url: Annotated[str, Field(repr=False)]


class _Action(StripeObject):
    """The next action. Only the member of a redirect is read; other actions have other members."""

    redirect_to_url: _Redirect | None = None


class _AskingIntent(StripeObject):
    next_action: _Action | None = None


class _OpenSession(StripeObject):
    url: Annotated[str | None, Field(repr=False)] = None


class StripeNextActions:
    """Reads the address. `allows_http` permits http:// for a double of Stripe on this machine."""

    def __init__(self, client: StripeClient, *, livemode: bool, allows_http: bool) -> None:
        self._client = client
        self._allows_http = allows_http
        self._reader = StripeReader(client, livemode=livemode)

    async def __call__(self, payment: Payment) -> str | None:
        """The address; None if Stripe does not wait for the customer any more.

        Raises PaymentError(GATEWAY_UNAVAILABLE) if that is not known, or if the customer must act
        in another way than by going to an address.
        """
        reference = self._reader.reference(payment.gateway_reference)
        look = self._of_session if is_session(reference) else self._of_intent
        return await look(reference, identity_of(payment))

    async def _of_intent(self, reference: str, charge: ChargeIdentity) -> str | None:
        body = await self._client.get(f"{INTENTS}/{reference}", **EXPANDED)
        if self._reader.intent(body, charge).state is not ChargeState.WAITING:
            return None
        action = self._reader.read(body, _AskingIntent).next_action
        redirect = action and action.redirect_to_url
        return self._safe(redirect.url if redirect else None)

    async def _of_session(self, reference: str, charge: ChargeIdentity) -> str | None:
        body = await self._client.get(f"{SESSIONS}/{reference}", **EXPANDED_SESSION)
        if self._reader.session(body, charge).status != "open":
            return None
        return self._safe(self._reader.read(body, _OpenSession).url)

    def _safe(self, url: str | None) -> str:
        """Return the address if it is safe to redirect a browser to it.

        Raises PaymentError(GATEWAY_UNAVAILABLE) otherwise.
        """
        if url is None or not self._is_safe(url):
            raise self._client.unavailable("there is no address to which the customer can go")
        return url

    def _is_safe(self, url: str) -> bool:
        if len(url) > MAX_URL or not _URL.fullmatch(url):
            return False
        try:
            parts = urlsplit(url)
            is_near = self._allows_http and is_loopback(parts.hostname)
            is_plain = "@" not in parts.netloc and "\\" not in url and parts.port != 0
        except ValueError:
            return False
        return bool(parts.hostname) and is_plain and (parts.scheme == "https" or is_near)


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine."""
    try:
        return host == "localhost" or ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False
