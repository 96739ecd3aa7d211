"""What happens in a case: an order is paid, perhaps its workflow is lost, and it is paid again."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid4

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.testing import ActivityEnvironment

from activities.audit_ports import OrderState
from activities.reconciliation import ReconciliationActivities
from audit.books import WorkflowRun
from audit.invariants import COMPLETED, Violation, violations
from domain.instruction import PaymentInstruction
from domain.names import workflow_id
from domain.payment import Payment, PaymentStatus
from tests.proofs.simulation.faults import Again, Case, Fault, First, Kind
from tests.proofs.simulation.losing import is_loss
from tests.proofs.simulation.scenario import FRESH, Scenario
from tests.proofs.simulation.scenarios import SOON, set_up
from tests.proofs.simulation.world import FaultyWorld
from tests.support.builders import an_instruction
from tests.support.fakes.payments import FakePayments
from tests.support.fakes.refunds import FakeRefunds
from tests.support.fakes.rounds import FakeRounds
from tests.support.invariants import books_of
from workflows.payment import PaymentWorkflow
from workflows.reconciliation import CHECKED_AFTER
from workflows.start import TemporalWorkflowStarter, start_payment

ROUNDS = 20
"""More rounds of the reconciliation than any case needs."""


class Clock(Protocol):
    """The clock of a Temporal server."""

    async def now(self) -> datetime: ...

    def held(self) -> AbstractAsyncContextManager[datetime]:
        """The time, which stands still meanwhile."""
        ...


class Story:
    """Told once: what has happened is then in the world and in `violations`."""

    def __init__(
        self, client: Client, clock: Clock, world: FaultyWorld, case: Case, order_id: UUID
    ) -> None:
        self._client = client
        self._clock = clock
        self._world = world
        self._case = case
        self._instruction = an_instruction(order_id=order_id, reservation_id=uuid4())
        self._endings: list[WorkflowRun] = []
        self._broken: list[str] = []
        self._reconciliation = ReconciliationActivities(
            FakePayments(world),
            FakeRefunds(world),
            TemporalWorkflowStarter(client),
            FakeRounds(world),
        )

    async def tell(self) -> None:
        await self._begin()
        if self._case.circumstances.first is First.RECONCILIATION:
            await self._reconcile_everything()
        await self._pay_again()
        self._world.consumers.a_request_has_ended()
        await self._reconcile_everything()
        if self._case.circumstances.first is First.CALLER:
            await self._pay_again()
            await self._reconcile_everything()
        await self._world.everything_arrives()
        await self._reconcile_everything()
        self._world.consumers.hear_all()

    def violations(self) -> list[Violation]:
        """Everything in which the books do not agree, and everything that should not have been."""
        order_id = self._instruction.order_id
        books = books_of(self._world, order_id)
        books.runs = self._endings
        books.order = self._order(books.payments)
        broken = [*self._broken, *self._world.looks.broken, *self._world.broken, *self._left()]
        return [
            *violations(books),
            *(Violation(order_id, "runs do what they have seen", each) for each in broken),
        ]

    def _left(self) -> Iterator[str]:
        """Attempts that were charged or shown, but are neither captured nor voided."""
        for reference, attempt in self._world.attempts.items():
            if self._world.is_live(reference):
                yield f"{reference} is left {attempt.charge.state}"

    async def _begin(self) -> None:
        """Set up the scenario, and send the first request if it begins with one."""
        async with self._clock.held() as now:
            asked = self._instruction.model_copy(update={"requested_at": now})
            self._instruction = set_up(self._world, self._case.scenario, asked)
            if self._case.scenario not in FRESH:
                return
            handle = await start_payment(self._client, self._instruction)
        await self._end(handle)

    async def _pay_again(self) -> None:
        if self._case.scenario is Scenario.REATTEMPTED:
            self._world.decline = None
        async with self._clock.held() as now:
            handle = await start_payment(self._client, self._again(now))
        await self._end(handle)

    async def _end(self, handle: WorkflowHandle[PaymentWorkflow, Payment]) -> None:
        try:
            ending = await _result(handle)
        except WorkflowFailureError as failure:
            if not is_loss(failure):
                self._broken.append(f"a run has failed: {failure.cause}")
            return
        self._endings.append(WorkflowRun(str(self._case), COMPLETED, ending))

    def _again(self, now: datetime) -> PaymentInstruction:
        """The next request for the order."""
        asked = self._instruction.model_copy(update={"requested_at": now})
        another = asked.model_copy(update={"payment_id": uuid4()})
        match self._case.circumstances.again:
            case Again.ANOTHER:
                return another
            case Again.STRANGER:
                return another.model_copy(update={"customer_id": uuid4()})
            case Again.SAME_KEY:  # what the API makes of a key that it knows
                recorded = self._world.payments.get(asked.payment_id)
                if recorded is None:
                    return asked.model_copy(update={"resumed": True})
                return another if recorded.is_final else recorded.to_resume(asked)

    async def _reconcile_everything(self) -> None:
        """Rounds until one finds nothing. The first one leaves young payments alone."""
        await self._reconcile(self._instruction.requested_at + CHECKED_AFTER)
        for _ in range(ROUNDS):
            if not await self._reconcile(await self._clock.now() + SOON):
                return
        self._broken.append(f"{ROUNDS} rounds of the reconciliation were not enough")

    async def _reconcile(self, since: datetime) -> bool:
        """One round; whether it has taken anything up again, which has then ended, too."""
        resume = self._reconciliation.resume_payments
        resumed: int = await ActivityEnvironment().run(resume, since)
        if resumed:
            await self._end(
                self._client.get_workflow_handle_for(
                    PaymentWorkflow.run, workflow_id(self._instruction.order_id)
                )
            )
        return resumed > 0

    def _order(self, payments: list[Payment]) -> OrderState | None:
        """The order as Ordering has it; None if a change that nobody could see was too late."""
        order_id = self._instruction.order_id
        is_kept = any(each.status is PaymentStatus.SUCCEEDED for each in payments)
        if is_kept and order_id in self._world.changes.orders:
            return None
        if not is_kept and Fault("fetch_order", Kind.REFUSED) in self._world.struck:
            return OrderState(
                "not found", None
            )  # as Ordering has said: nobody hears of its failure
        state = self._world.orders[order_id].state or ""
        return OrderState(state, self._world.consumers.paid_by.get(order_id))


async def _result(handle: WorkflowHandle[PaymentWorkflow, Payment]) -> Payment:
    """The ending. The test server ends a wait of many seconds with nothing."""
    while True:
        try:
            return await handle.result()
        except RuntimeError as error:
            if str(error) != "No completion event found":
                raise
