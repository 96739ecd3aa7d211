"""What the routes are given: built once in `api/main.py`, found on the application's state."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.identity import READ, REFUND, WRITE, Identity, Principal
from api.readiness import Readiness
from api.redis import PaymentCache, RateLimit
from api.sagas import PaymentSagas
from api.timeline import Timeline
from db.idempotency import IdempotencyKeys
from db.payments import PaymentStore
from db.refunds import RefundStore
from db.search import PaymentSearch
from domain.errors import ErrorCode, PaymentError


@dataclass(frozen=True)
class Parts:
    payments: PaymentStore
    refunds: RefundStore
    search: PaymentSearch
    keys: IdempotencyKeys
    sagas: PaymentSagas
    timeline: Timeline
    cache: PaymentCache
    rate_limit: RateLimit
    identity: Identity
    places: asyncio.Semaphore
    """For the callers who wait for their payment: Temporal allows 1200 such calls."""
    readiness: Readiness


def _parts(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


FromParts = Annotated[Parts, Depends(_parts)]


Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, bearerFormat="JWT", description="If an issuer is set.")),
]


class TooManyRequests(Exception):  # noqa: N818 (HTTP's own name for it)
    def __init__(self, seconds_to_wait: int) -> None:
        super().__init__(f"try again in {seconds_to_wait} s")
        self.seconds_to_wait = seconds_to_wait


async def limit_rate(request: Request, parts: FromParts) -> None:
    """Raises TooManyRequests for a caller that has used up its share."""
    caller = request.client.host if request.client else "unknown"
    seconds = await parts.rate_limit.seconds_to_wait(caller)
    if seconds:
        raise TooManyRequests(seconds)


async def admit(parts: FromParts) -> AsyncIterator[None]:
    """Raises PaymentError(SERVICE_UNAVAILABLE) while all places are taken: nobody queues here."""
    if parts.places.locked():
        raise PaymentError(
            ErrorCode.SERVICE_UNAVAILABLE,
            "Too many payments are being waited for. Send the same request again.",
        )
    async with parts.places:
        yield


def _with_scope(scope: str) -> Callable[..., Awaitable[Principal]]:
    """The caller. Raises PaymentError if it is not known, or may not do this at all."""

    async def authorize(parts: FromParts, bearer: Bearer) -> Principal:
        caller = await parts.identity.principal(bearer.credentials if bearer else None)
        if scope not in caller.scopes:
            raise PaymentError(ErrorCode.INSUFFICIENT_SCOPE, f"The token lacks the scope {scope}.")
        return caller

    return authorize


Payer = Annotated[Principal, Depends(_with_scope(WRITE))]
Reader = Annotated[Principal, Depends(_with_scope(READ))]
Refunder = Annotated[Principal, Depends(_with_scope(REFUND))]
