"""Every caller with every set of scopes at every address, about every payment and refund."""

import json
import time
from collections.abc import Iterator
from functools import cache, partial
from itertools import combinations, product
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.app import ROUTERS
from api.errors import STATUSES
from api.identity import NOBODY, READ, REFUND, WRITE
from api.request_errors import RequestErrorCode
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund
from tests.support.builders import NOON, a_payment, a_refund
from tests.support.fake_resources import CUSTOMER, STRANGER, FakeResources
from tests.support.tokens import a_token, an_authenticator

ORDER = UUID(int=70)
DECLINED = PaymentError(ErrorCode.CARD_DECLINED, "No.")


def payments_of(owner: str) -> list[Payment]:
    pending = a_payment(customer_id=UUID(owner))
    succeeded = a_payment(customer_id=UUID(owner)).succeeded(NOON).announced()
    return [pending, succeeded, a_payment(customer_id=UUID(owner)).failed(DECLINED, NOON)]


PAYMENTS = [*payments_of(CUSTOMER), *payments_of(STRANGER)]
REFUNDS = [a_refund(each) for each in PAYMENTS if each.status is PaymentStatus.SUCCEEDED]
MISSING = UUID(int=404)


class Caller(NamedTuple):
    claims: dict[str, Any] | None
    owner_id: UUID | None = None
    """The owner of its payments; None for a service, which owns all payments."""

    def owns(self, payment: Payment) -> bool:
        return self.owner_id in {None, payment.customer_id}


CALLERS = {
    "customer": Caller({"sub": CUSTOMER, "client_id": "front"}, UUID(CUSTOMER)),
    "stranger": Caller({"sub": STRANGER, "client_id": "front"}, UUID(STRANGER)),
    "no customer": Caller({"sub": "bob", "client_id": "front"}, NOBODY),
    "service": Caller({"sub": "shop", "client_id": "shop"}),
}
NO_CALLERS = {
    "nobody": Caller(None),
    "expired": Caller({"sub": CUSTOMER, "exp": time.time() - 60}),
    "of another audience": Caller({"sub": CUSTOMER, "aud": "refunds"}),
}
SCOPES = [frozenset(some) for n in range(4) for some in combinations((READ, WRITE, REFUND), n)]


class Request(NamedTuple):
    method: str
    path: str
    scope: str
    payment_id: UUID | None = None
    refund_id: UUID | None = None
    customer_id: UUID | None = None


def requests() -> Iterator[Request]:
    for customer in (CUSTOMER, STRANGER):
        yield Request("POST", "/payments", WRITE, customer_id=UUID(customer))
    yield Request("GET", "/payments", READ)
    for payment in (*(each.id for each in PAYMENTS), MISSING):
        address = f"/payments/{payment}"
        yield Request("GET", address, READ, payment)
        yield Request("POST", f"{address}/cancel", WRITE, payment)
        yield Request("GET", f"{address}/timeline", READ, payment)
        yield Request("POST", f"{address}/refunds", REFUND, payment)
        yield Request("GET", f"{address}/refunds", READ, payment)
        for refund in (*(each.id for each in REFUNDS), MISSING):
            yield Request("GET", f"{address}/refunds/{refund}", READ, payment, refund)


def expected(
    caller: Caller, scopes: frozenset[str], request: Request
) -> ErrorCode | RequestErrorCode | int:
    """The error that the response must have, or the status of a success."""
    if caller in NO_CALLERS.values():
        return RequestErrorCode.UNAUTHENTICATED
    if request.scope not in scopes:
        return RequestErrorCode.INSUFFICIENT_SCOPE
    if request.path == "/payments":
        return _expected_of_all(caller, request)
    payment = next((each for each in PAYMENTS if each.id == request.payment_id), None)
    if payment is None or not caller.owns(payment):
        return ErrorCode.PAYMENT_NOT_FOUND
    return _expected_of_own(payment, request)


def _expected_of_all(caller: Caller, request: Request) -> ErrorCode | RequestErrorCode | int:
    if request.method == "GET":
        return 200
    is_own = caller.owner_id in {None, request.customer_id}
    return 202 if is_own else ErrorCode.CUSTOMER_MISMATCH


