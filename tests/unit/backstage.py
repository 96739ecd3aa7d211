"""What is behind the routes in tests of the HTTP interface, and what every answer must have."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import httpx

from api.dependencies import Parts
from api.errors import STATUSES
from api.identity import TRUSTING, Identity
from api.places import Places
from api.readiness import Readiness, WarningCheck
from api.redis import Allowance
from api.schemas import PaymentProblem
from api.timeline import Tell, Timeline
from db.idempotency import KeyClaim
from db.search import Search
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentInstruction, PaymentStatus
from domain.refund import Refund
from domain.timeline import Source
from tests.builders import NOON, a_payment

ORDER, CUSTOMER, STRANGER = (f"00000000-0000-0000-0000-00000000000{digit}" for digit in "123")
BODY = f'{{"orderId":"{ORDER}","customerId":"{CUSTOMER}","amount":150.00}}'
PROBLEM = {"type", "title", "status", "detail", "instance", "code"}
ENVELOPE = {"success", "errorMessage", "payment"}

PENDING = a_payment(id=UUID(int=9), order_id=UUID(ORDER), customer_id=UUID(CUSTOMER))
SUCCEEDED = PENDING.succeeded(at=NOON).announced()
ALLOWANCE = Allowance(False, requests=120, seconds=60, left=119, reset_seconds=60)


def failed(code: ErrorCode) -> Payment:
    return PENDING.failed(PaymentError(code, f"It is {code}."), at=NOON)


class FakeSaga(NamedTuple):
    payment_id: UUID


class FakeRefunds:
    def __init__(self, backstage: "Backstage") -> None:
        self._recorded = backstage.recorded_refunds

    async def find(self, refund_id: UUID) -> Refund | None:
        return next((each for each in self._recorded if each.id == refund_id), None)

    async def of_payment(self, payment_id: UUID) -> list[Refund]:
        return [each for each in self._recorded if each.payment_id == payment_id]


@dataclass
class Backstage:
    """Everything behind the routes, in the state that a test sets."""

    recorded: list[Payment] = field(default_factory=list)
    cached: dict[UUID, Payment] = field(default_factory=dict)
    outcome: Payment | None = None
    is_endless: bool = False
    """Whether the workflow goes on for as long as the API waits."""
    failure: Exception | None = None
    allowance: Allowance = ALLOWANCE
    down: tuple[str, ...] = ()
    warnings: dict[str, str | Exception | None] = field(default_factory=dict)
    """What the checks `one`, `two` and `three` find."""
    identity: Identity = TRUSTING
    places: Places = field(default_factory=lambda: Places(20, slow_seconds=5))
    counted: list[str] = field(default_factory=list)
    """The callers whose requests were counted."""
    started: list[PaymentInstruction] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)
    cancelled: list[Payment] = field(default_factory=list)
    recorded_refunds: list[Refund] = field(default_factory=list)
    asked_refunds: list[Refund] = field(default_factory=list)
    tellers: dict[Source, Tell] = field(default_factory=dict)
    refunded: Refund | None = None
    """How every refund ends that is asked for; None while it runs."""
    claims: dict[tuple[str, str], KeyClaim] = field(default_factory=dict)

    async def find(self, payment_id: UUID) -> Payment | None:
        self._fail()
        return next((each for each in self.recorded if each.id == payment_id), None)

    async def find_live(self, order_id: UUID) -> Payment | None:
        self._fail()
        of_order = (each for each in self.recorded if each.order_id == order_id)
        return next((each for each in of_order if each.status is not PaymentStatus.FAILED), None)

    async def find_closing(self, order_id: UUID) -> Payment | None:
        if await self.find_live(order_id) is not None:
            return None
        of_order = (each for each in self.recorded if each.order_id == order_id)
        return next((each for each in of_order if each.closes_its_order), None)

    async def page(self, wanted: Search, limit: int) -> list[Payment]:
        self.searches.append(wanted)
        return self.recorded[:limit]

    async def claim(self, wanted: KeyClaim) -> KeyClaim:
        return self.claims.setdefault((wanted.caller, wanted.key), wanted)

    async def reassign(self, claim: KeyClaim, payment_id: UUID) -> None:
        self.claims[claim.caller, claim.key] = claim._replace(payment_id=payment_id)

    async def start_or_join(self, instruction: PaymentInstruction) -> FakeSaga:
        self.started.append(instruction)
        return FakeSaga(PENDING.id)

    async def ending(self, _: FakeSaga) -> Payment | None:
        if self.is_endless:
            await asyncio.Event().wait()
        return self.outcome

    async def cancel(self, payment: Payment) -> None:
        self.cancelled.append(payment)

    async def refund(self, refund: Refund) -> Refund | None:
        self.asked_refunds.append(refund)
        return self.refunded

    async def get(self, payment_id: UUID) -> Payment | None:
        return self.cached.get(payment_id)

    async def put(self, payment: Payment) -> None:
        self.cached[payment.id] = payment

    async def count(self, caller: str) -> Allowance:
        self.counted.append(caller)
        return self.allowance

    def parts(self) -> Parts:
        fake: Any = self
        readiness = Readiness(
            {"postgresql": self._check("postgresql")},
            {"redis": self._check("redis")},
            {name: self._warning(name) for name in ("one", "two", "three")},
        )
        return Parts(
            payments=fake,
            refunds=FakeRefunds(self),  # type: ignore[arg-type]
            search=fake,
            keys=fake,
            sagas=fake,
            timeline=Timeline(self.tellers),
            cache=fake,
            rate_limit=fake,
            identity=self.identity,
            places=self.places,
            readiness=readiness,
        )

    def _fail(self) -> None:
        if self.failure:
            raise self.failure

    def _warning(self, name: str) -> WarningCheck:
        async def look() -> str | None:
            found = self.warnings.get(name)
            if isinstance(found, Exception):
                raise found
            return found

        return look

    def _check(self, name: str) -> Any:
        async def check() -> None:
            if name in self.down:
                raise ConnectionError

        return check


def envelope(answer: httpx.Response, status: int) -> Any:
    """The body of an answer that has the expected status and the contract's members."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = json.loads(answer.text)
    assert body.keys() >= ENVELOPE
    return body


def problem(answer: httpx.Response, code: ErrorCode, status: int | None = None) -> Any:
    """The body of a failure, which carries the members of RFC 9457 and those of the contract."""
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
