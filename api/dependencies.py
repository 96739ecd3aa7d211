"""What FastAPI hands to the routes: each names what it uses, and receives nothing else.

`Resources` are built once in `api/main.py` and found on the application's state.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Annotated, Any, cast
from uuid import UUID

import structlog
from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator

from api.admission import ConcurrencyLimit
from api.identity import READ, REFUND, WRITE, Authenticator, Principal
from api.pay import CancelPayment, FindPayment, PayOrder
from api.ports import PaymentList, RateLimit, Refunds
from api.readiness import Readiness
from api.refund import MakeRefund
from api.request_errors import RequestError, RequestErrorCode
from api.schemas import Id
from api.timeline import Timeline
from api.webhooks.ports import Webhooks
from domain.errors import ErrorCode, PaymentError

CUSTOMER_BITS = 64
"""How many bits of an IPv6 address identify a customer: providers give each at least a /64 (RFC
6177 section 2)."""


@dataclass(frozen=True)
class Resources:
    """Everything that routes can ask for."""

    pay_order: PayOrder
    find_payment: FindPayment
    cancel_payment: CancelPayment
    make_refund: MakeRefund
    payment_list: PaymentList
    refunds: Refunds
    timeline: Timeline
    rate_limit: RateLimit
    authenticator: Authenticator
    concurrency_limit: ConcurrencyLimit
    readiness: Readiness
    webhooks: Webhooks


def resources_of(request: Request) -> Resources:
    return cast("Resources", request.app.state.resources)


def _provided(choose: Callable[[Resources], Any]) -> Any:
    async def provide(request: Request) -> Any:  # async: for others FastAPI starts a thread
        return choose(resources_of(request))

    return Depends(provide)


PayOrderDep = Annotated[PayOrder, _provided(lambda each: each.pay_order)]
FindPaymentDep = Annotated[FindPayment, _provided(lambda each: each.find_payment)]
CancelPaymentDep = Annotated[CancelPayment, _provided(lambda each: each.cancel_payment)]
MakeRefundDep = Annotated[MakeRefund, _provided(lambda each: each.make_refund)]
PaymentListDep = Annotated[PaymentList, _provided(lambda each: each.payment_list)]
RefundsDep = Annotated[Refunds, _provided(lambda each: each.refunds)]
TimelineDep = Annotated[Timeline, _provided(lambda each: each.timeline)]
AuthenticatorDep = Annotated[Authenticator, _provided(lambda each: each.authenticator)]
ConcurrencyLimitDep = Annotated[ConcurrencyLimit, _provided(lambda each: each.concurrency_limit)]
ReadinessDep = Annotated[Readiness, _provided(lambda each: each.readiness)]
BearerDep = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, bearerFormat="JWT", description="If an issuer is set.")),
]


def _in_log_lines(payment_id: UUID) -> UUID:
    structlog.contextvars.bind_contextvars(payment_id=str(payment_id))
    return payment_id


PaymentId = Annotated[Id, AfterValidator(_in_log_lines), Path(alias="paymentId")]
"""The id of the payment in the path. Every later log line of the request has it."""


def caller_at(address: str) -> str:
    """The caller that an address counts as: the IPv4 address itself, or the /64 of an IPv6 one.

    All spellings of an address are one caller. Text that is no address is the caller `unknown`.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((int(found), CUSTOMER_BITS), strict=False))


def caller_of(request: Request) -> str:
    """The caller of the request, as the rate limit counts it."""
    return caller_at(request.client.host if request.client else "")


async def count_request(request: Request, rate_limit: RateLimit) -> None:
    """Count the request of its caller; every response says how many the caller has left.

    Raises RequestError(TOO_MANY_REQUESTS) if there is none left. The headers are those of
    draft-ietf-httpapi-ratelimit-headers.
    """
    allowance = await rate_limit.count(caller_of(request))
    headers = request.state.headers
    headers["ratelimit-policy"] = f'"caller";q={allowance.requests};w={allowance.seconds}'
    headers["ratelimit"] = f'"caller";r={allowance.left};t={allowance.reset_seconds}'
    if allowance.is_exceeded:
        wait = str(allowance.reset_seconds)
        headers["retry-after"] = wait
        raise RequestError(
            RequestErrorCode.TOO_MANY_REQUESTS, f"Too many requests: try again in {wait} s."
        )


def refuse_if_full(limit: ConcurrencyLimit) -> None:
    """Raises PaymentError(SERVICE_UNAVAILABLE) if the limit is full. Requests never wait here."""
    if limit.is_full:
        raise PaymentError(
            ErrorCode.SERVICE_UNAVAILABLE,
            "Too many payments are in progress. Send the same request again.",
        )


async def admit(limit: ConcurrencyLimitDep) -> AsyncIterator[None]:
    """Count the request as in progress until its response is ready, unless the limit is full.

    Raises PaymentError(SERVICE_UNAVAILABLE) if it is.
    """
    refuse_if_full(limit)
    with limit.admitted():
        yield


def _with_scope(scope: str) -> Callable[..., Awaitable[Principal]]:
    """A dependency: the caller, if it has the scope.

    Raises RequestError: UNAUTHENTICATED if the caller is unknown, INSUFFICIENT_SCOPE if the token
    lacks the scope.
    """

    async def authorize(authenticator: AuthenticatorDep, bearer: BearerDep) -> Principal:
        caller = await authenticator.authenticate(bearer.credentials if bearer else None)
        if scope not in caller.scopes:
            raise RequestError(
                RequestErrorCode.INSUFFICIENT_SCOPE, f"The token lacks the scope {scope}."
            )
        return caller

    return authorize


Payer = Annotated[Principal, Depends(_with_scope(WRITE))]
Reader = Annotated[Principal, Depends(_with_scope(READ))]
Refunder = Annotated[Principal, Depends(_with_scope(REFUND))]
