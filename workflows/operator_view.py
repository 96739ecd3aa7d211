"""What Temporal shows of a payment: memo, search attributes and a table of steps."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from temporalio import workflow
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from domain import names
from domain.errors import PaymentError
from domain.instruction import PaymentInstruction
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund

ORDER_ID = SearchAttributeKey.for_keyword("OrderId")
CUSTOMER_ID = SearchAttributeKey.for_keyword("CustomerId")
PAYMENT_STATUS = SearchAttributeKey.for_keyword("PaymentStatus")
FAILURE_CODE = SearchAttributeKey.for_keyword("PaymentFailureCode")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("PaymentNeedsAttention")

IN_PROGRESS = "in progress"

SEARCH_ATTRIBUTES = (ORDER_ID, CUSTOMER_ID, PAYMENT_STATUS, FAILURE_CODE, NEEDS_ATTENTION)


def memo(instruction: PaymentInstruction) -> dict[str, str]:
    """The memo of a workflow. It tells the API which payment the workflow processes."""
    return {
        names.MEMO_FINGERPRINT: instruction.fingerprint,
        names.MEMO_PAYMENT_ID: str(instruction.payment_id),
    }


def summary(instruction: PaymentInstruction) -> str:
    """One line for the workflow list: `150.00 USD · order … · credit_card`."""
    return f"{instruction.amount} · order {instruction.order_id} · {instruction.payment_method}"


def search_attributes(instruction: PaymentInstruction) -> TypedSearchAttributes:
    """The attributes of a payment that starts; `OperatorView` keeps them up to date."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(ORDER_ID, str(instruction.order_id)),
            SearchAttributePair(CUSTOMER_ID, str(instruction.customer_id)),
            SearchAttributePair(PAYMENT_STATUS, PaymentStatus.PENDING),
        ]
    )


def order_search_attributes(order_id: UUID) -> TypedSearchAttributes:
    """The attributes of a workflow for which only the order is known."""
    return TypedSearchAttributes([SearchAttributePair(ORDER_ID, str(order_id))])


def refund_summary(refund: Refund) -> str:
    """One line for the workflow list: `50.00 USD back · order … · payment …`."""
    return f"{refund.amount} back · order {refund.order_id} · payment {refund.payment_id}"


def refund_search_attributes(refund: Refund) -> TypedSearchAttributes:
    """A refund is found with the payments of its order, and has no payment status."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(ORDER_ID, str(refund.order_id)),
            SearchAttributePair(CUSTOMER_ID, str(refund.customer_id)),
        ]
    )


class OperatorView:
    """The steps of a payment or a refund as a table in the workflow's details, always current."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._ending = IN_PROGRESS
        self._attention: str | None = None
        self._is_retried = True
        self._rows: dict[str, str] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show the step as running, then as done, failed or not needed."""
        self._set(name, "⏳ running", "")
        try:
            yield
        except PaymentError as error:
            self._set(name, "✗ failed", f"{error.code}: {error.message}")
            raise
        except asyncio.CancelledError:
            self._set(name, "- not needed", "")
            raise
        self._set(name, "✓ done", "")
        if self._is_retried:
            self.needs_attention(None)

    def waits(self, name: str, note: str) -> None:
        """Show that a step waits for another system, which may take days."""
        self._set(name, "⏳ waiting", note)

    def needs_attention(self, error: PaymentError | None, *, is_retried: bool = True) -> None:
        """Set the flag by which operators find the payment, with its reason; None clears it.

        `is_retried` says whether this is the error of a step that is tried again. If it is, the
        next step that succeeds clears the flag. If not, only the workflow clears it.
        """
        self._is_retried = is_retried
        wanted = error.message if error else None
        if wanted == self._attention:
            return
        if bool(wanted) != bool(self._attention):
            workflow.upsert_search_attributes([NEEDS_ATTENTION.value_set(bool(wanted))])
        if wanted:
            workflow.logger.warning("needs attention: %s", wanted)
        self._attention = wanted
        self._show()

    def show_end(self, how: str) -> None:
        """Show the result `how` of a workflow that needs no operator, and clear the flag."""
        self._ending = how
        self.needs_attention(None)
        self._show()

    def show_ending(self, ending: Payment | Refund) -> None:
        """Show how the payment or the refund has ended."""
        self._ending = ending.status
        changes: list[SearchAttributeUpdate[str]] = []
        if isinstance(ending, Payment):
            changes.append(PAYMENT_STATUS.value_set(ending.status))
        if ending.error_code:
            self._ending += f" · {ending.error_code}: {ending.error_message}"
            changes.append(FAILURE_CODE.value_set(ending.error_code))
        if changes:
            workflow.upsert_search_attributes(changes)
        self._show()

    def _set(self, name: str, state: str, note: str) -> None:
        at = workflow.now()
        time = f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
        self._rows[name] = _row(name, state, time, note)
        self._show()

    def _show(self) -> None:
        workflow.set_current_details("\n".join(self._lines()))

    def _lines(self) -> Iterator[str]:
        yield f"{self._title}: {self._ending}\n"
        if self._attention:
            yield f"> ⚠ **Needs attention**: {self._attention}"
            if self._is_retried and self._ending == IN_PROGRESS:
                yield "> It is tried again until it succeeds. Check that the system in the failed"
                yield "> step is running and accepts our requests."
            yield ""
        yield _row("Step", "State", "At (UTC)", "Note")
        yield "|:--|:--|:--|:--|"
        yield from self._rows.values()


def _row(*cells: str) -> str:
    """A row with space between its cells: the Web UI shows tables without any."""
    return "".join(f"| {cell.replace('|', '/')}\N{EM SPACE}" for cell in cells) + "|"
