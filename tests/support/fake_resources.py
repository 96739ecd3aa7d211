"""Fakes of the resources that the routes use, and checks of the members of responses."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import httpx

from api.admission import ConcurrencyLimit
from api.checkout import Checkout
from api.dependencies import Resources
from api.errors import STATUSES
from api.identity import TRUST_EVERYONE, Authenticator
from api.next_action import NextActions, ReadNextAction
from api.pay import CancelPayment, FindPayment, PayOrder
from api.ports import (
    Allowance,
    IdempotencyKeys,
    PaymentCache,
    PaymentList,
    Payments,
    PaymentWorkflows,
    RateLimit,
    Refunds,
    RefundWorkflows,
    RunningPayment,
)
from api.readiness import Check, Readiness, WarningCheck
from api.refund import MakeRefund
from api.request_errors import RequestErrorCode
from api.row_reads import RowReads
from api.schemas import PaymentProblem
from api.timeline import ReadSource, Timeline
from api.webhooks.ports import Webhooks
from db.idempotency import KeyClaim
from db.search import Search
from domain.errors import ErrorCode, PaymentError
from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund
from domain.timeline import Source
from tests.support.builders import NOON, a_payment

ORDER, CUSTOMER, STRANGER = (f"00000000-0000-0000-0000-00000000000{digit}" for digit in "123")
BODY = f'{{"orderId":"{ORDER}","customerId":"{CUSTOMER}","amount":150.00}}'
FRONT_END = "http://localhost:3000"
"""The origin that the settings allow by default."""
CANARY = "canary-4111111111111111"
"""Part of a request, which must not be in a response, a log or an error."""
PROBLEM = {"type", "title", "status", "detail", "instance", "code"}
ENVELOPE = {"success", "errorMessage", "payment"}

PENDING = a_payment(id=UUID(int=9), order_id=UUID(ORDER), customer_id=UUID(CUSTOMER))
SUCCEEDED = PENDING.succeeded(at=NOON).announced()
ALLOWANCE = Allowance(False, requests=120, seconds=60, left=119, reset_seconds=60)


def failed(code: ErrorCode) -> Payment:
    return PENDING.failed(PaymentError(code, f"It is {code}."), at=NOON)


@dataclass
class State:
    """The data of the fakes, and the calls that they got. Tests set it and read it."""

    recorded: list[Payment] = field(default_factory=list)
    cached: dict[UUID, Payment] = field(default_factory=dict)
    outcome: Payment | None = None
    """How each payment that is started ends; None: it is still running."""
    is_endless: bool = False
    """Whether the workflow runs longer than the API waits."""
    failure: Exception | None = None
    """The error that each read of a payment raises."""
    allowance: Allowance = ALLOWANCE
    counted: list[str] = field(default_factory=list)
    """The callers whose requests were counted."""
    started: list[PaymentInstruction] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)
    cancelled: list[Payment] = field(default_factory=list)
    recorded_refunds: list[Refund] = field(default_factory=list)
    requested_refunds: list[Refund] = field(default_factory=list)
    refunded: Refund | None = None
    """How each refund that is requested ends; None: it is still running."""
    are_refunds_endless: bool = False
    """Whether the workflow of a refund runs longer than the API waits."""
    claims: dict[tuple[str, str], KeyClaim] = field(default_factory=dict)


@dataclass
class FakePayments(Payments):
    state: State

    async def find(self, payment_id: UUID) -> Payment | None:
        self._fail()
        return next((each for each in self.state.recorded if each.id == payment_id), None)

    async def find_live(self, order_id: UUID) -> Payment | None:
        self._fail()
        live = (each for each in self._of(order_id) if each.status is not PaymentStatus.FAILED)
        return next(live, None)

    async def find_closing(self, order_id: UUID) -> Payment | None:
        if await self.find_live(order_id) is not None:
            return None
        return next((each for each in self._of(order_id) if each.closes_its_order), None)

    def _of(self, order_id: UUID) -> list[Payment]:
        return [each for each in self.state.recorded if each.order_id == order_id]

    def _fail(self) -> None:
        if self.state.failure:
            raise self.state.failure


@dataclass
class FakePaymentList(PaymentList):
    state: State

    async def page(self, wanted: Search, limit: int) -> list[Payment]:
        self.state.searches.append(wanted)
        return self.state.recorded[:limit]


@dataclass
class FakeRefunds(Refunds):
    state: State

    async def find(self, refund_id: UUID) -> Refund | None:
        return next((each for each in self.state.recorded_refunds if each.id == refund_id), None)

    async def of_payment(self, payment_id: UUID) -> list[Refund]:
        return [each for each in self.state.recorded_refunds if each.payment_id == payment_id]


@dataclass
class FakeKeys(IdempotencyKeys):
    state: State

    async def claim(self, wanted: KeyClaim) -> KeyClaim:
        return self.state.claims.setdefault((wanted.caller, wanted.key), wanted)

    async def reassign(self, claim: KeyClaim, payment_id: UUID) -> None:
        self.state.claims[claim.caller, claim.key] = claim._replace(payment_id=payment_id)


@dataclass
class FakePaymentWorkflows(PaymentWorkflows):
    state: State

    async def start_or_join(self, instruction: PaymentInstruction) -> RunningPayment:
        self.state.started.append(instruction)
        return RunningPayment(PENDING.id, self.ended)

    async def ended(self) -> Payment | None:
        if self.state.is_endless:
            await asyncio.Event().wait()
        return self.state.outcome

    async def cancel(self, payment: Payment) -> None:
        self.state.cancelled.append(payment)


@dataclass
class FakeRefundWorkflows(RefundWorkflows):
    state: State

    async def refund(self, refund: Refund) -> Refund | None:
        self.state.requested_refunds.append(refund)
        if self.state.are_refunds_endless:
            await asyncio.Event().wait()
        return self.state.refunded


@dataclass
class FakeCache(PaymentCache):
    state: State

    async def get(self, payment_id: UUID) -> Payment | None:
        return self.state.cached.get(payment_id)

    async def put(self, payment: Payment) -> None:
        self.state.cached[payment.id] = payment


@dataclass
class FakeRateLimit(RateLimit):
    state: State

    async def count(self, caller: str) -> Allowance:
        self.state.counted.append(caller)
        return self.state.allowance


@dataclass
class FakeResources(State):
    """All fakes of the resources, and the state that they share."""

    authenticator: Authenticator = TRUST_EVERYONE
    concurrency_limit: ConcurrencyLimit = field(
        default_factory=lambda: ConcurrencyLimit(20, slow_after_seconds=5)
    )
    sources: dict[Source, ReadSource] = field(default_factory=dict)
    """The sources of the timeline."""
    down: tuple[str, ...] = ()
    """The dependencies that do not respond."""
    reads: RowReads = field(default_factory=RowReads)
    gateway: str = GatewayName.SIMULATOR
    """The name of the gateway that charges new payments."""
    checkout: Checkout = field(default_factory=Checkout)
    """The other settings for new payments."""
    actions: dict[str, ReadNextAction] = field(default_factory=dict)
    """The reader of next actions of each gateway. The key is the gateway's name."""
    webhooks: Webhooks = field(default_factory=dict)
    """The webhook handler of each gateway. The key is the gateway's name."""
    warnings: dict[str, str | Exception | None] = field(default_factory=dict)
    """The results of the checks `one`, `two` and `three`."""

    def __post_init__(self) -> None:
        self.payments = FakePayments(self)
        self.refunds = FakeRefunds(self)
        self.keys = FakeKeys(self)
        self.workflows = FakePaymentWorkflows(self)

    def build(self) -> Resources:
        cache = FakeCache(self)
        next_actions = NextActions(self.actions)
        return Resources(
            pay_order=PayOrder(
                self.payments,
                self.keys,
                self.workflows,
                cache,
                next_actions,
                replace(self.checkout, gateway=self.gateway),
                self.reads,
            ),
            find_payment=FindPayment(self.payments, cache, next_actions),
            cancel_payment=CancelPayment(self.payments, self.workflows),
            make_refund=MakeRefund(self.refunds, FakeRefundWorkflows(self)),
            payment_list=FakePaymentList(self),
            refunds=self.refunds,
            timeline=Timeline(self.sources),
            rate_limit=FakeRateLimit(self),
            authenticator=self.authenticator,
            concurrency_limit=self.concurrency_limit,
            readiness=Readiness(
                {"postgresql": self._check("postgresql")},
                {"redis": self._check("redis")},
                {name: self._warning(name) for name in ("one", "two", "three")},
            ),
            webhooks=self.webhooks,
        )

    def _warning(self, name: str) -> WarningCheck:
        async def look() -> str | None:
            found = self.warnings.get(name)
            if isinstance(found, Exception):
                raise found
            return found

        return look

    def _check(self, name: str) -> Check:
        async def check() -> None:
            if name in self.down:
                raise ConnectionError

        return check


def envelope(answer: httpx.Response, status: int) -> Any:
    """The body of a response. Checks its status and that it has the contract's members."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = json.loads(answer.text)
    assert body.keys() >= ENVELOPE
    return body


def problem(
    answer: httpx.Response, code: ErrorCode | RequestErrorCode, status: int | None = None
) -> Any:
    """The body of an error response. Checks the members of RFC 9457 and of the contract."""
    body = envelope(answer, status or STATUSES[code])
    assert body.keys() - {"errors"} == PROBLEM | ENVELOPE
    PaymentProblem.model_validate_json(answer.content)
    assert (body["code"], body["success"]) == (code, False)
    assert body["status"] == answer.status_code
    assert body["detail"] == body["errorMessage"] != ""
    assert body["type"].startswith("urn:payment-service:problem:")
    request_id = answer.headers["x-request-id"]
    assert body["instance"] in {f"/payments/{PENDING.id}", f"urn:uuid:{request_id}"}
    return body
