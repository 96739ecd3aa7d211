"""Sends requests to Stripe's API, and decides what a response means: success, refusal, unknown.

https://docs.stripe.com/api, https://docs.stripe.com/error-low-level. Only a response that Stripe
itself has written counts as a refusal. The client retries nothing: Temporal does that.
"""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

from pydantic import SecretStr, ValidationError

from activities.adapters.json_client import JsonClient, RawResponse
from activities.adapters.response_body import ResponseBody
from domain.errors import ErrorCode, PaymentError

VERSION = "2026-08-26.dahlia"
"""The version of Stripe's API that the models of this package read. It is sent with each request:
without it, a setting of the account would choose another. Our requests are checked against the
published schema of this version (`tests/integration/test_stripe_schema.py`)."""
REQUESTS_PER_SECOND = 20
"""The limit for one endpoint and one process. Stripe's limit is 25 a second for one endpoint and
the whole account: https://docs.stripe.com/rate-limits."""
WAITING_SHARE = 0.4
"""The share of its time limit for which a request waits for its turn. Without a limit, under
overload each request would begin just before its caller gives up, and none would succeed. Chosen,
not measured."""
_IDENTIFIER = re.compile(r"/(?:cs|pi|re|pyr)_[^/]+")

log = logging.getLogger(__name__)


class RefusedIntent(ResponseBody):
    """The PaymentIntent that an error is about."""

    id: str
    status: str


class FailedTry(ResponseBody):
    """The reason why a card was not charged."""

    code: str | None = None
    decline_code: str | None = None


class Refusal(FailedTry):
    """The member `error` of a response: https://docs.stripe.com/api/errors."""

    type: Literal["card_error", "invalid_request_error", "idempotency_error"]
    param: str | None = None
    payment_intent: RefusedIntent | None = None

    @property
    def name(self) -> str:
        """The code or the type, for messages. Stripe's own text may quote what we sent."""
        return self.code or self.type


class ErrorResponse(ResponseBody):
    error: Refusal


class Reply(NamedTuple):
    """A response of Stripe: the object in `body`, or the error that refuses the request."""

    body: Any
    refusal: Refusal | None
    is_replayed: bool
    """True if Stripe repeats the response to an earlier request with this key. It may be out of
    date."""


class SpentKeyError(PaymentError):
    """The outcome is unknown, and a retry with the same idempotency key would not reveal it.

    Stripe has saved a 5xx, which it repeats for a day, or the key belongs to another request.
    """


class RequestPace:
    """Limits the requests to each endpoint to `per_second`.

    Requests begin in the order of their calls of `wait`. A request that is cancelled while it waits
    does not count.
    """

    def __init__(self, per_second: float = REQUESTS_PER_SECOND) -> None:
        self._interval = 1 / per_second
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next: defaultdict[str, float] = defaultdict(float)

    async def wait(self, endpoint: str, at_most: float) -> None:
        """Wait until a request to the endpoint may begin.

        Raises TimeoutError if it may not begin within `at_most` seconds.
        """
        now = asyncio.get_running_loop().time
        async with asyncio.timeout(at_most), self._turns[endpoint]:
            begins = max(now(), self._next[endpoint])
            await asyncio.sleep(begins - now())
            self._next[endpoint] = begins + self._interval


class StripeClient:
    """One account at Stripe. Every method may raise PaymentError(GATEWAY_UNAVAILABLE)."""

    def __init__(self, client: JsonClient, api_key: SecretStr, pace: RequestPace) -> None:
        self._client = client
        self._api_key = api_key
        self._pace = pace

    async def get(self, path: str, **query: str) -> Any:
        """Read the object or the list at this path."""
        address = f"{path}?{urlencode(query)}" if query else path
        reply = self._sorted(await self._exchange("GET", address, None, {}))
        if reply.refusal:
            raise self.unavailable(f"the look-up was refused: {reply.refusal.name}")
        return reply.body

    async def post(self, path: str, form: Mapping[str, str], key: str | None) -> Reply:
        """Send form-encoded parameters with an idempotency key, if `key` is not None.

        Raises SpentKeyError if a retry with this key is useless.
        """
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if key is not None:
            headers["idempotency-key"] = key
        response = await self._exchange("POST", path, urlencode(form).encode(), headers)
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _spent(f"HTTP {response.status}")
        reply = self._sorted(response)
        if reply.refusal and reply.refusal.type == "idempotency_error":
            raise _spent("the key belongs to another request")
        return reply

    def unavailable(self, why: str) -> PaymentError:
        """The error to raise when the outcome of a request is unknown."""
        return self._client.unavailable(why)

    async def _exchange(
        self, method: str, address: str, content: bytes | None, headers: Mapping[str, str]
    ) -> RawResponse:
        endpoint = _IDENTIFIER.sub("/{id}", address.partition("?")[0])
        try:
            await self._pace.wait(f"{method} {endpoint}", self._client.seconds * WAITING_SHARE)
        except TimeoutError:
            raise self.unavailable("too many requests wait for their turn") from None
        credentials = {"authorization": f"Bearer {self._api_key.get_secret_value()}"}
        pinned = {"stripe-version": VERSION, **credentials, **headers}
        response = await self._client.exchange(method, address, content, pinned)
        if response.status == HTTPStatus.UNAUTHORIZED:
            log.error("Stripe refuses our API key (HTTP 401): no payment can be charged")
        if response.status == HTTPStatus.FORBIDDEN:
            log.error("our API key may not %s %s (HTTP 403): permit it at Stripe", method, endpoint)
        return response

    def _sorted(self, response: RawResponse) -> Reply:
        status = response.status
        if status == HTTPStatus.OK:
            return Reply(response.body, None, response.is_replayed)
        refusal = _refusal(response)
        if refusal is None:
            raise self._client.unavailable(f"HTTP {status}", response.retry_after)
        return Reply(None, refusal, response.is_replayed)


REFUSALS: Mapping[int, frozenset[str]] = {
    HTTPStatus.BAD_REQUEST: frozenset({"invalid_request_error", "idempotency_error"}),
    HTTPStatus.PAYMENT_REQUIRED: frozenset({"card_error"}),
}
"""The types of errors that are refusals, by HTTP status. A 404 is none: the object may belong to
another account, or the response may come from a proxy."""


def _refusal(response: RawResponse) -> Refusal | None:
    if response.status not in REFUSALS:
        return None
    try:
        refusal = ErrorResponse.model_validate(response.body).error
    except ValidationError:
        return None
    return refusal if refusal.type in REFUSALS[response.status] else None


def _spent(why: str) -> SpentKeyError:
    return SpentKeyError(ErrorCode.GATEWAY_UNAVAILABLE, f"Stripe is not available ({why}).")
