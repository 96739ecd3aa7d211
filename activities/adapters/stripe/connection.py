"""Connects to one Stripe account with its API key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import HttpUrl, SecretStr
from temporalio.common import MetricMeter

from activities.adapters.json_client import JsonClient, create_client
from activities.adapters.stripe.client import RequestPace, StripeClient
from activities.adapters.stripe.gateway import StripeGateway
from activities.adapters.stripe.ledger import StripeLedger
from activities.adapters.stripe.next_action import StripeNextActions, is_loopback
from activities.adapters.stripe.timeline import StripeTimeline
from domain.errors import ErrorCode


class StripeAccount:
    """Everything that uses one API key. It shares one limit of requests per second."""

    def __init__(self, client: StripeClient, *, livemode: bool, is_local: bool) -> None:
        self._client = client
        self._livemode = livemode
        self._is_local = is_local

    def gateway(self) -> StripeGateway:
        return StripeGateway(self._client, livemode=self._livemode)

    def timeline(self) -> StripeTimeline:
        return StripeTimeline(self._client, livemode=self._livemode)

    def next_actions(self) -> StripeNextActions:
        return StripeNextActions(self._client, livemode=self._livemode, allows_http=self._is_local)

    def ledger(self) -> StripeLedger:
        return StripeLedger(self._client)


@asynccontextmanager
async def stripe_account(
    url: HttpUrl,
    api_key: SecretStr,
    *,
    seconds: float,
    per_second: float,
    meter: MetricMeter = MetricMeter.noop,
) -> AsyncIterator[StripeAccount]:
    """Connect to the account of this key. `seconds` is the time limit of one request."""
    async with create_client(str(url)) as http:
        client = JsonClient(http, "Stripe", ErrorCode.GATEWAY_UNAVAILABLE, seconds, meter)
        yield StripeAccount(
            StripeClient(client, api_key, RequestPace(per_second)),
            livemode="_live_" in api_key.get_secret_value()[:8],
            is_local=url.scheme == "http" and is_loopback(url.host),
        )
