"""What the routes are given: built once in `api/main.py`, found on the application's state."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.identity import READ, REFUND, WRITE, Identity, Principal
from api.places import Places
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
    places: Places
    readiness: Readiness


def parts_of(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


async def _parts(request: Request) -> Parts:  # async: for others FastAPI starts a thread
    return parts_of(request)


CUSTOMER_BITS = 64
"""Of an IPv6 address: providers give each customer at least a /64 (RFC 6177 section 2)."""
FromParts = Annotated[Parts, Depends(_parts)]


Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, bearerFormat="JWT", description="If an issuer is set.")),
]


def caller_at(address: str) -> str:
    """Who is counted as one: an IPv4 address, or an IPv6 network that one customer is given.

    However they are written; whatever is no address is one caller.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((int(found), CUSTOMER_BITS), strict=False))


async def limit_rate(request: Request) -> None:
    """Raises PaymentError(TOO_MANY_REQUESTS) for a caller that has used up its share.

    Every answer tells what is left: draft-ietf-httpapi-ratelimit-headers.
    """
    caller = caller_at(request.client.host if request.client else "")
    allowance = await parts_of(request).rate_limit.count(caller)
    headers = request.state.headers
    headers["ratelimit-policy"] = f'"caller";q={allowance.requests};w={allowance.seconds}'
    headers["ratelimit"] = f'"caller";r={allowance.left};t={allowance.reset_seconds}'
    if allowance.is_exceeded:
        wait = str(allowance.reset_seconds)
        headers["retry-after"] = wait
        raise PaymentError(
            ErrorCode.TOO_MANY_REQUESTS, f"Too many requests: try again in {wait} s."
        )


def refuse_if_full(parts: Parts) -> None:
    """Raises PaymentError(SERVICE_UNAVAILABLE) while all places are taken: nobody queues here."""
    if parts.places.are_taken:
        raise PaymentError(
            ErrorCode.SERVICE_UNAVAILABLE,
            "Too many payments are being waited for. Send the same request again.",
        )


async def admit(parts: FromParts) -> AsyncIterator[None]:
    """Take a place while the request is answered. Raises PaymentError as `refuse_if_full` does."""
    refuse_if_full(parts)
    with parts.places.taken():
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