def _expected_of_own(payment: Payment, request: Request) -> ErrorCode | RequestErrorCode | int:
    if request.path.endswith("/cancel"):
        return 202 if payment.status is PaymentStatus.PENDING else ErrorCode.PAYMENT_ENDED
    if request.method == "POST":
        is_paid = payment.status is PaymentStatus.SUCCEEDED
        return 202 if is_paid else ErrorCode.PAYMENT_NOT_REFUNDABLE
    if request.refund_id is not None:
        refunds: list[Refund] = [each for each in REFUNDS if each.payment_id == payment.id]
        is_its = request.refund_id in {each.id for each in refunds}
        return 200 if is_its else ErrorCode.REFUND_NOT_FOUND
    return 200


@cache
def token(caller: str, scopes: frozenset[str]) -> str | None:
    claims = (CALLERS | NO_CALLERS)[caller].claims
    return None if claims is None else a_token(scope=" ".join(scopes), **claims)


@pytest.fixture
def client(resources: FakeResources, http: httpx.AsyncClient, app: FastAPI) -> httpx.AsyncClient:
    resources.authenticator = an_authenticator()
    resources.recorded, resources.recorded_refunds = [*PAYMENTS], [*REFUNDS]
    app.state.resources = resources.build()
    return http


async def answer(client: httpx.AsyncClient, given: str | None, request: Request) -> httpx.Response:
    headers = {"idempotency-key": "new"} | ({"authorization": f"Bearer {given}"} if given else {})
    body = {"orderId": str(ORDER), "customerId": str(request.customer_id), "amount": 1}
    content = json.dumps(body) if request.customer_id else None
    return await client.request(request.method, request.path, content=content, headers=headers)


@pytest.mark.parametrize("name", CALLERS | NO_CALLERS)
async def test_a_caller_may_do_what_its_scopes_allow_and_no_more(
    client: httpx.AsyncClient, name: str
) -> None:
    caller = (CALLERS | NO_CALLERS)[name]
    for scopes, request in product(SCOPES, requests()):
        answered = await answer(client, token(name, scopes), request)

        wanted = expected(caller, scopes, request)
        status = wanted if isinstance(wanted, int) else STATUSES[wanted]
        assert answered.status_code == status, (name, scopes, request)
        assert answered.json().get("code") == (None if isinstance(wanted, int) else wanted)


@pytest.mark.parametrize("name", CALLERS)
async def test_lists_contain_only_own_payments(
    client: httpx.AsyncClient, resources: FakeResources, name: str
) -> None:
    given = token(name, frozenset({READ}))

    await answer(client, given, Request("GET", "/payments", READ))

    assert [search.owner_id for search in resources.searches] == [CALLERS[name].owner_id]


async def test_the_payment_of_another_customer_looks_like_an_unknown_one(
    client: httpx.AsyncClient,
) -> None:
    """The order of the headers and the calls of the sources are the same, too."""
    given = token("stranger", frozenset({READ, WRITE, REFUND}))
    hidden, missing = PAYMENTS[0].id, MISSING
    for request in requests():
        if request.payment_id != hidden:
            continue
        path = request.path.replace(str(hidden), str(missing))
        there = await answer(client, given, request)
        nowhere = await answer(client, given, request._replace(path=path))

        assert constant_part(there) == constant_part(nowhere)


def constant_part(answered: httpx.Response) -> Any:
    """The response without what differs between any two requests."""
    headers = [name for name, value in answered.headers.items() if name != "x-request-id"]
    return answered.status_code, headers, {**answered.json(), "instance": None}


def test_every_operation_that_needs_a_token_is_tested() -> None:
    asked = [(each.method, each.path) for each in requests()]
    routes = [each for router in ROUTERS for each in router.routes if isinstance(each, APIRoute)]
    left = [each for each in routes if not any(map(partial(_leads_to, each), asked))]

    assert [each.path for each in left] == ["/webhooks/{gateway}", "/health", "/ready"]


def _leads_to(route: APIRoute, address: tuple[str, str]) -> bool:
    method, path = address
    return method in (route.methods or ()) and bool(route.path_regex.match(path))
